"""From arrays to the solver and back: the problem and its scales."""

from typing import NamedTuple

import numpy as np

from skreg.ordinal._design import n_columns
from skreg.ordinal._gradient import all_class_sums, gradient_from_sums
from skreg.ordinal._likelihood import mean_loss
from skreg.ordinal._link import LOGIT
from skreg.ordinal._newton import (
    Point,
    Rows,
    Scales,
    intercept_point,
    quadratic_model,
    solve,
)
from skreg.ordinal._penalty import elastic_net
from skreg.ordinal._standardise import Scaling, sorted_design

# scale of the optimality conditions where no feature has a gradient: far above rounding, and far
# below what a feature of any use has
SMALLEST_GRADIENT = 1e-7
# violation of the optimality conditions of the intercepts alone, whose loss is the scale of gaps
NULL_TOL = 1e-10


class Problem(NamedTuple):
    """Sorted rows, penalty weights (n_boundaries, 1 + n_features), and the scales of the data.

    `start` is the optimum without features, to which `scales` belong. From `alpha_bound` on, a
    penalty with weights of 1 leaves no feature in.
    """

    rows: Rows
    weights: np.ndarray
    l1_ratio: float
    scaling: Scaling
    start: Point
    scales: Scales
    alpha_bound: float


class Coefficients(NamedTuple):
    """Original scale: intercepts (n_boundaries,), coefficients and increments of shape
    (n_boundaries, n_features)."""

    intercept: np.ndarray
    coef: np.ndarray
    coef_diff: np.ndarray


def make_problem(
    X, codes, n_classes, sample_weight, weights, l1_ratio, standardize, link=LOGIT, offset=None
):
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
    link : Logit, Probit, Cloglog or Loglog, default=LOGIT
        The link.
    offset : ndarray of shape (n_samples,), default=None
        Known part of the predictors.

    Returns
    -------
    Problem
        The input of `solve_at` and `solve_path`.
    """
    order = sorted_by_class(codes, sample_weight)
    first = np.concatenate([[0], np.cumsum(np.bincount(codes[order], minlength=n_classes))])
    weight = sample_weight[order] / sample_weight[order].sum()
    design, scaling = sorted_design(X, order, first, weight, standardize)
    rows = Rows(design, weight, link, None if offset is None else offset[order])
    start = without_features(rows)
    gradient = np.abs(loss_gradient(rows, quadratic_model(rows, start.a, start.b))[:, 1:])
    gradient[np.isinf(weights)] = 0.0
    scales = Scales(
        mean_loss(link, start.a, start.b, weight, first),
        max((gradient / design.deviation[1:]).max(), SMALLEST_GRADIENT),
    )
    alpha_bound = max(gradient.max(), SMALLEST_GRADIENT)
    weights = np.hstack([np.zeros((n_classes - 1, 1)), weights])
    return Problem(rows, weights, l1_ratio, scaling, start, scales, alpha_bound)


def without_features(rows):
    """Optimum in the intercepts alone: a closed form, or with an offset a few Newton steps.

    These start at the mean offset, or at an end where that is better: tails of the log-log links
    are too steep for them on one side.
    """
    offset = rows.offset
    if offset is None:
        return intercept_point(rows)
    centres = np.dot(rows.weight, offset), offset.min(), offset.max()
    starts = [intercept_point(rows, centre) for centre in centres]
    start = min(starts, key=lambda at: mean_loss(rows.link, at.a, at.b, rows.weight, rows.start))
    weights = np.full(start.theta.shape, np.inf)
    weights[:, 0] = 0.0
    penalty = elastic_net(0.0, 1.0, weights)
    return solve(rows, penalty, start, Scales(1.0, 1.0), tol=NULL_TOL, max_iter=100).point


def sorted_by_class(codes, sample_weight):
    """Positions of the rows with weight, class by class."""
    weighted = np.flatnonzero(sample_weight > 0.0)
    return weighted[np.argsort(codes[weighted], kind="stable")]


def loss_gradient(rows, model):
    """Gradient of the mean loss in the increments, (n_boundaries, 1 + n_features)."""
    n_classes, width = len(rows.start) - 1, n_columns(rows.design)
    gradient, sums = np.empty((n_classes - 1, width)), np.zeros((width, 2, n_classes))
    all_class_sums(rows.design, model, sums)
    gradient_from_sums(sums, gradient)
    return gradient


def increment_weights(n_classes, first_penalty, penalty_weights):
    """Weights of the increments: c_j first_penalty at the first boundary, c_j at the others.

    An infinite c_j excludes the feature from the first boundary too, if first_penalty is 0.
    """
    level = np.ones(n_classes - 1)
    level[0] = first_penalty
    with np.errstate(invalid="ignore"):
        weights = np.outer(level, penalty_weights)
    return np.where(np.isnan(weights), penalty_weights, weights)


def standardised_increments(problem, coefficients):
    """Increments theta (n_boundaries, 1 + n_features): `original_scale` the other way."""
    centre, scale = problem.scaling
    psi = coefficients.coef_diff * scale
    intercept = coefficients.intercept + np.cumsum(psi, axis=0) @ centre
    return np.column_stack([np.diff(intercept, prepend=0.0), psi])


def original_scale(problem, theta):
    """Coefficients for the unscaled features.

    The centre enters each intercept with the cumulated beta_k, not with psi_k:
    alpha_k - sum_j beta_kj mean_j / scale_j.
    """
    centre, scale = problem.scaling
    beta = np.cumsum(theta[:, 1:], axis=0)
    intercept = np.cumsum(theta[:, 0]) - beta @ centre
    return Coefficients(intercept, beta / scale, theta[:, 1:] / scale)
