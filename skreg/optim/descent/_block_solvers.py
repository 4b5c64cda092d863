"""Solving for one block: linear systems, cubic models, quadratic models with a penalty."""

import numpy as np
import scipy.sparse
from scipy.linalg import pinvh
from scipy.linalg.lapack import dpotrf, dpotrs

from skreg.optim.descent._forest import factorise_forest, root_forest, solve_forest
from skreg.optim.kernels._blocks import scan
from skreg.optim.kernels._coordinate_descent import descend_gram
from skreg.optim.kernels._newton import descend_face
from skreg.optim.solver._gram import largest_eigenvalues

DENSE_EIGENVALUES = 500
NEARLY_SINGULAR = 1e-12  # squared ratio of Cholesky pivots below which a pseudo-inverse is taken
MODEL_TOL = 1e-13
MODEL_ROUNDS = 200
MODEL_PASSES = 5


def factorise(hessian):
    """Function r -> H^+ r of a positive semi-definite matrix.

    A sparse H whose graph has no cycle is eliminated exactly in linear time, another sparse one by
    a sparse LU; a dense one by Cholesky, or by its pseudo-inverse if it is singular.
    """
    if scipy.sparse.issparse(hessian):
        return factorise_sparse(hessian)
    factor, info = dpotrf(hessian, lower=1)
    pivots = np.diagonal(factor) ** 2
    if info == 0 and (len(pivots) == 0 or pivots.min() > NEARLY_SINGULAR * pivots.max()):
        return lambda r: dpotrs(factor, r, lower=1)[0]
    inverse = pinvh(hessian)
    return lambda r: inverse @ r


def factorise_sparse(hessian):
    """`factorise` of a sparse positive definite matrix."""
    forest = root_forest(hessian, np.arange(hessian.shape[0]))
    if forest is not None:
        return forest_solver(forest)
    return scipy.sparse.linalg.splu(scipy.sparse.csc_array(hessian)).solve


def forest_solver(forest):
    """Function r -> H^{-1} r by message passing on the forest's own nodes 0, 1, .."""
    factor = factorise_forest(forest)

    def solve(rhs):
        out = np.empty(rhs.shape)
        solve_forest(*factor, np.ascontiguousarray(rhs), out)
        return out

    return solve


def largest_eigenvalue(hessian):
    """Largest eigenvalue, rounded up; of large sparse matrices at most Gershgorin's bound."""
    if not scipy.sparse.issparse(hessian):
        return float(largest_eigenvalues(hessian, np.array([0, len(hessian)]))[0])
    gershgorin = float(abs(hessian).sum(axis=1).max())
    if hessian.shape[0] <= DENSE_EIGENVALUES:
        dense = hessian.toarray()
        return float(largest_eigenvalues(dense, np.array([0, len(dense)]))[0])
    if hessian.nnz == hessian.shape[0]:
        return gershgorin
    start = np.ones(hessian.shape[0])
    value = scipy.sparse.linalg.eigsh(hessian, 1, v0=start, tol=1e-6, return_eigenvectors=False)
    return min(float(value[0]) * (1.0 + 1e-5), gershgorin)


def cubic_step(hessian, gradient, third):
    """argmin_d g^T d + d^T H d / 2 + M ||d||^3 / 6.

    The minimiser solves (H + lambda I) d = -g with lambda = M ||d|| / 2 (Nesterov and Polyak
    2006); lambda is the root of an increasing function, found by bisection and Newton steps.
    """
    values, vectors = np.linalg.eigh(hessian)
    values = np.maximum(values, 0.0)
    g = vectors.T @ gradient
    norm = np.linalg.norm(g)
    if norm == 0.0:
        return np.zeros_like(g)
    if third == 0.0:
        flat = values <= 1e-12 * values[-1]
        return -vectors @ np.where(flat, 0.0, g / np.where(flat, 1.0, values))
    # lambda^2 <= M ||g|| / 2 because (lambda + values) ||d|| >= lambda 2 lambda / M
    low, high = 0.0, np.sqrt(0.5 * third * norm) * (1.0 + 1e-12)
    shift = high
    for _ in range(100):
        size = np.linalg.norm(g / (values + shift))
        excess = shift - 0.5 * third * size
        if abs(excess) <= 1e-15 * shift:
            break
        if excess > 0.0:
            high = shift
        else:
            low = shift
        slope = 1.0 + 0.5 * third * np.sum(g**2 / (values + shift) ** 3) / size
        shift = shift - excess / slope
        if not low < shift < high:
            shift = 0.5 * (low + high)
    return -vectors @ (g / (values + shift))


def cubic_decrease(hessian, gradient, third):
    """Decrease of that model at its minimiser."""
    step = cubic_step(hessian, gradient, third)
    size = np.linalg.norm(step)
    return -float(gradient @ step + 0.5 * step @ hessian @ step + third * size**3 / 6.0)


def penalised_model_step(hessian, gradient, x, penalty, starts, ids):
    """argmin_d g^T d + d^T H d / 2 + penalty(x + d) over one block, to rounding.

    Passes of coordinate descent find the support, Newton steps on it finish.
    """
    hessian = hessian.toarray() if scipy.sparse.issparse(hessian) else hessian
    hessian = np.ascontiguousarray(hessian)
    n, n_units = len(x), len(ids)
    lipschitz = largest_eigenvalues(hessian, starts)
    order, members = np.arange(n_units), np.arange(n)
    coef, slope = x[None].copy(), gradient[None].copy()
    distance, gauge = np.zeros(n_units), np.zeros(n_units)
    weights = penalty.weights[ids]
    fixed = ((weights == 0.0) | (penalty.alpha == 0.0)) & (lipschitz > 0.0)
    magnitude = float(np.abs(gradient) @ np.abs(x)) + 0.5 * float(x @ hessian @ x)
    scale = max(np.abs(gradient).max(initial=0.0), np.abs(hessian @ x).max(initial=0.0))
    live = lipschitz > 0.0
    for n_round in range(MODEL_ROUNDS):
        descend_gram(
            penalty, hessian, n, lipschitz, starts, ids, order, MODEL_PASSES, 0.0, coef, slope
        )
        if n_round > 0:
            coef, _ = descend_face(hessian, penalty, starts, ids, coef, slope, magnitude, fixed)
            slope = (gradient + hessian @ (coef[0] - x))[None]
        scan(penalty, starts, members, order, ids, coef, -slope, distance, gauge)
        if distance[live].max(initial=0.0) <= MODEL_TOL * scale:
            break
    return coef[0] - x
