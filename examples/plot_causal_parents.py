"""
A regression on causes survives a change that one on everything does not
========================================================================

A machine's output depends on two of its settings; two sensors downstream react to the output. All
four predict it well. When a sensor is recalibrated, a regression on all columns goes wrong, and one
on the causes of the output alone does not. `SelectParents` finds them inside a pipeline.
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

on_everything = LinearRegression()
on_parents = make_pipeline(SelectParents(CoLiDE("ev")), LinearRegression())
scores = {name: [] for name in ("everything, same", "everything, changed",
                                "parents, same", "parents, changed")}  # fmt: skip
for seed in range(5):
    train = rows(weights, seed)
    for name, model in (("everything", on_everything), ("parents", on_parents)):
        model.fit(*train)
        for regime, adjacency in (("same", weights), ("changed", changed)):
            X, y = rows(adjacency, 100 + seed)
            scores[f"{name}, {regime}"].append(r2_score(y, model.predict(X)))

selected = on_parents[0].get_feature_names_out().tolist()
print("parents of the output:", ", ".join(selected))
for name, values in scores.items():
    print(f"R2 on {name:20s} {np.mean(values):+.2f} ± {np.std(values) / np.sqrt(5):.2f}")

# %%
# What was learned
# ----------------
# The target is the last node of the selector's estimator.

graph = on_parents[0].estimator_
names = [*on_parents[0].feature_names_in_, "output"]
DAGDisplay.from_matrix(graph.adjacency_matrix_, feature_names=names)

fig, ax = plt.subplots(figsize=(5.4, 2.6), layout="constrained")
ax.barh(list(scores), [np.mean(values) for values in scores.values()], color="#0072B2")
ax.axvline(0, color="0.4", linewidth=0.8)
ax.set_xlabel("R² of the predicted output")
ax.invert_yaxis()
ax.spines[["top", "right"]].set_visible(False)
plt.show()
