"""Linear probes and the matrix products that they must form: their time and memory."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from skreg.bench.arena.clock import medians_in_turns, peak_megabytes

NB, PRODUCTS = "LinearNaiveBayes", "Matrix products alone"
N_CLASSES = 100


class Features(NamedTuple):
    """Features (n_samples, n_features), labels, one-hot labels, and how to take the time."""

    X: np.ndarray
    y: np.ndarray
    one_hot: np.ndarray
    n_rounds: int
    n_threads: int | None


class MatrixProducts:
    """The products that any implementation of the method must form, as if it were a classifier."""

    def fit(self, features: Features) -> Self:
        features.X.sum(axis=0)
        self.weights_ = features.X.T @ features.one_hot
        return self

    def predict(self, features: Features) -> np.ndarray:
        return features.X @ self.weights_


class Classifier:
    """A scikit-learn classifier that takes its X and y from `Features`."""

    def __init__(self, estimator: Any) -> None:
        self.estimator = clone(estimator)

    def fit(self, features: Features) -> Self:
        self.estimator.fit(features.X, features.y)
        return self

    def predict(self, features: Features) -> np.ndarray:
        return self.estimator.predict(features.X)


def normal_features(
    seed: int, *, n_samples: int, n_features: int, n_rounds: int, n_threads: int | None
) -> Features:
    """Normal features in float32 around class means, on scales that differ between features."""
    rng = np.random.default_rng(seed)
    y = rng.integers(N_CLASSES, size=n_samples)
    means = 3 / np.sqrt(n_features) * rng.standard_normal((N_CLASSES, n_features))
    X = rng.standard_normal((n_samples, n_features), dtype=np.float32)
    for start in range(0, n_samples, 10_000):
        X[start : start + 10_000] += means[y[start : start + 10_000]]
    X *= np.exp(rng.standard_normal(n_features, dtype=np.float32))
    one_hot = np.zeros((n_samples, N_CLASSES), dtype=np.float32)
    one_hot[np.arange(n_samples), y] = 1
    return Features(X, y, one_hot, n_rounds, n_threads)


def measure(features: Features, methods: Mapping[str, Any], _seed: int) -> Iterator[dict[str, Any]]:
    with threadpool_limits(features.n_threads):
        yield from measure_in_turns(features, methods)


def measure_in_turns(features: Features, methods: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    contestants = {
        name: MatrixProducts() if method is None else Classifier(method)
        for name, method in methods.items()
    }
    first = slice(1000)
    warm_up = features._replace(
        X=features.X[first], y=features.y[first], one_hot=features.one_hot[first]
    )
    turns = {name: contestants[name] for name in (PRODUCTS, NB)}
    for contestant in turns.values():
        contestant.fit(warm_up).predict(warm_up)
    rivals = {name: other for name, other in contestants.items() if name not in turns}
    times = seconds(turns, features, features.n_rounds) | seconds(rivals, features, 1)
    for name, contestant in contestants.items():
        fit, predict = times[name]
        row = {"method": name, "fit": fit, "predict": predict, "total": fit + predict}
        if name in turns:
            row["fit_memory"] = peak_megabytes(contestant.fit, features)
            row["predict_memory"] = peak_megabytes(contestant.predict, features)
        yield row


def seconds(
    contestants: Mapping[str, Any], features: Features, rounds: int
) -> dict[str, tuple[float, float]]:
    """Median seconds of fitting and of predicting: processor time on one thread, else wall time."""
    clock = time.process_time if features.n_threads == 1 else time.perf_counter
    fit, predict = (
        medians_in_turns(
            {
                name: functools.partial(getattr(c, task), features)
                for name, c in contestants.items()
            },
            rounds,
            clock=clock,
        )
        for task in ("fit", "predict")
    )
    return {name: (fit[name], predict[name]) for name in contestants}
