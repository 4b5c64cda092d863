"""Semismooth Newton steps for the potentials of a concave, once differentiable dual objective."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from skreg.transport._columns import Plan
from skreg.transport._systems import (
    source_step,
    source_system,
    target_step,
    target_system,
    weights_of_entries,
)

# of Newton's system, as a share of what an entry of the plan adds: least, largest, and in between
# the same number times the marginal error. A source without an entry has nothing else
RIDGE = (1e-9, 0.3)
ENOUGH, TOO_FAR = 0.9, -0.5  # slopes along a step, of the one at its start, between which it ends
TRIALS = 20


class Point(NamedTuple):
    """Potentials, the dual objective there, and its plan with what it lacks to the marginals."""

    alpha: np.ndarray
    beta: np.ndarray
    value: float
    plan: Plan
    missing_rows: np.ndarray
    missing_columns: np.ndarray

    @property
    def error(self):
        return np.abs(self.missing_rows).sum() + np.abs(self.missing_columns).sum()

    def slope(self, p, q):
        """Derivative of the objective in the direction (p, q)."""
        return p @ self.missing_rows + q @ self.missing_columns


def ascend(
    evaluate: Callable[[np.ndarray, np.ndarray], Point],
    point: Point,
    solved: Callable[[Point], bool],
    stiffness: float,
    mu: float,
    max_steps: int,
) -> tuple[Point, int]:
    """Newton steps from a point until `solved`; returns the last point and the number of steps.

    An entry that is not fractional adds 1 / `stiffness` to the second derivative.
    """
    for n_steps in range(max_steps):
        if solved(point):
            return point, n_steps
        p, q = newton_step(point, stiffness, mu)
        point = _search(evaluate, point, p, q)
    return point, max_steps


def newton_step(point, stiffness, mu):
    """Directions (p, q) of the source and the target potentials."""
    least, largest = RIDGE
    ridge = largest * min(max(point.error, least), 1.0)
    while True:
        try:
            return _solve(point, stiffness, mu, ridge / stiffness)
        except LinAlgError:
            ridge *= 10.0


def _solve(point, stiffness, mu, ridge):
    plan = point.plan
    n_sources, n_targets = len(point.alpha), len(point.beta)
    D, B = np.full(n_sources, ridge), np.full(n_targets, ridge)
    W = np.empty(plan.starts[-1])
    weights_of_entries(plan, 1.0 / stiffness, 1.0 / mu if mu > 0.0 else 0.0, D, B, W)
    coupled = np.flatnonzero(plan.kappa > 0.0)
    r, e = point.missing_rows, point.missing_columns
    size = n_targets + len(coupled)
    if n_sources <= size:
        matrix, rhs = np.zeros((n_sources, n_sources)), np.zeros(n_sources)
        source_system(plan, D, B, W, r, e, matrix, rhs)
        p = _positive_solve(matrix, rhs)
        return p, target_step(plan, B, W, e, p)
    slots = np.full(n_targets, -1)
    slots[coupled] = np.arange(n_targets, size)
    matrix, rhs = np.zeros((size, size)), np.zeros(size)
    target_system(plan, slots, D, B, W, r, e, matrix, rhs)
    solution = _positive_solve(matrix, rhs)
    return source_step(plan, slots, D, W, r, solution), solution[:n_targets]


def _positive_solve(matrix, rhs):
    factor = cho_factor(matrix.T, lower=True, overwrite_a=True, check_finite=False)
    return cho_solve(factor, rhs, check_finite=False)


def _search(evaluate, point, p, q):
    """A point along the step where the slope has fallen, but not far below zero.

    Slopes, not values, tell where to stop: close to the end the differences of values are lost to
    rounding.
    """
    first = point.slope(p, q)
    low, slope_low, high, slope_high = 0.0, first, np.inf, 0.0
    step = 1.0
    new = None
    for _ in range(TRIALS):
        del new  # its plan, which may be wide, before the next one is made
        new = evaluate(point.alpha + step * p, point.beta + step * q)
        slope = new.slope(p, q)
        if slope < TOO_FAR * first:
            high, slope_high = step, slope
        elif slope > ENOUGH * first:
            low, slope_low = step, slope
        else:
            break
        if high == np.inf:
            step *= 2.0
        else:
            width = high - low
            secant = low + width * slope_low / (slope_low - slope_high)
            step = min(max(secant, low + 0.1 * width), high - 0.1 * width)
    return new
