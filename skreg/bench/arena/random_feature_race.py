"""Random feature ridge by skreg and by scikit-learn's transformers and RidgeCV, on one thread."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from sklearn.kernel_approximation import Nystroem, RBFSampler
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_limits

from skreg.bench.arena.clock import medians_in_turns, peak_megabytes, timed
from skreg.random_features import RandomFeatureRidge, RandomFeatures
from skreg.random_features._rows import as_columns, gathered_from, left_vectors, rows_in_memory
from skreg.random_features._spectrum import Gathered, GramSide

OURS, GCV, SINGLE = "skreg", "skreg, GCV", "skreg, float32"
LANDMARKS = "skreg, landmarks"
SAMPLER, NYSTROEM = "RBFSampler + RidgeCV(svd)", "Nystroem + RidgeCV(svd)"
DEFAULT = "RBFSampler + RidgeCV"
FIT, DECOMPOSITION = "skreg, whole fit", "skreg, decomposition alone"
ALPHAS = np.geomspace(1e-4, 1e2, 30)
N_TEST = 5000
PATIENCE = 5.0  # seconds after which an action is not repeated


class Task(NamedTuple):
    """Rows to learn from and to test on, a width of the kernel, a number of features."""

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    gamma: float
    k: int
    seed: int


def waves(seed: int, *, n: int, k: int) -> Task:
    """A smooth function of ten columns, with noise of a third of its spread."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n + N_TEST, 10))
    y = np.sin(X[:, 0] + X[:, 1]) + 0.5 * X[:, 2] * X[:, 3] + np.abs(X[:, 4])
    y = y + 0.3 * rng.normal(size=len(y))
    return Task(X[:n], y[:n], X[n:], y[n:], 0.05, k, seed)


def ours(task: Task, **params: Any) -> Any:
    model = RandomFeatureRidge(
        task.k, kind="fourier", gamma=task.gamma, alphas=ALPHAS, random_state=task.seed, **params
    )
    return model.fit(task.X, task.y)


def sampled(task: Task, transformer: Callable[..., Any], gcv_mode: str) -> Any:
    features = transformer(gamma=task.gamma, n_components=task.k, random_state=task.seed)
    return make_pipeline(features, RidgeCV(ALPHAS, gcv_mode=gcv_mode)).fit(task.X, task.y)


SOLVERS: dict[str, Callable[[Task], Any]] = {
    OURS: ours,
    GCV: functools.partial(ours, alpha="gcv"),
    SINGLE: functools.partial(ours, dtype=np.float32),
    LANDMARKS: functools.partial(ours, draw="rows"),
    SAMPLER: functools.partial(sampled, transformer=RBFSampler, gcv_mode="svd"),
    NYSTROEM: functools.partial(sampled, transformer=Nystroem, gcv_mode="svd"),
    DEFAULT: functools.partial(sampled, transformer=RBFSampler, gcv_mode="auto"),
}


def decomposition(task: Task) -> None:
    """Features, their Gram matrix, its eigenvectors, and U: what leave-one-out begins with."""
    features = RandomFeatures(task.k, kind="fourier", gamma=task.gamma, random_state=task.seed)
    features.fit(task.X)
    rows = rows_in_memory(task.X, task.y, np.ones(len(task.y)), task.k, 0, "")
    chunk = functools.partial(gathered_from, features=features, targets=as_columns, centre=True)
    left_vectors(rows, features, GramSide.of(rows.reduce(chunk, Gathered.merge), True))


def measure(task: Task, methods: Mapping[str, Any], _seed: int) -> Iterator[dict[str, Any]]:
    """Processor seconds of one fit each, and mean squared errors on other rows."""
    with threadpool_limits(1):
        for name in methods:
            model, seconds = timed(SOLVERS[name], task)
            error = np.mean((model.predict(task.X_test) - task.y_test) ** 2)
            yield {"method": name, "seconds": seconds, "error": error}


def measure_parts(task: Task, _methods: Mapping[str, Any], _seed: int) -> Iterator[dict[str, Any]]:
    """Medians of three turns."""
    actions = {
        FIT: functools.partial(ours, task),
        DECOMPOSITION: functools.partial(decomposition, task),
    }
    with threadpool_limits(1):
        for name, seconds in medians_in_turns(actions, 3, patience=3 * PATIENCE).items():
            yield {"method": name, "seconds": seconds}


def measure_memory(task: Task, methods: Mapping[str, Any], _seed: int) -> Iterator[dict[str, Any]]:
    """Peak memory of a fit, in megabytes."""
    for name in methods:
        yield {"method": name, "memory": peak_megabytes(SOLVERS[name], task)}
