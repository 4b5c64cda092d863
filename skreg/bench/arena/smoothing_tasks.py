"""Classifiers of digits and of half spaces, ways to certify them, and what is measured.

A method is the parameters in which a `RandomizedSmoothingClassifier` differs from its defaults.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from skreg.robustness import RandomizedSmoothingClassifier

SIGMA, ALPHA = 0.25, 0.001
RADII = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
COPIES, DISTANCE, LEVEL = 500, 0.3, 0.05  # of one point beside a half space
UNSURE = 0.7  # lower bound of the top class below which a known slope should help

HARD = {"maps": ("argmax",)}
SOFT = {"maps": ("softmax", "sparsemax")}
COHEN, MULTI, OURS = "Cohen", "R_multi", "LVM-RS, split"
UNION, ONLY_SOFT, BETTING = "LVM-RS, union", "Soft maps alone", "Soft maps alone, betting"
KNOWN, UNKNOWN = "Softmax, known slope", "Softmax"
WAYS: dict[str, dict[str, Any]] = {
    COHEN: {**HARD, "radius": "mono"},
    MULTI: HARD,
    OURS: {},
    UNION: {"selection": "union"},
    ONLY_SOFT: SOFT,
    BETTING: {**SOFT, "bound": "betting"},
    UNKNOWN: {"maps": ("softmax",), "temperatures": (1.0,)},
    KNOWN: {"maps": ("softmax",), "temperatures": (1.0,), "lipschitz": "auto"},
}


class Task(NamedTuple):
    """A fitted classifier, rows to be certified, and the settings all ways share."""

    classifier: Any
    X: np.ndarray
    y: np.ndarray
    params: dict[str, Any]


def perceptron_of_digits(
    seed: int, *, copies: int, n_rows: int, max_iter: int = 200, n: int = 10_000
) -> Task:
    """128 hidden units, on images in [0, 1] and noisy copies of them; 300 are kept for tests."""
    X, X_test, y, y_test = train_test_split(*_digits(10), test_size=300, random_state=seed)
    network = MLPClassifier(128, max_iter=max_iter, random_state=seed)
    trained = RandomizedSmoothingClassifier(network, SIGMA, noise_augment=copies, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # epochs are part of the setting
        classifier = trained.fit(X, y).estimator_
    params = {"sigma": SIGMA, "n0": 1000, "n": n, "alpha": ALPHA, "random_state": seed}
    return Task(classifier, X_test[:n_rows], y_test[:n_rows], params)


def _digits(n_classes):
    X, y = load_digits(n_class=n_classes, return_X_y=True)
    return X / 16.0, y


def half_space(seed: int, *, n: int) -> Task:
    """One point many times, at a known distance from the boundary, each with its own noise."""
    linear = LogisticRegression().fit([[-1.0, 0.0], [1.0, 0.0]], [0, 1])
    linear.coef_, linear.intercept_ = np.array([[3.0, 0.0]]), np.zeros(1)
    X = np.tile([DISTANCE, 1.0], (COPIES, 1))
    params = {"sigma": 0.5, "n0": 50, "n": n, "alpha": LEVEL, "noise": "independent"}
    return Task(linear, X, np.ones(COPIES, dtype=int), params | {"random_state": seed})


def two_digits(seed: int, *, n_rows: int) -> Task:
    """A flat logistic regression of zeros and ones, under much noise."""
    X, X_test, y, y_test = train_test_split(*_digits(2), test_size=n_rows, random_state=seed)
    linear = LogisticRegression(C=0.01).fit(X, y)
    params = {"sigma": 0.5, "alpha": ALPHA, "random_state": seed}
    return Task(linear, X_test, y_test, params)


def certified(task: Task, way: Mapping[str, Any]) -> Any:
    """Certificates of the task's rows in one way."""
    model = RandomizedSmoothingClassifier(FrozenEstimator(task.classifier), **task.params, **way)
    # a row of each class, of which the frozen classifier learns nothing
    first = np.arange(len(task.classifier.classes_)) % len(task.X)
    return model.fit(task.X[first], task.classifier.classes_).certify(task.X)


def measure(
    task: Task, methods: Mapping[str, Mapping[str, Any]], _seed: int
) -> Iterator[dict[str, Any]]:
    """Certified accuracy along the radius, its area, and abstentions."""
    for name, way in methods.items():
        result = certified(task, way)
        area, abstained = result.average_radius(task.y), float(result.abstain.mean())
        shares = result.certified_accuracy(task.y, RADII)
        for radius, accuracy in zip(RADII, shares, strict=True):
            yield {
                "method": name, "radius": radius, "accuracy": accuracy, "average": area,
                "abstained": abstained,
            }  # fmt: skip


def measure_soundness(
    task: Task, methods: Mapping[str, Mapping[str, Any]], _seed: int
) -> Iterator[dict[str, Any]]:
    """How often the class is wrong or the radius exceeds the distance."""
    for name, way in methods.items():
        result = certified(task, way)
        wrong = ~result.abstain & ((result.label != task.y) | (result.radius > DISTANCE))
        yield {"method": name, "wrong": wrong.mean(), "average": result.radius.mean()}


def measure_unsure(
    task: Task, methods: Mapping[str, Mapping[str, Any]], _seed: int
) -> Iterator[dict[str, Any]]:
    """Radii of rows whose class is hardly the most probable one, and how many have one more."""
    plain = certified(task, methods[UNKNOWN])
    unsure = ~plain.abstain & (plain.p_lower < UNSURE)
    for name, way in methods.items():
        radius = certified(task, way).radius[unsure]
        yield {
            "method": name, "average": radius.mean(),
            "larger": (radius > plain.radius[unsure]).mean(),
        }  # fmt: skip
