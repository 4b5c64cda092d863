"""How much time and memory does linear naive Bayes take beyond its matrix products?

Fitting must read every feature once for the smoothing scale and multiply the one-hot labels with
the features once, or do as much by other means; predicting must multiply the features with the
weights once. The time of these products in numpy is the yardstick. The rivals are what a user would
take instead: Gaussian naive Bayes with one variance per class and feature, and logistic regression
stopped after 100 iterations.

All times come from one process and one set of features in float32, with K = 100 classes. On one
thread the ratios do not depend on how many cores are free; size full adds runs on all threads.
Products and linear naive Bayes take turns, and the median over the rounds counts; the rivals run
once. Extra memory is the peak of what Python and numpy allocate beyond the features during one more
fit and one more predict. A repeat at size full takes a minute or two, nearly all of it by the
rivals.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from threadpoolctl import threadpool_limits

from skreg.bench import Benchmark, Claim, Metric, Setting
from skreg.bench.arena.checks import ratio
from skreg.bench.arena.clock import medians_in_turns, peak_megabytes
from skreg.probe import LinearNaiveBayes

NB, PRODUCTS, GAUSSIAN = "LinearNaiveBayes", "Matrix products alone", "GaussianNB"
LR = "LogisticRegression, 100 iterations"
ONE_THREAD, ALL_THREADS = "One thread", "All threads"
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
    """Median wall seconds of fitting and of predicting."""
    fit, predict = (
        medians_in_turns(
            {
                name: functools.partial(getattr(c, task), features)
                for name, c in contestants.items()
            },
            rounds,
            clock=time.perf_counter,
        )
        for task in ("fit", "predict")
    )
    return {name: (fit[name], predict[name]) for name in contestants}


def speed_setting(description: str, parameters: Mapping[str, Any]) -> Setting:
    return Setting(description, normal_features, measure, list(METRICS), parameters=parameters)


def claims_about(setting: str, sizes: list[str]) -> Iterator[Claim]:
    yield Claim(
        f"{setting}: fitting takes at most 2.5 times its matrix products.",
        ratio(NB, PRODUCTS, "fit", setting=setting, at_most=2.5),
        [setting],
        sizes,
    )
    yield Claim(
        f"{setting}: predicting takes at most 1.2 times its matrix product.",
        ratio(NB, PRODUCTS, "predict", setting=setting, at_most=1.2),
        [setting],
        sizes,
    )
    yield Claim(
        f"{setting}: GaussianNB takes at least 10 times as long to fit and predict.",
        ratio(GAUSSIAN, NB, "total", setting=setting, at_least=10),
        [setting],
        sizes,
    )
    yield Claim(
        f"{setting}: logistic regression takes at least 50 times as long to fit and predict.",
        ratio(LR, NB, "total", setting=setting, at_least=50), [setting], sizes,
    )  # fmt: skip


METRICS = {
    "fit": Metric("fit", "s"),
    "predict": Metric("predict", "s"),
    "total": Metric("fit and predict", "s"),
    "fit_memory": Metric("fit memory", "MB", digits=1),
    "predict_memory": Metric("predict memory", "MB", digits=1),
}
_FULL = {"n_samples": 200_000, "n_features": 768, "n_rounds": 9}

benchmark = Benchmark(
    settings={
        ONE_THREAD: speed_setting(
            "Normal features of 100 overlapping classes on log-normal scales: 200000 samples of "
            "768 features at size full, 20000 of 256 at size quick, 3000 of 32 at size smallest; "
            "BLAS on one thread. Memory is what is allocated beyond the features.",
            {
                "smallest": {"n_samples": 3_000, "n_features": 32, "n_rounds": 3, "n_threads": 1},
                "quick": {"n_samples": 20_000, "n_features": 256, "n_rounds": 9, "n_threads": 1},
                "full": {**_FULL, "n_threads": 1},
            },
        ),
        ALL_THREADS: speed_setting(
            "The same features, with as many BLAS threads as the machine has cores.",
            {"full": {**_FULL, "n_threads": None}},
        ),
    },
    methods={
        NB: LinearNaiveBayes(),
        PRODUCTS: None,
        GAUSSIAN: GaussianNB(),
        LR: LogisticRegression(max_iter=100),
    },
    metrics=METRICS,
    repeats={"smallest": 1, "quick": 3, "full": 3},
    reference=NB,
    together=True,
    serial=True,
    claims=[
        *claims_about(ONE_THREAD, ["quick", "full"]),
        *claims_about(ALL_THREADS, ["full"]),
    ],
)
