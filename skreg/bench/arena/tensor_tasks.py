"""Tasks of torch with training loops of their own: sums, free vectors, kernels, fine-tuning."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

from skreg.bench.arena.networks import one_thread, perceptron
from skreg.deep.torch import OrthogonalGradient, TrustRegionDistance

SHIFTS = ((1, 0), (-1, 0), (0, 1), (0, -1))
RARE = np.array([80, 80.5, 81, 80.2, 90, 90.5, 90.3, 90.8])


class Pairs(NamedTuple):
    """Pairs of one-hot numbers with their sums, and when the network is looked at."""

    X: torch.Tensor
    y: torch.Tensor
    X_test: torch.Tensor
    y_test: torch.Tensor
    epochs: list[int]


def addition(seed: int, *, modulus: int, epochs: list[int]) -> Pairs:
    """All pairs of numbers below the modulus, 40% of them for training."""
    numbers = torch.from_numpy(np.random.default_rng(seed).permutation(modulus**2))
    first, second = numbers // modulus, numbers % modulus
    X = torch.cat([F.one_hot(first, modulus), F.one_hot(second, modulus)], dim=1).float()
    y = (first + second) % modulus
    n_train = int(0.4 * len(y))
    return Pairs(X[:n_train], y[:n_train], X[n_train:], y[n_train:], epochs)


class FullBatch(NamedTuple):
    """Loss, projection of the gradient (None leaves it as it is), and decoupled weight decay."""

    loss: Callable[[], nn.Module] = nn.CrossEntropyLoss
    projection: dict[str, Any] | None = None
    weight_decay: float = 0.0


def trained(pairs: Pairs, method: FullBatch, seed: int) -> Iterator[tuple[int, nn.Module]]:
    """Train on all pairs at once, yielding the network at the wanted epochs."""
    torch.manual_seed(seed)
    n_inputs = pairs.X.shape[1]
    net = perceptron(n_inputs, 200, 200, n_inputs // 2, bias=False)
    loss = method.loss()
    optimizer: Any = torch.optim.AdamW(net.parameters(), lr=0.01, weight_decay=method.weight_decay)
    if method.projection is not None:
        optimizer = OrthogonalGradient(optimizer, **method.projection)
    for epoch in range(1, max(pairs.epochs) + 1):
        optimizer.zero_grad()
        loss(net(pairs.X), pairs.y).backward()
        optimizer.step()
        if epoch in pairs.epochs:
            yield epoch, net


class Features(NamedTuple):
    """Features that are free to move, 56 common ones and 8 rare, and how many steps they do."""

    z: torch.Tensor
    y: torch.Tensor
    predictions: torch.Tensor
    steps: int


def free_features(seed: int, *, steps: int) -> Features:
    """Features near a common vector; targets 20 to 29 and 80 to 91, all predicted as common."""
    rng = np.random.default_rng(seed)
    common = rng.integers(20, 30, 56).astype(float)
    predictions = np.concatenate([common + 0.3 * rng.normal(size=56), 25 + rng.normal(size=8)])
    z = rng.normal(size=16) + 0.3 * rng.normal(size=(64, 16))
    y = np.concatenate([common, RARE])
    return Features(_single(z), _single(y), _single(predictions), steps)


def _single(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array).float()


def cosines(z: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean cosine of rare features to the common mean, and of pairs with near targets."""
    z_unit = F.normalize(z, dim=1)
    rare_to_common = z_unit[56:] @ F.normalize(z[:56].mean(0), dim=0)
    near = ((y[:, None] - y).abs() <= 1) & ~torch.eye(64, dtype=torch.bool)
    return rare_to_common.mean(), (z_unit @ z_unit.T)[near].mean()


class Kernel(NamedTuple):
    """A small random kernel to descend from."""

    weight: torch.Tensor
    stride: int
    n_steps: int


def random_kernel(seed: int, *, shape: tuple[int, int, int], n_steps: int) -> Kernel:
    """Kernel of 3 x 3 taps; `shape` are outputs, inputs and stride."""
    M, C, stride = shape
    generator = torch.Generator().manual_seed(seed)
    weight = 0.1 * torch.randn(M, C, 3, 3, generator=generator, dtype=torch.float64)
    return Kernel(weight, stride, n_steps)


def descended(kernel: Kernel, loss: Callable[..., torch.Tensor]) -> torch.Tensor:
    """The kernel after Adam on a loss, with a learning rate that falls to zero."""
    weight = kernel.weight.clone().requires_grad_()
    optimizer = torch.optim.Adam([weight])
    for step in range(kernel.n_steps):
        optimizer.param_groups[0]["lr"] = 0.02 * (1 - step / kernel.n_steps)
        optimizer.zero_grad()
        loss(weight, stride=kernel.stride).backward()
        optimizer.step()
    return weight.detach()


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
