"""
=======================================
Customers to depots of limited capacity
=======================================

Each of 600 customers is served by one of 12 depots, and each depot serves 50. Sending everybody to
the nearest depot overloads some and leaves others idle. A balanced assignment keeps to the
capacities, and its prices say where a larger depot would pay.
"""

# %%
# Nearest depots are too small
# ----------------------------
# Most customers live in two towns.

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import linear_sum_assignment

from skreg.pictures import BLUE, GREY, INK, RED, STYLE
from skreg.transport import BalancedAssignment, TransportPlanDisplay, sparse_transport

# sphinx_gallery_thumbnail_number = 1
plt.rcParams.update(STYLE)
CAPACITY, N_DEPOTS = 50, 12
rng = np.random.default_rng(0)
towns = np.array([[2.0, 2.0], [7.0, 6.0], [5.0, 4.0]])
spread = np.array([0.8, 1.0, 2.0])
town = rng.choice(3, size=CAPACITY * N_DEPOTS, p=[0.45, 0.35, 0.2])
customers = towns[town] + spread[town][:, None] * rng.normal(size=(CAPACITY * N_DEPOTS, 2))
depots = np.array([[x, y] for x in (1.5, 4.0, 6.5, 9.0) for y in (1.5, 4.5, 7.5)])
distance = np.linalg.norm(customers[:, None] - depots, axis=2)

nearest = distance.argmin(axis=1)
model = BalancedAssignment(CAPACITY).fit(distance)
print("customers of the nearest depots:", np.bincount(nearest, minlength=N_DEPOTS))
print("customers of the assignment:    ", model.capacity_used_)


def draw(ax, labels, title):
    for customer, label in zip(customers, labels, strict=True):
        ax.plot(*np.stack([customer, depots[label]]).T, color=GREY, linewidth=0.5, zorder=1)
    ax.scatter(*customers.T, s=6, color=BLUE, zorder=2)
    served = np.bincount(labels, minlength=N_DEPOTS)
    colours = [RED if count > CAPACITY else INK for count in served]
    ax.scatter(*depots.T, s=90, color=colours, marker="s", zorder=3)
    for depot, count in zip(depots, served, strict=True):
        ax.annotate(
            count,
            depot,
            xytext=(7, 5),
            textcoords="offset points",
            zorder=4,
            bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1},
        )
    ax.set(title=title, aspect="equal", xlabel="km", ylabel="km")


figure, axes = plt.subplots(1, 2, figsize=(9.6, 5.0), sharex=True, sharey=True)
draw(axes[0], nearest, "Nearest depot; above capacity in red")
draw(axes[1], model.labels_, "Balanced assignment")

# %%
# Nothing is lost by the relaxation
# ---------------------------------
# The Hungarian algorithm solves the same problem on a matrix with a column for each place.

places = np.repeat(np.arange(N_DEPOTS), CAPACITY)
rows, chosen = linear_sum_assignment(distance[:, places])
print(f"balanced assignment  {model.cost_:.3f} km, {model.n_split_} customers split by the plan")
print(f"Hungarian algorithm  {distance[rows, places[chosen]].sum():.3f} km")
print(f"nearest depots       {distance.min(axis=1).sum():.3f} km, capacities ignored")

# %%
# Where would another place pay?
# ------------------------------
# In the optimum every customer goes where distance plus price is least. The price of a depot is
# what one more place there would save, beside the depot where a place is worth least.

figure, ax = plt.subplots(figsize=(6.4, 4.0))
order = np.argsort(model.prices_)
ax.plot(model.prices_[order], np.arange(N_DEPOTS), "o", color=BLUE)
labels = [f"({depots[i][0]:g}, {depots[i][1]:g})" for i in order]
ax.set_yticks(np.arange(N_DEPOTS), labels)
ax.set(title="Price of a place", xlabel="km saved by one more place", ylabel="depot at (km, km)")

# %%
# A plan for customers of unequal demand
# --------------------------------------
# Demands can be split between depots, as deliveries are. Each depot serves at most 60 customers.

demand = rng.gamma(2.0, size=len(customers))
demand /= demand.sum()
plan = sparse_transport(
    demand,
    np.full(N_DEPOTS, 1 / N_DEPOTS),
    distance / distance.max(),
    max_nz=60,
    gamma=0.1,
    recovery="k_sparse",
)
print(f"customers of a depot: {plan.n_nonzero_per_column}, proved optimal: {plan.exact}")
TransportPlanDisplay.from_result(plan, customers, depots)
plt.show()

# %%
# Where to go next: the guide's page on transport says what is solved, and what a plan can prove;
# :ref:`sphx_glr_gallery_plot_restored_digits.py` moves a distribution without a plan.
