"""
==============
More is better
==============

How many random features are enough, and how closely should a model fit its training rows? With
256 digits to learn from, the error has a peak at 256 features if the ridge is fixed at a tiny
value; with a ridge chosen by leave-one-out it only falls, down to a model that nearly interpolates.
"""

# %%
# Growing features
# ----------------
# ReLU features of 8 by 8 pixels, ten indicators as targets. Every fit compares 61 ridges by exact
# leave-one-out errors, from one decomposition.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from skreg.pictures import STYLE, series_style
from skreg.random_features import (
    LearningCurveTheoryDisplay,
    RandomFeatureRidge,
    RandomFeatures,
    RidgeEigenframework,
)

plt.rcParams.update(STYLE)
N, SEEDS = 256, range(3)
FEATURES = [16, 64, 128, 192, 256, 384, 512, 1024, 4096]

X, labels = load_digits(return_X_y=True)
X = (X - X.mean()) / X.std()
Y = np.eye(10)[labels] - 0.1


def measured(k, alpha, seed):
    """Test error summed over outputs, and training over left-out error."""
    order = np.random.default_rng(seed).permutation(len(X))
    train, test = order[:N], order[N:]
    model = RandomFeatureRidge(k, alpha=alpha, fit_intercept=False, random_state=seed)
    model.fit(X[train], Y[train])
    error = np.mean(np.sum((model.predict(X[test]) - Y[test]) ** 2, axis=1))
    return error, model.fitting_ratio_


results = {
    name: np.array([[measured(k, alpha, seed) for seed in SEEDS] for k in FEATURES]).mean(axis=1)
    for name, alpha in {"ridge 1e-6": 1e-6, "ridge by leave-one-out": "loo"}.items()
}

# %%
# The theory needs no training: the eigenvalues of the limit kernel and the coefficients of the
# targets say what any number of features will be worth.

kernel = RandomFeatures("inf").fit(X).limit_kernel(X)
framework = RidgeEigenframework.from_kernel(kernel, Y, denoise=True)
along = np.geomspace(16, 4096, 30)
theory = framework.learning_curve(N, along)

figure, (left, right) = plt.subplots(1, 2, figsize=(8.0, 3.8))
for i, (name, found) in enumerate(results.items()):
    left.plot(FEATURES, found[:, 0], label=name, **series_style(i))
left.plot(along, theory.test_mse, color="0.3", linestyle="--", label="theory, best ridge")
left.set(xscale="log", yscale="log", xlabel="features", ylabel="test error", title="Error")
left.set_yticks([0.2, 0.5, 1, 2, 5], labels=["0.2", "0.5", "1", "2", "5"])
name = "ridge by leave-one-out"
right.plot(FEATURES, results[name][:, 1], **series_style(1))
right.plot(along, theory.fitting_ratio, color="0.3", linestyle="--")
right.set(xscale="log", xlabel="features", title="Training over test error")
for ax in (left, right):
    ax.set_xticks(FEATURES[::2], labels=[str(k) for k in FEATURES[::2]])
    ax.minorticks_off()
figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
plt.show()

for k, (error, ratio) in zip(FEATURES, results[name], strict=True):
    print(f"{k:4d} features: error {error:.2f}, training over left-out error {ratio:.2f}")

# %%
# Rows and features
# -----------------
# The display repeats this for any data. A quarter of the rows is for testing.

display = LearningCurveTheoryDisplay.from_estimator(
    RandomFeatureRidge(512), X, Y, sizes=[32, 128, 512], n_components=[32, 128, 512, 2048],
    n_repeats=3, random_state=0,
)  # fmt: skip
display.figure_.suptitle("Digits: what rows and features are worth")
plt.show()

# %%
# Where to go next: the guide's page on random features says what the theory assumes, and when other
# features are the better ones.
