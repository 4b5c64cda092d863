"""
A signalling network from observations, and how far to trust it
===============================================================

Eleven proteins of human immune cells, and the seventeen edges between them that biologists agree
on, are the classic test of graph learning. The measurements are not shipped with this package, so
the rows here are simulated on that graph: linear effects with random weights, and a noise level of
its own for every protein.
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
rng = np.random.default_rng(0)
weights = pd.DataFrame(0.0, index=proteins, columns=proteins)
for cause, effects in consensus.items():
    for effect in effects:
        weights.loc[cause, effect] = rng.uniform(0.5, 1.5) * rng.choice([-1, 1])
sem = make_linear_sem(853, adjacency=weights, noise_variance=(1.0, 3.0), random_state=0)
X = pd.DataFrame(sem.X, columns=proteins)
print(f"variances follow the graph to {var_sortability(sem.X, sem.adjacency):.0%}")

# %%
# Three scores and the baseline
# -----------------------------
# CoLiDE with one noise level for all proteins, with one for each, and with none (which is DAGMA).
# Sorting the columns by their variance is the baseline that shows how much of the task is easy.

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

model = models["CoLiDE, one level"]
AdjacencyDisplay.from_estimator(model, truth=weights)
ConvergenceDisplay.from_estimator(model)

# %%
# Which edges would another sample confirm?
# -----------------------------------------
# A likelihood on held-out rows does not see most directions and cannot choose the penalty. How
# often bootstrap samples agree about an edge can: `BootstrapDAG` takes the smallest penalty whose
# graphs are stable, and keeps the edges that half of the samples have.

bootstrap = BootstrapDAG(
    CoLiDE("ev", mode="fast"), n_bootstraps=20, alphas=[0.5, 0.2, 0.1, 0.05], random_state=0
).fit(X)
print(f"chosen alpha {bootstrap.alpha_}; instability {bootstrap.instability_.round(3)}")
DAGDisplay.from_estimator(bootstrap)
for cause, effect, weight in bootstrap.edges():
    frequency = bootstrap.edge_frequency_[proteins.index(cause), proteins.index(effect)]
    true = "" if weights.loc[cause, effect] else "   (not in the true graph)"
    print(
        f"{cause:>4s} -> {effect:4s} weight {weight:+.2f}, in {frequency:.0%} of the samples{true}"
    )

# %%
# What one knows should be said
# -----------------------------
# Proteins downstream cannot act on those upstream: tiers and forbidden edges enter the fit.

informed = CoLiDE("ev", tiers=[1 if p not in ("PKC", "PKA", "Plcg") else 0 for p in proteins])
informed.fit(X)
distance = structural_hamming_distance(sem.adjacency, informed.adjacency_matrix_)
print(f"with tiers: SHD {distance}")

# %%
# The caveat
# ----------
# After standardising, variances no longer tell directions. The graph is much worse, and the
# estimator warns. On denser random graphs it is no better than the empty graph.

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    blind = CoLiDE("ev").fit((X - X.mean()) / X.std(ddof=0))
print(f"standardised: {str(caught[0].message).split(':')[0]}")
distance = structural_hamming_distance(sem.adjacency, blind.adjacency_matrix_)
print(f"standardised: SHD {distance}; the empty graph has {np.count_nonzero(sem.adjacency)}")
plt.show()
