"""Images of small objects with a class for each pixel, and masks from which objects are missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from skreg.bench.arena.deep_methods import Method, fitted
from skreg.bench.arena.deep_tasks import Split
from skreg.bench.arena.networks import one_thread
from skreg.deep import DeepSegmenter
from skreg.metrics import intersection_over_union_score

SIZE, CELL = 24, 12


def missing_objects(seed: int, *, n: int, noise: float, missing: float, n_test: int = 60) -> Split:
    """Two discs and two squares in each image; a share of the objects is missing in its mask.

    At least one disc and one square of each image stays.
    """
    rng = np.random.default_rng(seed)
    X, truth, objects = _images(rng, n + n_test, noise)
    masks = truth.copy()
    for mask, pairs in zip(masks[:n], objects[:n], strict=True):
        for inside in pairs:
            gone = rng.random(2) < missing
            if gone.all():
                gone[rng.integers(2)] = False
            for region, is_gone in zip(inside, gone, strict=True):
                if is_gone:
                    mask[region] = 0
    return Split(X[:n], masks[:n], X[n:], truth[n:], truth[:n])


def _images(rng, n, noise):
    """Images, masks, and in each the regions of two discs and of two squares."""
    X = rng.normal(0, noise, (n, 1, SIZE, SIZE)).astype(np.float32)
    truth, objects = np.zeros((n, SIZE, SIZE), np.int64), []
    rows, columns = np.mgrid[:SIZE, :SIZE]
    for image, mask in zip(X[:, 0], truth, strict=True):
        cells, regions = rng.permutation(4), list[np.ndarray]()
        for cell in cells:
            y, x = (CELL * place + CELL // 2 + rng.integers(-1, 2) for place in divmod(cell, 2))
            is_disc = len(regions) < 2
            region = (
                (rows - y) ** 2 + (columns - x) ** 2 <= 3.5**2
                if is_disc
                else (abs(rows - y) <= 3) & (abs(columns - x) <= 3)
            )
            image[region] += 0.8 if is_disc else -0.8
            mask[region] = 1 if is_disc else 2
            regions.append(region)
        objects.append((regions[:2], regions[2:]))
    return X, truth, objects


class DilatedCNN(nn.Sequential):
    """Four convolutions of 24 channels, the last two dilated, and a class for each pixel."""

    def __init__(self, n_outputs: int) -> None:
        layers: list[nn.Module] = []
        n_in = 1
        for dilation in (1, 1, 2, 2):
            layers += [
                nn.Conv2d(n_in, 24, 3, padding=dilation, dilation=dilation),
                nn.BatchNorm2d(24),
                nn.ReLU(),
            ]
            n_in = 24
        super().__init__(*layers, nn.Conv2d(24, n_outputs, 1))


def measure(
    data: tuple[Split, int], methods: Mapping[str, Method], seed: int
) -> list[dict[str, Any]]:
    """Mean intersection over union on the test images, and of the masks that were trained on."""
    task, epochs = data
    truth: Any = task.truth
    found = []
    for name, method in methods.items():
        model = DeepSegmenter(
            DilatedCNN, optimizer=torch.optim.Adam, lr=3e-3, batch_size=10, max_epochs=epochs,
            random_state=seed,
        )  # fmt: skip
        model = fitted(model, method, task.X, task.y)
        with one_thread():
            score = model.score(task.X_test, task.y_test)
        correcting = (r for _, r in model.net_.regularizers if hasattr(r, "corrected_labels_"))
        masks = next((r.corrected_labels_ for r in correcting), task.y)
        scores = {"iou": score, "mask_iou": intersection_over_union_score(truth, masks)}
        found.append({"method": name, **scores})
    return found
