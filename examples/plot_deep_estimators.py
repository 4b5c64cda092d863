"""
===============================================
Regularized networks as scikit-learn estimators
===============================================

How does one regularize a network, and choose how strongly, without writing a training loop?
`DeepClassifier` fits a network to arrays, frames or tensors and takes part in pipelines and grid
searches like any other estimator. What happens in its training step is a list of regularizers by
name: here sharpness-aware minimization, self-distillation, and a penalty written in the script.

The digits are few (300 to train) and noisy. The script shows how to use regularizers; what each is
for is shown by the other examples.
"""

# %%
# A network in three lines
# ------------------------
# Labels are strings, the network is a residual perceptron sized from the data. Early stopping sets
# a part of the training data aside and keeps the best epoch.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, train_test_split

from skreg.deep import DeepClassifier, LossCurveDisplay, Regularizer
from skreg.deep.regularizers import PSKD, SAM
from skreg.pictures import STYLE, dots_with_intervals

# sphinx_gallery_thumbnail_number = 2
plt.rcParams.update(STYLE)
SEED, N_SPLITS = 0, 4
NAMES = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])

X, y = load_digits(return_X_y=True)
X = X + np.random.default_rng(SEED).normal(scale=4, size=X.shape)


def split(seed):
    return train_test_split(X, NAMES[y], train_size=300, stratify=y, random_state=seed)


X_train, X_test, y_train, y_test = split(SEED)
stopped = DeepClassifier(early_stopping=True, validation_fraction=0.2, random_state=0)
stopped.fit(X_train, y_train)
print(f"default network: accuracy {stopped.score(X_test, y_test):.3f} on new digits")
print(stopped.history_[["train_loss", "valid_loss", "valid_acc"]].tail(3).round(3))

figure, ax = plt.subplots()
LossCurveDisplay.from_estimator(stopped, ax=ax, name="Default network, early stopping")


# %%
# A regularizer of one's own
# --------------------------
# A regularizer overrides the hooks it needs. This one charges for confidence: the log-loss of a
# uniform guess under the network's probabilities, times a strength.


class ConfidencePenalty(Regularizer):
    def __init__(self, strength=0.03):
        self.strength = strength

    def penalty(self, net, batch, y_pred, features):
        return -self.strength * y_pred.log_softmax(1).mean()


# %%
# Strengths by grid search
# ------------------------
# Regularizers are asked in order, do not know one another, and have parameters that a grid search
# reaches by name. Each is searched alone, with the network of the others.

searches = {
    "none": ([], {}),
    "confidence penalty": (
        [("confidence", ConfidencePenalty())],
        {"regularizers__confidence__strength": [0.01, 0.1]},
    ),
    "PS-KD": ([("distillation", PSKD())], {"regularizers__distillation__alpha": [0.4, 0.8]}),
    "SAM": ([("sam", SAM())], {"regularizers__sam__rho": [0.1, 0.3]}),
}
chosen = {}
for name, (regularizers, grid) in searches.items():
    model = DeepClassifier(regularizers=regularizers, max_epochs=18, batch_size=100, random_state=0)
    search = GridSearchCV(model, grid, cv=2, scoring="neg_log_loss", refit=False)
    search.fit(X_train, y_train)
    chosen[name] = clone(model).set_params(**search.best_params_)
    what = ", ".join(f"{key.split('__', 1)[1]}={v}" for key, v in search.best_params_.items())
    print(f"{name:<19} cross-validated log-loss {-search.best_score_:.3f}  {what}")

# %%
# Is the difference more than luck?
# ---------------------------------
# The chosen networks are fitted on four divisions into training and test digits. What counts is the
# difference to the network without regularizer on the same division: below zero is better.

losses = {name: [] for name in chosen}
for seed in range(SEED, SEED + N_SPLITS):
    X_train, X_test, y_train, y_test = split(seed)
    for name, model in chosen.items():
        fitted = clone(model).set_params(random_state=seed).fit(X_train, y_train)
        losses[name].append(log_loss(y_test, fitted.predict_proba(X_test), labels=fitted.classes_))
print("log-loss on new digits: " + ", ".join(f"{n} {np.mean(v):.3f}" for n, v in losses.items()))
ax = dots_with_intervals(
    {name: np.subtract(loss, losses["none"]) for name, loss in losses.items() if name != "none"}
)
ax.axvline(0, color="0.4", linewidth=1)
ax.set_title("Log-loss on new digits, more than without regularizer")
ax.set_xlabel(f"difference of log-loss (nats), mean of {N_SPLITS} divisions and 95% interval")
plt.show()

# %%
# Where to go next: what a regularizer is for is shown for wrong labels
# (:ref:`sphx_glr_gallery_plot_wrong_labels.py`), confidence
# (:ref:`sphx_glr_gallery_plot_confidence_by_self_distillation.py`) and rare targets
# (:ref:`sphx_glr_gallery_plot_imbalanced_regression.py`).
