"""Tasks with several source domains and one that no training row came from.

The heads of a task are fitted once; methods are rules on them, and models of the pooled rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import copy
from typing import Any, NamedTuple

import numpy as np
from scipy.ndimage import rotate
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from skreg.domain import DomainSpecificClassifier

ANGLES = (0, 15, 30, 45, 60, 75)


class Rows(NamedTuple):
    """Rows with labels and domains."""

    X: np.ndarray
    y: np.ndarray
    domains: np.ndarray


class Task(NamedTuple):
    """Training rows of the source domains, held-out ones, and those of the target.

    Attributes
    ----------
    train, held_out, target : Rows
        The rows; `held_out` is None where there are none.
    model : DomainSpecificClassifier
        Fitted on the training rows with the default rule.
    head : estimator
        What its heads are clones of.
    """

    train: Rows
    held_out: Rows | None
    target: Rows
    model: DomainSpecificClassifier
    head: Any


Method = Callable[[Task], dict[str, float]]


def _task(train, held_out, target):
    head = LogisticRegression(max_iter=1000)
    model = DomainSpecificClassifier(head).fit(train.X, train.y, domains=train.domains)
    return Task(train, held_out, target, model, head)


# ------------------------------------------------------------------------------------------------
# data


def shifted_concepts(seed: int, *, n: int = 300, d: int = 10, n_domains: int = 4) -> Task:
    """Domains with means 2 N(0, I) and a linear rule of their own around them.

    The target is one of them, its mean moved by 0.5 N(0, I), under the rule of its source.
    """
    rng = np.random.default_rng(seed)
    means = 2.0 * rng.normal(size=(n_domains, d))
    rules = rng.normal(size=(n_domains, d))

    def rows(domains, shift=0.0):
        X = means[domains] + shift + rng.normal(size=(len(domains), d))
        y = ((X - means[domains]) * rules[domains]).sum(axis=1) > 0.0
        return Rows(X, y.astype(int), domains)

    train = rows(np.repeat(np.arange(n_domains), n))
    target = rows(np.full(500, seed % n_domains), 0.5 * rng.normal(size=d))
    return _task(train, rows(np.repeat(np.arange(n_domains), 200)), target)


def rotated_digits(seed: int) -> dict[int, Rows]:
    """Digits of 8 x 8 pixels in [0, 1]; a sixth of them turned by each angle."""
    X, y = load_digits(return_X_y=True)
    parts = np.array_split(np.random.default_rng(seed).permutation(len(y)), len(ANGLES))
    return {angle: _turned(X, y, part, angle) for angle, part in zip(ANGLES, parts, strict=True)}


def _turned(X, y, part, angle):
    images = X[part].reshape(-1, 8, 8) / 16.0
    turned = rotate(images, angle, axes=(1, 2), reshape=False, order=1)
    return Rows(turned.reshape(len(part), -1), y[part], np.full(len(part), angle))


def without_angle(domains: Mapping[int, Rows], angle: int) -> tuple[Rows, Rows]:
    """Rows of all other angles, and those of one."""
    others = [rows for name, rows in domains.items() if name != angle]
    return Rows(*map(np.concatenate, zip(*others, strict=True))), domains[angle]


class Angles(NamedTuple):
    """All domains, and those to hold out one after the other."""

    domains: dict[int, Rows]
    targets: tuple[int, ...]


def held_out_angles(seed: int, *, targets: tuple[int, ...] = ANGLES) -> Angles:
    """Turned digits, and the angles to predict from the others."""
    return Angles(rotated_digits(seed), targets)


# ------------------------------------------------------------------------------------------------
# methods


def _accuracies(task, model):
    found = {"accuracy": model.score(task.target.X, task.target.y)}
    if task.held_out is not None:
        found["source"] = model.score(task.held_out.X, task.held_out.y)
    return found


def by_rule(**params: Any) -> Method:
    """The fitted heads under another rule that needs no further fit."""

    def answer(task: Task) -> dict[str, float]:
        return _accuracies(task, copy(task.model).set_params(**params))

    return answer


def by_fit(**params: Any) -> Method:
    """Heads fitted anew, for rules that learn something themselves."""

    def answer(task: Task) -> dict[str, float]:
        model = DomainSpecificClassifier(task.head, random_state=0, **params)
        X, y, domains = task.train
        return _accuracies(task, model.fit(X, y, domains=domains))

    return answer


def best_head(task: Task) -> dict[str, float]:
    """The single head of the most accuracy on the target, which needs its labels."""
    X, y, _ = task.target
    return {"accuracy": max(head.score(X, y) for head in task.model.domain_estimators_)}


def standardised(task: Task) -> dict[str, float]:
    """One model of rows that are standardised within their domain, the target within itself."""

    def scaled(rows):
        X = rows.X.copy()
        for name in np.unique(rows.domains):
            here = rows.domains == name
            X[here] = StandardScaler().fit_transform(X[here])
        return X

    model = LogisticRegression(max_iter=1000).fit(scaled(task.train), task.train.y)
    found = {"accuracy": model.score(scaled(task.target), task.target.y)}
    if task.held_out is not None:
        found["source"] = model.score(scaled(task.held_out), task.held_out.y)
    return found


# ------------------------------------------------------------------------------------------------
# measures


def measure(task: Task, methods: Mapping[str, Method], seed: int) -> Iterator[dict[str, Any]]:
    """Accuracy on the target and on held-out rows of the sources."""
    for name, method in methods.items():
        yield {"method": name, **method(task)}


def measure_angles(
    angles: Angles, methods: Mapping[str, Method], seed: int
) -> Iterator[dict[str, Any]]:
    """Accuracy on each angle held out."""
    for angle in angles.targets:
        train, target = without_angle(angles.domains, angle)
        task = _task(train, None, target)
        for name, method in methods.items():
            yield {"method": name, "angle": angle, "accuracy": method(task)["accuracy"]}
