"""
Convolutions that neither stretch nor shrink
============================================

A convolution is a linear map, and its singular values say how much it stretches its inputs, noise
included. A penalty on the kernel alone brings all of them near one, for images of any size.
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
# The penalty makes a small network more robust to noise on its inputs, for some accuracy on clean
# ones. ``monitor=True`` writes the extreme singular values to the history.

X, y = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split(
    X.astype("float32") / 16, y, train_size=0.7, stratify=y, random_state=0
)
rng = np.random.default_rng(0)
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


models = {}
for strength in (0.0, 0.01, 0.1):
    models[strength] = DeepClassifier(
        SmallCNN,
        [("orthogonal", ConvOrthogonality(strength, monitor=True))],
        lr=3e-3,
        batch_size=64,
        max_epochs=15,
        standardize=False,
        random_state=0,
    ).fit(X, y)
    print(
        f"strength {strength:<5g} clean {models[strength].score(X_test, y_test):.3f}   "
        f"noisy {models[strength].score(X_noisy, y_test):.3f}"
    )

# %%
# Singular values of all three convolutions
# -----------------------------------------

sizes = {1: 8, 3: 8, 5: 4}
fig, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
for (strength, model), color in zip(models.items(), ("#D55E00", "#56B4E9", "#0072B2"), strict=True):
    module = model.net_.module_
    sigma = (
        torch.cat(
            [
                conv_singular_values(module[i].weight, size, stride=module[i].stride)
                for i, size in sizes.items()
            ]
        )
        .sort()
        .values
    )
    axes[0].plot(np.linspace(0, 1, len(sigma)), sigma, color=color, label=f"strength {strength:g}")
    history = model.history_
    epochs = np.arange(1, len(history) + 1)
    axes[1].fill_between(
        epochs, history["sigma_min"], history["sigma_max"], color=color, alpha=0.35,
        linewidth=0,
    )  # fmt: skip
axes[0].set(xlabel="share of singular values below", ylabel="singular value")
axes[1].set(xlabel="epoch", ylabel="smallest to largest singular value")
axes[0].legend(frameon=False)
for ax in axes:
    ax.axhline(1, color="0.3", linewidth=0.8)
    ax.spines[["top", "right"]].set_visible(False)
plt.show()
