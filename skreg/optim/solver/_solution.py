"""The answer of the solver."""

from typing import NamedTuple

import numpy as np

from skreg.optim.solver._units import to_user_units


class Solution(NamedTuple):
    """Answer of `solve`, with its certificate.

    Attributes
    ----------
    coef : ndarray of shape (n_features,) or (n_outputs, n_features)
        Coefficients; zeros are exact.
    intercept : float or ndarray of shape (n_outputs,)
        Intercept, 0 if none was asked for.
    objective : float
        sum_i s_i l(z_i, y_i) + penalty(w), with sample weights s that sum to one.
    gap : float
        Relative duality gap (P - D) / P(0); infinite where the predictions are but the rounding of
        large terms that cancel, nan where the problem has no finite dual bound (an unpenalised
        restriction) or too many unpenalised columns to make one.
    kkt : float
        Largest distance of minus the gradient to the subdifferential of the penalty, relative to
        the largest such distance without a penalty at w = 0.
    n_iter : int
        Number of working sets.
    converged : bool
        Whether the gap (the KKT residual where there is no gap) reached the tolerance.
    """

    coef: np.ndarray
    intercept: float | np.ndarray
    objective: float
    gap: float
    kkt: float
    n_iter: int
    converged: bool


def solution(problem, coef, intercept, objective, gap, kkt, n_iter, converged):
    """A solution in the user's units, without the axis of outputs where there is one only."""
    coef, intercept = to_user_units(problem, coef, intercept)
    if len(coef) == 1:
        coef, intercept = coef[0], float(intercept[0])
    return Solution(
        coef, intercept, objective, float(gap), float(kkt), int(n_iter), bool(converged)
    )
