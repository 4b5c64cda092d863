"""Pairs of digits with a few wrong labels, and logistic regressions along C and by choices of C."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.utils import Bunch

from skreg.robustness import adversarial_strength, robust_accuracy_score, tilting_path, untilt

GRID = (1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0, 1e4)
EPS = 0.4  # length of perturbations, where the classes' means are 1.9 apart
FLIPPED = 0.05  # share of the training labels that are wrong


class Task(NamedTuple):
    """Training rows of which some have the wrong label, and test rows with true ones."""

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray


Choose = Callable[[Task, Bunch], Any]


def noisy_pair(seed: int, *, digits: tuple[int, int]) -> Task:
    """Half of two digits for training, as many of each, pixels in [0, 1]; the rest for testing."""
    rng = np.random.default_rng(seed)
    X, label = load_digits(return_X_y=True)
    rows = rng.permutation(np.flatnonzero(np.isin(label, digits)))
    X, y = X[rows] / 16.0, (label[rows] == digits[1]).astype(int)
    train, test = np.split(np.arange(len(y)), [len(y) // 2])
    n = np.bincount(y[train]).min()
    train = np.concatenate([train[y[train] == k][:n] for k in (0, 1)])
    noisy = y[train].copy()
    for k in range(2):  # as many of each, so that the wrong labels are balanced too
        wrong = k * n + rng.choice(n, size=round(FLIPPED * n), replace=False)
        noisy[wrong] = 1 - noisy[wrong]
    return Task(X[train], noisy, X[test], y[test])


def logistic(**params: Any) -> LogisticRegression:
    """Solved by Newton steps, until its angle has settled also without regularization."""
    return LogisticRegression(solver="newton-cholesky", tol=1e-8, max_iter=1000, **params)


def measure_path(
    task: Task, methods: Mapping[str, LogisticRegression], _seed: int
) -> Iterator[dict[str, Any]]:
    """Angle, strength, distance, errors and type for each C; errors are those on the test rows."""
    for name, model in methods.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            path = tilting_path(
                model, task.X, task.y, param_range=GRID, X_val=task.X_test, y_val=task.y_test
            )
        for k, C in enumerate(GRID):
            yield {
                "method": name,
                "C": C,
                "angle": path.angle[k],
                "strength": path.strength[k],
                "distance": path.adversarial_distance[k],
                "train_error": path.train_error[k],
                "test_error": path.test_error[k],
                "variance_ratio": path.variance_ratio[k],
                "overfits": float(path.type[k] == 2),
            }


def measure_choice(
    task: Task, methods: Mapping[str, Choose], _seed: int
) -> Iterator[dict[str, Any]]:
    """Strength, and plain and robust test error, of the classifiers that were chosen."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = tilting_path(logistic(), task.X, task.y, param_range=GRID)
        chosen = {name: choose(task, path) for name, choose in methods.items()}
    for name, model in chosen.items():
        plain, robust = np.ravel(robust_accuracy_score(model, task.X_test, task.y_test, [0.0, EPS]))
        yield {
            "method": name,
            "strength": adversarial_strength(model, task.X, task.y),
            "test_error": 1.0 - plain,
            "robust_error": 1.0 - robust,
        }


def by_tilting(which: str) -> Choose:
    """C of the least error on folds ("best"), or of the smallest angle near it ("recommended")."""

    def choose(task: Task, path: Bunch) -> Any:
        return logistic(C=path[f"{which}_param"]).fit(task.X, task.y)

    return choose


def by_score(scoring: str) -> Choose:
    """C of the best score on the same folds."""

    def choose(task: Task, _: Bunch) -> Any:
        search = GridSearchCV(logistic(), {"C": list(GRID)}, scoring=scoring, cv=5)
        return search.fit(task.X, task.y).best_estimator_

    return choose


def default(task: Task, _: Bunch) -> Any:
    """C = 1."""
    return logistic().fit(task.X, task.y)


def untilted(task: Task, path: Bunch) -> Any:
    """The fit almost without regularization, turned back to the recommended angle."""
    free = logistic(C=GRID[-1]).fit(task.X, task.y)
    t = path.angle[path.recommended_index] / path.angle[-1]
    return untilt(free, task.X, task.y, min(t, 1.0))
