"""
=================================================
Regularized networks as scikit-learn estimators
=================================================

`DeepClassifier` fits a network to arrays, frames or tensors and takes part in pipelines and grid
searches like any other estimator. What happens in its training step is a list of regularizers by
name: here sharpness-aware minimization, self-distillation, and a penalty written in the script.

The digits are few (300 to train) and noisy. The regularizers differ by little here: the script
shows how to use them, the other examples what each is for. It takes about half a minute.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split

from skreg.deep import DeepClassifier, LossCurveDisplay, Regularizer
from skreg.deep.regularizers import PSKD, SAM

NAMES = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])

X, y = load_digits(return_X_y=True)
X = X + np.random.default_rng(0).normal(scale=4, size=X.shape)
X_train, X_test, y_train, y_test = train_test_split(
    X, NAMES[y], train_size=300, stratify=y, random_state=0
)

# %%
# Labels are strings, the network is a residual perceptron sized from the data. Early stopping sets
# a part of the training data aside and keeps the best epoch.
stopped = DeepClassifier(early_stopping=True, validation_fraction=0.2, random_state=0)
stopped.fit(X_train, y_train)
print(f"default network: accuracy {stopped.score(X_test, y_test):.3f} on new digits")
print(stopped.history_[["train_loss", "valid_loss", "valid_acc"]].tail(3).round(3))


# %%
# A regularizer overrides the hooks it needs. This one charges for confidence: the log-loss of a
# uniform guess under the network's probabilities, times a strength.
class ConfidencePenalty(Regularizer):
    def __init__(self, strength=0.03):
        self.strength = strength

    def penalty(self, net, batch, y_pred, features):
        return -self.strength * y_pred.log_softmax(1).mean()


# %%
# Regularizers are asked in order, do not know one another, and have parameters that a grid search
# reaches by name. Each is searched alone, with the network of the others.
searches = {
    "none": ([], {}),
    "confidence penalty": (
        [("confidence", ConfidencePenalty())],
        {"regularizers__confidence__strength": [0.003, 0.03]},
    ),
    "PS-KD": ([("distillation", PSKD())], {"regularizers__distillation__alpha": [0.4, 0.8]}),
    "SAM": ([("sam", SAM())], {"regularizers__sam__rho": [0.1, 0.3]}),
    "PS-KD and SAM": (
        [("distillation", PSKD()), ("sam", SAM())],
        {"regularizers__distillation__alpha": [0.4, 0.8], "regularizers__sam__rho": [0.1, 0.3]},
    ),
}
log_losses, fitted = {}, {}
for name, (regularizers, grid) in searches.items():
    model = DeepClassifier(regularizers=regularizers, max_epochs=40, random_state=0)
    search = GridSearchCV(model, grid, cv=3, scoring="neg_log_loss").fit(X_train, y_train)
    log_losses[name] = -search.score(X_test, y_test)
    fitted[name] = search.best_estimator_
    accuracy = search.best_estimator_.score(X_test, y_test)
    chosen = ", ".join(f"{key.split('__', 1)[1]}={v}" for key, v in search.best_params_.items())
    print(f"{name:<19} log-loss {log_losses[name]:.3f}, accuracy {accuracy:.3f}  {chosen}")

# %%
# The loss of the early-stopped network, and the log-loss on new digits of those chosen by
# cross-validation.
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
LossCurveDisplay.from_estimator(stopped, ax=left, name="Default network, early stopping")
position = np.arange(len(log_losses))
right.barh(position, list(log_losses.values()), color="#0072B2", height=0.6)
right.bar_label(right.containers[0], fmt="%.2f", padding=3)
right.set_yticks(position, list(log_losses))
right.invert_yaxis()
right.set(xlabel="Log-loss on new digits", title="Regularizers, tuned by cross-validation")
right.set_xlim(right=1.15 * max(log_losses.values()))
right.spines[["top", "right"]].set_visible(False)

plt.show()
