"""
====================================
Masks from which objects are missing
====================================

**Can a segmentation network repair the masks that it is trained on?** Annotators overlook objects.
A network first learns what objects look like, finds the overlooked ones as well, and only then
memorises that they are background. ``ADELE`` (Liu et al., CVPR 2022) sees from the agreement of
predictions and masks when that begins, for each class by itself, and puts confident predictions in
the place of labels.
"""

# %%
# Discs and squares in noise. Of each kind there are two in an image; each is missing in the mask
# with probability 0.3, but one stays.

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

from skreg.deep import DeepSegmenter, MemorizationOnsetDisplay
from skreg.deep.regularizers import ADELE
from skreg.metrics import intersection_over_union_score
from skreg.pictures import STYLE

plt.rcParams.update(STYLE)


def images(n, seed, missing=0.3, size=24):
    rng = np.random.default_rng(seed)
    X = rng.normal(0, 0.3, (n, 1, size, size)).astype(np.float32)
    truth, rows, columns = np.zeros((n, size, size), int), *np.mgrid[:size, :size]
    masks = truth.copy()
    for i in range(n):
        for k, cell in enumerate(rng.permutation(4)):
            y, x = 6 + 12 * (cell // 2), 6 + 12 * (cell % 2)
            y, x = np.array([y, x]) + rng.integers(-1, 2, 2)
            disc = (rows - y) ** 2 + (columns - x) ** 2 <= 12
            square = (abs(rows - y) <= 3) & (abs(columns - x) <= 3)
            inside, label = (disc, 1) if k < 2 else (square, 2)
            X[i, 0][inside] += 0.8 if label == 1 else -0.8
            truth[i][inside] = label
            is_there = k % 2 == 0 or rng.random() > 2 * missing
            masks[i][inside] = label if is_there else 0
    return X, truth, masks


X, truth, masks = images(40, seed=0)
X_test, truth_test, _ = images(60, seed=1)

# %%
# The same network and the same training, with and without correction. The threshold: where 30 % of
# the objects are missing, nobody who trusts the masks can be more than 70 % sure, so 0.6.


class Network(nn.Sequential):
    def __init__(self, n_outputs):
        layers, n_in = [], 1
        for dilation in (1, 1, 2, 2):
            conv = nn.Conv2d(n_in, 24, 3, padding=dilation, dilation=dilation)
            layers, n_in = [*layers, conv, nn.BatchNorm2d(24), nn.ReLU()], 24
        super().__init__(*layers, nn.Conv2d(24, n_outputs, 1))


models = {}
for name, regularizers in {
    "without correction": [],
    "ADELE": [("adele", ADELE(tau=0.6, scales=None, every=5))],
}.items():
    models[name] = DeepSegmenter(
        Network,
        regularizers,
        optimizer=torch.optim.Adam,
        lr=3e-3,
        batch_size=10,
        max_epochs=40,
        random_state=0,
    ).fit(X, masks)
    print(f"{name}: mean IoU {models[name].score(X_test, truth_test):.3f} on test images")

adele = dict(models["ADELE"].net_.regularizers)["adele"]
for name, labels in {"given": masks, "corrected": adele.corrected_labels_}.items():
    print(f"{name} masks: mean IoU {intersection_over_union_score(truth, labels):.3f}")

# %%
# When each class began to be memorised, and what became of three masks.

figure = plt.figure(figsize=(10, 4.2), layout="constrained")
left, right = figure.subfigures(1, 2, width_ratios=(1.2, 1))
MemorizationOnsetDisplay.from_estimator(models["ADELE"], ax=left.subplots())
axes = right.subplots(3, 4)
worst = np.argsort(-(masks != truth).sum((1, 2)))[:3]
shown = {
    "image": X[:, 0],
    "given mask": masks,
    "corrected": adele.corrected_labels_,
    "right mask": truth,
}
for column, (title, pictures) in zip(axes.T, shown.items(), strict=True):
    column[0].set_title(title, fontsize="small")
    for ax, i in zip(column, worst, strict=True):
        is_image = title == "image"
        ax.imshow(pictures[i], cmap="gray" if is_image else "viridis", vmax=None if is_image else 2)
        ax.set_axis_off()
plt.show()

# %%
# Correction is only as good as the network: trained too briefly, or on masks that are nearly right,
# it makes them worse. ``label_changes_`` and ``corrected_labels_`` show what was done,
# ``max_change`` leaves images alone in which much would change.
#
# Where to go next: wrong labels of whole images, :ref:`sphx_glr_gallery_plot_wrong_labels.py`.
