"""
Rare targets of a regression
============================

Most training targets lie in a narrow range. A network then predicts common targets for rare ones,
and gives both the same features. Weights by inverse density make errors on rare targets count; the
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
fig, axes = plt.subplots(1, 3, figsize=(11, 3.7), layout="constrained")
order = torch.argsort(y)
for ax, (name, features) in zip(axes, shown.items(), strict=True):
    z = F.normalize(features[order], dim=1)
    image = ax.imshow(z @ z.T, vmin=0, vmax=1)
    ax.set(title=name, xlabel="samples by target", ylabel="samples by target")
    print(f"{name:25s} cosine of rare to common features: {(z[56:] @ z[:56].T).mean():.2f}")
fig.colorbar(image, ax=axes, label="cosine of features")

# %%
# In a regression
# ---------------
# The disease progression in scikit-learn's diabetes data, with most of the severe cases left out of
# training. `DeepRegressor` standardizes targets, and the window of "near" targets is in these
# units. On tables such as this one, do not expect much of ConR: weights by density act more. The
# paper's gains are on images.

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

for name, error in errors.items():
    (many, few), (many_se, few_se) = np.mean(error, axis=0), np.std(error, axis=0, ddof=1) / 2
    print(f"{name:17s} error where targets are many {many:.1f} ± {many_se:.1f}, "
          f"few {few:.1f} ± {few_se:.1f}")  # fmt: skip
plt.show()
