"""Digits whose classes come two at a time, on frozen random features, and who learns them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from sklearn.datasets import load_digits
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.neighbors import NearestCentroid
from sklearn.preprocessing import StandardScaler

from skreg.bench.arena.networks import one_thread
from skreg.deep import VirtualOutlierSynthesizer, VORLogisticHead
from skreg.metrics import average_accuracy, forgetting

N_TASKS = 5
BUFFER = 40  # samples of a class that replay keeps, as many as a class has outliers


class Stream(NamedTuple):
    """Features, labels and tasks of training and test samples; epochs without and with VOR."""

    X: np.ndarray
    y: np.ndarray
    task: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    task_test: np.ndarray
    epochs: tuple[int, int]

    def up_to(self, t: int) -> tuple[np.ndarray, np.ndarray]:
        """Training samples of the tasks so far."""
        seen = self.task <= t
        return self.X[seen], self.y[seen]


Learner = Callable[[Stream, int], Iterator[Any]]


def digits_in_turn(
    seed: int, *, epochs: tuple[int, int], n_features: int = 256, standardize: bool = True
) -> Stream:
    """1000 digits to train and 797 to test, in a random order of classes, two at a time.

    Features are ReLUs of random combinations of pixels, standardised on all training samples or
    left as they are.
    """
    rng = np.random.default_rng(seed)
    pixels, y = load_digits(return_X_y=True)
    order = rng.permutation(len(y))
    place = rng.permutation(10)
    weights, bias = rng.normal(size=(64, n_features)) / 8, rng.normal(size=n_features)
    features = np.maximum(pixels / 16 @ weights + bias, 0).astype(np.float32)
    train, test = order[:1000], order[1000:]
    if standardize:
        features = StandardScaler().fit(features[train]).transform(features)
    task = place[y] // 2
    return Stream(
        features[train], y[train], task[train], features[test], y[test], task[test], epochs
    )


def head(stream: Stream, seed: int, **params: Any) -> VORLogisticHead:
    """The head of all methods that train one."""
    return VORLogisticHead(
        **{"schedule": "constant", "random_state": seed, "max_epochs": stream.epochs, **params}
    )


def outliers(**params: Any) -> VirtualOutlierSynthesizer:
    """The synthesizer of the small version."""
    return VirtualOutlierSynthesizer(n_neighbors=20, n_draws=100, **params)


def regularized(**params: Any) -> Learner:
    """Virtual outlier regularization, or none."""

    def learn(stream: Stream, seed: int) -> Iterator[Any]:
        model = head(stream, seed, **params)
        for t in range(N_TASKS):
            own = stream.task == t
            yield model.partial_fit(stream.X[own], stream.y[own])

    return learn


def replay(stream: Stream, seed: int) -> Iterator[Any]:
    """Cross entropy among all classes so far, on the task and on samples kept of earlier ones."""
    rng = np.random.default_rng(seed)
    model = head(stream, seed, regularizer=None, allow_repeated=True)
    kept = np.zeros(0, dtype=int)
    for t in range(N_TASKS):
        own = np.flatnonzero(stream.task == t)
        rows = np.concatenate([kept, own])
        yield model.partial_fit(stream.X[rows], stream.y[rows])
        for label in np.unique(stream.y[own]):
            members = rng.permutation(own[stream.y[own] == label])
            kept = np.concatenate([kept, members[:BUFFER]])


def jointly(stream: Stream, seed: int) -> Iterator[Any]:
    """All samples so far at once, which no task-by-task training has."""
    for t in range(N_TASKS):
        yield head(stream, seed, regularizer=None).fit(*stream.up_to(t))


def by_statistics(make: Callable[[], Any]) -> Learner:
    """A classifier of sums that tasks add to, so that it is the one of all samples so far."""

    def learn(stream: Stream, seed: int) -> Iterator[Any]:
        for t in range(N_TASKS):
            yield make().fit(*stream.up_to(t))

    return learn


nearest_mean = by_statistics(NearestCentroid)
linear_discriminant = by_statistics(
    lambda: LinearDiscriminantAnalysis(solver="lsqr", shrinkage=1e-4)
)


def measure(
    stream: Stream, methods: Mapping[str, Learner], seed: int
) -> Iterator[dict[str, float | str]]:
    """Accuracy on all test samples after the last task, and the measures of tasks, in percent."""
    for name, learn in methods.items():
        matrix = []
        with one_thread():
            for t, model in enumerate(learn(stream, seed)):
                right = model.predict(stream.X_test) == stream.y_test
                matrix.append([100 * right[stream.task_test == j].mean() for j in range(t + 1)])
        yield {
            "method": name,
            "accuracy": 100 * right.mean(),
            "average": average_accuracy(matrix),
            "forgetting": forgetting(matrix),
        }
