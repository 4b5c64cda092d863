"""
=================================
Confidence that deserves its name
=================================

A network that fits 500 samples is sure of everything, right or wrong. How can its confidence be
made to mean something? Label smoothing makes it less sure everywhere. Self-knowledge distillation
(PS-KD) softens the target of each sample by what the network itself said of it one epoch before:
little for easy samples, much for hard ones.
"""

# %%
# Three ways to train
# -------------------
# The inputs get Gaussian noise in each step; a regularizer of a few lines does it. The one that is
# listed first acts first. Every way is tried on the same four data sets.

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.calibration import calibration_curve
from sklearn.datasets import make_classification
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import scale

from skreg.deep import DeepClassifier, Regularizer
from skreg.deep.regularizers import PSKD
from skreg.metrics import expected_calibration_error, risk_coverage_score
from skreg.pictures import STYLE, dots_with_intervals, series_style

# sphinx_gallery_thumbnail_number = 2
plt.rcParams.update(STYLE)
SEED, N_RUNS = 0, 4


def simulate(seed):
    X, y = make_classification(
        2000, 20, n_informative=10, n_redundant=5, n_classes=5, n_clusters_per_class=2, flip_y=0.1,
        class_sep=1.2, random_state=seed,
    )  # fmt: skip
    return train_test_split(scale(X), y, train_size=500, random_state=seed)


class Noise(Regularizer):
    """Adds Gaussian noise to the inputs."""

    def __init__(self, scale=0.3):
        self.scale = scale

    def inputs(self, net, batch, X):
        return X + self.scale * torch.randn_like(X)


def make_model(seed, regularizers=(), label_smoothing=0.0):
    return DeepClassifier(
        regularizers=[("noise", Noise()), *regularizers],
        max_epochs=25,
        batch_size=100,
        random_state=seed,
        net_params={"criterion__label_smoothing": label_smoothing},
    )


ways = {
    "cross entropy": {},
    "label smoothing": {"label_smoothing": 0.1},
    "PS-KD": {"regularizers": [("ps_kd", PSKD(alpha=0.8))]},
}
stated = {name: [] for name in ways}
truth = []
for seed in range(SEED, SEED + N_RUNS):
    X, X_test, y, y_test = simulate(seed)
    truth.append(y_test)
    for name, options in ways.items():
        stated[name].append(make_model(seed, **options).fit(X, y).predict_proba(X_test))

# %%
# What the confidence is worth
# ----------------------------
# The log-loss punishes wrong certainty, the calibration error compares confidence with accuracy,
# and the area under the risk-coverage curve is the error rate of the most confident predictions,
# averaged over how many one takes. Lower is better for all three.

measures = {
    "log-loss (nats)": log_loss,
    "calibration error": expected_calibration_error,
    "area under risk-coverage": risk_coverage_score,
}
figure, axes = plt.subplots(3, 1, figsize=(6.4, 5.2))
for ax, (title, measure) in zip(axes, measures.items(), strict=True):
    values = {
        name: [measure(y, probability) for y, probability in zip(truth, runs, strict=True)]
        for name, runs in stated.items()
    }
    dots_with_intervals(values, ax)
    ax.set_title(title)
    best = np.sum(np.argmin(list(values.values()), axis=0) == list(values).index("PS-KD"))
    print(f"{title:25s}" + "   ".join(f"{name} {np.mean(v):.3f}" for name, v in values.items()))
    print(f"{'':25s}PS-KD is the lowest on {best} of {N_RUNS} data sets")
axes[-1].set_xlabel(f"mean of {N_RUNS} data sets and 95% interval")

# %%
# Stated and true
# ---------------
# The predictions of all runs together. Below the diagonal a network is surer than it is right.

y, classes = np.concatenate(truth), np.unique(truth[0])
figure, axes = plt.subplots(2, 1, figsize=(6.4, 7.4))
axes[0].plot([0.2, 1], [0.2, 1], color="0.4", linewidth=0.8)
for i, (name, runs) in enumerate(stated.items()):
    probability = np.concatenate(runs)
    confidence, right = probability.max(axis=1), classes[probability.argmax(axis=1)] == y
    observed, said = calibration_curve(right, confidence, n_bins=8, strategy="quantile")
    axes[0].plot(said, observed, label=name, **series_style(i))
    wrong = ~right[np.argsort(-confidence, kind="stable")]
    number = np.arange(1, len(wrong) + 1)
    risk = wrong.cumsum() / number
    shown = slice(len(wrong) // 20, None)
    axes[1].plot(
        number[shown] / len(wrong), risk[shown], markevery=(200 * i, 600), **series_style(i)
    )
axes[0].set(title="Is the confidence right?", xlabel="confidence", ylabel="accuracy")
axes[1].set(title="Are the confident ones right more often?", ylabel="error rate")
axes[1].set_xlabel("share of the samples, most confident first")
figure.legend(loc="outside lower center", ncols=3)
plt.show()

# %%
# The strength is to be chosen
# ----------------------------
# `alpha` says how much of a target may come from the epoch before. How much is good depends on all
# else that regularizes: a grid search tells.

X, X_test, y, y_test = simulate(SEED)
X_fit, X_valid, y_fit, y_valid = train_test_split(X, y, random_state=SEED)
for alpha in (0.0, 0.8):
    model = make_model(SEED, [("ps_kd", PSKD(alpha))]).fit(X_fit, y_fit)
    loss = log_loss(y_valid, model.predict_proba(X_valid))
    print(f"alpha {alpha:.1f}: log-loss on validation samples {loss:.3f}")

# %%
# Where to go next: :ref:`sphx_glr_gallery_plot_deep_estimators.py` searches this strength in a
# pipeline.
