"""
========================================
Restored digits that look like real ones
========================================

A model that is trained for squared error returns the mean of all images that its input may come
from, and that is smoother than any of them. How far are such images from real ones, and what does
it cost to bring them closer? The optimal map between both distributions, as if they were normal, is
one matrix; ``alpha`` says how much of the model's output is kept.
"""

# %%
# A model for blurred, noisy digits
# ---------------------------------
# Ridge regression from degraded to clean images, of 8 by 8 pixels in [0, 1].

import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_digits
from sklearn.linear_model import Ridge

from skreg.pictures import STYLE, series_style
from skreg.transport import LinearTransportRestorer, TransportTradeoffDisplay

# sphinx_gallery_thumbnail_number = 1
plt.rcParams.update(STYLE)
SEED, N_TEST, ALPHA = 0, 500, 0.25

rng = np.random.default_rng(SEED)
clean = rng.permutation(load_digits().data / 16)
blurred = np.stack([gaussian_filter(image.reshape(8, 8), 1).ravel() for image in clean])
degraded = blurred + 0.2 * rng.normal(size=clean.shape)
train, test = slice(N_TEST, None), slice(N_TEST)
smooth = Ridge(alpha=1).fit(degraded[train], clean[train]).predict(degraded)

# %%
# The map
# -------
# It is learned from outputs of the model and clean images; they need not be pairs. Nothing is
# trained, and ``alpha`` is chosen afterwards.

restorer = LinearTransportRestorer(covariance="empirical", clip=(0, 1))
restorer.fit(smooth[train], X_target=clean[train])
rows = {
    "degraded": degraded[test],
    "ridge regression (α = 1)": restorer.transform(smooth[test], alpha=1),
    f"moved, α = {ALPHA:g}": restorer.transform(smooth[test], alpha=ALPHA),
    "moved all the way (α = 0)": restorer.transform(smooth[test], alpha=0),
    "original": clean[test],
}
figure, axes = plt.subplots(len(rows), 10, figsize=(7.5, 4.2), layout="constrained")
for line, (name, images) in zip(axes, rows.items(), strict=True):
    for ax, image in zip(line, images, strict=False):
        ax.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
        ax.grid(False)
    line[0].set_ylabel(name, rotation=0, ha="right", va="center")

# %%
# What it costs
# -------------
# Theory says that all the way costs at most twice the squared error of the best estimate. The
# distance is that between normal distributions, as the map is optimal for these.

display = TransportTradeoffDisplay.from_estimator(
    restorer.set_params(alpha=ALPHA), smooth[test], clean[test]
)
display.ax_.set_title("Error and realism along α")
for alpha, error, distance in zip(display.alpha, display.mse, display.w2, strict=True):
    print(f"alpha {alpha:4.2f}: squared error {error:.2f}, distance to real digits {distance:.2f}")

# %%
# From sixteen images
# -------------------
# With as few, a map of all pixels is mostly chance, shrinkage or not, and moving all the way does
# harm. Overlapping patches of 3 by 3 pixels, which share one small map, are 36 for every image.

few = {"whole images": {}, "patches": {"patch_size": 3, "image_shape": (8, 8)}}
alphas = np.linspace(0, 1, 11)
figure, ax = plt.subplots()
for i, (name, params) in enumerate(few.items()):
    map_of_few = LinearTransportRestorer(**params)
    map_of_few.fit(smooth[train][:16], X_target=clean[train][16:32])
    scores = map_of_few.score_path(smooth[test], clean[test], alphas)
    ax.plot(scores["alpha"], scores["w2"], label=name, **series_style(i))
    best = scores[scores["w2"].argmin()]
    print(
        f"{name:12s}: distance {scores['w2'][0]:.2f} at alpha 0, least {best['w2']:.2f} at "
        f"{best['alpha']:.1f}"
    )
ax.axhline(scores["w2"][-1], color="0.4", linewidth=1)
ax.set(xlabel="α", ylabel="distance to real digits", title="Maps from 16 images")
figure.legend(loc="outside lower center", ncols=2)
plt.show()

# %%
# Where to go next: the guide's page on transport says when such a map is the wrong tool.
