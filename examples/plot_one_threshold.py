"""
One distance threshold for all classes
======================================

"Are these two digits the same?" is answered by a threshold on the distance of their embeddings. A
network that is trained to classify makes some classes compact and others wide: no threshold suits
all. The threshold-consistent margin (TCM) brings the hard pairs of all classes to the same cosines.
"""

# %%
# Embeddings with and without the margin
# --------------------------------------
# The module puts out logits; the regularizer looks at the layer that is called "embedding".

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional as F

from skreg.deep import DeepClassifier
from skreg.deep.regularizers import ThresholdConsistentMargin
from skreg.metrics import (
    operating_point_inconsistency_score,
    operating_points,
    recall_at_k,
    verification_error_rates,
)

X, y = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split(
    X.astype("float32") / 16, y, train_size=900, stratify=y, random_state=0
)


class ProxyNetwork(nn.Module):
    """Logits that are scaled cosines between an embedding and one proxy for each class."""

    def __init__(self, n_inputs, n_outputs):
        super().__init__()
        self.embedding = nn.Sequential(nn.Linear(n_inputs, 256), nn.ReLU(), nn.Linear(256, 32))
        self.proxies = nn.Parameter(torch.randn(n_outputs, 32))

    def forward(self, X):
        return 16 * F.normalize(self.embedding(X), dim=1) @ F.normalize(self.proxies, dim=1).T


def embed(regularizers):
    model = DeepClassifier(ProxyNetwork, regularizers, max_epochs=30, random_state=0).fit(X, y)
    with torch.no_grad():
        return model.net_.module_.embedding(torch.from_numpy(X_test)).numpy()


margin = ThresholdConsistentMargin(margin_pos=0.9, margin_neg=0.5, layer="embedding")
embeddings = {"proxies alone": embed(None), "with TCM": embed([("tcm", margin)])}
for name, z in embeddings.items():
    print(
        f"{name:14s} inconsistency {operating_point_inconsistency_score(z, y_test):.5f}   "
        f"recall at 1 {recall_at_k(z, y_test):.3f}"
    )

# %%
# The utility of each class along the threshold
# ---------------------------------------------
# For each class, the harmonic mean of the share of its own pairs that are accepted and of the share
# of pairs with others that are rejected. The inconsistency is the variance between the curves, over
# thresholds at which between 1% and 10% of all pairs of different digits are accepted.

fig, axes = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True, layout="constrained")
for ax, (name, z) in zip(axes, embeddings.items(), strict=True):
    points = operating_points(z, y_test)
    for digit, utility in zip(points.classes, points.utilities, strict=True):
        ax.plot(points.thresholds, utility, label=str(digit))
    ax.set(title=name, xlabel="distance threshold")
axes[0].set_ylabel("utility of the class")
axes[1].legend(title="digit", ncols=2)

# %%
# At the middle threshold
# -----------------------

fig, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
for (name, z), shift in zip(embeddings.items(), (-0.2, 0.2), strict=True):
    threshold = np.median(operating_points(z, y_test).thresholds)
    _, false_reject = verification_error_rates(z, y_test, threshold)
    ax.bar(np.arange(10) + shift, false_reject, 0.4, label=name)
    print(f"{name:14s} false rejects, best and worst class: "
          f"{false_reject.min():.1%}, {false_reject.max():.1%}")  # fmt: skip
ax.set(xlabel="digit", ylabel="false reject rate")
ax.set_xticks(range(10))
ax.legend()
plt.show()
