"""
==========================================
Training on wrong labels, and finding them
==========================================

Two fifths of the labels of these handwritten digits were drawn anew from all ten classes. A network
trained by cross entropy first learns the digits, then memorises the wrong labels. Can it be kept
from that, and can the wrong labels be found? Early-learning regularization (ELR) keeps alive what
the network predicted early on, and its memory of these predictions tells which labels are wrong.
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
from skreg.pictures import PALETTE, STYLE

plt.rcParams.update(STYLE)
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
        max_epochs=40,
        batch_size=64,
        callbacks=[CleanAccuracy()],
        random_state=0,
    )
    return model.fit(X, y)


models = {"cross entropy": train(None), "with ELR": train([("elr", ELR(lam=3.0))])}
for name, model in models.items():
    accuracy = model.history_["accuracy"]
    memorised = np.mean(model.predict(X)[wrong] == y[wrong])
    print(
        f"{name:14s} accuracy: best {accuracy.max():.3f}, last {accuracy.iloc[-1]:.3f}; "
        f"{memorised:.0%} of the wrong labels memorised"
    )

# %%
# The training loss with ELR is negative, as the regularizer is minus a logarithm of the agreement
# between predictions and their running averages. Do not stop by it.

figure, axes = plt.subplots(2, 1, figsize=(6.4, 5.6), sharex=True)
for (name, model), line in zip(models.items(), ("--", "-"), strict=True):
    epochs = np.arange(1, len(model.history_) + 1)
    axes[0].plot(epochs, model.history_["accuracy"], linestyle=line, label=name)
    axes[1].plot(epochs, model.history_["train_loss"], linestyle=line)
axes[0].set(title="Accuracy on clean test digits", ylabel="accuracy")
axes[1].set(title="Training loss", xlabel="epoch", ylabel="loss (nats)")
axes[1].axhline(0, color="0.4", linewidth=0.8)
figure.legend(loc="outside lower center", ncols=2)

# %%
# Which labels are wrong?
# -----------------------
# The fitted regularizer holds the running averages. `label_issues_` says where their largest entry
# contradicts the label, `label_quality_` what they give the label.

elr = dict(models["with ELR"].net_.regularizers)["elr"]
found, alarms = elr.label_issues_[wrong].mean(), elr.label_issues_[~wrong].mean()
print(f"{found:.0%} of the wrong labels are found, {alarms:.1%} of the right ones suspected")

figure, ax = plt.subplots(figsize=(6.4, 3.8))
bins = np.linspace(0, 1, 26)
for name, rows, colour, hatch in (
    ("right labels", ~wrong, PALETTE[0], None), ("wrong labels", wrong, PALETTE[1], "////"),
):  # fmt: skip
    ax.hist(
        elr.label_quality_[rows], bins, histtype="stepfilled", facecolor=(colour, 0.25),
        edgecolor=colour, linewidth=1.4, hatch=hatch, label=name,
    )  # fmt: skip
ax.set_title("What the memory gives to the label of each digit")
ax.set(xlabel="label quality (probability)", ylabel="training digits (log scale)", yscale="log")
figure.legend(loc="outside lower center", ncols=2)

# %%
# The most suspicious labels, next to what the memory says instead.

worst = np.argsort(elr.label_quality_)[:12]
figure, axes = plt.subplots(2, 6, figsize=(6.4, 3.2))
for ax, row in zip(axes.flat, worst, strict=True):
    ax.imshow(X[row].reshape(8, 8), cmap="gray_r")
    ax.set_title(f"“{y[row]}”, rather {elr.targets_[row].argmax()}", size=9, weight="normal")
    ax.axis("off")
plt.show()

# %%
# Where to go next: :ref:`sphx_glr_gallery_plot_deep_estimators.py` puts such networks into
# pipelines and grid searches.
