"""From arrays to the solver and back: the problem and its scales."""

from typing import NamedTuple

import numpy as np

from skreg.ordinal._newton import Point, Rows, intercept_point, solve
from skreg.ordinal._penalty import elastic_net
from skreg.ordinal._standardise import Scaling, sorted_design

# scale of the optimality conditions where no feature has a gradient
SMALLEST_GRADIENT = 1e-10


class Problem(NamedTuple):
    """Sorted rows, penalty weights (n_boundaries, 1 + n_features), and the scales of the data.

    `start` is the optimum without features, `null_loss` its mean loss, the scale of the tolerance
    on the duality gap, and `null_gradient` its largest gradient per standard deviation of a
    feature, the scale of the tolerance on the optimality conditions. From `alpha_bound` on, a
    penalty with weights of 1 leaves no feature in.
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
        Penalty weights of the increments.
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


def increment_weights(n_classes, first_penalty, penalty_weights):
    """Weights of the increments: c_j first_penalty at the first boundary, c_j at the others.

    An infinite c_j excludes the feature from the first boundary too, if first_penalty is 0.
    """
    level = np.ones(n_classes - 1)
    level[0] = first_penalty
    with np.errstate(invalid="ignore"):
        weights = np.outer(level, penalty_weights)
    return np.where(np.isnan(weights), penalty_weights, weights)


def original_scale(problem, theta):
    """Coefficients for the unscaled features.

    The centre enters each intercept with the cumulated beta_k, not with psi_k:
    alpha_k - sum_j beta_kj mean_j / scale_j.
    """
    centre, scale = problem.scaling
    beta = np.cumsum(theta[:, 1:], axis=0)
    intercept = np.cumsum(theta[:, 0]) - beta @ centre
    return Coefficients(intercept, beta / scale, theta[:, 1:] / scale)
