"""Ends of intervals by the profile of the likelihood.

The profile of a combination v = h^T theta is the likelihood maximised over all else. The interval
has the values that a likelihood-ratio test does not reject,

    2 W (L(v) - L(v_hat)) <= z^2,

with the mean loss L and the sum W of the weights. The signed root of the left side is nearly linear
in v, and its slope W L'(v) / root is known from the multiplier of the constraint, so that Newton's
method meets z in a few steps; bisection guards it.
"""

import math

import numpy as np
from scipy.linalg import solve

from skreg.ordinal._maximum import maximise
from skreg.ordinal._newton import (
    TO_THE_BOUNDARY,
    Point,
    _largest_step,
    _predictors,
    rounding_of_loss,
)

ROOT_TOL = 1e-8  # where the rounding of the loss allows it
MAX_ROOT_STEPS = 100


def profile_end(problem, maximum, free, held, total_weight, step, z):
    """Value of h^T theta on one side of the maximum at which the profile reaches z^2.

    Parameters
    ----------
    problem : Problem
        The data.
    maximum : Maximum
        Of the likelihood.
    free : ndarray of shape (n_free,)
        Flat positions of the increments in the model.
    held : ndarray of shape (n_free,)
        The combination h.
    total_weight : float
        Sum of the weights.
    step : float
        First step from the maximum, with the sign of the side.
    z : float
        Quantile of the standard normal distribution.

    Returns
    -------
    float
        The end; nan if it was not found.
    """
    here, value = maximum, held @ maximum.point.theta.reshape(-1)[free]
    rounding = 2.0 * total_weight * rounding_of_loss(problem.rows, maximum.loss)
    tol = max(ROOT_TOL * z, rounding / z)
    within, beyond, target = value, math.inf * step, value + step
    for _ in range(MAX_ROOT_STEPS):
        here, value = _hold_at(problem, here, free, held, target - value, value)
        excess = max(2.0 * total_weight * (here.loss - maximum.loss), 0.0)
        root = math.sqrt(excess)
        if abs(root - z) <= tol:
            return value if here.converged else math.nan
        within, beyond = (value, beyond) if root < z else (within, value)
        target = value + (z - root) * root / (total_weight * here.multiplier)
        if not min(within, beyond) < target < max(within, beyond):
            target = 0.5 * (within + beyond) if math.isfinite(beyond) else value + step
    return math.nan


def _hold_at(problem, here, free, held, change, value):
    """(maximum with the combination moved by `change`, the value that it then has).

    The first guess goes along the tangent of the profile, less far where boundaries would cross.
    """
    tangent = solve(here.hessian, held, assume_a="pos")
    step = np.zeros_like(here.point.theta)
    step.reshape(-1)[free] = tangent * (change / (held @ tangent))
    da, db = _predictors(problem.rows.design, step)
    share = min(1.0, TO_THE_BOUNDARY * _largest_step(here.point.a, here.point.b, da, db))
    point = here.point
    moved = Point(point.theta + share * step, point.a + share * da, point.b + share * db)
    return maximise(problem, moved, free, held), value + share * change
