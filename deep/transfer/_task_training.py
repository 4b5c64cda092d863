"""Training of one task: its classes among themselves, then with virtual outliers.

The rows of a linear head that belong to a task are a layer of their own, so that those of other
tasks get no gradient, and masking their logits is leaving them out.
"""

import itertools
import math
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ..frame._batches import in_full_precision
from ._virtual_outliers import EnergyMarginLoss, VirtualOutlierSynthesizer


class TaskTraining(NamedTuple):
    """How a task is trained.

    Attributes
    ----------
    max_epochs : (int, int)
        Epochs without and with the regularizer.
    lr : float
        Learning rate of Adam at the beginning.
    schedule : {"cosine", "constant"}
        What becomes of it.
    batch_size : int
        Samples of a batch.
    regularizer : EnergyMarginLoss or None
        What is added in the second phase.
    synthesizer : VirtualOutlierSynthesizer
        Where its outliers come from.
    shuffling : RandomState
        Where the order of samples comes from.
    """

    max_epochs: tuple[int, int]
    lr: float
    schedule: Literal["cosine", "constant"]
    batch_size: int
    regularizer: EnergyMarginLoss | None
    synthesizer: VirtualOutlierSynthesizer
    shuffling: np.random.RandomState

    def learning_rates(self) -> list[float]:
        """Learning rate of each epoch e of E, for the cosine lr cos(99 pi e / (200 (E - 1)))."""
        n = sum(self.max_epochs)
        if self.schedule == "constant":
            return [self.lr] * n
        return [self.lr * math.cos(0.495 * math.pi * e / max(n - 1, 1)) for e in range(n)]

    def batches(self, n: int) -> Iterator[torch.Tensor]:
        """Row numbers of the batches of an epoch."""
        yield from torch.from_numpy(self.shuffling.permutation(n)).split(self.batch_size)


def features_of(extractor: nn.Module, X: torch.Tensor, batch_size: int) -> torch.Tensor:
    """Features of all samples, in evaluation mode and without gradient.

    Raises
    ------
    ValueError
        If they are not of shape (n, d).
    """
    extractor.eval()
    with torch.no_grad():
        return torch.cat([features_of_batch(extractor, part) for part in X.split(batch_size)])


def features_of_batch(extractor, X):
    """Features of a batch, where the extractor is and with its gradient."""
    like = next(extractor.parameters(), X)
    features = extractor(X.to(like))
    if not isinstance(features, torch.Tensor) or features.shape != (len(X), features.shape[-1]):
        shape = getattr(features, "shape", type(features).__name__)
        raise ValueError(
            f"module must return features of shape ({len(X)}, d) for {len(X)} samples, got "
            f"{shape}: flatten or pool them, and leave the classifier of a pretrained network out"
        )
    return in_full_precision(features)


def train_task(
    rows: nn.Linear,
    extractor: nn.Module,
    X: torch.Tensor,
    target: torch.Tensor,
    training: TaskTraining,
    rates: Iterable[float],
) -> None:
    """Train the rows of a task's classes, and in the first phase the extractor with them.

    Parameters
    ----------
    rows : Linear
        The task's rows of the head; changed.
    extractor : Module
        From samples to features. Those of its parameters that require a gradient are changed.
    X : Tensor of shape (n, ...)
        Samples.
    target : Tensor of shape (n,), int64
        Numbers of the classes among those of the task.
    training : TaskTraining
        How to train.
    rates : iterable of float
        Learning rate of each epoch of both phases.
    """
    optimizer = torch.optim.Adam(
        [*rows.parameters(), *(p for p in extractor.parameters() if p.requires_grad)]
    )
    epochs = iter(rates)
    extractor.train()
    for rate in itertools.islice(epochs, training.max_epochs[0]):
        for index in training.batches(len(X)):
            logits = rows(features_of_batch(extractor, X[index]))
            _step(optimizer, rate, F.cross_entropy(logits, target[index]))
    features = features_of(extractor, X, training.batch_size)
    for rate in epochs:
        _epoch_with_outliers(rows, optimizer, rate, features, target, training)


def _epoch_with_outliers(rows, optimizer, rate, features, target, training):
    """An epoch of the second phase, with new outliers, which are spread over its batches."""
    if training.regularizer is not None:
        outliers = training.synthesizer.generate(features, rows.out_features)
        share = max(1, len(outliers) // math.ceil(len(features) / training.batch_size))
    for i, index in enumerate(training.batches(len(features))):
        logits = rows(features[index])
        loss = F.cross_entropy(logits, target[index])
        if training.regularizer is not None:
            out = rows(outliers[i * share : (i + 1) * share])
            loss = loss + training.regularizer(logits, out)
        _step(optimizer, rate, loss)


def _step(optimizer, rate, loss):
    optimizer.zero_grad()
    loss.backward()
    optimizer.param_groups[0]["lr"] = rate
    optimizer.step()
