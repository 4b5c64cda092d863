"""Certified smoothing by skreg, by ART and by a plain loop, on one thread: time and radii."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import binomtest, norm
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from skreg.bench.arena.clock import medians_in_turns
from skreg.robustness import RandomizedSmoothingClassifier

OURS, VOTES, ART, LOOP = "skreg", "skreg, votes alone", "ART", "Plain loop"
SIGMA, ALPHA, N0, BATCH = 0.25, 0.001, 1000, 2000
PATIENCE = 1.0  # seconds after which an action is not repeated
ROUNDS = 3
MODELS: dict[str, Callable[[], Any]] = {
    "logistic": lambda: LogisticRegression(max_iter=500),
    "perceptron": lambda: MLPClassifier(128, max_iter=60, tol=1e-3, random_state=0),
    "forest": lambda: RandomForestClassifier(100, random_state=0),
}


class Contest(NamedTuple):
    """A fitted classifier, rows to be certified and the number of draws."""

    classifier: Any
    X: np.ndarray
    n: int
    seed: int


@functools.cache
def fitted(model: str) -> Any:
    """A classifier of the first 797 digits in [0, 1]."""
    X, y = load_digits(return_X_y=True)
    return MODELS[model]().fit(X[:797] / 16.0, y[:797])


def contest(seed: int, *, model: str, n_rows: int, n: int) -> Contest:
    """Some of the 1000 other digits."""
    X = load_digits().data[797:] / 16.0
    rows = np.random.default_rng(seed).permutation(len(X))[:n_rows]
    return Contest(fitted(model), X[rows], n, seed)


def skreg_radii(contest: Contest, **params: Any) -> np.ndarray:
    """Those of the default settings, or of others."""
    model = RandomizedSmoothingClassifier(
        FrozenEstimator(contest.classifier), SIGMA, n0=N0, n=contest.n, alpha=ALPHA,
        batch_size=BATCH, random_state=contest.seed, **params,
    )  # fmt: skip
    classes = contest.classifier.classes_
    return model.fit(np.resize(contest.X, (len(classes), 64)), classes).certify(contest.X).radius


def art_radii(contest: Contest) -> np.ndarray:
    """ART's smoothing of its own wrapper for scikit-learn, which lacks an attribute for it."""
    from art.estimators.certification.randomized_smoothing import NumpyRandomizedSmoothing
    from art.estimators.classification import SklearnClassifier

    wrapped = SklearnClassifier(contest.classifier)
    wrapped.channels_first = False
    smoothed = NumpyRandomizedSmoothing(wrapped, sample_size=N0, scale=SIGMA, alpha=ALPHA)
    return smoothed.certify(contest.X, n=contest.n, batch_size=BATCH)[1]


def loop_radii(contest: Contest) -> np.ndarray:
    """Cohen's algorithm written down, with `predict` on batches of noisy rows."""
    rng = np.random.default_rng(contest.seed)
    classes = contest.classifier.classes_

    def counts(x: np.ndarray, n: int) -> np.ndarray:
        total = np.zeros(len(classes), dtype=int)
        for start in range(0, n, BATCH):
            noise = rng.normal(scale=SIGMA, size=(min(BATCH, n - start), len(x)))
            labels = contest.classifier.predict(x + noise)
            total += np.bincount(np.searchsorted(classes, labels), minlength=len(classes))
        return total

    def radius(x: np.ndarray) -> float:
        top = counts(x, N0).argmax()
        found = binomtest(int(counts(x, contest.n)[top]), contest.n)
        p = found.proportion_ci(1 - 2 * ALPHA, method="exact").low
        return SIGMA * norm.ppf(p) if p > 0.5 else 0.0

    return np.array([radius(x) for x in contest.X])


WAYS: dict[str, Callable[[Contest], np.ndarray]] = {
    OURS: skreg_radii,
    VOTES: functools.partial(skreg_radii, maps=("argmax",), radius="mono"),
    ART: art_radii,
    LOOP: loop_radii,
}


def measure(contest: Contest, methods: Mapping[str, Any], _seed: int) -> Iterator[dict[str, Any]]:
    """Seconds in turns, and the average radius."""
    radii: dict[str, np.ndarray] = {}

    def run(name: str, given: Contest) -> None:
        radii[name] = WAYS[name](given)

    with threadpool_limits(1):
        for name in methods:
            run(name, contest._replace(X=contest.X[:1], n=BATCH))  # imports, first calls
        actions = {name: functools.partial(run, name, contest) for name in methods}
        seconds = medians_in_turns(actions, ROUNDS, patience=PATIENCE)
    for name in methods:
        each = 1e3 * seconds[name] / len(contest.X)
        yield {"method": name, "milliseconds": each, "average": radii[name].mean()}
