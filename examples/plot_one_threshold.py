"""
======================================
One distance threshold for all classes
======================================

"Are these two digits the same?" is answered by a threshold on the distance of their embeddings. A
network that is trained to classify makes some classes compact and others wide: is there a threshold
that suits all? The threshold-consistent margin (TCM) brings the hard pairs of all classes to the
same cosines.
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
from skreg.pictures import PALETTE, STYLE, dots_with_intervals, series_style

plt.rcParams.update(STYLE)
SEED, N_RUNS = 0, 4
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


def embed(regularizers, seed):
    model = DeepClassifier(ProxyNetwork, regularizers, max_epochs=20, random_state=seed).fit(X, y)
    with torch.no_grad():
        return model.net_.module_.embedding(torch.from_numpy(X_test)).numpy()


margin = ThresholdConsistentMargin(margin_pos=0.9, margin_neg=0.5, layer="embedding")
ways = {"proxies alone": None, "with TCM": [("tcm", margin)]}
seeds = range(SEED, SEED + N_RUNS)
embeddings = {name: [embed(way, seed) for seed in seeds] for name, way in ways.items()}
inconsistency = {
    name: [operating_point_inconsistency_score(z, y_test) for z in runs]
    for name, runs in embeddings.items()
}
for name, runs in embeddings.items():
    recall = np.mean([recall_at_k(z, y_test) for z in runs])
    print(f"{name:14s} inconsistency {np.mean(inconsistency[name]):.5f}   recall at 1 {recall:.3f}")
ratios = np.divide(inconsistency["with TCM"], inconsistency["proxies alone"])
print(f"with TCM, the inconsistency is {ratios.min():.2f} to {ratios.max():.2f} times that without")

# %%
# The utility of each class along the threshold
# ---------------------------------------------
# For each class, the harmonic mean of the share of its own pairs that are accepted and of the share
# of pairs with others that are rejected. The inconsistency is the variance between the curves, over
# thresholds at which between 1% and 10% of all pairs of different digits are accepted. The
# embedding is that of the first run.

figure, axes = plt.subplots(2, 1, figsize=(6.4, 6.6), sharey=True)
for ax, (name, runs) in zip(axes, embeddings.items(), strict=True):
    points = operating_points(runs[0], y_test)
    for digit, utility in zip(points.classes, points.utilities, strict=True):
        ax.plot(
            points.thresholds, utility, color=PALETTE[digit % len(PALETTE)],
            marker=f"${digit}$", markevery=(2 * digit, 20), markersize=7, linewidth=1,
        )  # fmt: skip
    ax.set(title=f"Utility of each digit, {name}", ylabel="utility")
axes[1].set_xlabel("distance threshold (curves carry their digits)")

# %%
# At the middle threshold
# -----------------------
# The share of pairs of equal digits that are taken for different ones, digit by digit.

figure, ax = plt.subplots(figsize=(6.4, 3.6))
worst = {}
for i, (name, runs) in enumerate(embeddings.items()):
    rates = []
    for z in runs:
        threshold = np.median(operating_points(z, y_test).thresholds)
        rates.append(verification_error_rates(z, y_test, threshold)[1])
    worst[name] = np.max(rates, axis=1)
    mean, low, high = np.mean(rates, axis=0), np.min(rates, axis=0), np.max(rates, axis=0)
    ax.errorbar(
        np.arange(10) + 0.3 * (i - 0.5), mean, yerr=(mean - low, high - mean), linestyle="",
        capsize=3, label=name, **series_style(i),
    )  # fmt: skip
    print(f"{name:14s} false rejects, mean of {N_RUNS} runs: best digit {mean.min():.1%}, "
          f"worst {mean.max():.1%}")  # fmt: skip
ax.set_title("False rejects at one threshold for all digits")
ax.set(
    xlabel="digit", ylabel=f"false reject rate, mean and range\nof {N_RUNS} runs", ylim=(0, None)
)
ax.set_xticks(range(10))
figure.legend(loc="outside lower center", ncols=2)

# %%
# What a user of the threshold meets is its worst digit.

ax = dots_with_intervals(worst)
ax.set_title("False rejects of the worst digit")
ax.set_xlabel(f"false reject rate, mean of {N_RUNS} runs and 95% interval")
plt.show()

# %%
# Where to go next: `skreg.metrics` has the measures, for embeddings from anywhere.
