"""Newton's method on the unpenalised likelihood, also along a line where one combination is fixed.

The solver of the estimators stops at a tolerance on the optimality conditions. Standard errors and
profiles of the likelihood want its maximum to rounding, which a few Newton steps on the whole
Hessian of the free increments give.
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from skreg.ordinal._gram import active_hessian
from skreg.ordinal._likelihood import mean_loss
from skreg.ordinal._newton import Point, line_search, quadratic_model
from skreg.ordinal._penalty import elastic_net
from skreg.ordinal._problem import loss_gradient

MAX_STEPS = 30
# squared distances to the maximum, in standard errors of a sample of this size, taken for none: of
# what is reported, and of a profile, whose likelihood alone is
SMALLEST_DISTANCE, PROFILE_DISTANCE = 1e-16, 1e-10


class Maximum(NamedTuple):
    """A maximum of the likelihood over the free increments.

    `multiplier` is the derivative of the mean loss along the combination that was held fixed, 0 if
    none was. Not `converged` are likelihoods that rise for ever, and rank-deficient designs.
    """

    point: Point
    loss: float
    hessian: np.ndarray
    multiplier: float
    converged: bool


def free_increments(problem):
    """Flat positions of the increments that are not excluded, those of the intercepts first of
    each boundary."""
    return np.flatnonzero(np.isfinite(problem.weights))


def derivatives(problem, point, free):
    """Gradient (n_boundaries, 1 + n_features) of the mean loss, and its Hessian in the increments
    `free`."""
    rows = problem.rows
    model = quadratic_model(rows, point.a, point.b)
    boundary, column = np.divmod(free, point.theta.shape[1])
    features, position = np.unique(column, return_inverse=True)
    hessian = active_hessian(rows.design, model, features, boundary, position)
    return loss_gradient(rows, model), hessian


def maximise(problem, point, free, held=None):
    """Newton's method from `point`.

    Parameters
    ----------
    problem : Problem
        The data; its penalty does not count.
    point : Point
        Where to start.
    free : ndarray of shape (n_free,)
        Flat positions of the increments that move.
    held : ndarray of shape (n_free,), default=None
        Combination h of these whose value stays: a step s has h^T s = 0.

    Returns
    -------
    Maximum
        Where it stopped.
    """
    rows = problem.rows
    smallest = SMALLEST_DISTANCE if held is None else PROFILE_DISTANCE
    no_penalty = elastic_net(0.0, 1.0, np.zeros_like(problem.weights))
    loss, multiplier = mean_loss(rows.link, point.a, point.b, rows.weight, rows.start), 0.0
    for _ in range(MAX_STEPS):
        full_gradient, hessian = derivatives(problem, point, free)
        gradient = full_gradient.reshape(-1)[free]
        try:
            factor = cho_factor(hessian)
        except LinAlgError:
            break
        step = -cho_solve(factor, gradient)
        if held is not None:
            along = cho_solve(factor, held)
            multiplier = -(held @ step) / (held @ along)
            step += multiplier * along
        if -(gradient @ step) * len(rows.weight) <= smallest:
            return Maximum(point, loss, hessian, multiplier, True)
        target = point.theta.copy()
        target.reshape(-1)[free] += step
        point, loss, moved = line_search(rows, no_penalty, point, target, full_gradient, loss)
        if moved == 0.0:
            break
    return Maximum(point, loss, hessian, multiplier, False)
