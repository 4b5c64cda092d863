"""
=================================
Fine-tuning within a trust region
=================================

A network that was pretrained on digits and their shifts learns new labels from 100 digits without
shifts. How much of what it knew of shifted ones does it keep? Sharpness-aware minimization (SAM)
takes the gradient at a point uphill; TRAM goes uphill as far as the predictions have moved away
from those of the pretrained network.
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
from skreg.pictures import PALETTE, STYLE, dots_with_intervals

plt.rcParams.update(STYLE)
SEED, N_RUNS = 0, 5
X, y = load_digits(return_X_y=True)
X = X.astype("float32") / 16


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


def pretrain(X, y):
    network = nn.Sequential(
        nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10)
    )
    network = net(network, 2e-3, 4, 128).fit(np.concatenate([X, shifted(X)]), np.tile(y, 5)).module_
    network[-1].reset_parameters()
    return network


# %%
# Three ways to fine-tune
# -----------------------
# In each of five runs, the digits are divided anew and all three methods start from the same
# network. The label of a digit is now nine minus the digit. The history of a net with TRAM tells
# how far the predictions have moved: this is the radius of the ascent, which may be bounded.

methods = {
    "Adam": None,
    "SAM": [("sam", SAM(rho=0.05))],
    "TRAM": [("tram", TRAM(target="initial", max_radius=0.5))],
}
results = {measure: {name: [] for name in methods} for measure in ("plain", "shifted", "sharpness")}
for seed in range(SEED, SEED + N_RUNS):
    order = np.random.default_rng(seed).permutation(len(X))
    known, fine, test = order[:900], order[900:1000], order[1000:]
    torch.manual_seed(seed)
    pretrained = pretrain(X[known], y[known])
    nets = {}
    for name, regularizers in methods.items():
        torch.manual_seed(seed)
        fitted = net(copy.deepcopy(pretrained), 1e-3, 20, 32, regularizers).fit(
            X[fine], 9 - y[fine]
        )
        nets[name] = fitted
        results["plain"][name].append(fitted.score(X[test], 9 - y[test]))
        results["shifted"][name].append(fitted.score(shifted(X[test]), np.tile(9 - y[test], 4)))
        results["sharpness"][name].append(
            epsilon_sharpness(
                copy.deepcopy(fitted.module_).double(),
                nn.functional.cross_entropy,
                torch.from_numpy(X[fine]).double(),
                torch.from_numpy(9 - y[fine]),
                eps=1e-3,
                lr=1.0,
            )
        )
for name in methods:
    print(
        f"{name:5s} accuracy on plain digits {np.mean(results['plain'][name]):.1%}, "
        f"on shifted ones {np.mean(results['shifted'][name]):.1%}, "
        f"sharpness {np.mean(results['sharpness'][name]):.2f} %"
    )

# %%
# All methods see the same digits in a run, so that what counts is the gain over Adam in that run.

figure, axes = plt.subplots(2, 1, figsize=(6.4, 4), sharex=True)
for ax, (measure, title) in zip(
    axes, {"plain": "Digits without shifts", "shifted": "Shifted digits"}.items(), strict=True
):
    accuracy = results[measure]
    gains = {name: 100 * np.subtract(accuracy[name], accuracy["Adam"]) for name in ("SAM", "TRAM")}
    dots_with_intervals(gains, ax)
    ax.axvline(0, color="0.4", linewidth=1)
    ax.set_title(title)
    for name, gain in gains.items():
        print(f"{title}: {name} minus Adam {gain.round(1)} points")
axes[-1].set_xlabel(f"gain over Adam (points of accuracy), mean of {N_RUNS} runs and 95% interval")

# %%
# An interval that covers zero decides nothing. ``skreg bench run tram`` repeats this with more
# seeds and says what is and what is not reproduced of the paper's claims.
#
# The radius over the epochs, and the training loss
# -------------------------------------------------
# Those of the last run.

figure, axes = plt.subplots(2, 1, figsize=(6.4, 5.4), sharex=True)
epochs = np.arange(1, 21)
distance = nets["TRAM"].history[:, "trust_region_distance"]
axes[0].plot(epochs, distance, color=PALETTE[2], linestyle="-.")
axes[0].axhline(0.5, color="0.4", linewidth=1)
axes[0].annotate("largest radius that is used", (20, 0.5), (0, 3), textcoords="offset points",
                 ha="right", color="0.3")  # fmt: skip
axes[0].set(title="How far TRAM's predictions have moved", ylabel="distance", ylim=(0, None))
for (name, fitted), line in zip(nets.items(), ("--", "-", "-."), strict=True):
    axes[1].plot(epochs, fitted.history[:, "train_loss"], linestyle=line, label=name)
axes[1].set(title="Training loss", xlabel="epoch", ylabel="loss (nats, log scale)", yscale="log")
axes[1].set_xticks(range(0, 21, 5))
figure.legend(loc="outside lower center", ncols=3)
plt.show()

# %%
# Where to go next: :ref:`sphx_glr_gallery_plot_deep_estimators.py` tunes SAM by cross-validation.
