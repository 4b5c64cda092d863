"""What the benchmarks of skreg.deep share: threads, rivals that act on inputs, a plain network."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from skreg.deep import Regularizer
from skreg.deep.torch import as_probabilities, mixup


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread: cells run side by side."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def perceptron(n_inputs: int, *widths: int) -> nn.Sequential:
    """Fully connected layers with ReLU between them."""
    layers = [
        layer
        for n_in, n_out in itertools.pairwise([n_inputs, *widths])
        for layer in (nn.Linear(n_in, n_out), nn.ReLU())
    ]
    return nn.Sequential(*layers[:-1])


class GaussianNoise(Regularizer):
    """Adds noise of a standard deviation to the inputs of each step."""

    def __init__(self, scale: float = 0.1) -> None:
        self.scale = scale

    def inputs(self, net: Any, batch: Any, X: torch.Tensor) -> torch.Tensor:
        """Inputs with noise."""
        return X + self.scale * torch.randn_like(X)


class Mixup(Regularizer):
    """Trains on convex combinations of pairs of samples (Zhang et al. 2018)."""

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def inputs(self, net: Any, batch: Any, X: torch.Tensor) -> torch.Tensor:
        """Inputs, each mixed with those of its partner."""
        self.mixing_ = mixup(len(X), self.alpha, X.device, weight=batch.sample_weight)
        return self.mixing_.inputs(X)

    def targets(self, net: Any, batch: Any, y: torch.Tensor) -> Any:
        """Targets, mixed alike."""
        return self.mixing_(as_probabilities(y, len(net.classes_)))


class MixupRegression(Mixup):
    """Mixup of inputs and real targets."""

    def targets(self, net: Any, batch: Any, y: torch.Tensor) -> Any:
        """Targets, mixed alike."""
        return self.mixing_(y)
