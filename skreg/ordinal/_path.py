"""From arrays to the solver and back: the problem, the largest useful alpha, the path."""

from typing import NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skreg._warnings import warn
from skreg.ordinal import _certificate as certificate
from skreg.ordinal._likelihood import mean_loss
from skreg.ordinal._newton import (
    Point,
    Rows,
    block_hessians,
    elastic_net,
    intercept_point,
    penalty_at,
    point_at,
    quadratic_model,
    solve,
)
from skreg.ordinal._rows import Scaling, sorted_design

# l1_ratio below which the largest alpha is that of this ratio, as ridge penalties have none
SMALLEST_RATIO = 0.01
# scale of the optimality conditions where no feature has a gradient, and what rounding leaves
SMALLEST_GRADIENT, ROUNDING_GRADIENT = 1e-10, 1e-15
# a small alpha is approached through rough solutions for this multiple of it, its square, ...
APPROACH, ROUGH_TOL = 10.0, 1e-2
# a large predictor that still moves by this much, and by this share, at convergence runs away
RUNAWAY_PREDICTOR, RUNAWAY_MOVE, RUNAWAY_SHARE = 8.0, 0.5, 0.03


class Problem(NamedTuple):
    """Sorted rows, penalty weights (n_boundaries, 1 + n_features), and the scales of the data.

    `start` is the optimum without features, `null_loss` its mean loss, the scale of the tolerance
    on the duality gap, and `null_gradient` its largest gradient per standard deviation of a
    feature, the scale of the tolerance on the optimality conditions. From `alpha_bound` on, a
    penalty with factors of 1 leaves no feature in.
    """

    rows: Rows
    weights: np.ndarray
    l1_ratio: float
    scaling: Scaling
    start: Point
    null_loss: float
    null_gradient: float
    alpha_bound: float


class Coefficients(NamedTuple):
    """Original scale: intercepts (n_boundaries,), coefficients and increments of shape
    (n_boundaries, n_features)."""

    intercept: np.ndarray
    coef: np.ndarray
    coef_diff: np.ndarray


def make_problem(X, codes, n_classes, sample_weight, weights, l1_ratio, standardize):
    """Sort, standardise and weigh the data.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features)
        Features.
    codes : ndarray of shape (n_samples,)
        Position of each label in the order of the classes.
    n_classes : int
        Number of classes K.
    sample_weight : ndarray of shape (n_samples,)
        Weights; rows without weight are left out.
    weights : ndarray of shape (n_classes - 1, n_features)
        Penalty factors of the increments.
    l1_ratio : float
        Share of the L1 part of the penalty.
    standardize : bool
        Whether to divide the columns by their standard deviation.

    Returns
    -------
    Problem
        The input of `solve_at` and `solve_path`.
    """
    weighted = np.flatnonzero(sample_weight > 0.0)
    order = weighted[np.argsort(codes[weighted], kind="stable")]
    start = np.concatenate([[0], np.cumsum(np.bincount(codes[order], minlength=n_classes))])
    weight = sample_weight[order] / sample_weight[order].sum()
    design, scaling = sorted_design(X, order, start, weight, standardize)
    rows = Rows(design, weight)
    weights = np.hstack([np.zeros((n_classes - 1, 1)), weights])
    point = intercept_point(rows)
    null = solve(rows, _excluding(weights), point, tol=0.0, kkt_tol=0.0, max_iter=1)
    gradient = np.abs(null.gradient[:, 1:])
    null_gradient = max((gradient / design.deviation[1:]).max(), SMALLEST_GRADIENT)
    alpha_bound = max(gradient.max(), SMALLEST_GRADIENT)
    return Problem(
        rows, weights, l1_ratio, scaling, point, null.objective, null_gradient, alpha_bound
    )


def _excluding(weights):
    """Penalty that leaves only the unpenalised increments in the model."""
    return elastic_net(1.0, 1.0, np.where(weights > 0.0, np.inf, 0.0))


def penalty_weights(n_classes, n_features, first_penalty, penalty_factor):
    """Factors of the increments: c_j first_penalty at the first boundary, c_j at the others.

    A factor of infinity excludes the feature from the first boundary too, if first_penalty is 0.
    """
    factor = np.ones(n_features) if penalty_factor is None else penalty_factor
    level = np.ones(n_classes - 1)
    level[0] = first_penalty
    with np.errstate(invalid="ignore"):
        weights = np.outer(level, factor)
    return np.where(np.isnan(weights), factor, weights)


def solve_at(problem, alpha, *, tol, max_iter, start=None, share=1.0):
    """Solve for one alpha, from `start` or on the way from the optimum without features."""
    if start is None:
        start = approach(problem, alpha, problem.start, problem.alpha_bound, max_iter)
    return solve(
        problem.rows,
        elastic_net(alpha, problem.l1_ratio, problem.weights),
        start,
        tol=tol * problem.null_loss,
        kkt_tol=max(tol * problem.null_gradient, ROUNDING_GRADIENT),
        max_iter=max_iter,
        share=share,
    )


def approach(problem, alpha, start, before, max_iter):
    """Where to start for alpha, given the solution `start` for the larger alpha `before`.

    The solution for a much smaller alpha has many increments that the Newton model at `start` gets
    wrong; rough solutions in between bring them in a few at a time.
    """
    if alpha == 0.0 or before <= alpha:
        return start
    n_between = int(np.log(before / alpha) / np.log(APPROACH))
    for power in range(n_between, 0, -1):
        between = alpha * APPROACH**power
        start = solve_at(problem, between, tol=ROUGH_TOL, max_iter=max_iter, start=start).point
    return start


def null_solution(problem, *, tol, max_iter):
    """Optimum in the unpenalised increments alone: the limit of the path for large alpha."""
    penalised = problem._replace(weights=np.where(problem.weights > 0.0, np.inf, 0.0), l1_ratio=1.0)
    return solve_at(penalised, 1.0, tol=tol, max_iter=max_iter)


def alpha_max(problem, null):
    """Smallest alpha at which every penalised increment is zero."""
    unit = elastic_net(1.0, max(problem.l1_ratio, SMALLEST_RATIO), problem.weights)
    return certificate.gauge_of(unit, -null.gradient.reshape(-1))


def alpha_grid(problem, null, n_alphas, eps):
    """Largest useful alpha down to `eps` times it, in equal steps of the logarithm."""
    steps = np.logspace(0.0, np.log10(eps), n_alphas) if n_alphas > 1 else np.ones(1)
    return alpha_max(problem, null) * steps


def solve_path(problem, null, alphas, *, tol, max_iter):
    """Solutions for decreasing alphas, each started from the one before, the first from `null`.

    At alpha, columns whose gradient was below 2 alpha - alpha_before at the solution before wait
    until their optimality conditions are violated.
    """
    previous, before = null, np.inf
    for alpha in alphas:
        share = max(2.0 - before / alpha, 0.0) if alpha > 0.0 and np.isfinite(before) else 1.0
        nearest = min(before, problem.alpha_bound)
        start = approach(problem, alpha, previous.point, nearest, max_iter)
        solution = solve_at(problem, alpha, tol=tol, max_iter=max_iter, start=start, share=share)
        yield solution
        previous, before = solution, alpha


def warm_point(problem, coefficients, alpha):
    """Point of earlier coefficients on these rows, for the penalty with strength `alpha`.

    Increments that are excluded, or on which no row depends, start at zero: the solver would leave
    them as they are. None where the objective is no better than without features, such as where
    boundaries cross, or where a feature has come in another unit.
    """
    centre, scale = problem.scaling
    with np.errstate(over="ignore", invalid="ignore"):
        psi = coefficients.coef_diff * scale
        intercept = coefficients.intercept + np.cumsum(psi, axis=0) @ centre
        theta = np.column_stack([np.diff(intercept, prepend=0.0), psi])
        theta[~_free_to_move(problem)] = 0.0
        point = point_at(problem.rows, theta)
        value = mean_loss(point.a, point.b, problem.rows.weight, problem.rows.start)
        value += penalty_at(elastic_net(alpha, problem.l1_ratio, problem.weights), theta)
    return point if value < problem.null_loss else None


def _free_to_move(problem):
    """Increments that are not excluded and that move some row, (n_boundaries, 1 + n_features)."""
    rows, start = problem.rows, problem.start
    model = quadratic_model(rows, start.a, start.b)
    joint, own = np.zeros(start.theta.shape[::-1]), np.zeros(start.theta.shape[::-1])
    block_hessians(rows.design, np.arange(len(joint)), model, joint, own)
    return ((joint + own).T > 0.0) & np.isfinite(problem.weights)


def original_scale(problem, theta):
    """Coefficients for the unscaled features.

    The centre enters each intercept with the cumulated beta_k, not with psi_k:
    alpha_k - sum_j beta_kj mean_j / scale_j.
    """
    centre, scale = problem.scaling
    beta = np.cumsum(theta[:, 1:], axis=0)
    intercept = np.cumsum(theta[:, 0]) - beta @ centre
    return Coefficients(intercept, beta / scale, theta[:, 1:] / scale)


def warn_if_not_converged(problem, solution, *, tol, max_iter):
    """Say by how much the solver missed its tolerance, or that coefficients diverge."""
    if not solution.converged:
        if np.isnan(solution.dual_gap):
            what = (
                f"the optimality conditions are violated by {solution.kkt_residual:.3g}, "
                f"wanted {tol * problem.null_gradient:.3g}"
            )
        else:
            what = (
                f"the duality gap is {solution.dual_gap:.3g}, wanted {tol * problem.null_loss:.3g}"
            )
        warn(
            f"The solver stopped after {solution.n_iter} iterations (max_iter={max_iter}): {what}. "
            "Increase max_iter or tol.",
            ConvergenceWarning,
        )
    elif np.isnan(solution.dual_gap) and _runs_away(solution):
        warn(
            "The classes are separable or nearly so, and some coefficients are not penalised: "
            "they diverge, and were stopped at the tolerance on the optimality conditions, "
            f"{tol * problem.null_gradient:.3g} (violation {solution.kkt_residual:.3g}). "
            "Penalise them: alpha > 0, first_penalty > 0 and penalty_factor > 0.",
            ConvergenceWarning,
        )


def _runs_away(solution):
    point = solution.point
    largest = max(
        np.abs(point.a[np.isfinite(point.a)]).max(), np.abs(point.b[np.isfinite(point.b)]).max()
    )
    moving = max(RUNAWAY_MOVE, RUNAWAY_SHARE * largest) < solution.last_move < np.inf
    return moving and largest > RUNAWAY_PREDICTOR
