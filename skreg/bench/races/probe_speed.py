"""How much time and memory does linear naive Bayes take beyond its matrix products?

Fitting must read every feature once for the smoothing scale and multiply the one-hot labels with
the features once, or do as much by other means; predicting must multiply the features with the
weights once. The time of these products in numpy is the yardstick. The rivals are what a user would
take instead: Gaussian naive Bayes with one variance per class and feature, and logistic regression
stopped after 100 iterations.

All times come from one process and one set of features in float32, with K = 100 classes. On one
thread the ratios do not depend on how many cores are free; size full adds a run on all threads.
Products and linear naive Bayes take turns, and the median over the rounds counts; the rivals run
once. Extra memory is the peak of what Python and numpy allocate beyond the features during one more
fit and one more predict.
"""

import time
from typing import NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from threadpoolctl import threadpool_limits

from skreg.bench import Benchmark, Claim, Metric, Setting, Verdict
from skreg.bench.arena.memory import peak_megabytes
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

    def fit(self, features):
        features.X.sum(axis=0)
        self.weights_ = features.X.T @ features.one_hot
        return self

    def predict(self, features):
        return features.X @ self.weights_


class Classifier:
    """A scikit-learn classifier that takes its X and y from `Features`."""

    def __init__(self, estimator):
        self.estimator = estimator

    def fit(self, features):
        self.estimator.fit(features.X, features.y)
        return self

    def predict(self, features):
        return self.estimator.predict(features.X)


def normal_features(seed, *, n_samples, n_features, n_rounds, n_threads):
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


def seconds(action, *arguments):
    start = time.perf_counter()
    action(*arguments)
    return time.perf_counter() - start


def measure(features, methods, _seed):
    with threadpool_limits(features.n_threads):
        yield from _measure(features, methods)


def _measure(features, methods):
    contestants = {
        name: MatrixProducts() if method is None else Classifier(clone(method))
        for name, method in methods.items()
    }
    taking_turns = {name: contestants[name] for name in (PRODUCTS, NB)}
    warm_up = features._replace(
        X=features.X[:1000], y=features.y[:1000], one_hot=features.one_hot[:1000]
    )
    for contestant in taking_turns.values():
        contestant.fit(warm_up).predict(warm_up)
    times: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in contestants}
    for _ in range(features.n_rounds):
        for name, contestant in taking_turns.items():
            times[name][0].append(seconds(contestant.fit, features))
            times[name][1].append(seconds(contestant.predict, features))
    for name in contestants.keys() - taking_turns.keys():
        times[name][0].append(seconds(contestants[name].fit, features))
        times[name][1].append(seconds(contestants[name].predict, features))
    fit, predict = ({name: np.median(t[i]) for name, t in times.items()} for i in (0, 1))
    for name in contestants:
        yield {
            "method": name,
            "fit": fit[name],
            "predict": predict[name],
            "fit_to_products": fit[name] / fit[PRODUCTS],
            "predict_to_products": predict[name] / predict[PRODUCTS],
            "total_to_ours": (fit[name] + predict[name]) / (fit[NB] + predict[NB]),
        } | (_memory(taking_turns[name], features) if name in taking_turns else {})


def _memory(contestant, features):
    return {
        "fit_memory": peak_megabytes(contestant.fit, features),
        "predict_memory": peak_megabytes(contestant.predict, features),
    }


def ratio_at_most(setting, metric, limit):
    def check(results):
        ratio = ratio_of(results, setting, NB, metric)
        return Verdict(bool(ratio <= limit), f"ratio {ratio:.2f}", f"≤ {limit:g}")

    return check


def slower_than_ours(setting, method, factor):
    def check(results):
        ratio = ratio_of(results, setting, method, "total_to_ours")
        return Verdict(bool(ratio >= factor), f"{ratio:.0f} times as long", f"≥ {factor:g} times")

    return check


def ratio_of(results, setting, method, metric):
    rows = results[(results["setting"] == setting) & (results["method"] == method)]
    return rows[metric].mean()


def speed_setting(description, parameters):
    return Setting(
        description=description,
        data=normal_features,
        measure=measure,
        metrics=list(METRICS),
        parameters=parameters,
    )


def claims_about(setting, sizes):
    yield Claim(
        f"{setting}: fitting takes at most 2.5 times its matrix products.",
        ratio_at_most(setting, "fit_to_products", 2.5),
        [setting],
        sizes,
    )
    yield Claim(
        f"{setting}: predicting takes at most 1.2 times its matrix product.",
        ratio_at_most(setting, "predict_to_products", 1.2),
        [setting],
        sizes,
    )
    yield Claim(
        f"{setting}: GaussianNB takes at least 10 times as long to fit and predict.",
        slower_than_ours(setting, GAUSSIAN, 10),
        [setting],
        sizes,
    )
    yield Claim(
        f"{setting}: logistic regression takes at least 50 times as long to fit and predict.",
        slower_than_ours(setting, LR, 50),
        [setting],
        sizes,
    )


METRICS = {
    "fit": Metric("fit", "s"),
    "predict": Metric("predict", "s"),
    "fit_to_products": Metric("fit / products", digits=2),
    "predict_to_products": Metric("predict / products", digits=2),
    "total_to_ours": Metric("fit + predict / ours", digits=1),
    "fit_memory": Metric("fit memory", "MB", digits=1),
    "predict_memory": Metric("predict memory", "MB", digits=1),
}
_FULL = {"n_samples": 200_000, "n_features": 768, "n_rounds": 9}

benchmark = Benchmark(
    settings={
        ONE_THREAD: speed_setting(
            "Normal features of 100 overlapping classes on log-normal scales: 200000 samples of "
            "768 features at size full, 20000 of 256 at size quick, 5000 of 64 at size smallest; "
            "BLAS on one thread. Memory is what is allocated beyond the features.",
            {
                "smallest": {"n_samples": 5_000, "n_features": 64, "n_rounds": 3, "n_threads": 1},
                "quick": {"n_samples": 20_000, "n_features": 256, "n_rounds": 15, "n_threads": 1},
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
    repeats={"smallest": 1, "quick": 1, "full": 1},
    reference=NB,
    together=True,
    serial=True,
    claims=[
        *claims_about(ONE_THREAD, ["quick", "full"]),
        *claims_about(ALL_THREADS, ["full"]),
    ],
)
