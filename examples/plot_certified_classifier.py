"""
=====================================
A classifier with a proof, row by row
=====================================

How far can an image change before a classifier changes its mind? What the classifier says most
often under normal noise has an answer that is proved: a radius in L2 for each image, which holds
with probability 0.999. What do such proofs cost in accuracy, what does training with noise buy, and
what do an attack's steps do?
"""

# %%
# Two perceptrons of digits
# -------------------------
# One is trained on images in [0, 1] as they are, the other on copies with fresh noise as well, of
# the size that it will be smoothed with.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from skreg.pictures import STYLE
from skreg.robustness import CertifiedAccuracyDisplay, RandomizedSmoothingClassifier

# sphinx_gallery_thumbnail_number = 1
plt.rcParams.update(STYLE)
SIGMA, N_ROWS = 0.25, 100

X, y = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split(X / 16, y, test_size=300, random_state=0)
X_test, y_test = X_test[:N_ROWS], y_test[:N_ROWS]

network = MLPClassifier(128, max_iter=200, tol=5e-3, n_iter_no_change=3, random_state=0)
plain = RandomizedSmoothingClassifier(network, SIGMA, random_state=0).fit(X, y)
noisy = RandomizedSmoothingClassifier(network, SIGMA, noise_augment=5, random_state=0).fit(X, y)

# %%
# Certified accuracy
# ------------------
# How many images are classified rightly, and provably stay so up to each radius. Without noise the
# network is right on nearly all of them; the curves begin where smoothing leaves that, and the pale
# bar at radius 0 shows abstentions.

results = {
    "trained with noise": noisy.certify(X_test),
    "trained without": plain.certify(X_test),
}
display = CertifiedAccuracyDisplay.from_results(results, y_test)
display.ax_.set_title("Training with noise pays")
for name, model in {"with noise": noisy, "without": plain}.items():
    accuracy = model.estimator_.score(X_test, y_test)
    print(f"trained {name}: accuracy without smoothing {accuracy:.2f}")

# %%
# Which part of the proof matters
# -------------------------------
# Cohen's rule knows the probability of the top class alone; R_multi bounds the second class, too;
# LVM-RS also chooses among soft maps. Here the second class is all that matters, most of all for
# the network that was not trained with noise.

display = CertifiedAccuracyDisplay.from_estimator(plain, X_test, y_test, compare=True)
display.ax_.set_title("The second class matters, the map does not")

# %%
# Within the radius, and beyond
# -----------------------------
# The straight way from each image to its nearest image of another class crosses the boundary
# somewhere. No crossing lies within the radius.

result = results["trained with noise"]
steps = np.linspace(0, 1, 21)
crossings = np.full(N_ROWS, np.nan)
for i in np.flatnonzero(~result.abstain):
    others = X[y != result.label[i]]
    target = others[np.argmin(np.linalg.norm(others - X_test[i], axis=1))]
    way = X_test[i] + steps[:, None] * (target - X_test[i])
    changed = noisy.predict_proba(way).argmax(axis=1) != result.label[i]
    if changed.any():
        crossings[i] = steps[changed.argmax()] * np.linalg.norm(target - X_test[i])
figure, ax = plt.subplots()
ax.plot(result.radius, crossings, "o", alpha=0.7)
ends = np.array([0, np.nanmax(result.radius)])
ax.plot(ends, ends, color="0.3", linestyle="--", label="where a proof would be wrong, and below")
ax.set(xlabel="certified radius", ylabel="distance at which the class changes", ylim=(0, None))
ax.set_title("No class changes within its radius")
ax.legend()
plt.show()
print(f"crossings within the radius: {np.sum(crossings < result.radius)}")

# %%
# Where to go next: the guide's page on robustness says what a certificate does not cover.
