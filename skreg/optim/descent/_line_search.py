"""Backtracking with interpolation."""

import numpy as np

SUFFICIENT = 1e-10  # share of the predicted decrease that a step must reach
MAX_TRIALS = 60
FLAT = 1e-13  # relative change of an objective that rounding hides


def backtrack(change, slope, magnitude):
    """First step t = 1, .. with change(t) <= SUFFICIENT * t * slope; 0 if there is none.

    The next trial minimises a polynomial through what is known: with z(t) = change(t) - t slope,
    the parabola after the first failure and the cubic through the last two z later on, kept within
    [t / 10, t / 2].

    Where the objective is flat to rounding, the decrease can no longer be seen while the gradient
    still can: there a full step is taken.

    Parameters
    ----------
    change : callable
        ``change(t)`` is the objective after the step t less the objective before.
    slope : float
        Directional derivative (or its model), negative.
    magnitude : float
        Size of the objective, to which flatness is relative.

    Returns
    -------
    float
        The step.
    """
    if not slope < 0.0:
        return 0.0
    t, previous = 1.0, None
    for _ in range(MAX_TRIALS):
        value = change(t)
        if value <= SUFFICIENT * t * slope:
            return t
        if t == 1.0 and abs(value) <= FLAT * magnitude and abs(slope) <= FLAT * magnitude:
            return t
        z = value - t * slope
        if not np.isfinite(z):
            trial = 0.1 * t
        elif previous is None:
            trial = -slope * t * t / (2.0 * z)
        else:
            trial = _cubic_minimum(slope, t, z, *previous)
        previous = (t, z) if np.isfinite(z) else None
        t = min(max(trial, 0.1 * t), 0.5 * t)
    return 0.0


def _cubic_minimum(slope, t, z, t_before, z_before):
    """Minimiser of slope s + b s^2 + a s^3 through (t, z) and (t_before, z_before)."""
    first, second = z / t**2, z_before / t_before**2
    a = (first - second) / (t - t_before)
    b = first - a * t
    if a == 0.0:
        return -slope / (2.0 * b) if b > 0.0 else 0.5 * t
    discriminant = b * b - 3.0 * a * slope
    return (-b + np.sqrt(discriminant)) / (3.0 * a) if discriminant >= 0.0 else 0.5 * t
