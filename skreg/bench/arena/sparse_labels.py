"""Images half of which have hardly a labelled pixel, and networks trained on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from skreg.bench.arena.deep_methods import Method, fitted
from skreg.bench.arena.deep_tasks import Split
from skreg.bench.arena.networks import one_thread
from skreg.deep import DeepSegmenter, Regularizer, SmallUNet

SIZE = 24
LAYER = "down.0"  # the deepest of the network below


def dense_and_sparse(seed: int, *, n: int, n_test: int = 80) -> Split:
    """A bright and a dark disc, both labelled, or a grey one without a label.

    The first half of the images is dense. In the other half a tiny labelled disc comes with
    probability 0.3.
    """
    rng = np.random.default_rng(seed)
    X, y = _images(rng, n)
    X_test, y_test = _images(rng, n_test)
    return Split(X, y, X_test, y_test)


def _images(rng, n):
    X = rng.normal(0, 0.35, (n, 1, SIZE, SIZE)).astype(np.float32)
    y = np.zeros((n, SIZE, SIZE), np.int64)
    rows, columns = np.mgrid[:SIZE, :SIZE]

    def draw(i, radius, shade, label):
        place = rng.integers(5, SIZE - 5, 2)
        inside = (rows - place[0]) ** 2 + (columns - place[1]) ** 2 <= radius**2
        X[i, 0][inside] += shade
        y[i][inside] = label

    for i in range(n):
        if i < n // 2:
            draw(i, rng.uniform(3, 5), 1.0, 1)
            draw(i, rng.uniform(3, 5), -1.0, 2)
        else:
            draw(i, rng.uniform(3, 5), 0.5, 0)
            if rng.random() < 0.3:
                draw(i, 1.5, 1.0, 1)
    return X, y


def photometric(X: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A view of a batch with another contrast for each image, and noise."""
    contrast = 1 + 0.2 * torch.randn(len(X), 1, 1, 1, device=X.device)
    return X * contrast + 0.15 * torch.randn_like(X), y


class OneView(Regularizer):
    """Plain training on one view of each batch."""

    def inputs(self, net: Any, batch: Any, X: Any) -> Any:
        """The view."""
        return photometric(X, batch.y)[0]


def network(n_inputs: int, n_outputs: int) -> SmallUNet:
    """A U-Net of two resolutions."""
    return SmallUNet(n_inputs, n_outputs, width=16, n_blocks=1)


def measure(
    data: tuple[Split, int], methods: Mapping[str, Method], seed: int
) -> list[dict[str, Any]]:
    """Dice coefficient of the discs on the test images, and weights of dense and sparse images."""
    task, epochs = data
    found = []
    for name, method in methods.items():
        model = DeepSegmenter(
            network, optimizer=torch.optim.SGD, lr=0.05, batch_size=8, max_epochs=epochs,
            random_state=seed,
            net_params={"optimizer__momentum": 0.9, "optimizer__weight_decay": 1e-4},
        )  # fmt: skip
        model = fitted(model, method, task.X, task.y)
        with one_thread():
            dice = _dice(task.y_test, model.predict(task.X_test))
        weighing = (r for _, r in model.net_.regularizers if hasattr(r, "sample_weight_"))
        weights = next((r.sample_weight_ for r in weighing), np.ones(len(task.y)))
        half = len(task.y) // 2
        lead = weights[:half].mean() - weights[half:].mean()
        found.append({"method": name, "dice": dice, "lead": lead})
    return found


def _dice(truth, found):
    """Mean over the two kinds of discs, pixels of all images together."""
    each = [
        2 * ((truth == c) & (found == c)).sum() / ((truth == c).sum() + (found == c).sum())
        for c in (1, 2)
    ]
    return float(np.mean(each))
