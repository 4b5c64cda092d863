"""
============================================
Convolutions that neither stretch nor shrink
============================================

A convolution is a linear map, and its singular values say how much it stretches its inputs, noise
included. Can they all be kept near one, and does that help against noise? A penalty on the kernel
alone brings all of them near one, for images of any size.
"""

# %%
# Where orthogonal convolutions exist
# -----------------------------------
# There must be few enough outputs, or small enough strides.

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from skreg.deep import DeepClassifier
from skreg.deep.regularizers import ConvOrthogonality
from skreg.deep.torch import (
    conv_singular_values,
    orthogonal_conv_exists,
    orthogonal_conv_init_,
    orthogonality_bounds,
    orthogonality_loss,
)
from skreg.pictures import PALETTE, STYLE, series_style

# sphinx_gallery_thumbnail_number = 2
plt.rcParams.update(STYLE)
SEED, N_RUNS = 0, 3
for out_channels, in_channels, stride in ((32, 8, 1), (288, 32, 4), (289, 32, 4)):
    found = orthogonal_conv_exists(out_channels, in_channels, 3, stride=stride)
    print(f"{out_channels} from {in_channels}, stride {stride}: {found.exists} ({found.reason})")

# %%
# The flattened kernel is not the convolution
# -------------------------------------------
# A kernel whose flattened matrix has orthonormal rows is no orthogonal convolution: its taps meet
# each other where neighbouring outputs overlap. The loss sees this, and bounds the singular values
# for all image sizes.

torch.manual_seed(0)
flat = nn.init.orthogonal_(torch.empty(6, 4 * 9, dtype=torch.float64)).view(6, 4, 3, 3)
true = orthogonal_conv_init_(torch.empty(6, 4, 3, 3, dtype=torch.float64))
near = true + 0.003 * torch.randn_like(true)
kernels = {"flattened kernel": flat, "orthogonal": true, "nearly orthogonal": near}
for name, kernel in kernels.items():
    sigma, bounds = conv_singular_values(kernel, 16), orthogonality_bounds(kernel)
    print(
        f"{name:18s} loss {orthogonality_loss(kernel):.4f}   singular values "
        f"{sigma[-1]:.3f} to {sigma[0]:.3f}   bounds {bounds[0]:.3f} to {bounds[1]:.3f}"
    )

# %%
# In a network
# ------------
# A small network with three convolutions, with none, a little and much of the penalty, three times
# each. ``monitor=True`` writes the extreme singular values to the history.

X, y = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split(
    X.astype("float32") / 16, y, train_size=0.7, stratify=y, random_state=0
)
rng = np.random.default_rng(SEED)
X_noisy = X_test + rng.normal(0, 0.3, X_test.shape).astype("float32")


class SmallCNN(nn.Sequential):
    def __init__(self):
        circular = {"kernel_size": 3, "padding": 1, "padding_mode": "circular"}
        super().__init__(
            nn.Unflatten(1, (1, 8, 8)),
            nn.Conv2d(1, 8, **circular),
            nn.ReLU(),
            nn.Conv2d(8, 16, stride=2, **circular),
            nn.ReLU(),
            nn.Conv2d(16, 16, **circular),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(256, 10),
        )


STRENGTHS = (0.0, 0.01, 0.1)
models = {}
accuracies = np.empty((len(STRENGTHS), N_RUNS, 2))
for i, strength in enumerate(STRENGTHS):
    for run in range(N_RUNS):
        models[strength] = DeepClassifier(
            SmallCNN,
            [("orthogonal", ConvOrthogonality(strength, monitor=True))],
            lr=5e-3,
            batch_size=128,
            max_epochs=12,
            standardize=False,
            random_state=SEED + run,
        ).fit(X, y)
        accuracies[i, run] = [models[strength].score(Z, y_test) for Z in (X_test, X_noisy)]
    clean, noisy = accuracies[i].mean(axis=0)
    print(
        f"strength {strength:<5g} accuracy on clean digits {clean:.3f}   on noisy ones {noisy:.3f}"
    )

figure, ax = plt.subplots(figsize=(6.4, 3.4))
for i, name in enumerate(("clean digits", "noisy digits")):
    for run in range(N_RUNS):
        ax.plot(
            range(len(STRENGTHS)), accuracies[:, run, i], linestyle=("-", "--")[i],
            label=name if run == 0 else None, **series_style(i),
        )  # fmt: skip
ax.set_xticks(range(len(STRENGTHS)), [f"{strength:g}" for strength in STRENGTHS])
ax.set_title("Accuracy, one line for each initial network")
ax.set(xlabel="strength of the penalty", ylabel="accuracy on test digits")
figure.legend(loc="outside lower center", ncols=2)

# %%
# The penalty makes the network more robust to noise, for some accuracy on clean digits.
#
# Singular values of all three convolutions
# -----------------------------------------
# Those of the last networks, sorted, and their extremes along the training.

sizes = {1: 8, 3: 8, 5: 4}
figure, axes = plt.subplots(2, 1, figsize=(6.4, 6.4))
for i, (strength, model) in enumerate(models.items()):
    module = model.net_.module_
    sigma = torch.cat(
        [
            conv_singular_values(module[layer].weight, size, stride=module[layer].stride)
            for layer, size in sizes.items()
        ]
    )
    line, label = ("--", "-.", "-")[i], f"strength {strength:g}"
    share = np.linspace(0, 1, len(sigma))
    axes[0].plot(share, sigma.sort().values, color=PALETTE[i], linestyle=line, label=label)
    history = model.history_
    epochs = np.arange(1, len(history) + 1)
    for extreme in ("sigma_min", "sigma_max"):
        axes[1].plot(epochs, history[extreme], color=PALETTE[i], linestyle=line)
axes[0].set(title="All singular values", xlabel="share of singular values below")
axes[0].set_ylabel("singular value")
axes[1].set(title="The smallest and the largest in training", xlabel="epoch")
axes[1].set_ylabel("singular value")
for ax in axes:
    ax.axhline(1, color="0.4", linewidth=0.8)
figure.legend(loc="outside lower center", ncols=3)
plt.show()

# %%
# Where to go next: :ref:`sphx_glr_gallery_plot_companded_weights.py` bounds single weights instead.
