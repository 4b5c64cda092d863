"""
Confidence that deserves its name
=================================

A network that fits 500 samples is sure of everything, right or wrong. Label smoothing makes it less
sure everywhere. Self-knowledge distillation (PS-KD) softens the target of each sample by what the
network itself said of it one epoch before: little for easy samples, much for hard ones.
"""

# %%
# Three networks
# --------------
# The inputs get Gaussian noise in each step; a regularizer of a few lines does it. The one that is
# listed first acts first.

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

X, y = make_classification(
    2000, 20, n_informative=10, n_redundant=5, n_classes=5, n_clusters_per_class=2, flip_y=0.1,
    class_sep=1.2, random_state=0,
)  # fmt: skip
X, X_test, y, y_test = train_test_split(scale(X), y, train_size=500, random_state=0)


class Noise(Regularizer):
    """Adds Gaussian noise to the inputs."""

    def __init__(self, scale=0.3):
        self.scale = scale

    def inputs(self, net, batch, X):
        return X + self.scale * torch.randn_like(X)


def train(regularizers=(), label_smoothing=0.0):
    model = DeepClassifier(
        regularizers=[("noise", Noise()), *regularizers],
        max_epochs=60,
        batch_size=50,
        random_state=0,
        net_params={"criterion__label_smoothing": label_smoothing},
    )
    return model.fit(X, y)


models = {
    "cross entropy": train(),
    "label smoothing": train(label_smoothing=0.1),
    "PS-KD": train([("ps_kd", PSKD(alpha=0.8))]),
}

# %%
# What the confidence is worth
# ----------------------------
# The log-loss punishes wrong certainty, the calibration error compares confidence with accuracy,
# and the area under the risk-coverage curve is the error rate of the most confident predictions,
# averaged over how many one takes.

for name, model in models.items():
    probability = model.predict_proba(X_test)
    print(
        f"{name:16s} error {1 - model.score(X_test, y_test):.3f}   "
        f"log-loss {log_loss(y_test, probability):.3f}   "
        f"calibration error {expected_calibration_error(y_test, probability):.3f}   "
        f"risk-coverage {risk_coverage_score(y_test, probability):.3f}"
    )

# %%
# Both pictures
# -------------

fig, axes = plt.subplots(1, 2, figsize=(9.5, 4), layout="constrained")
axes[0].plot([0.2, 1], [0.2, 1], color="grey", linewidth=0.8)
for name, model in models.items():
    probability = model.predict_proba(X_test)
    confidence, right = probability.max(axis=1), probability.argmax(axis=1) == y_test
    observed, stated = calibration_curve(right, confidence, n_bins=8, strategy="quantile")
    axes[0].plot(stated, observed, "o-", label=name, markersize=4)
    wrong = ~right[np.argsort(-confidence, kind="stable")]
    coverage = np.arange(1, len(wrong) + 1) / len(wrong)
    axes[1].plot(coverage[20:], (wrong.cumsum() / np.arange(1, len(wrong) + 1))[20:], label=name)
axes[0].set(xlabel="confidence", ylabel="accuracy")
axes[1].set(xlabel="share of the samples, most confident first", ylabel="error rate")
axes[0].legend()

# %%
# The strength is to be validated: with more noise the network is calibrated as it is, and PS-KD
# makes it under-confident.

grid = {alpha: [] for alpha in (0.0, 0.8)}
X_fit, X_valid, y_fit, y_valid = train_test_split(X, y, random_state=0)
for alpha, losses in grid.items():
    model = DeepClassifier(
        regularizers=[("noise", Noise(1.0)), ("ps_kd", PSKD(alpha))], max_epochs=40, batch_size=50,
        random_state=0,
    )  # fmt: skip
    losses.append(log_loss(y_valid, model.fit(X_fit, y_fit).predict_proba(X_valid)))
    print(f"noise 1.0, alpha {alpha:.1f}: validation log-loss {losses[0]:.3f}")
plt.show()
