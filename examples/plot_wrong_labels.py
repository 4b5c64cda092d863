"""
Training on wrong labels, and finding them
==========================================

Two fifths of the labels of these handwritten digits were drawn anew from all ten classes. A network
trained by cross entropy first learns the digits, then memorises the wrong labels. Early-learning
regularization (ELR) keeps alive what it predicted early on, and its memory of these predictions
tells which labels are wrong.
"""

# %%
# Data, and two networks
# ----------------------
# `DeepClassifier` takes any module class and any optimizer of PyTorch. A regularizer is one more
# entry in a list. The callback looks at the clean test digits after each epoch, which one could not
# do in earnest.

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from skorch.callbacks import Callback
from torch import nn

from skreg.deep import DeepClassifier
from skreg.deep.regularizers import ELR

X, y = load_digits(return_X_y=True)
X, X_test, truth, y_test = train_test_split(
    X.astype("float32") / 16, y, train_size=0.7, stratify=y, random_state=0
)
rng = np.random.default_rng(0)
y = np.where(rng.random(len(truth)) < 0.4, rng.integers(0, 10, len(truth)), truth)
wrong = y != truth


class CleanAccuracy(Callback):
    """Records the accuracy on clean test digits."""

    def on_epoch_end(self, net, **kwargs):
        net.history.record("accuracy", np.mean(net.predict(X_test) == y_test))


def network(n_inputs, n_outputs):
    return nn.Sequential(
        nn.Linear(n_inputs, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(),
        nn.Linear(256, n_outputs),
    )  # fmt: skip


def train(regularizers):
    model = DeepClassifier(
        module=network,
        regularizers=regularizers,
        optimizer=torch.optim.SGD,
        lr=0.05,
        net_params={"optimizer__momentum": 0.9},
        max_epochs=60,
        batch_size=64,
        callbacks=[CleanAccuracy()],
        random_state=0,
    )
    return model.fit(X, y)


plain = train(None)
regularized = train([("elr", ELR(lam=3.0))])
for name, model in (("cross entropy", plain), ("with ELR", regularized)):
    accuracy = model.history_["accuracy"]
    memorised = np.mean(model.predict(X)[wrong] == y[wrong])
    print(
        f"{name:14s} accuracy: best {accuracy.max():.3f}, last {accuracy.iloc[-1]:.3f}; "
        f"{memorised:.0%} of the wrong labels memorised"
    )

# %%
# The training loss with ELR is negative, as the regularizer is minus a logarithm of the
# agreement between predictions and their running averages. Do not stop by it.

fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
for name, model in (("cross entropy", plain), ("with ELR", regularized)):
    axes[0].plot(model.history_["accuracy"], label=name)
    axes[1].plot(model.history_["train_loss"], label=name)
axes[0].set(xlabel="epoch", ylabel="accuracy on clean test digits")
axes[1].set(xlabel="epoch", ylabel="training loss")
axes[1].axhline(0, color="grey", linewidth=0.8)
axes[0].legend()

# %%
# Which labels are wrong?
# -----------------------
# The fitted regularizer holds the running averages. `label_issues_` says where their largest entry
# contradicts the label, `label_quality_` what they give the label.

elr = dict(regularized.net_.regularizers)["elr"]
found, alarms = elr.label_issues_[wrong].mean(), elr.label_issues_[~wrong].mean()
print(f"{found:.0%} of the wrong labels are found, {alarms:.1%} of the right ones suspected")

fig, ax = plt.subplots(figsize=(5.4, 3.4), layout="constrained")
bins = np.linspace(0, 1, 26)
ax.hist(elr.label_quality_[~wrong], bins, alpha=0.7, label="right labels")
ax.hist(elr.label_quality_[wrong], bins, alpha=0.7, label="wrong labels")
ax.set(xlabel="label quality", ylabel="training digits", yscale="log")
ax.legend()

# %%
# The most suspicious labels, next to what the memory says instead.

worst = np.argsort(elr.label_quality_)[:12]
fig, axes = plt.subplots(2, 6, figsize=(7.5, 3.2), layout="constrained")
for ax, row in zip(axes.flat, worst, strict=True):
    ax.imshow(X[row].reshape(8, 8), cmap="gray_r")
    ax.set_title(f"{y[row]}? rather {elr.targets_[row].argmax()}", fontsize=9)
    ax.axis("off")
plt.show()
