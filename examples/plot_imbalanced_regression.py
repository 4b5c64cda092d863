"""
============================
Rare targets of a regression
============================

How can a regression be kept from guessing what is common when the target is rare? A network that is
trained on targets which mostly lie in a narrow range predicts common targets for rare ones, and
gives both the same features. Weights by inverse density make errors on rare targets count; the
contrastive regularizer ConR acts on the features.
"""

# %%
# What the regularizer does to features
# -------------------------------------
# Sixty-four feature vectors lie near one common vector. Most belong to targets between 20 and 29,
# the last eight to targets from 80 to 91, which the predictions confuse with common ones. They move
# under the regularizer alone. Samples with far targets but near predictions are pushed apart,
# samples with near targets pulled together.

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_diabetes
from sklearn.model_selection import ShuffleSplit
from torch.nn import functional as F

from skreg.deep import DeepRegressor
from skreg.deep.regularizers import ConR
from skreg.deep.torch import ConRLoss, density_weights
from skreg.metrics import shot_scores
from skreg.pictures import STYLE, dots_with_intervals

plt.rcParams.update(STYLE)
generator = torch.Generator().manual_seed(0)
rare = torch.tensor([80, 80.5, 81, 80.2, 90, 90.5, 90.3, 90.8])
y = torch.cat([torch.arange(56) % 10 + 20.0, rare])
predictions = torch.cat([y[:56], 25 + torch.randn(8, generator=generator)])
start = torch.randn(16, generator=generator) + 0.3 * torch.randn(64, 16, generator=generator)


def train(predictions):
    features = start.clone().requires_grad_()
    optimizer, loss = torch.optim.Adam([features], lr=0.05), ConRLoss(window=1.0)
    for _ in range(200):
        optimizer.zero_grad()
        loss(features, y, predictions).backward()
        optimizer.step()
    return features.detach()


shown = {"at first": start, "after ConR": train(predictions), "if predictions are right": train(y)}
figure, axes = plt.subplots(1, 3, figsize=(6.4, 3.6), sharey=True, layout="compressed")
order = torch.argsort(y)
for ax, (name, features) in zip(axes, shown.items(), strict=True):
    z = F.normalize(features[order], dim=1)
    image = ax.imshow(z @ z.T, vmin=0, vmax=1)
    ax.grid(False)
    ax.set_title(name, size=9)
    print(f"{name:25s} cosine of rare to common features: {(z[56:] @ z[:56].T).mean():.2f}")
axes[0].set_ylabel("sample (number), by target")
axes[1].set_xlabel("sample (number), by target")
figure.colorbar(image, ax=axes, label="cosine of features", location="bottom", shrink=0.6)

# %%
# The last eight samples are the rare ones. After ConR they stand apart from those that they were
# confused with; where predictions are right, nothing is to be pushed apart.
#
# In a regression
# ---------------
# The disease progression in scikit-learn's diabetes data, with most of the severe cases left out of
# training. `DeepRegressor` standardizes targets, and the window of "near" targets is in these
# units. Four random divisions into training and test patients.

X, y = load_diabetes(return_X_y=True)
severe = np.flatnonzero(y > 200)
errors = {name: [] for name in ("plain", "weights", "ConR", "ConR and weights")}
for train_rows, test in ShuffleSplit(4, test_size=0.4, random_state=0).split(X):
    kept = np.setdiff1d(train_rows, severe[10:])
    weight = density_weights(y[kept], bin_width=20.0, clip=(1, 1000))
    for name in errors:
        model = DeepRegressor(
            regularizers=[("conr", ConR(beta=0.1))] if "ConR" in name else None,
            criterion=torch.nn.L1Loss, max_epochs=25, batch_size=64, random_state=0,
        ).fit(X[kept], y[kept], weight if "weights" in name else None)  # fmt: skip
        scores = shot_scores(
            y[test], model.predict(X[test]), y[kept], bin_width=20.0, many=20, few=5
        )
        errors[name].append([scores[shot].mean_absolute_error for shot in ("many", "few")])

errors = {name: np.array(values) for name, values in errors.items()}
for name, values in errors.items():
    many, few = values.mean(axis=0)
    print(f"{name:17s} error where training targets are many {many:.1f}, few {few:.1f}")

# %%
# What counts is the difference to the plain network on the same patients.

figure, axes = plt.subplots(2, 1, figsize=(6.4, 4.2), sharex=True)
for k, (ax, title) in enumerate(zip(axes, ("many", "few"), strict=True)):
    change = {name: values[:, k] - errors["plain"][:, k] for name, values in errors.items()}
    del change["plain"]
    dots_with_intervals(change, ax)
    ax.axvline(0, color="0.4", linewidth=1)
    ax.set_title(f"Where training targets are {title}")
axes[-1].set_xlabel("mean absolute error, more than without (units of progression),\n"
                    "mean of 4 divisions and 95% interval")  # fmt: skip
plt.show()

# %%
# On tables such as this one, do not expect much of ConR: weights by density act more. The paper's
# gains are on images.
#
# Where to go next: :ref:`sphx_glr_gallery_plot_rare_ordered_events.py` is about rare classes in an
# order, with a linear model.
