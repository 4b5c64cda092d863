"""
==============================
Images whose labels say little
==============================

**What is to be learned from images without a labelled pixel?** In scans of a body most slices show
nothing of an organ. Dropping them wastes images, weighing them down is a guess of how much.
``AdaWAC`` (Dong, Xie and Ward, ICML 2023) learns a weight for each image, which moves it between
its labels and the demand that two views of it look the same inside the network.
"""

# %%
# Half of the images have two labelled discs. In the other half there is a grey one that has no
# label, and in a few a tiny labelled one.

import matplotlib.pyplot as plt
import numpy as np
import torch

from skreg.deep import DeepSegmenter, SampleWeightDisplay, SmallUNet
from skreg.deep.regularizers import AdaWAC
from skreg.pictures import STYLE

plt.rcParams.update(STYLE)


def discs(n, seed, size=24):
    rng = np.random.default_rng(seed)
    X = rng.normal(0, 0.35, (n, 1, size, size)).astype(np.float32)
    y, rows, columns = np.zeros((n, size, size), int), *np.mgrid[:size, :size]
    for i in range(n):
        tiny = [(1.5, 1.0, 1)] if rng.random() < 0.3 else []
        large = rng.uniform(3, 5, 2)
        dense = [(large[0], 1.0, 1), (large[1], -1.0, 2)]
        sparse = [(large[0], 0.5, 0), *tiny]
        for radius, shade, label in dense if i < n // 2 else sparse:
            place = rng.integers(5, size - 5, 2)
            inside = (rows - place[0]) ** 2 + (columns - place[1]) ** 2 <= radius**2
            X[i, 0][inside] += shade
            y[i][inside] = label
    return X, y


X, y = discs(48, seed=0)
X_test, y_test = discs(80, seed=1)


def view(X, y):
    """Another contrast for each image, and noise; labels stay."""
    contrast = 1 + 0.2 * torch.randn(len(X), 1, 1, 1)
    return X * contrast + 0.15 * torch.randn_like(X), y


# %%
# The layer whose features are compared is the deepest one of the network.

adawac = AdaWAC(view, layer="down.0", consistency_weight=5.0)
model = DeepSegmenter(
    SmallUNet,
    [("adawac", adawac)],
    optimizer=torch.optim.SGD,
    lr=0.05,
    batch_size=8,
    max_epochs=25,
    net_params={"module__n_blocks": 1, "optimizer__momentum": 0.9},
    random_state=0,
).fit(X, y)
print(f"mean IoU {model.score(X_test, y_test):.3f} on test images")
weights = dict(model.net_.regularizers)["adawac"].sample_weight_
dense, sparse = weights[:24].mean(), weights[24:].mean()
print(f"mean weight of dense images {dense:.2f}, of sparse ones {sparse:.2f}")

# %%
# To the left what each image weighs, to the right the two images of least and of most weight, with
# their labels.

figure = plt.figure(figsize=(10, 3.3), layout="constrained")
left, right = figure.subfigures(1, 2, width_ratios=(1.3, 1))
SampleWeightDisplay.from_estimator(model, y, ax=left.subplots())
order = np.argsort(weights)
for column, i in zip(right.subplots(2, 4).T, [*order[:2], *order[-2:]], strict=True):
    column[0].imshow(X[i, 0], cmap="gray")
    column[0].set_title(f"weight {weights[i]:.2f}", fontsize="small")
    column[1].imshow(y[i], vmin=0, vmax=2)
    for ax in column:
        ax.set_axis_off()
plt.show()

# %%
# The loss of a label and the consistency must be of a size: where the consistency is larger all the
# time, all weights fall, and a warning says so.
#
# Where to go next: masks that are wrong, :ref:`sphx_glr_gallery_plot_missing_objects.py`.
