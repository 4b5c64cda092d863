"""min ||A W y||_p on v^T y = 1: reweighted least squares, vertices and linear programs."""

from typing import NamedTuple

import numpy as np
from scipy.linalg import qr
from scipy.optimize import linprog
from scipy.sparse import csc_array, hstack
from sklearn.exceptions import ConvergenceWarning

from skreg._progress import progress
from skreg._warnings import warn
from skreg.rows import chunk_slices

_BATCH_ENTRIES = 2**21
_FLOOR = 1e-9  # of the largest |a_k^T x|, keeps the weights |a_k^T x|^{p-2} finite
_MAX_ITER = 100
_STEPS_TO_VERTEX, _MAX_PIVOTS = 20, 200  # at p = 1
_CANDIDATES = 64  # rows that are sorted at first to find where an edge ends
_LARGEST_CONDITION = 1e10


class Denominator(NamedTuple):
    """Rows u_k of A W and weights v_k for which ||A W y||_p^p = sum_k v_k |u_k^T y|^p."""

    U: np.ndarray
    weight: np.ndarray


def irls(denominator, targets, p, tol, verbose=0):
    """Sensitivities of the rows v of `targets`, by reweighted least squares.

    y <- y + theta (M^{-1} v / (v^T M^{-1} v) - y),  M = sum_k weight_k |u_k^T y|^{p-2} u_k u_k^T,
    with theta = 1 for p <= 2 and 2 / p above. Every y has v^T y = 1, so that 1 / ||U y||_p^p is a
    lower bound of the sensitivity; the best one is returned. At p = 1, twenty steps find a
    vertex close to the optimum, from which `descend_vertices` goes on.
    """
    result = np.zeros(len(targets))
    nonzero = np.flatnonzero(np.einsum("ij,ij->i", targets, targets) > 0)
    if not nonzero.size:
        return result
    if p == 1:
        denominator = without_parallel_rows(denominator, p)
    height = max(1, _BATCH_ENTRIES // max(len(denominator.U), 1))
    worst = 0.0
    batches = chunk_slices(len(nonzero), height)
    for rows in progress(
        batches, total=len(batches), verbose=verbose, by="lp_sensitivities", unit="batch"
    ):
        batch = nonzero[rows]
        result[batch], change = _irls_batch(denominator, targets[batch], p, 0.01 * tol)
        worst = np.maximum(worst, change)
    if not worst <= tol:
        warn(
            f"the relative error of sensitivities is about {worst:.1e} at the iteration limit; "
            f"tol={tol:.1e} was asked for",
            ConvergenceWarning,
        )
    return result


def _irls_batch(denominator, V, p, tol):
    """Sensitivities of one batch of rows, and the largest relative change in the last iteration."""
    U, weight = denominator
    d = U.shape[1]
    upper = np.triu_indices(d)
    outer = U[:, upper[0]] * U[:, upper[1]] * weight[:, None]
    theta = 1.0 if p <= 2 else 2 / p
    Y = V / np.einsum("ij,ij->i", V, V)[:, None]
    smallest = np.full(len(V), np.inf)
    error = np.full(len(V), np.inf)
    active = np.arange(len(V))
    for _ in range(_STEPS_TO_VERTEX if p == 1 else _MAX_ITER):
        size = np.abs(Y[active] @ U.T)
        curvature = np.maximum(size, _FLOOR * size.max(axis=1, keepdims=True)) ** (p - 2.0)
        norm = (size * size * curvature) @ weight
        error[active] = np.abs(smallest[active] - norm) / norm
        smallest[active] = np.minimum(smallest[active], norm)
        M = np.empty((len(active), d, d))
        M[:, upper[0], upper[1]] = M[:, upper[1], upper[0]] = curvature @ outer
        direction = np.linalg.solve(M, V[active, :, None])[:, :, 0]
        direction /= np.einsum("ij,ij->i", V[active], direction)[:, None]
        Y[active] += theta * (direction - Y[active])
        active = active[error[active] > tol]
        if not active.size:
            break
    if p == 1 and d > 1:
        norm, gap = descend_vertices(denominator, V, Y)
        reached = norm <= (1 + tol) * smallest
        error[reached] = gap[reached]
        smallest = np.minimum(smallest, norm)
        for i in np.flatnonzero(error > tol):  # degenerate: more than d - 1 rows vanish at once
            smallest[i], error[i] = 1 / linear_program(denominator, V[i]), 0.0
    return 1 / smallest, error.max()


def descend_vertices(denominator, V, Y):
    """min ||U y||_1 on v^T y = 1 for each row v of V, along vertices from the one nearest to y.

    At a vertex d - 1 rows B vanish. Off B, z_k = sign(u_k^T y); on B, z follows from
    sum_k weight_k z_k u_k = lambda v. If |z_b| <= 1 on B, the vertex is optimal; otherwise the row
    of largest |z_b| leaves B, and the row enters at which the norm stops falling along that edge.

    Returns
    -------
    norm : ndarray of shape (k,)
        The value reached, infinite where the nearest rows are dependent.
    gap : ndarray of shape (k,)
        Certified relative error 1 - 1 / max |z_b|, by scaling z to a feasible dual point.
    """
    U, weight = denominator
    d = U.shape[1]
    size = np.abs(Y @ U.T)
    B = np.argpartition(size, d - 2, axis=1)[:, : d - 1]
    basis = np.concatenate([V[:, None, :], U[B]], axis=1)
    for i in np.flatnonzero(~(np.linalg.cond(basis) < _LARGEST_CONDITION)):
        B[i] = _independent_rows(U, V[i], size[i])
    norm, gap = np.full(len(V), np.inf), np.full(len(V), np.inf)
    active = np.arange(len(V))
    for _ in range(_MAX_PIVOTS):
        basis = np.concatenate([V[active, None, :], U[B[active]]], axis=1)
        regular = np.linalg.cond(basis) < _LARGEST_CONDITION
        active, inverse = active[regular], np.linalg.inv(basis[regular])
        r = inverse[:, :, 0] @ U.T
        np.put_along_axis(r, B[active], 0.0, axis=1)
        norm[active] = np.abs(r) @ weight
        forces = -np.einsum("kij,ki->kj", inverse, (np.sign(r) * weight) @ U)[:, 1:]
        z = forces / weight[B[active]]
        leaving = np.argmax(np.abs(z), axis=1)
        each = np.arange(len(active))
        excess = np.maximum(np.abs(z[each, leaving]), 1.0)
        gap[active] = 1.0 - 1.0 / excess
        going = np.flatnonzero(excess > 1.0 + 1e-12)
        if not going.size:
            break
        active, leaving = active[going], leaving[going]
        force = forces[going, leaving]
        edge = inverse[going, :, 1 + leaving] * np.sign(force)[:, None]
        slope = weight[B[active, leaving]] - np.abs(force)
        B[active, leaving] = _entering_rows(r[going], edge @ U.T, weight, slope, B[active])
    return norm, gap


def _independent_rows(U, v, size):
    """d - 1 rows of small size that are independent of v and of one another, by pivoted QR."""
    beside = U - np.outer(U @ v, v) / (v @ v)
    beside /= np.maximum(size, _FLOOR * size.max())[:, None]
    return qr(beside.T, mode="r", pivoting=True)[1][: U.shape[1] - 1]


def _entering_rows(r, g, weight, slope, B):
    """Row at which sum_k weight_k |r_k + t g_k|, t > 0, is least, for each row of r and g."""
    with np.errstate(divide="ignore", invalid="ignore"):
        t = -r / g
    t[~(t > 0)] = np.inf
    np.put_along_axis(t, B, np.inf, axis=1)
    n, count = t.shape[1], _CANDIDATES
    while True:  # few of the rows that vanish along the edge come before the one that stops it
        near = np.argsort(t, axis=1) if count >= n else _smallest(t, count)
        jump = 2 * np.take_along_axis(np.abs(g), near, axis=1) * weight[near]
        risen = slope[:, None] + np.cumsum(jump, axis=1) >= 0
        if count >= n or risen[:, -1].all():
            return near[np.arange(len(near)), np.argmax(risen, axis=1)]
        count *= 8


def _smallest(t, count):
    """Positions of the `count` smallest entries of each row of t, in increasing order."""
    some = np.argpartition(t, count - 1, axis=1)[:, :count]
    order = np.argsort(np.take_along_axis(t, some, axis=1), axis=1)
    return np.take_along_axis(some, order, axis=1)


def without_parallel_rows(denominator, p):
    """The same sum of p-th powers, with rows that are multiples of one another put together."""
    U, weight = denominator
    length = np.linalg.norm(U, axis=1)
    kept = length > 0
    U, weight, length = U[kept], weight[kept], length[kept]
    direction = U / length[:, None]
    first = np.argmax(np.abs(direction) > 1e-6, axis=1)
    direction *= np.sign(direction[np.arange(len(U)), first])[:, None]
    _, index, group = np.unique(
        direction.round(9) + 0.0, axis=0, return_index=True, return_inverse=True
    )
    return Denominator(direction[index], np.bincount(group.ravel(), weight * length**p))


def linear_program(denominator, target):
    """max lambda such that U^T (weight z) = lambda v, |z_k| <= 1: the dual of min ||U y||_1."""
    if not target.any():
        return 0.0
    U, weight = denominator
    n = len(U)
    equations = hstack([csc_array(U.T * weight), csc_array(-target[:, None])], format="csc")
    bounds = np.column_stack([np.r_[-np.ones(n), 0.0], np.r_[np.ones(n), np.inf]])
    solution = linprog(np.r_[np.zeros(n), -1.0], A_eq=equations, b_eq=np.zeros(len(target)),
                       bounds=bounds, method="highs")  # fmt: skip
    if solution.status != 0:
        raise RuntimeError(f"the linear program of a sensitivity failed: {solution.message}")
    return min(1.0, -1.0 / solution.fun)
