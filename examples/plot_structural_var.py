"""
========================================================
What one more visit does to the orders of the days after
========================================================

A shop counts visits, orders, calls to its service and the hours of its staff every day. Some of
them act on one another within the day, others a day later. `StructuralVAR` learns both graphs and
the size of the daily noises at once, follows a shock through the days, and forecasts.
"""

# %%
# The shop
# --------
# Columns are index numbers in one unit. Within a day visits bring orders, and orders bring calls.
# The day after, calls and orders raise the hours of the staff, and more staff brings visits back.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skreg.causal import CoLiDE, DAGDisplay, StructuralVAR, rolling_evaluation
from skreg.causal.metrics import structural_hamming_distance
from skreg.datasets import make_structural_var
from skreg.pictures import BLUE, GREY, STYLE

plt.rcParams.update(STYLE)
SEED = 0
columns = ["visits", "orders", "calls", "staff"]
today = pd.DataFrame(0.0, index=columns, columns=columns)
today.loc["visits", "orders"] = 1.2
today.loc["orders", "calls"] = 0.9
yesterday = pd.DataFrame(0.0, index=columns, columns=columns)
yesterday.loc["visits", "visits"] = 0.4
yesterday.loc["orders", "staff"] = 0.5
yesterday.loc["calls", "staff"] = 0.3
yesterday.loc["staff", "visits"] = 0.3


def shop(seed, n_days=500):
    return make_structural_var(
        n_days, adjacency=today, lagged_adjacency=[yesterday], random_state=seed
    )


days = pd.DataFrame(shop(SEED).X, columns=columns)
model = StructuralVAR(order=1, noise="ev", mode="fast", refit=True).fit(days)
for cause, effect, weight in model.edges():
    print(f"{cause:>11s} -> {effect:6s} {weight:+.2f}")
print(f"noise level {model.sigma_:.2f}, largest root {model.spectral_radius_:.2f}")

# %%
# Both graphs in one picture: the variables of a day, and those of the day before.

names, weights = model.unrolled()
display = DAGDisplay.from_matrix(weights, feature_names=names)
display.ax_.set_title("Within the day, and from the day before")

# %%
# Rows are not independent
# ------------------------
# A graph of the days as if they were independent takes some of what came from the day before for
# effects within the day. Ten simulated series:

distances = {"StructuralVAR": [], "CoLiDE on the days": []}
for seed in range(SEED, SEED + 10):
    X = shop(seed).X
    dynamic = StructuralVAR(noise="ev", mode="fast").fit(X)
    static = CoLiDE("ev", mode="fast").fit(X)
    for name, fitted in zip(distances, (dynamic, static), strict=True):
        distances[name].append(
            structural_hamming_distance(today.to_numpy(), fitted.adjacency_matrix_)
        )
for name, values in distances.items():
    print(
        f"wrong edges within the day, mean of {len(values)} series, {name}: {np.mean(values):.1f}"
    )

# %%
# A shock and its days
# --------------------
# One more visit than expected, on one day: what happens to the others, and for how long? Grey is
# the truth.

steps = 10
learned = model.impulse_responses(steps)
inverse = np.linalg.inv(np.eye(4) - today.to_numpy())
truth = [inverse]
for _ in range(steps):
    truth.append(truth[-1] @ yesterday.to_numpy() @ inverse)
figure, panels = plt.subplots(1, 4, figsize=(10, 2.8), sharey=True, layout="constrained")
for j, (panel, name) in enumerate(zip(panels, columns, strict=True)):
    panel.plot([response[0, j] for response in truth], color=GREY, label="truth")
    panel.plot(learned[:, 0, j], color=BLUE, label="learned")
    panel.set(title=name, xlabel="days after", xticks=range(0, steps + 1, 2))
panels[0].set_ylabel("change after one more visit")
panels[-1].legend()
print(f"orders in {steps} days after one more visit: {learned[:, 0, 1].sum():.2f}")
print(f"in truth: {np.sum(truth, axis=0)[0, 1]:.2f}")

# %%
# Forecasts as the window moves
# -----------------------------
# Fits to 200 days forecast the next one. The rivals are an autoregression by least squares, which
# has no graph, and yesterday's value. The graph forecasts no better than the autoregression here;
# it needs fewer weights, and says in how many windows each of them is found.

moving = rolling_evaluation(
    StructuralVAR(noise="ev", mode="fast", refit=True), days, window=200, step=20
)
print(moving.errors.droplevel("step").round(2))
stable = pd.DataFrame(moving.lagged_edge_frequency[0], index=columns, columns=columns)
print(f"lagged edges by how many of the {moving.n_windows} windows have them:")
print(stable.round(2))
plt.show()

# %%
# Where to go next: :ref:`sphx_glr_gallery_plot_causal_graph.py` asks how far a learned graph is to
# be trusted; :ref:`sphx_glr_gallery_plot_causal_effects.py` what happens if a column is set.
