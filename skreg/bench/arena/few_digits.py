"""A network pretrained on clean digits, and fine-tuned on a few noisy ones of each class."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

from skreg.bench.arena.fine_tuning import batches
from skreg.bench.arena.networks import one_thread, perceptron
from skreg.deep.torch import DistributionRegularizationLoss, FrozenCopy, SemanticCalibration

BATCH, BANK, NOISE = 16, 64, 0.3
HEAD_RATE = 5.0  # times that of the encoder, 1 + 64/16


class FewDigits(NamedTuple):
    """A pretrained encoder; digits to fine-tune on, to choose rates by, and to test."""

    encoder: nn.Module
    X: torch.Tensor
    y: torch.Tensor
    X_held_out: torch.Tensor
    y_held_out: torch.Tensor
    X_test: torch.Tensor
    y_test: torch.Tensor
    rates: tuple[float, ...]
    epochs: int


def few_digits(
    seed: int,
    *,
    per_class: int,
    rates: tuple[float, ...],
    epochs: int = 40,
    pretraining: int = 5,
    moved: int = 0,
) -> FewDigits:
    """Draw 900 clean digits to pretrain on, and others with noise, moved by some pixels."""
    X, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(X))
    X, y = X[order] / 16, y[order]
    encoder = pretrained_encoder(X[:900], y[:900], pretraining, seed)
    X = np.roll(X[900:].reshape(-1, 8, 8), (moved, moved), (1, 2)).reshape(-1, 64)
    X, y = X + NOISE * rng.standard_normal(X.shape), y[900:]
    few = np.concatenate([np.flatnonzero(y == c)[:per_class] for c in range(10)])
    rest = np.setdiff1d(np.arange(len(y)), few)
    train, held_out, test = (
        (torch.tensor(X[rows], dtype=torch.float32), torch.tensor(y[rows]))
        for rows in (few, rest[:200], rest[200:])
    )
    return FewDigits(encoder, *train, *held_out, *test, rates, epochs)


def pretrained_encoder(X: np.ndarray, y: np.ndarray, epochs: int, seed: int) -> nn.Module:
    """Layers 64-128-64 that were trained on images and two of their shifts by a pixel."""
    images = X.reshape(-1, 8, 8)
    shifted = [np.roll(images, 1, axis).reshape(-1, 64) for axis in (1, 2)]
    inputs = torch.tensor(np.concatenate([X, *shifted]), dtype=torch.float32)
    targets = torch.tensor(np.tile(y, 3))
    with one_thread(), torch.random.fork_rng():
        torch.manual_seed(seed)
        network = perceptron(64, 128, 64, 10)
        optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
        for index in batches(len(targets), 64, epochs, seed):
            optimizer.zero_grad()
            F.cross_entropy(network(inputs[index]), targets[index]).backward()
            optimizer.step()
    return network[:-1]


class Recipe(NamedTuple):
    """What fine-tuning does beside the cross entropy.

    Attributes
    ----------
    bank : callable or None
        ``bank(n)`` makes the loss with a bank of n rows.
    pull : float
        Strength of the pull to the pretrained weights (L2-SP).
    head_rate : float
        Learning rate of the head over that of the encoder.
    slowed : bool
        Divide both rates by ``1 + K/B``, as the normalized loss of DR-Tune does.
    """

    bank: Callable[[int], DistributionRegularizationLoss] | None = None
    pull: float = 0.0
    head_rate: float = HEAD_RATE
    slowed: bool = False


def with_bank(n: int) -> DistributionRegularizationLoss:
    """DR-Tune, which rotates in every step."""
    return DistributionRegularizationLoss(n, calibration=SemanticCalibration(rotation_every=1))


def without_calibration(n: int) -> DistributionRegularizationLoss:
    """The pretrained features as they are."""
    return DistributionRegularizationLoss(n, calibration=None)


def pull_to_start(encoder: nn.Module, start: nn.Module, head: nn.Module) -> Any:
    """Squared distance of the encoder to where it began, and a tenth of the head's own size.

    The proportion of the strengths is that of Li, Grandvalet and Davoine (ICML 2018), who propose
    L2-SP.
    """
    pairs = zip(encoder.parameters(), start.parameters(), strict=True)
    moved = torch.stack([(now - before.detach()).square().sum() for now, before in pairs]).sum()
    return 0.5 * (moved + 0.1 * torch.stack([p.square().sum() for p in head.parameters()]).sum())


def fine_tuned(task: FewDigits, recipe: Recipe, rate: float, seed: int) -> nn.Module:
    """The network after fine-tuning with SGD, Nesterov's momentum and a cosine schedule."""
    encoder = copy.deepcopy(task.encoder)
    head = nn.Linear(64, 10)
    nn.init.normal_(head.weight, std=0.01, generator=torch.Generator().manual_seed(seed))
    nn.init.zeros_(head.bias)
    n_rows = min(BANK, len(task.y))
    rate = rate / (1 + n_rows / BATCH) if recipe.slowed else rate
    groups: list[dict[str, Any]] = [
        {"params": encoder.parameters()},
        {"params": head.parameters(), "lr": rate * recipe.head_rate},
    ]
    optimizer = torch.optim.SGD(groups, lr=rate, momentum=0.9, nesterov=True, weight_decay=1e-4)
    per_epoch = math.ceil(len(task.y) / BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: 0.5 * (1 + math.cos(math.pi * (step // per_epoch) / task.epochs))
    )
    frozen = FrozenCopy(encoder)
    loss = None if recipe.bank is None else recipe.bank(n_rows)
    if loss is not None:
        order = next(batches(len(task.y), len(task.y), 1, seed))
        loss.warm_up(frozen(task.X[order]), task.y[order])
    for step, index in enumerate(batches(len(task.y), BATCH, task.epochs, seed)):
        X, y = task.X[index], task.y[index]
        optimizer.zero_grad()
        z = encoder(X)
        if loss is not None:
            value = loss(z, frozen(X), y, head, step)
        else:
            value = F.cross_entropy(head(z), y)
        if recipe.pull:
            value = value + recipe.pull * pull_to_start(encoder, task.encoder, head)
        value.backward()
        optimizer.step()
        schedule.step()
    return nn.Sequential(encoder, head)


def measure(task: FewDigits, methods: Mapping[str, Recipe], seed: int) -> Iterator[dict[str, Any]]:
    """Accuracies of each method at each learning rate of the encoder."""
    with one_thread():
        for name, recipe in methods.items():
            for rate in task.rates:
                network = fine_tuned(task, recipe, rate, seed)
                yield {
                    "method": name,
                    "rate": rate,
                    "accuracy": accuracy(network, task.X_test, task.y_test),
                    "held_out": accuracy(network, task.X_held_out, task.y_held_out),
                }


@torch.no_grad()
def accuracy(network: nn.Module, X: torch.Tensor, y: torch.Tensor) -> float:
    """Share of right predictions in percent; a network that has diverged has few."""
    return 100 * float((network(X).argmax(1) == y).double().mean())
