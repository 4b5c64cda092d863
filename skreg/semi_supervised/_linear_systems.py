"""Label propagation with half the square as coupling: linear systems on a graph.

With hard labels, the values F of the unlabelled nodes u minimise sum_{i < j} w_ij (F_i - F_j)^2 / 2
for every class at once (Zhu, Ghahramani and Lafferty 2003):

    (D - W)_uu F_u = W_ul Y_l,             D = diag(W 1).

With soft labels, every node is free, S = D^{-1/2} W D^{-1/2} (Zhou et al. 2004):

    (I - alpha S) F = (1 - alpha) Y.

Both are systems of means of neighbours (see `_elimination`), which the second becomes for
D^{-1/2} F."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
from scipy.sparse.linalg import cg

from skreg._summary import summary
from skreg.optim.descent import BlockCoordinateDescent, GraphQuadratic
from skreg.semi_supervised._elimination import values_by_elimination
from skreg.semi_supervised._values import Values

MAX_DIRECT = 3000
DENSE_BLOCK = 64
MAX_ROUNDS = 20
ROUNDING = 100 * np.finfo(np.float64).eps


class System(NamedTuple):
    """Nodes whose values are means: s_i F_i = sum_j w_ij F_j + b_i, s_i = sum_j w_ij + g_i.

    Where `ground` g is the sum of b over the classes, the values of a node add up to one.
    """

    W: np.ndarray | scipy.sparse.csr_array
    ground: np.ndarray
    B: np.ndarray

    def __repr__(self) -> str:
        return summary(self)

    @property
    def total(self) -> np.ndarray:
        """The s."""
        return _row_sums(self.W) + self.ground


def hard_system(W: Any, Y: np.ndarray, labelled: np.ndarray) -> System:
    """`System` of the harmonic values of the unlabelled nodes."""
    rows = W[~labelled]
    B = rows[:, labelled] @ Y[labelled]
    return System(rows[:, ~labelled], B.sum(axis=1), B)


def soft_system(W: Any, Y: np.ndarray, alpha: float) -> tuple[System, np.ndarray]:
    """`System` of D^{-1/2} F when labels may be overruled, and D^{1/2}; D_ii = 1 without edges."""
    degree = _row_sums(W)
    root = np.sqrt(np.where(degree > 0.0, degree, 1.0))
    system = System(alpha * W, (1.0 - alpha) * root**2, (1.0 - alpha) * root[:, None] * Y)
    return system, root[:, None]


def _row_sums(W):
    return np.asarray(W.sum(axis=1)).reshape(-1)


def choose_solver(solver: str, coupling: str, n_free: int) -> str:
    """The solver that "auto" means: direct for small systems, conjugate gradients for large ones.

    On quadratics block coordinate descent loses to both; it solves what they cannot.
    """
    if solver != "auto":
        return solver
    if coupling == "huber":
        return "descent"
    return "direct" if n_free <= MAX_DIRECT else "cg"


def solve_system(
    system: System,
    solver: str,
    tol: float,
    max_iter: int,
    count: Callable[..., None],
    *,
    sum_to_one: bool,
) -> Values:
    """Values of a `System`, as `Values`; `count` is called after every iteration."""
    if solver == "direct":
        F = values_by_elimination(*system)
        return Values(F, 1, largest_defect(system, F, sum_to_one))
    return _refined(system, solver, tol, max_iter, sum_to_one, count)


def _refined(system, solver, tol, max_iter, sum_to_one, count):
    """Iterative solutions for the residual, until all equations hold.

    The solvers stop by the norm of the residual, to which nodes that hang on weak edges or are far
    from labels hardly contribute; so the outcome is measured at every node, and corrected while
    that helps. Soft labels fade with the distance, to values below the rounding error of others:
    there sweeps finish, which add no negative numbers.
    """
    root = np.sqrt(system.total)[:, None]
    A = _normalised(system, root[:, 0])
    b = system.B / root
    solve = _conjugate_gradients if solver == "cg" else _descent
    x, n_iter, reached = np.zeros(b.shape), 0, np.inf
    for _ in range(MAX_ROUNDS):
        correction, n_more = solve(A, b - A @ x, tol, max_iter - n_iter, count)
        n_iter += n_more
        residual = largest_defect(system, (x + correction) / root, sum_to_one)
        if not (np.isfinite(correction).all() and residual <= reached):
            break
        stalls = np.isfinite(reached) and residual > 0.5 * reached
        x, reached = x + correction, residual
        if reached <= tol or stalls or n_iter >= max_iter:
            break
    F = x / root
    if reached <= tol or sum_to_one:
        return Values(F, n_iter, reached)
    return _swept(system, np.maximum(F, 0.0), tol, max_iter, n_iter, count)


def _swept(system, F, tol, max_iter, n_iter, count):
    """Every value replaced by the mean that it should be, again and again (Zhou et al. 2004)."""
    reached = largest_defect(system, F, sum_to_one=False)
    while reached > tol and n_iter < max_iter:
        F, n_iter = _means(system, F), n_iter + 1
        reached = largest_defect(system, F, sum_to_one=False)
        count()
    return Values(F, n_iter, reached)


def _means(system, F):
    return (system.W @ F + system.B) / system.total[:, None]


def _normalised(system, root):
    """I - D^{-1/2} W D^{-1/2}, D = diag(s)."""
    if scipy.sparse.issparse(system.W):
        scale = scipy.sparse.diags_array(1.0 / root)
        identity = scipy.sparse.eye_array(len(root))
        return scipy.sparse.csr_array(identity - scale @ system.W @ scale)
    return np.eye(len(root)) - system.W / root / root[:, None]


def _conjugate_gradients(A, B, tol, max_iter, count):
    X, n_iter = np.empty(B.shape), 1
    for k in range(B.shape[1]):
        calls = _Calls(count)
        with np.errstate(all="ignore"):  # a breakdown shows in `largest_defect`
            X[:, k] = cg(A, B[:, k], rtol=tol, maxiter=max_iter, callback=calls)[0]
        n_iter = max(n_iter, calls.n)
    return X, n_iter


def _descent(A, B, tol, max_iter, count):
    method = BlockCoordinateDescent(tol=tol, max_iter=max_iter, callback=count)
    if not scipy.sparse.issparse(A):  # a dense graph has no forests worth the name
        size = min(DENSE_BLOCK, len(A))
        method = method._replace(selection="gsd", update="matrix", block_size=size)
    # rounding must not make A indefinite; what the shift changes, `_refined` corrects
    A = scipy.sparse.csr_array(A + ROUNDING * scipy.sparse.eye_array(A.shape[0]))
    found = [method.minimize(GraphQuadratic(A, b)) for b in B.T]
    return np.column_stack([result.x for result in found]), max(result.nit for result in found)


class _Calls:
    """Calls `count`, and knows how often."""

    def __init__(self, count):
        self.count, self.n = count, 0

    def __call__(self, _):
        self.n += 1
        self.count()


def largest_defect(system: System, F: np.ndarray, sum_to_one: bool) -> float:
    """Largest difference of a value from the mean that it should be, relative to its node's sum.

    Where the values of a node add up to one at the solution, so do differences from that count:
    the solver does not know of it, and a cluster that hangs on weak edges shows only there.
    """
    size = F.sum(axis=1)
    mean = _means(system, F)
    with np.errstate(divide="ignore", invalid="ignore"):
        defect = np.max(np.abs(F - mean), axis=1) / np.maximum(size, 0.0)
    if sum_to_one:
        defect = np.maximum(defect, np.abs(size - 1.0))
    return float(np.max(np.where(np.isnan(defect), np.inf, defect), initial=0.0))
