"""An independent certificate: the duality gap of any coefficients, in plain numpy.

Fenchel's inequality bounds the optimum from below by

    D(u) = -sum_i s_i l*(u_i, y_i) - penalty*(-X^T (s u))        for u in the domain of l*,

with sum_i s_i u_i = 0 if there is an unpenalised intercept. The point u is the gradient of the loss
at the predictions, moved to be orthogonal to unpenalised columns and scaled into the domain of
penalty*. Nothing is screened and no compiled code is used.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import scipy.sparse

from skreg.optim._losses import Quadratic, dual_metric_product, loss_gradient
from skreg.optim._penalties import GroupL2, NonNegative, constrained, ridge_share
from skreg.optim._problem import (
    best_scale,
    dual_loss,
    gap_scale,
    make_problem,
    null_point,
    ready,
    smooth_value,
)


class Certificate(NamedTuple):
    """Primal and dual value of a point, and their relative difference.

    Attributes
    ----------
    primal, dual : float
        P(w, b), and the best D that the point's own residuals give (-inf if they give none).
    gap : float
        (primal - dual) / P(0).
    kkt : float
        Largest distance of -gradient to the subdifferential, intercepts included (not relative).
    """

    primal: float
    dual: float
    gap: float
    kkt: float


def _per_block(penalty, blocks, values, reduce):
    """Reduce an array (n_outputs, n_features) to groups, or leave it entry by entry."""
    if not isinstance(penalty, GroupL2):
        return values
    starts, members = blocks
    return np.array([reduce(values[:, members[lo:hi]]) for lo, hi in pairwise(starts)])


def _subgradient_distance(penalty, w, q, threshold, ridge):
    q = q - ridge * w
    if isinstance(penalty, NonNegative):
        return np.where(w > 0, np.abs(q - threshold), np.maximum(q - threshold, 0.0))
    with np.errstate(invalid="ignore"):
        at_sign = np.abs(q - threshold * np.sign(w))
    return np.where(w != 0, at_sign, np.maximum(np.abs(q) - threshold, 0.0))


def duality_gap(
    design,
    target,
    loss,
    penalty,
    coef,
    intercept=0.0,
    *,
    sample_weight=None,
    fit_intercept=True,
):
    """Certificate of given coefficients, whoever computed them.

    Parameters
    ----------
    design : Dense, Csc, ndarray or scipy sparse matrix of shape (n_samples, n_features)
        Design matrix.
    target : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Responses, as in `solve`.
    loss : Quadratic, Huber, Logistic, Multinomial or Poisson
        Loss of one prediction.
    penalty : L1, ElasticNet, NonNegative or GroupL2
        Penalty with its strength.
    coef : ndarray of shape (n_features,) or (n_outputs, n_features)
        Coefficients.
    intercept : float or ndarray of shape (n_outputs,), default=0.0
        Intercept.
    sample_weight : ndarray of shape (n_samples,), default=None
        Nonnegative weights, 1 if None.
    fit_intercept : bool, default=True
        Whether the intercept was free.

    Returns
    -------
    Certificate
        Primal and dual value, relative gap and KKT residual.
    """
    problem = make_problem(design, target, loss, penalty, sample_weight, fit_intercept)
    penalty = ready(penalty, problem)
    X = _scipy_or_numpy(problem.design)
    s, y = problem.weight, problem.target
    coef = np.asarray(coef, dtype=float).reshape(len(y), -1)
    z = (X @ coef.T).T + np.reshape(intercept, (-1, 1))
    u = loss_gradient(loss, z, y)
    scale = np.where(np.isinf(penalty.weights), np.inf, penalty.alpha * penalty.weights)
    grouped = isinstance(penalty, GroupL2)
    l1_share = 1.0 - ridge_share(penalty)
    threshold = np.where(l1_share > 0, scale, 0.0) * l1_share
    ridge = np.where(np.isfinite(scale), scale, 0.0) * ridge_share(penalty)

    def norms(values):
        return _per_block(penalty, problem.blocks, values, np.linalg.norm)

    size = np.abs(norms(coef))
    primal_penalty = np.sum(
        np.where(size > 0, threshold, 0.0) * size + 0.5 * ridge * size**2,
        where=size > 0,
    )
    primal = smooth_value(problem, z) + float(primal_penalty)

    q = -(X.T @ (s * u).T).T
    if grouped:
        kkt = 0.0
        starts, members = problem.blocks
        for b, (lo, hi) in enumerate(pairwise(starts)):
            w_b, q_b = coef[:, members[lo:hi]], q[:, members[lo:hi]]
            norm = np.linalg.norm(w_b)
            if norm > 0:
                kkt = max(kkt, np.linalg.norm(q_b - (threshold[b] / norm + ridge[b]) * w_b))
            else:
                kkt = max(kkt, np.linalg.norm(q_b) - threshold[b])
    else:
        kkt = _subgradient_distance(penalty, coef, q, threshold, ridge).max(initial=0.0)
    if fit_intercept:
        kkt = max(kkt, np.abs(u @ s).max())

    free_blocks = (scale == 0.0) if not constrained(penalty) else np.zeros(len(scale), dtype=bool)
    free = _features_of(problem.blocks, free_blocks)
    u = _orthogonal_to_free(problem, X, z, u, free)
    q = -(X.T @ (s * u).T).T
    q[:, free] = 0.0

    def gauge(values):
        size = np.maximum(norms(values), 0.0) if isinstance(penalty, NonNegative) else norms(values)
        size = np.abs(size)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(size > 0, size / threshold, 0.0)
        return ratio.max(initial=0.0)

    ridge_of_feature = np.zeros(problem.n_features)
    starts, members = problem.blocks
    ridge_of_feature[members] = np.repeat(ridge, np.diff(starts))
    largest = gauge(q - ridge_of_feature * coef)
    limit = 1.0 / largest if largest > 0.0 else np.inf
    weight = float(np.sum(ridge_of_feature * coef**2))
    scales = [best_scale(problem, u, weight, limit)]
    if ridge_share(penalty) > 0.0:
        scales.append(1.0)
    dual = -np.inf
    for t in scales:
        value = dual_loss(problem, t * u, 1.0)
        if ridge_share(penalty) > 0.0:
            size = t * norms(q)
            size = np.maximum(size, 0.0) if isinstance(penalty, NonNegative) else np.abs(size)
            excess = np.where(size > threshold, size - threshold, 0.0)
            with np.errstate(divide="ignore", invalid="ignore"):
                value -= float(np.sum(np.where(excess > 0, excess**2 / (2.0 * ridge), 0.0)))
        dual = max(dual, value)
    null = smooth_value(problem, null_point(problem)[1])
    gap = (primal - dual) / gap_scale(problem, null)
    return Certificate(primal, dual, gap, float(kkt))


def _scipy_or_numpy(design):
    if hasattr(design, "matrix"):
        return design.matrix.astype(np.float64, copy=False)
    return scipy.sparse.csc_array(
        (design.data.astype(np.float64, copy=False), design.indices, design.indptr),
        shape=(design.n_rows, len(design.indptr) - 1),
    )


def _features_of(blocks, flags):
    starts, members = blocks
    return members[np.repeat(flags, np.diff(starts))]


def _orthogonal_to_free(problem, X, z, u, free):
    """u - M F a for the unpenalised columns F, with a such that F^T S (u - M F a) = 0."""
    F = X[:, free]
    F = F.toarray() if scipy.sparse.issparse(F) else F
    if problem.fit_intercept:
        if isinstance(problem.loss, Quadratic):
            F = F - problem.weight @ F
        F = np.hstack([np.ones((len(problem.weight), 1)), F])
    if F.shape[1] == 0:
        return u
    n_outputs, n_free = len(u), F.shape[1]

    def metric(direction):
        return dual_metric_product(problem.loss, z, problem.target, direction)

    basis = [np.eye(n_outputs)[:, [k]] * F[:, f] for k in range(n_outputs) for f in range(n_free)]
    images = [metric(direction) for direction in basis]
    matrix = np.array([[np.sum(problem.weight * b * m) for m in images] for b in basis])
    rhs = np.array([np.sum(problem.weight * b * u) for b in basis])
    amount = np.linalg.lstsq(matrix, rhs, rcond=None)[0]
    return u - sum(a * m for a, m in zip(amount, images, strict=True))
