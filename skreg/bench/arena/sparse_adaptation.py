"""A network of upright digits that learns shifted ones with few of its weights."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from skreg.bench.arena.fine_tuning import batches
from skreg.bench.arena.networks import one_thread, perceptron
from skreg.deep.torch import MaskedNuclearNorm, SparseEntries, SparseParameters

FRACTION = 0.2
LARGE_LAYER = 2  # the one of 256 x 256 weights


class Adaptation(NamedTuple):
    """A pretrained network; shifted digits to learn; test digits, upright and shifted."""

    network: nn.Sequential
    X: torch.Tensor
    y: torch.Tensor
    X_test: torch.Tensor
    y_test: torch.Tensor
    epochs: int


def shifted(X: torch.Tensor) -> torch.Tensor:
    """Digits moved by one pixel down and one to the right, around the edge."""
    return X.reshape(-1, 8, 8).roll((1, 1), (1, 2)).flatten(1)


def adaptation(seed: int, *, epochs: int, tuning: int) -> Adaptation:
    """A perceptron pretrained on 900 upright digits, and 100 shifted ones."""
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(X))
    X = torch.tensor(X[order] / 16, dtype=torch.float32)
    y = torch.tensor(y[order])
    with one_thread(), torch.random.fork_rng():
        torch.manual_seed(seed)
        network = perceptron(64, 256, 256, 10)
        optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
        for index in batches(900, 64, epochs, seed):
            optimizer.zero_grad()
            F.cross_entropy(network(X[index]), y[index]).backward()
            optimizer.step()
    return Adaptation(network, shifted(X[900:1000]), y[900:1000], X[1000:], y[1000:], tuning)


class Tuning(NamedTuple):
    """What trains of a network, which it changes in place; None: nothing.

    Attributes
    ----------
    choose : callable or None
        ``choose(network, generator)``.
    lambda_rank : float
        Strength of the nuclear norm.
    reselects : bool
        Whether entries that have grown are fixed half-way.
    lr : float
        Learning rate.
    """

    choose: Callable[[nn.Sequential, torch.Generator], Any] | None
    lambda_rank: float = 0.0
    reselects: bool = False
    lr: float = 1e-3


def everything(network: nn.Sequential, generator: torch.Generator) -> None:
    """All parameters train as they are."""


def smallest(network: nn.Sequential, generator: torch.Generator) -> SparseParameters:
    """A fifth of the entries, those of least absolute value."""
    return SparseParameters(network, fraction=FRACTION)


def largest(network: nn.Sequential, generator: torch.Generator) -> None:
    """A fifth of the entries, those of largest absolute value."""
    _train_highest(network, [p.detach().abs() for p in network.parameters()])


def random_entries(network: nn.Sequential, generator: torch.Generator) -> None:
    """A fifth of the entries, at random."""
    _train_highest(
        network, [torch.rand(p.shape, generator=generator) for p in network.parameters()]
    )


def _train_highest(network: nn.Sequential, scores: list[torch.Tensor]) -> None:
    flat = torch.cat([score.flatten() for score in scores])
    limit = flat.kthvalue(len(flat) - round(FRACTION * len(flat))).values
    places = [(layer, name) for layer in network for name, _ in layer.named_parameters()]
    for (layer, name), score in zip(places, scores, strict=True):
        entries = SparseEntries(getattr(layer, name), score > limit)
        parametrize.register_parametrization(layer, name, entries)


class LowRank(nn.Module):
    """Parametrization of a weight by itself, which is fixed, plus a product of low rank."""

    def __init__(self, weight: torch.Tensor, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        n_out, n_in = weight.shape
        start = torch.randn(rank, n_in, generator=generator) / n_in**0.5
        self.down, self.up = nn.Parameter(start), nn.Parameter(torch.zeros(n_out, rank))

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """The changed weight."""
        return weight + self.up @ self.down


def low_rank(network: nn.Sequential, generator: torch.Generator) -> None:
    """Adapters of low rank at all layers, with about as many numbers as a fifth of the entries."""
    layers = [layer for layer in network if isinstance(layer, nn.Linear)]
    n_numbers = FRACTION * sum(p.numel() for p in network.parameters())
    rank = int(n_numbers / sum(sum(layer.weight.shape) for layer in layers))
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    for layer in layers:
        adapter = LowRank(layer.weight, rank, generator)
        parametrize.register_parametrization(layer, "weight", adapter)


def tuned(task: Adaptation, method: Tuning, seed: int) -> tuple[nn.Sequential, Any]:
    """The network after fine-tuning by AdamW, and its chosen entries if there are any."""
    network = copy.deepcopy(task.network)
    if method.choose is None:
        return network, None
    generator = torch.Generator().manual_seed(seed)
    sparse = method.choose(network, generator)
    norm = MaskedNuclearNorm(method.lambda_rank, generator=generator)
    trained = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=method.lr, weight_decay=1e-2)
    steps = list(batches(len(task.y), 32, task.epochs, seed))
    for number, index in enumerate(steps):
        if method.reselects and number == len(steps) // 2:
            sparse.reselect()
        optimizer.zero_grad()
        loss = F.cross_entropy(network(task.X[index]), task.y[index])
        if method.lambda_rank:
            loss = loss + norm(network)
        loss.backward()
        optimizer.step()
    return network, sparse


@torch.no_grad()
def accuracy(network: nn.Sequential, X: torch.Tensor, y: torch.Tensor) -> float:
    """Per cent of right labels."""
    return 100 * float((network(X).argmax(1) == y).double().mean())


@torch.no_grad()
def change_without_smallest(task: Adaptation) -> float:
    """Points of accuracy that the pretrained network gains by zeros in a fifth of its entries."""
    network = copy.deepcopy(task.network)
    before = accuracy(network, task.X_test, task.y_test)
    SparseParameters(network, fraction=FRACTION)
    for parameter in network.parameters():
        parameter.zero_()
    return accuracy(network, task.X_test, task.y_test) - before


@torch.no_grad()
def norm_of_chosen(network: nn.Sequential) -> float:
    """Nuclear norm of the large layer with zeros in place of all that was never chosen."""
    layer: Any = network[LARGE_LAYER]
    index = layer.parametrizations.weight[0].index
    part = torch.zeros(layer.weight.numel()).scatter(0, index, layer.weight.flatten()[index])
    return float(torch.linalg.matrix_norm(part.view(layer.weight.shape), "nuc"))


def measure(task: Adaptation, methods: Mapping[str, Tuning], seed: int) -> Iterator[dict[str, Any]]:
    """Accuracies on shifted and on upright digits, and what became of the entries."""
    nothing = float("nan")
    with one_thread():
        for name, method in methods.items():
            network, sparse = tuned(task, method, seed)
            trained = 0 if method.choose is None else sum(
                p.numel() for p in network.parameters() if p.requires_grad
            )  # fmt: skip
            yield {
                "method": name,
                "new": accuracy(network, shifted(task.X_test), task.y_test),
                "old": accuracy(network, task.X_test, task.y_test),
                "trained": trained,
                "nuclear": norm_of_chosen(network) if sparse else nothing,
                "still_small": 100 * sparse.still_small if sparse else nothing,
                "without": nothing if method.choose else change_without_smallest(task),
            }
