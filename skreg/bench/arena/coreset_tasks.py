"""Matrices and regressions with rare and heavy rows, and how well weighted samples stand for them.

"Rare columns": 1000 x 6, the last two columns are zero but for 15 rows, and five rows are 20 times
larger. "Heavy tails": normal rows, each times the absolute value of a t variable with three degrees
of freedom. The matrices are fixed; repeats are independent Bernoulli samples, and all methods use
the same uniform numbers. Every score is mixed with one percent of uniform sampling.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from skreg.bench import Axis, Setting
from skreg.coreset import LpRegressor, importance_scores, lewis_weights, subspace_distortion
from skreg.coreset._sampling import draw, mixed_scores
from skreg.coreset._scores import SCORES

RARE, HEAVY = "Rare columns", "Heavy tails"
X_ONLY = "lewis of X alone"
SCORES_OF_POWERS = [name for name in SCORES if name != "distance"]  # which is for clusterings
FLOOR = 0.01
ROWS = Axis("n_samples", "expected rows m")
SHAPES = {
    RARE: "1000 x 6; two columns are zero but for 15 rows, five rows are 20 times larger",
    HEAVY: "2500 x 8 normal rows times the absolute value of a t variable (3 degrees)",
}


def heavy_rows(rng: np.random.Generator, n_rows: int, n_features: int) -> np.ndarray:
    X = rng.standard_normal((n_rows, n_features))
    X *= np.abs(rng.standard_t(3, n_rows))[:, None]
    return X


def rare_columns() -> np.ndarray:
    rng = np.random.default_rng(0)
    A = np.zeros((1000, 6))
    A[:, :4] = rng.standard_normal((1000, 4))
    A[-15:, 4:] = rng.standard_normal((15, 2))
    A[:5] *= 20
    return A


def heavy_tails() -> np.ndarray:
    return heavy_rows(np.random.default_rng(5), 2500, 8)


MATRICES = {RARE: rare_columns, HEAVY: heavy_tails}


@functools.cache
def scored_matrix(kind: str, p: float) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The matrix, and its scores by name."""
    A = MATRICES[kind]()
    return A, {name: importance_scores(A, p, scores=name) for name in SCORES_OF_POWERS}


def sampling_problem(_seed: int, *, kind: str, p: float, sizes: Sequence[int]) -> Any:
    return (*scored_matrix(kind, p), p, sizes)


def measure_distortion(
    problem: Any, methods: Mapping[str, Any], seed: int
) -> Iterator[dict[str, Any]]:
    A, scores, p, sizes = problem
    for name in [name for name in methods if name in scores]:
        mixed = mixed_scores(scores[name], FLOOR)
        for size in sizes:
            _, kept, weight = draw(mixed, size, "bernoulli", seed)
            epsilon = subspace_distortion(A, kept, weight, p, random_state=seed)
            yield {"method": name, "n_samples": size, "distortion": epsilon}


@functools.cache
def scored_regression(p: float) -> Any:
    """Heavy rows, a dummy of 16 rows, y with t noise, the least cost, and scores of [X, 1, y]."""
    rng = np.random.default_rng(1)
    X = np.zeros((8000, 9))
    X[:, :8] = heavy_rows(rng, 8000, 8)
    X[:16, 8] = 1
    y = X @ rng.standard_normal(9) + 1 + rng.standard_t(3, 8000)
    A = np.column_stack([X, np.ones(8000), y])
    scores = {
        "uniform": np.ones(8000),
        "leverage": importance_scores(A, p, scores="leverage"),
        "lewis": lewis_weights(A, p, tol=1e-3),
        X_ONLY: lewis_weights(A[:, :-1], p, tol=1e-3),
    }
    return X, y, LpRegressor(p=p).fit(X, y).objective_, scores


def regression_problem(_seed: int, *, p: float, sizes: Sequence[int]) -> Any:
    return (*scored_regression(p), p, sizes)


def measure_regression(
    problem: Any, _methods: Mapping[str, Any], seed: int
) -> Iterator[dict[str, Any]]:
    X, y, best, scores, p, sizes = problem
    for name, score in scores.items():
        for size in sizes:
            _, kept, weight = draw(mixed_scores(score, FLOOR), size, "bernoulli", seed)
            fit = LpRegressor(p=p).fit(X[kept], y[kept], sample_weight=weight)
            excess = np.sum(np.abs(y - fit.predict(X)) ** p) / best - 1
            yield {"method": name, "n_samples": size, "excess_cost": excess}


def distortion(kind: str, p: float, **sizes: Sequence[int]) -> Setting:
    """The setting of samples of one matrix; `sizes` are the numbers of rows by size of the run."""
    return Setting(
        f"{SHAPES[kind]}; p = {p:g}.",
        sampling_problem,
        measure_distortion,
        ["distortion"],
        axis=ROWS,
        parameters={
            size: {"kind": kind, "p": p, "sizes": n_rows} for size, n_rows in sizes.items()
        },
    )


def regression_cost(p: float, **sizes: Sequence[int]) -> Setting:
    """The setting of regressions on samples; `sizes` are the numbers of rows by size of the run."""
    return Setting(
        "8000 rows of the second kind, an intercept, t noise and a dummy of 16 rows; the excess of "
        f"the sum of p-th powers of residuals over the best fit, p = {p:g}.",
        regression_problem,
        measure_regression,
        ["excess_cost"],
        axis=ROWS,
        parameters={size: {"p": p, "sizes": n_rows} for size, n_rows in sizes.items()},
    )
