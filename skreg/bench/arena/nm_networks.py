"""Perceptrons of digits with n of each m successive weights, trained by several recipes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from skorch.callbacks import LRScheduler
from torch import nn

from skreg.bench.arena.deep_methods import Method, fitted, with_regularizer
from skreg.bench.arena.deep_tasks import Split, digits
from skreg.bench.arena.networks import one_thread, perceptron
from skreg.deep import DeepClassifier, Regularizer
from skreg.deep.regularizers import MagnitudePruning, NMSparsity
from skreg.deep.torch import is_nm_sparse, nm_project

HIDDEN = ["0", "2"]


class NMDigits(NamedTuple):
    """Digits, how long to train on them, and the pattern that the weights are to have."""

    split: Split
    epochs: int
    n: int
    m: int


Making = Callable[[int, int], Method]
"""What makes a method for a pattern n:m."""


class OneShot(Regularizer):
    """Projects the weights of a densely trained network on the pattern."""

    def __init__(self, n: int, m: int) -> None:
        self.n = n
        self.m = m

    def finalize(self, net: Any, module: nn.Module) -> None:
        """Project them."""
        for name in HIDDEN:
            weight: Any = module.get_submodule(name).weight
            with torch.no_grad():
                weight.copy_(nm_project(weight, self.n, self.m))


def dense(n: int, m: int) -> Method:
    """All weights."""
    return Method()


def one_shot(n: int, m: int) -> Method:
    """Trained with all weights, then projected."""
    return with_regularizer(OneShot, n, m)


def by(recipe: str, **arguments: Any) -> Making:
    """A recipe of `NMSparsity`."""

    def make(n: int, m: int) -> Method:
        return with_regularizer(NMSparsity, n, m, recipe, layers=HIDDEN, **arguments)

    return make


def without_pattern(n: int, m: int) -> Method:
    """As many weights of each layer, wherever they are, by gradual magnitude pruning."""
    return with_regularizer(MagnitudePruning, 1 - n / m, scope="layer", layers=HIDDEN)


def nm_digits(seed: int, *, n: int, m: int, epochs: int) -> NMDigits:
    """700 digits to train on, and all others."""
    return NMDigits(digits(seed, train_size=700), epochs, n, m)


def by_adam(epochs: int, seed: int) -> DeepClassifier:
    """A perceptron with two hidden layers, by Adam and a cosine schedule."""
    return DeepClassifier(
        module=lambda: perceptron(64, 128, 128, 10),
        optimizer=torch.optim.Adam,
        lr=2e-3,
        max_epochs=epochs,
        batch_size=64,
        standardize=False,
        callbacks=[LRScheduler("CosineAnnealingLR", T_max=epochs)],
        random_state=seed,
    )


def measure(data: NMDigits, methods: Mapping[str, Making], seed: int) -> Iterator[dict[str, Any]]:
    """Accuracy on test digits, share of hidden weights that are used, layers off the pattern."""
    for name, make in methods.items():
        model = fitted(by_adam(data.epochs, seed), make(data.n, data.m), data.split.X, data.split.y)
        with one_thread(), torch.no_grad():
            weights = [model.net_.module_.get_submodule(layer).weight for layer in HIDDEN]
            used = sum(int(weight.count_nonzero()) for weight in weights)
            yield {
                "method": name,
                "accuracy": 100 * model.score(data.split.X_test, data.split.y_test),
                "density": 100 * used / sum(weight.numel() for weight in weights),
                "off_pattern": sum(not is_nm_sparse(w, data.n, data.m) for w in weights),
            }
