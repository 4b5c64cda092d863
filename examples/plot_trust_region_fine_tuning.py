"""
Fine-tuning within a trust region
=================================

A network that was pretrained on digits and their shifts learns new labels from 100 digits without
shifts. Plain training forgets part of what it knew of shifted ones. Sharpness-aware minimization
(SAM) takes the gradient at a point uphill; TRAM goes uphill as far as the predictions have moved
away from those of the pretrained network.
"""

# %%
# Pretraining, then a new last layer
# ----------------------------------
# Shifts are around the edge, so that no pixel is lost.

import copy

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

from skreg.deep import RegularizedNetClassifier
from skreg.deep.regularizers import SAM, TRAM
from skreg.deep.torch import epsilon_sharpness

X, y = load_digits(return_X_y=True)
order = np.random.default_rng(0).permutation(len(X))
X, y = X[order].astype("float32") / 16, y[order]


def shifted(X):
    images = X.reshape(-1, 8, 8)
    steps = [(1, 0), (-1, 0), (0, 1), (0, -1)]
    return np.concatenate([np.roll(images, step, (1, 2)).reshape(-1, 64) for step in steps])


def net(module, lr, max_epochs, batch_size, regularizers=None):
    return RegularizedNetClassifier(
        module,
        regularizers=regularizers,
        optimizer=torch.optim.Adam,
        lr=lr,
        max_epochs=max_epochs,
        batch_size=batch_size,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    )


torch.manual_seed(0)
network = nn.Sequential(
    nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10)
)
before = net(network, 2e-3, 4, 64).fit(
    np.concatenate([X[:900], shifted(X[:900])]), np.tile(y[:900], 5)
)
pretrained = before.module_
pretrained[-1].reset_parameters()

# %%
# Three ways to fine-tune
# -----------------------
# All start from the same network. The label of a digit is now nine minus the digit. The history of
# a net with TRAM tells how far the predictions have moved: this is the radius of the ascent, which
# may be bounded.

X_fine, y_fine, X_test, y_test = X[900:1000], 9 - y[900:1000], X[1000:], 9 - y[1000:]
methods = {
    "Adam": None,
    "SAM": [("sam", SAM(rho=0.05))],
    "TRAM": [("tram", TRAM(target="initial", max_radius=0.5))],
}
nets = {}
for name, regularizers in methods.items():
    torch.manual_seed(1)
    nets[name] = net(copy.deepcopy(pretrained), 1e-3, 20, 32, regularizers).fit(X_fine, y_fine)
    sharpness = epsilon_sharpness(
        copy.deepcopy(nets[name].module_).double(),
        nn.functional.cross_entropy,
        torch.from_numpy(X_fine).double(),
        torch.from_numpy(y_fine),
        eps=1e-3,
        lr=1.0,
    )
    print(
        f"{name:5s} unshifted {nets[name].score(X_test, y_test):.1%}   "
        f"shifted {nets[name].score(shifted(X_test), np.tile(y_test, 4)):.1%}   "
        f"sharpness {sharpness:.2f} %"
    )

# %%
# A single split says little: ``skreg bench run tram`` repeats this over ten seeds, with all
# methods on the same batches, and prints what is and what is not reproduced of the paper's claims.
#
# The radius over the epochs, and the training loss
# -------------------------------------------------

fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
epochs = np.arange(1, 21)
axes[0].plot(epochs, nets["TRAM"].history[:, "trust_region_distance"], "o-", color="#009E73")
axes[0].axhline(0.5, color="0.5", linewidth=1, linestyle="--")
axes[0].annotate("largest radius allowed", (12, 0.55), color="0.4")
axes[0].set(xlabel="epoch", ylabel="distance from the pretrained predictions", title="TRAM")
for (name, fitted), color in zip(nets.items(), ("#0072B2", "#D55E00", "#009E73"), strict=True):
    axes[1].plot(epochs, fitted.history[:, "train_loss"], label=name, color=color)
axes[1].set(xlabel="epoch", ylabel="training loss", yscale="log")
axes[1].legend(frameon=False)
for ax in axes:
    ax.set_xticks(range(0, 21, 5))
    ax.spines[["top", "right"]].set_visible(False)
plt.show()
