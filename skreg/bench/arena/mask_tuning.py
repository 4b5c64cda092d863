"""A network of digits that is to read digits of a shifted and noisy domain, of half the classes."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.datasets import load_digits
from skorch.callbacks import LRScheduler
from torch import nn
from torch.nn import functional as F

from skreg.bench.arena.fine_tuning import batches
from skreg.bench.arena.networks import one_thread, perceptron
from skreg.deep import RegularizedNetClassifier, Regularizer
from skreg.deep.regularizers import MaskTuning

N_PRETRAINING, N_TUNING = 900, 200
SEEN = 5  # classes below it come in tuning
BATCH_SIZE = 32
NOISE = 0.1


class Domains(NamedTuple):
    """A pretrained network, digits of the target domain to tune on, and test digits of both."""

    network: nn.Module
    X: np.ndarray
    y: np.ndarray
    X_target: np.ndarray
    X_clean: np.ndarray
    y_test: np.ndarray
    epochs: int


class Tuning(NamedTuple):
    """What trains, and how.

    Attributes
    ----------
    regularizer : callable or None
        Made anew for each seed.
    lr : float
        Learning rate at first; 0 leaves the network as it is.
    head_only : bool
        Whether only the last layer trains.
    """

    regularizer: Callable[[], Regularizer] | None = None
    lr: float = 0.0
    head_only: bool = False


def with_masks(lr: float = 2e-4, **params: Any) -> Tuning:
    """Masks on all layers but the last."""
    return Tuning(functools.partial(MaskTuning, **params), lr)


def shifted_domain(seed: int, *, pretraining: int, tuning: int) -> Domains:
    """Digits of which 900 are seen clean, about 100 of classes 0 to 4 in the target domain."""
    X, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(X))
    X, y = (X[order] / 16).astype(np.float32), y[order]
    target = in_target_domain(X, rng)
    test = N_PRETRAINING + N_TUNING
    held_out = slice(N_PRETRAINING, test)
    seen = y[held_out] < SEEN
    network = pretrained(X[:N_PRETRAINING], y[:N_PRETRAINING], pretraining, seed)
    return Domains(
        network, target[held_out][seen], y[held_out][seen], target[test:], X[test:], y[test:],
        tuning,
    )  # fmt: skip


def in_target_domain(X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Images shifted down by a pixel, with noise."""
    images = X.reshape(-1, 8, 8)
    shifted = np.zeros_like(images)
    shifted[:, 1:] = images[:, :-1]
    return shifted.reshape(X.shape) + rng.normal(0, NOISE, X.shape).astype(np.float32)


def pretrained(X: np.ndarray, y: np.ndarray, epochs: int, seed: int) -> nn.Module:
    """A perceptron trained on clean digits."""
    inputs, labels = torch.from_numpy(X), torch.from_numpy(y)
    with one_thread(), torch.random.fork_rng():
        torch.manual_seed(seed)
        network = perceptron(64, 256, 256, 10)
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
        for index in batches(len(y), BATCH_SIZE, epochs, seed):
            optimizer.zero_grad()
            F.cross_entropy(network(inputs[index]), labels[index]).backward()
            optimizer.step()
    return network


def tuned(task: Domains, method: Tuning, seed: int) -> RegularizedNetClassifier:
    """The network after tuning by Adam, its rate falling by a cosine from step to step."""
    network: Any = copy.deepcopy(task.network)
    if method.head_only:
        network.requires_grad_(False)[-1].requires_grad_(True)
    n_steps = task.epochs * -(-len(task.y) // BATCH_SIZE)
    cosine = LRScheduler("CosineAnnealingLR", T_max=n_steps, step_every="batch")
    named = [] if method.regularizer is None else [("masks", method.regularizer())]
    torch.manual_seed(seed)
    net = RegularizedNetClassifier(
        network, regularizers=named, optimizer=torch.optim.Adam, lr=method.lr,
        max_epochs=task.epochs if method.lr else 0, batch_size=BATCH_SIZE,
        iterator_train__shuffle=True,
        iterator_train__generator=torch.Generator().manual_seed(seed),
        callbacks=[("cosine", cosine)], train_split=None, verbose=0,
    )  # fmt: skip
    return net.fit(task.X, task.y)


def measure(task: Domains, methods: Mapping[str, Tuning], seed: int) -> Iterator[dict[str, Any]]:
    """Accuracies in the target domain, of classes seen and unseen in tuning, and in the former."""
    seen = task.y_test < SEEN
    with one_thread(), torch.random.fork_rng():
        for name, method in methods.items():
            net = tuned(task, method, seed)
            right = net.predict(task.X_target) == task.y_test
            masks: Any = dict(net.regularizers_).get("masks")
            yield {
                "method": name,
                "target": 100 * right[seen].mean(),
                "unseen": 100 * right[~seen].mean(),
                "clean": 100 * (net.predict(task.X_clean) == task.y_test).mean(),
                "masked": 0.0 if masks is None else 100 * masks.masked_fraction_,
            }
