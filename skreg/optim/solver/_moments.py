"""Least squares through their moments, where the samples outnumber the features.

The data enter a penalised least-squares problem only by the weighted, centred second moments

    G = X^T S X,        c = X^T S y,        v = y^T S y,

from which gradient, objective and duality gap follow in O(p^2) or less: with r = y - X w

    q = X^T S r = c - G w,        r^T S r = v - w^T (c + q),        r^T S y = v - w^T c.

The moments cost one pass of n p^2 and serve all strengths of a path. Those of several parts of the
data add up, so that cross-validation needs a single pass for all of its folds.
"""

from typing import NamedTuple

import numpy as np

from skreg._jit import kernel
from skreg.moments import joint_moments
from skreg.optim.kernels._blocks import conjugate, scan
from skreg.optim.kernels._coordinate_descent import add_row, descend_gram
from skreg.optim.kernels._designs import is_dense, units
from skreg.optim.losses import is_half_square
from skreg.optim.penalties import block_ridge, ridge_share
from skreg.optim.solver._gram import largest_eigenvalues
from skreg.optim.solver._problem import ROUNDING, gap_scale
from skreg.optim.solver._working_set_gram import SUPPORT_PASSES, improve_support

LARGEST = 1500  # features; beyond it working sets look at fewer of them
SMALL = 256  # features; up to it the moments cost as little as a few passes over the design
FLOPS_PER_STRENGTH = 1e8  # what a strength saves at least, about a hundredth of a second
ROUNDS = 25
SLOW, SLOW_ROUNDS = 0.3, 2  # from the third round that leaves more of the gap on, Newton is faster
ALWAYS = -1.0  # below any move of a gradient
PATIENCE = 8  # iterations without half the gap, after which only rounding is left


class Store(NamedTuple):
    """All features as the face iteration wants them, block after block."""

    hessian: np.ndarray
    lipschitz: np.ndarray
    starts: np.ndarray
    ids: np.ndarray
    coef: np.ndarray
    gradient: np.ndarray
    size: int


def pays_by_moments(problem, penalties):
    """Whether the moments cost less than what they save on these strengths."""
    n_samples, n_features = problem.target.shape[1], problem.n_features
    cost = n_samples * n_features**2
    penalised = all(p.alpha > 0.0 and np.all(p.weights > 0.0) for p in penalties)
    return (
        is_half_square(problem.loss)
        and is_dense(problem.design)
        and penalised
        and 0 < n_features <= min(n_samples, LARGEST)
        and (n_features <= SMALL or cost <= FLOPS_PER_STRENGTH * len(penalties))
    )


def compute_moments(problem):
    """Moments of a dense least-squares problem; those of columns without variation are zero."""
    origin = units(problem.design)[0]
    X, y, weight = problem.design.matrix, problem.target, problem.weight
    moments = joint_moments(X, y, weight, origin=origin, centre=problem.fit_intercept)
    gram = moments.features.scatter
    diagonal = np.diagonal(gram)
    raw = (moments.features.mean + origin) ** 2
    constant = diagonal <= ROUNDING**2 * (diagonal + raw)
    gram[constant], gram[:, constant] = 0.0, 0.0
    moments.cross[:, constant] = 0.0
    return moments


@kernel
def _refresh(hessian, cross, coef, gradient, q):
    """Gradient G w - c, and q = -gradient; returns (w^T c, w^T q)."""
    n = coef.shape[1]
    fitted, curved = 0.0, 0.0
    for k in range(coef.shape[0]):
        w, c, out, minus = coef[k], cross[k], gradient[k], q[k]
        for j in range(n):
            out[j] = -c[j]
        for j in range(n):
            if w[j] != 0.0:
                add_row(hessian[j], w[j], n, out)
        for j in range(n):
            minus[j] = -out[j]
            if w[j] != 0.0:
                fitted += w[j] * c[j]
                curved += w[j] * minus[j]
    return fitted, curved


@kernel
def _nonzero_blocks(starts, order, coef, support):
    """The blocks of `order` with a nonzero coefficient, in the buffer `support`."""
    size = 0
    for b in order:
        nonzero = False
        for k in range(coef.shape[0]):
            for j in range(starts[b], starts[b + 1]):
                nonzero = nonzero or coef[k, j] != 0.0
        if nonzero:
            support[size] = b
            size += 1
    return support[:size]


@kernel(inline=True)
def _certify(
    penalty, starts, members, order, ids, coef, q, fitted, curved, square, distance, gauge
):
    """(objective, dual value, largest distance) at coefficients with gradient -q = G w - c.

    `fitted` is w^T c and `curved` w^T q.
    """
    value, largest = scan(penalty, starts, members, order, ids, coef, q, distance, gauge)
    ridge = 0.0
    with_ridge = ridge_share(penalty) > 0.0
    if with_ridge:
        for b in order:
            weight = block_ridge(penalty, ids[b])
            for k in range(coef.shape[0]):
                for j in range(starts[b], starts[b + 1]):
                    ridge += weight * coef[k, j] ** 2
    residual_square = max(square - fitted - curved, 0.0)
    slope = square - fitted
    objective = 0.5 * residual_square + value
    scale = 0.0
    if residual_square + ridge > 0.0:
        scale = max(slope / (residual_square + ridge), 0.0)
    if largest > 0.0:
        scale = min(scale, 1.0 / largest)
    dual = scale * slope - 0.5 * scale * scale * residual_square
    if with_ridge:
        dual = -np.inf
        for factor in (scale, 1.0):
            bound = factor * slope - 0.5 * factor * factor * residual_square
            bound -= conjugate(penalty, starts, members, order, ids, q, factor)
            dual = max(dual, bound)
    violation = 0.0
    for b in order:
        violation = max(violation, distance[b])
    return objective, dual, violation


@kernel
def descend_to_gap(
    penalty, hessian, lipschitz, starts, ids, order, cross, square, target_gap, min_rounds,
    max_rounds, coef, gradient,
):  # fmt: skip
    """Coordinate descent on the moments until the gap is `target_gap`, or while it falls fast.

    A round is a pass over all blocks and several over the nonzero ones. Gradients are computed
    afresh for each certificate. Returns (objective, dual value, largest distance, rounds).
    """
    n = coef.shape[1]
    distance, gauge = np.zeros(len(ids)), np.zeros(len(ids))
    support, members, q = np.empty_like(order), np.arange(n), np.empty_like(gradient)
    gap, n_slow, n_rounds = np.inf, 0, 0
    while True:
        fitted, curved = _refresh(hessian, cross, coef, gradient, q)
        objective, dual, violation = _certify(
            penalty, starts, members, order, ids, coef, q, fitted, curved, square, distance, gauge
        )
        n_slow += objective - dual > SLOW * gap
        gap = objective - dual
        settled = gap <= target_gap and n_rounds >= min_rounds
        if settled or n_rounds == max_rounds or n_slow > SLOW_ROUNDS:
            return objective, dual, violation, n_rounds
        n_rounds += 1
        blocks, n_passes, accuracy = order, 1, 0.0
        for _ in range(2):  # one call for both, as numba takes as long as there are calls
            descend_gram(
                penalty, hessian, n, lipschitz, starts, ids, blocks, n_passes, accuracy, coef,
                gradient,
            )  # fmt: skip
            blocks = _nonzero_blocks(starts, order, coef, support)
            n_passes, accuracy = SUPPORT_PASSES, 0.1 * violation


def solve_on_moments(problem, moments, penalties, coef, tol, max_iter):
    """Solve for several penalties in turn, each from the last answer.

    Every answer ends with a Newton step on its face, as exact as rounding allows. Yields (coef,
    intercept, objective, gap, kkt, n_iter, converged), coef in the layout (n_outputs, n_features).
    """
    starts, members = problem.blocks
    n_outputs, n_features = moments.cross.shape
    ids = np.arange(len(starts) - 1)
    hessian = np.ascontiguousarray(moments.features.scatter[np.ix_(members, members)])
    cross = np.ascontiguousarray(moments.cross[:, members])
    start = np.zeros((n_outputs, n_features)) if coef is None else coef[:, members].copy()
    start[:, np.diagonal(hessian) == 0.0] = 0.0
    store = Store(
        hessian, largest_eigenvalues(hessian, starts), starts, ids, start, np.empty_like(start),
        n_features,
    )  # fmt: skip
    square = float(moments.targets.scatter.sum())
    scale = gap_scale(problem, 0.5 * square)
    kkt_scale = max(np.abs(cross).max(), np.finfo(float).tiny)
    nothing_free = np.zeros(len(ids), dtype=bool)

    def descend(penalty, target_gap, min_rounds, max_rounds):
        return descend_to_gap(
            penalty, hessian, store.lipschitz, starts, ids, order, cross, square,
            target_gap, min_rounds, max_rounds, store.coef, store.gradient,
        )  # fmt: skip

    for position, penalty in enumerate(penalties):
        live = (store.lipschitz > 0.0) & np.isfinite(penalty.weights)
        order = np.flatnonzero(live)
        store.coef[:, np.repeat(~live, np.diff(starts))] = 0.0
        smallest, since, n_iter = np.inf, 0, 0
        at_least = int(position > 0 and store.coef.any())
        while True:
            objective, dual, violation, n_rounds = descend(penalty, tol * scale, at_least, ROUNDS)
            n_iter += n_rounds > 0
            if n_rounds > 0:
                improve_support(
                    store, penalty, order, nothing_free, 0.1 * violation, objective, ALWAYS
                )
                objective, dual, violation, _ = descend(penalty, tol * scale, 0, 0)
            gap = (objective - dual) / scale
            since = 0 if gap < 0.5 * smallest else since + 1
            smallest = min(smallest, gap)
            if gap <= tol or n_iter >= max_iter or since > PATIENCE:
                break
        answer = np.empty_like(store.coef)
        answer[:, members] = store.coef
        intercept = moments.targets.mean - answer @ moments.features.mean
        yield answer, intercept, objective, gap, violation / kkt_scale, n_iter, gap <= tol
