"""Label propagation as linear systems and convex problems on a graph.

With hard labels, the values F of the unlabelled nodes u minimise sum_{i < j} w_ij (F_i - F_j)^2 / 2
for every class at once (Zhu, Ghahramani and Lafferty 2003):

    (D - W)_uu F_u = W_ul Y_l,             D = diag(W 1).

With soft labels, every node is free, S = D^{-1/2} W D^{-1/2} (Zhou et al. 2004):

    (I - alpha S) F = (1 - alpha) Y.

Both matrices are symmetric and positive definite. With Huber's function h in place of the square,
no single edge counts for more than delta times its weight.
"""

from typing import NamedTuple

import numpy as np
import scipy.linalg
import scipy.sparse
from scipy.sparse.linalg import cg, splu

from skreg.optim.descent import BlockCoordinateDescent, GraphHuber, GraphQuadratic

MAX_DIRECT = 3000
DENSE_BLOCK = 64


class Values(NamedTuple):
    """Values of the free nodes, one column per class, and how they were found.

    Attributes
    ----------
    values : ndarray of shape (n_free, n_classes)
        Values.
    n_iter : int
        Largest number of iterations of a class; 1 for a direct solve.
    residual : float
        Largest relative residual of the optimality conditions of a class.
    """

    values: np.ndarray
    n_iter: int
    residual: float


def hard_system(W, Y, labelled):
    """(A, B) of the harmonic values of the unlabelled nodes."""
    rows = W[~labelled]
    degree = np.asarray(rows.sum(axis=1)).reshape(-1)
    inner = rows[:, ~labelled]
    if scipy.sparse.issparse(W):
        A = scipy.sparse.csr_array(scipy.sparse.diags_array(degree) - inner)
    else:
        A = np.diag(degree) - inner
    return A, rows[:, labelled] @ Y[labelled]


def soft_system(W, Y, alpha):
    """(A, B) of the values of all nodes when labels may be overruled."""
    degree = np.asarray(W.sum(axis=1)).reshape(-1)
    root = np.where(degree > 0.0, 1.0 / np.sqrt(np.where(degree > 0.0, degree, 1.0)), 0.0)
    if scipy.sparse.issparse(W):
        scale = scipy.sparse.diags_array(root)
        A = scipy.sparse.csr_array(scipy.sparse.eye_array(len(root)) - alpha * (scale @ W @ scale))
    else:
        A = np.eye(len(root)) - alpha * (root[:, None] * W * root)
    return A, (1.0 - alpha) * Y


def choose_solver(solver, coupling, n_free):
    """The solver that "auto" means: direct for small systems, conjugate gradients for large ones.

    On quadratics block coordinate descent loses to both; it solves what they cannot.
    """
    if solver != "auto":
        return solver
    if coupling == "huber":
        return "descent"
    return "direct" if n_free <= MAX_DIRECT else "cg"


def solve_system(A, B, solver, tol, max_iter):
    """Solution of A F = B, as `Values`."""
    if solver == "direct":
        if scipy.sparse.issparse(A):
            F = splu(A.tocsc()).solve(B)
        else:
            F = scipy.linalg.solve(A, B, assume_a="pos")
        return Values(F, 1, relative_residual(A, F, B))
    if solver == "descent":
        method = BlockCoordinateDescent(tol=tol, max_iter=max_iter)
        if not scipy.sparse.issparse(A):  # a dense graph has no forests worth the name
            size = min(DENSE_BLOCK, len(A))
            method = method._replace(selection="gsd", update="matrix", block_size=size)
        A = scipy.sparse.csr_array(A)
        return _collect([method.minimize(GraphQuadratic(A, b)) for b in B.T])
    inverse_diagonal = 1.0 / A.diagonal()
    n = len(inverse_diagonal)
    jacobi = scipy.sparse.linalg.LinearOperator((n, n), lambda v: inverse_diagonal * v)
    F, n_iter = np.empty(B.shape), 1
    for k in range(B.shape[1]):
        count = _Counter()
        F[:, k] = cg(A, B[:, k], rtol=tol, maxiter=max_iter, M=jacobi, callback=count)[0]
        n_iter = max(n_iter, count.calls)
    return Values(F, n_iter, relative_residual(A, F, B))


class _Counter:
    """Counts its calls."""

    def __init__(self):
        self.calls = 0

    def __call__(self, _):
        self.calls += 1


def relative_residual(A, F, B):
    """Largest ||A f - b|| / ||b|| of a class, in the Euclidean norm."""
    norms = np.linalg.norm(B, axis=0)
    residual = np.linalg.norm(A @ F - B, axis=0)
    return float(np.max(residual / np.where(norms > 0.0, norms, 1.0), initial=0.0))


def huber_values(W, Y, labelled, delta, tol, max_iter):
    """Values of the unlabelled nodes with Huber couplings, as `Values`.

    Two classes are one problem: the function is even, so that F_0 = 1 - F_1.
    """
    method = BlockCoordinateDescent(tol=tol, max_iter=max_iter)
    results = []
    for k in range(1 if Y.shape[1] == 2 else 0, Y.shape[1]):
        values = np.where(labelled, Y[:, k], np.nan)
        results.append(method.minimize(GraphHuber(W, values, delta)))
    found = _collect(results)
    if Y.shape[1] == 2:
        F = found.values[:, 0]
        found = found._replace(values=np.column_stack([1.0 - F, F]))
    return found


def _collect(results):
    return Values(
        np.column_stack([result.x for result in results]),
        max(result.nit for result in results),
        max(result.certificate for result in results),
    )
