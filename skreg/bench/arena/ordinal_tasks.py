"""Rare last classes of ordered outcomes: data, models of the last class, and how wrong they are.

A model is a function of a `Task` and a seed that returns the probabilities of the last class at the
rows to predict.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg.bench import Setting
from skreg.datasets import load_ordinal_diabetes, make_ordinal

SMALLEST_PROBABILITY = 1e-8
Model = Callable[["Task", int], np.ndarray]


class Task(NamedTuple):
    """Training rows, rows to predict, and the truth there: probabilities or rare events."""

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    rare_probability: np.ndarray | None
    rare_event: np.ndarray | None


def simulation(seed: int, **design: Any) -> Task:
    """The paper's, of ten features; the truth is known at the training rows."""
    X, y, probability = make_ordinal(n_features=10, random_state=seed, **design)
    return Task(X, y, X, probability[:, -1], None)


def diabetes(seed: int) -> Task:
    """A stratified split of the patients, another one for each seed."""
    X, y = load_ordinal_diabetes(return_X_y=True)
    splits = StratifiedShuffleSplit(seed + 1, test_size=0.3, random_state=0).split(X, y)
    *_, (train, test) = splits
    return Task(X[train], y[train], X[test], None, y[test] == y.max())


def separated_classes(
    rng: np.random.Generator, n_samples: int, n_features: int
) -> tuple[np.ndarray, np.ndarray]:
    """Four classes of which the last has a few percent; ten features matter."""
    X = rng.standard_normal((n_samples, n_features))
    beta = np.zeros((3, n_features))
    some = min(n_features, 10)
    beta[0, :some] = rng.choice([-0.5, 0.5], some)
    beta[1:, :some] = beta[0, :some] + np.cumsum(0.15 * rng.choice([-1, 0, 1], (2, some)), axis=0)
    below = expit(np.array([0.0, 2.5, 4.5]) + X @ beta.T)
    return X, (rng.random(n_samples)[:, None] > below).sum(axis=1)


def of_all_classes(make: Callable[[Any], Any]) -> Model:
    """An ordinal model, which is fitted to all classes; `make` takes the folds."""

    def probabilities(task: Task, seed: int) -> np.ndarray:
        with warnings.catch_warnings():
            # a fold may hold fewer than all ten rare events, that is the setting
            warnings.filterwarnings("ignore", "class .* fewer than", UserWarning)
            warnings.simplefilter("ignore", ConvergenceWarning)  # rare classes may be separable
            return make(folds(seed)).fit(task.X, task.y).predict_proba(task.X_test)[:, -1]

    return probabilities


def of_rare_against_rest(make: Callable[[Any], Any]) -> Model:
    """A model of two classes, the last one and the rest; `make` takes the folds."""

    def probabilities(task: Task, seed: int) -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # unpenalised, nearly separable
            model = make(folds(seed)).fit(task.X, task.y == task.y.max())
        return model.predict_proba(task.X_test)[:, 1]

    return probabilities


def folds(seed: int) -> StratifiedKFold:
    return StratifiedKFold(5, shuffle=True, random_state=seed)


def logistic(_folds: Any) -> Any:
    return LogisticRegression(C=np.inf, max_iter=1000)


def ridge_logistic(folds: Any) -> Any:
    return make_pipeline(
        StandardScaler(),
        LogisticRegressionCV(
            Cs=np.logspace(-3, 2, 6), cv=folds, scoring="neg_log_loss", l1_ratios=(0.0,),
            use_legacy_attributes=False,
        ),
    )  # fmt: skip


def measure_error(task: Task, models: Mapping[str, Model], seed: int) -> Iterator[dict[str, Any]]:
    for name, probabilities in models.items():
        error = np.mean((probabilities(task, seed) - task.rare_probability) ** 2)
        yield {"method": name, "mse": 1e5 * error}


def measure_log_loss(
    task: Task, models: Mapping[str, Model], seed: int
) -> Iterator[dict[str, Any]]:
    for name, probabilities in models.items():
        predicted = np.clip(probabilities(task, seed), SMALLEST_PROBABILITY, 1)
        yield {"method": name, "rare_log_loss": log_loss(task.rare_event, predicted)}


def simulated(design: str, intercepts: tuple[float, ...], **smaller: Mapping[str, Any]) -> Setting:
    """A setting of the paper's simulation; `smaller` says by size what differs from the full one.

    The design is "dense", or "sparse" and the share of differences that are not zero.
    """
    differences, _, density = design.partition(" ")
    data: dict[str, Any] = {
        "n_samples": 2500,
        "intercepts": intercepts,
        "differences": differences,
        "density": 1 / 3 if density == "1/3" else 1 / 2,
    }
    return Setting(
        f"10 uniform features, 4 classes, {design} differences between boundaries, intercepts "
        f"{', '.join(f'{a:g}' for a in intercepts)}; coefficients and data drawn anew for every "
        "seed.",
        simulation,
        measure_error,
        ["mse"],
        parameters={"full": data} | {size: {**data, **other} for size, other in smaller.items()},
    )
