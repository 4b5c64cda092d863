"""
===============================================================
A signalling network from observations, and how far to trust it
===============================================================

Eleven proteins of human immune cells, and the seventeen edges between them that biologists agree
on, are the classic test of graph learning. Which of these edges can be read from observations
alone? The measurements are not shipped with this package, so the rows here are simulated on that
graph: linear effects with random weights, and a noise level of its own for every protein.
"""

# %%
# The data
# --------
# The graph needs columns in a common unit: what these methods read directions from is how variances
# grow along the edges, which `var_sortability` measures.

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skreg.causal import (
    AdjacencyDisplay,
    BootstrapDAG,
    CoLiDE,
    ConvergenceDisplay,
    DAGDisplay,
    SortNRegress,
    var_sortability,
)
from skreg.causal.metrics import (
    edge_rates,
    noise_scale_error,
    structural_hamming_distance,
    structural_intervention_distance,
)
from skreg.datasets import make_linear_sem
from skreg.pictures import STYLE, dots_with_intervals

# sphinx_gallery_thumbnail_number = 3
plt.rcParams.update(STYLE)
proteins = ["Raf", "Mek", "Plcg", "PIP2", "PIP3", "Erk", "Akt", "PKA", "PKC", "P38", "Jnk"]
consensus = {
    "PKC": ["Raf", "Mek", "Jnk", "P38", "PKA"],
    "PKA": ["Raf", "Mek", "Erk", "Akt", "Jnk", "P38"],
    "Raf": ["Mek"],
    "Mek": ["Erk"],
    "Erk": ["Akt"],
    "Plcg": ["PIP2", "PIP3"],
    "PIP3": ["PIP2"],
}


def simulate(seed):
    """853 rows, as in the original study, and the weights of the edges behind them."""
    rng = np.random.default_rng(seed)
    weights = pd.DataFrame(0.0, index=proteins, columns=proteins)
    for cause, effects in consensus.items():
        for effect in effects:
            weights.loc[cause, effect] = rng.uniform(0.5, 1.5) * rng.choice([-1, 1])
    sem = make_linear_sem(853, adjacency=weights, noise_variance=(1.0, 3.0), random_state=seed)
    return pd.DataFrame(sem.X, columns=proteins), weights, sem


SEED = 0
X, weights, sem = simulate(SEED)
print(f"variances follow the graph to {var_sortability(sem.X, sem.adjacency):.0%}")

# %%
# Three scores and the baseline
# -----------------------------
# CoLiDE with one noise level for all proteins, with one for each, and with none (which is DAGMA).
# Sorting the columns by their variance is the baseline that shows how much of the task is easy. The
# structural Hamming distance (SHD) counts wrong edges, the structural intervention distance (SID)
# pairs of proteins for which the graph would predict a wrong effect.

models = {
    "CoLiDE, one level": CoLiDE("ev"),
    "CoLiDE, levels": CoLiDE("nv"),
    "least squares": CoLiDE("ls"),
    "SortNRegress": SortNRegress(threshold=0.3),
}
for name, model in models.items():
    model.fit(X)
    W = model.adjacency_matrix_
    print(
        f"{name:18s} SHD {structural_hamming_distance(sem.adjacency, W):2d}   "
        f"SID {structural_intervention_distance(sem.adjacency, W):2d}   "
        f"true edges found {edge_rates(sem.adjacency, W).true_positive_rate:.0%}   "
        f"noise error {noise_scale_error(sem.noise_scale, model.sigma_):.2f}"
    )

display = AdjacencyDisplay.from_estimator(models["CoLiDE, levels"], truth=weights)
display.figure_.suptitle("Weights of the edges: CoLiDE with a noise level for each protein")

# %%
# The optimizer tells whether it is to be believed: along the way the graph becomes acyclic, and the
# score settles.

display = ConvergenceDisplay.from_estimator(models["CoLiDE, levels"])
display.figure_.suptitle("Convergence of the fit")

# %%
# Which edges would another sample confirm?
# -----------------------------------------
# A likelihood on held-out rows does not see most directions and cannot choose the penalty. How
# often bootstrap samples agree about an edge can: `BootstrapDAG` takes the smallest penalty whose
# graphs are stable, and keeps the edges that half of the samples have. Agreement is not truth: an
# edge that all samples turn around looks stable too. Blue edges have positive weights, orange ones
# negative; the thicker an edge, the more samples have it.

bootstrap = BootstrapDAG(
    CoLiDE("nv", mode="fast"),
    n_bootstraps=10,
    alphas=[0.5, 0.2, 0.1, 0.05, 0.02, 0.01],
    random_state=0,
).fit(X)
print(f"chosen alpha {bootstrap.alpha_}; instability {bootstrap.instability_.round(3)}")
DAGDisplay.from_estimator(bootstrap).ax_.set_title("Edges that half of the samples have")
for cause, effect, weight in bootstrap.edges():
    frequency = bootstrap.edge_frequency_[proteins.index(cause), proteins.index(effect)]
    true = "" if weights.loc[cause, effect] else "   (not in the true graph)"
    print(
        f"{cause:>4s} → {effect:4s} weight {weight:+.2f}, in {frequency:.0%} of the samples{true}"
    )

# %%
# What one knows should be said
# -----------------------------
# Proteins downstream cannot act on those upstream: tiers and forbidden edges enter the fit.

informed = CoLiDE("nv", tiers=[1 if p not in ("PKC", "PKA", "Plcg") else 0 for p in proteins])
informed.fit(X)
distance = structural_hamming_distance(sem.adjacency, informed.adjacency_matrix_)
print(f"with tiers: SHD {distance}")

# %%
# The caveat
# ----------
# After standardising, variances no longer tell directions, and the estimator warns. The figure
# repeats the comparison on five simulated data sets, each with weights of its own.

distances = {"CoLiDE": [], "SortNRegress": [], "CoLiDE, standardised": []}
for seed in range(SEED, SEED + 5):
    X, weights, sem = simulate(seed)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        blind = CoLiDE("nv").fit((X - X.mean()) / X.std(ddof=0))
    fitted = (CoLiDE("nv").fit(X), SortNRegress(threshold=0.3).fit(X), blind)
    for found, model in zip(distances.values(), fitted, strict=True):
        found.append(structural_hamming_distance(sem.adjacency, model.adjacency_matrix_))
print(f"the warning: {str(caught[0].message).split(':')[0]}")
for name, values in distances.items():
    print(f"{name:20s} SHD {values}")
ax = dots_with_intervals(distances)
ax.axvline(np.count_nonzero(sem.adjacency), color="0.4", linestyle="--")
ax.annotate("the empty graph", (np.count_nonzero(sem.adjacency), -0.4), ha="right", va="top")
ax.set_title("Wrong edges with and without the unit of the columns")
ax.set(xlabel="structural Hamming distance, mean of 5 data sets and 95% interval", xlim=(0, None))
plt.show()

# %%
# Where to go next: :ref:`sphx_glr_gallery_plot_causal_parents.py` uses a learned graph to choose
# the features of a regression.
