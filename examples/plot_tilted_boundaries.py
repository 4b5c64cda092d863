"""
=============================================
How much regularization? Look at the boundary
=============================================

Weakly regularized linear classifiers lie close to the data: small perturbations change their
answers. Some of that closeness buys accuracy, the rest is overfitting. The angle between the
boundary and that of the nearest centroid tells how much there is, and a path over C which part
pays.
"""

# %%
# Threes and sevens, some with the wrong label
# --------------------------------------------
# Digits of 8 by 8 pixels in [0, 1]. One training label in twenty is wrong; those for testing are
# true.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from skreg.pictures import STYLE, series_style
from skreg.robustness import (
    TiltingDisplay,
    TiltingPathDisplay,
    mirror_through_boundary,
    robust_accuracy_score,
    tilting_path,
)

# sphinx_gallery_thumbnail_number = 1
plt.rcParams.update(STYLE)
SEED, GRID = 0, [1e-3, 1e-2, 0.1, 1, 10, 100, 1e4]

X, y = load_digits(return_X_y=True)
rows = (y == 3) | (y == 7)
X, X_test, y, y_test = train_test_split(
    X[rows] / 16, y[rows], test_size=0.5, stratify=y[rows], random_state=SEED
)
wrong = np.random.default_rng(SEED).choice(len(y), size=len(y) // 20, replace=False)
y[wrong] = 10 - y[wrong]  # 3 becomes 7, 7 becomes 3

# %%
# The path
# --------
# Strength is how many times closer to the data the boundary lies than need be. Held-out errors
# come from folds, whose labels are as noisy. With less regularization they fall, for little
# strength, and then rise together with it.

model = LogisticRegression(solver="newton-cholesky", tol=1e-8, max_iter=1000)
path = tilting_path(model, X, y, param_range=GRID, cv=10)
display = TiltingPathDisplay.from_path(path)
display.ax_.set_title("Errors against adversarial strength, by C")
print(path)

# %%
# Two boundaries
# --------------
# Each in the plane in which it is tilted: lengths are true, and rows lie elsewhere because the
# plane turns with the boundary. The tilt goes along directions in which digits hardly vary.

figure, axes = plt.subplots(1, 2, figsize=(8.0, 4.2))
fits = {C: clone(model).set_params(C=C).fit(X, y) for C in (path.recommended_param, GRID[-1])}
for ax, (C, fit) in zip(axes, fits.items(), strict=True):
    shown = TiltingDisplay.from_estimator(fit, X, y, mirror=int(np.argmax(y == 7)), ax=ax)
    ax.set_title(f"C = {C:g}, strength {1 / np.cos(shown.angle):.2f}")
    ax.get_legend().remove()
figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=5)

# %%
# What it takes to change the answer
# ----------------------------------
# A digit, and its mirror image in both boundaries: the least change that makes the classifier as
# sure of the other digit. In one it shows, in the other it does not.

digit = X_test[y_test == 7][:1]
images = {"a seven": digit} | {
    f"mirrored, C = {C:g}": mirror_through_boundary(fit, digit) for C, fit in fits.items()
}
figure, axes = plt.subplots(1, 3, figsize=(6.4, 2.5))
for ax, (name, image) in zip(axes, images.items(), strict=True):
    ax.imshow(image.reshape(8, 8), cmap="gray_r", vmin=-0.2, vmax=1.2)
    ax.set(xticks=[], yticks=[], title=name)
    ax.grid(False)

# %%
# Accuracy under attack
# ---------------------
# It is exact, as no attack does worse. Accuracy without an attack is the left end.

lengths = np.linspace(0, 1.2, 60)
figure, ax = plt.subplots()
for i, C in enumerate((path.recommended_param, path.best_param, GRID[-1])):
    fit = clone(model).set_params(C=C).fit(X, y)
    accuracy = robust_accuracy_score(fit, X_test, y_test, lengths)
    style = series_style(i) | {"marker": ""}
    ax.plot(lengths, 100 * accuracy, label=f"C = {C:g}", **style)
    print(f"C = {C:<6g} accuracy {accuracy[0]:.3f}, {accuracy[20]:.3f} at {lengths[20]:.2f}")
ax.set(xlabel="length of the perturbation", ylabel="accuracy on test digits, %", ylim=(0, 101))
ax.legend(title="recommended, least error, last", loc="upper right")
plt.show()

# %%
# Where to go next: the guide's page on robustness says what the angle does not tell.
