"""A network that is pretrained on digits and their shifts, and fine-tuned on few digits."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

from skreg.bench.arena.networks import one_thread, perceptron
from skreg.deep.torch import TrustRegionDistance, epsilon_sharpness

SHIFTS = ((1, 0), (-1, 0), (0, 1), (0, -1))


class Pretrained(NamedTuple):
    """A pretrained network with a new last layer; digits to fine-tune on and to test."""

    network: nn.Module
    X: torch.Tensor
    y: torch.Tensor
    X_test: torch.Tensor
    y_test: torch.Tensor
    epochs: int


def pretrained_digits(seed: int, *, epochs: int, fine_tuning: int) -> Pretrained:
    """A perceptron pretrained on digits and their shifts; 100 digits with permuted labels."""
    X, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(X))
    X = torch.tensor(X[order] / 16, dtype=torch.float32)
    y = torch.tensor(y[order])
    X_before = torch.cat([X[:900], shifted(X[:900])])
    y_before = y[:900].repeat(5)
    with one_thread(), torch.random.fork_rng():
        torch.manual_seed(seed)
        network = perceptron(64, 128, 128, 10)
        optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
        for index in batches(len(y_before), 64, epochs, seed):
            optimizer.zero_grad()
            F.cross_entropy(network(X_before[index]), y_before[index]).backward()
            optimizer.step()
        last: Any = network[-1]
        last.reset_parameters()
    y = torch.from_numpy(rng.permutation(10))[y]
    return Pretrained(network, X[900:1000], y[900:1000], X[1000:], y[1000:], fine_tuning)


def shifted(X: torch.Tensor) -> torch.Tensor:
    """The four shifts by one pixel, around the edge."""
    images = X.reshape(-1, 8, 8)
    return torch.cat([images.roll(shift, (1, 2)).flatten(1) for shift in SHIFTS])


def batches(n: int, size: int, epochs: int, seed: int) -> Iterator[torch.Tensor]:
    """Indices of the batches of all epochs."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        yield from torch.randperm(n, generator=generator).split(size)


class FineTuning(NamedTuple):
    """What is done to plain Adam."""

    optimizer: Callable[[torch.optim.Optimizer], Any] | None = None
    distance: Callable[[], TrustRegionDistance] | None = None
    penalty: float = 0.0
    weight_decay: float = 0.0
    label_smoothing: float = 0.0


def fine_tuned(task: Pretrained, method: FineTuning, seed: int) -> tuple[nn.Module, float]:
    """The network after fine-tuning, and the mean distance of its steps."""
    network = copy.deepcopy(task.network)
    adam = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=method.weight_decay)
    distance = method.distance().setup(network) if method.distance else None
    optimizer: Any = method.optimizer(adam) if method.optimizer else adam
    two_passes, distances = method.optimizer is not None, []
    for index in batches(len(task.y), 32, task.epochs, seed):
        X, y = task.X[index], task.y[index]

        def loss_of(logits: torch.Tensor, X: torch.Tensor = X, y: torch.Tensor = y) -> torch.Tensor:
            loss = F.cross_entropy(logits, y, label_smoothing=method.label_smoothing)
            if distance is not None and method.penalty:
                loss = loss + method.penalty * distance.penalty(network, X, logits)
            return loss

        optimizer.zero_grad()
        logits = network(X)
        loss_of(logits).backward()
        if distance is not None:
            distances.append(distance(network, X, logits))
            distance.update(network)
        if not two_passes:
            optimizer.step()
            continue
        optimizer.first_step(*distances[-1:])
        optimizer.zero_grad()
        loss_of(network(X)).backward()
        optimizer.second_step()
    return network, float(torch.stack(distances).mean()) if distances else float("nan")


def from_initial() -> TrustRegionDistance:
    """Distance to the predictions of the pretrained network."""
    return TrustRegionDistance("initial")


def from_noised() -> TrustRegionDistance:
    """Distance to the predictions at inputs with noise."""
    generator = torch.Generator().manual_seed(0)
    return TrustRegionDistance("input_noise", sigma=0.5, generator=generator)


def measure(task: Pretrained, methods: Mapping[str, Any], seed: int) -> Iterator[dict[str, Any]]:
    """Accuracies on test digits and their shifts, and the sharpness of the fine-tuned network."""
    with one_thread():
        for name, method in methods.items():
            network, distance = fine_tuned(task, method, seed)
            with torch.no_grad():
                inside = network(task.X_test).argmax(1) == task.y_test
                outside = network(shifted(task.X_test)).argmax(1) == task.y_test.repeat(4)
            sharpness = epsilon_sharpness(
                network.double(), F.cross_entropy, task.X.double(), task.y, eps=1e-3, lr=1.0
            )
            yield {
                "method": name,
                "inside": 100 * float(inside.double().mean()),
                "outside": 100 * float(outside.double().mean()),
                "sharpness": sharpness,
                "distance": distance,
            }
