"""Distances to a linear boundary: in closed form, and by the attacks that libraries run.

Each attack sees the classifier's decision function and the gradient of its score, as it would of a
network, and looks for the shortest Euclidean perturbation of each row that changes its class.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression

from skreg.robustness import boundary_distance

OVERSHOOT, MAX_STEPS = 0.02, 50  # of DeepFool, as its authors set them
N_LENGTHS, N_STEPS, N_REPEATS = 12, 40, 5


class Task(NamedTuple):
    """A fitted classifier and rows to attack."""

    model: LogisticRegression
    X: np.ndarray


Attack = Callable[[Task], np.ndarray]


def fitted_rows(seed: int, *, n: int, d: int) -> Task:
    """Rows of two classes in d dimensions, and a logistic regression that was fitted to them."""
    X, y = make_classification(
        n, d, n_informative=d // 4, n_redundant=d // 4, class_sep=0.5, random_state=seed
    )
    return Task(LogisticRegression(C=0.1).fit(X, y), X)


def closed_form(task: Task) -> np.ndarray:
    """Ours."""
    return boundary_distance(task.model, task.X, signed=False)


def deepfool(task: Task) -> np.ndarray:
    """Row by row, steps to where the linearised score is zero (Moosavi-Dezfooli et al. 2016)."""
    w = task.model.coef_[0]
    return np.array([_deepfool_row(task.model, x, w) for x in task.X])


def _deepfool_row(model: LogisticRegression, x: np.ndarray, w: np.ndarray) -> float:
    start = current = model.decision_function(x[None])[0]
    moved = np.zeros_like(x)
    for _ in range(MAX_STEPS):
        if current * start < 0.0:
            break
        moved -= current / (w @ w) * w
        current = model.decision_function((x + (1.0 + OVERSHOOT) * moved)[None])[0]
    return float(np.linalg.norm((1.0 + OVERSHOOT) * moved))


def gradient_steps(task: Task) -> np.ndarray:
    """Projected gradient ascent of the loss for lengths that are halved, all rows at once."""
    model, X = task.model, task.X
    start = model.decision_function(X)
    w = -np.sign(start)[:, None] * model.coef_[0]
    low, high = np.zeros(len(X)), np.full(len(X), 2.0 * np.abs(X).max() * np.sqrt(X.shape[1]))
    for _ in range(N_LENGTHS):
        length = 0.5 * (low + high)
        moved = np.zeros_like(X)
        for _ in range(N_STEPS):
            score = model.decision_function(X + moved)
            slope = w / (1.0 + np.exp(np.sign(start) * score))[:, None]
            moved += (
                2.5
                / N_STEPS
                * length[:, None]
                * slope
                / np.linalg.norm(slope, axis=1, keepdims=True)
            )
            size = np.linalg.norm(moved, axis=1)
            moved *= np.minimum(1.0, length / np.maximum(size, 1e-300))[:, None]
        beaten = model.decision_function(X + moved) * start < 0.0
        low, high = np.where(beaten, low, length), np.where(beaten, length, high)
    return high


def measure(task: Task, methods: Mapping[str, Attack], _seed: int) -> Iterator[dict[str, Any]]:
    """Least seconds of a few calls, and the mean of the distances over the exact one."""
    w, b = task.model.coef_[0], task.model.intercept_[0]
    exact = np.abs(task.X @ w + b) / np.linalg.norm(w)
    for name, attack in methods.items():
        seconds = []
        for _ in range(N_REPEATS if attack is closed_form else 1):
            began = time.perf_counter()
            found = attack(task)
            seconds.append(time.perf_counter() - began)
        yield {"method": name, "seconds": min(seconds), "excess": found.mean() / exact.mean() - 1.0}
