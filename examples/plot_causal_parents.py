"""
========================================================================
A regression on causes survives a change that one on everything does not
========================================================================

A machine's output depends on two of its settings; two sensors downstream react to the output. All
of them help to predict it. What happens to a regression when one sensor is recalibrated? One on all
columns loses, one on the causes of the output alone does not. `SelectParents` finds the causes
inside a pipeline.
"""

# %%
# Two regimes
# -----------
# Edges lead from settings to output to sensors. In the second regime, the gain of one sensor has
# changed its sign.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline

from skreg.causal import CoLiDE, DAGDisplay, SelectParents
from skreg.datasets import make_linear_sem
from skreg.pictures import STYLE, dots_with_intervals

plt.rcParams.update(STYLE)
SEED = 0
columns = ["speed", "pressure", "humidity", "output", "heat", "vibration"]
weights = pd.DataFrame(0.0, index=columns, columns=columns)
weights.loc["speed", "output"] = 1.5
weights.loc["pressure", "output"] = -1.0
weights.loc["humidity", "heat"] = 0.6
weights.loc["output", "heat"] = 1.2
weights.loc["output", "vibration"] = 0.9
changed = weights.copy()
changed.loc["output", "vibration"] = -0.9


def rows(adjacency, seed):
    X = make_linear_sem(600, adjacency=adjacency, random_state=seed).X
    frame = pd.DataFrame(X, columns=columns)
    return frame.drop(columns="output"), frame["output"]


# %%
# The pipelines
# -------------
# The selector learns the graph of all columns and the target, and hands on the target's parents.
# Ten data sets are simulated, each with a training set and a test set from either regime.

models = {
    "all columns": LinearRegression(),
    "parents": make_pipeline(SelectParents(CoLiDE("ev")), LinearRegression()),
}
regimes = {"as in training": weights, "sensor changed": changed}
scores = {f"{name}, {regime}": [] for name in models for regime in regimes}
selected = []
for seed in range(SEED, SEED + 10):
    train = rows(weights, seed)
    for name, model in models.items():
        model.fit(*train)
        for regime, adjacency in regimes.items():
            X, y = rows(adjacency, 1000 + seed)
            scores[f"{name}, {regime}"].append(r2_score(y, model.predict(X)))
    selected.append(models["parents"][0].get_feature_names_out().tolist())

right = sum(set(names) == {"speed", "pressure"} for names in selected)
print(f"exactly speed and pressure are selected in {right} of {len(selected)} data sets")
for name, values in scores.items():
    error = np.std(values, ddof=1) / np.sqrt(len(values))
    print(f"R² of {name:27s} {np.mean(values):.2f} ± {error:.2f}")

# %%
# The price of the causes alone is a lower R² as long as nothing changes: the sensors do tell
# something about the output. What it buys is that the R² stays when they change.

ax = dots_with_intervals(scores)
ax.set_title("Regression on all columns and on the causes")
ax.set_xlabel("R² on new rows, mean of 10 data sets and 95% interval")

# %%
# What was learned
# ----------------
# The target is the last node of the selector's estimator, here of the last data set. Blue edges
# have positive weights, orange ones negative, and thicker ones larger.

graph = models["parents"][0].estimator_
names = [*models["parents"][0].feature_names_in_, "output"]
display = DAGDisplay.from_matrix(graph.adjacency_matrix_, feature_names=names)
display.ax_.set_title("The learned graph")
plt.show()

# %%
# Where to go next: :ref:`sphx_glr_gallery_plot_causal_effects.py` asks what happens if a column is
# set; :ref:`sphx_glr_gallery_plot_causal_graph.py` how far a learned graph is to be trusted.
