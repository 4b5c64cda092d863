"""Sums modulo a number, which a network learns from some of all pairs, full batch (grokking)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from skreg.bench.arena.networks import one_thread, perceptron
from skreg.deep.torch import OrthogonalGradient, softmax_collapse_rate


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


def measure(pairs: Pairs, methods: Mapping[str, Any], seed: int) -> Iterator[dict[str, Any]]:
    """Accuracies and collapsed softmaxes of each method at the wanted epochs."""
    with one_thread():
        for name, method in methods.items():
            for epoch, net in trained(pairs, method, seed):
                with torch.no_grad():
                    logits = net(pairs.X)
                    test = (net(pairs.X_test).argmax(1) == pairs.y_test).float().mean()
                yield {
                    "method": name,
                    "epoch": epoch,
                    "accuracy": float(test),
                    "train_accuracy": float((logits.argmax(1) == pairs.y).float().mean()),
                    "collapse": float(softmax_collapse_rate(logits)),
                }
