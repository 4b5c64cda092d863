"""l_p sensitivities: sigma_i = sup |a_i^T x|^p / ||A x||_p^p."""

from numbers import Integral, Real
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import qr
from scipy.optimize import linprog
from scipy.sparse import csc_array, hstack
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from skreg._sklearn import Interval, StrOptions, validate_params
from skreg._warnings import warn
from skreg.coreset._checks import checked_indices, checked_power, checked_rows, require_tall
from skreg.coreset._leverage import leverage_of_rows
from skreg.coreset._lewis import lewis_of_rows
from skreg.coreset._rows import dense, take
from skreg.coreset._sampling import bernoulli, hashed_uniform, water_filling

EXACT_ROWS = 5000  # above it method="auto" replaces ||A x||_p by its value on a Lewis coreset
_BATCH_ENTRIES = 2**21
_FLOOR = 1e-9  # of the largest |a_k^T x|, keeps the weights |a_k^T x|^{p-2} finite
_MAX_ITER = 100
_STEPS_TO_VERTEX, _MAX_PIVOTS = 20, 200  # at p = 1
_CANDIDATES = 64  # rows that are sorted at first to find where an edge ends
_LARGEST_CONDITION = 1e10
_LEWIS_TOL, _LEWIS_ITER = 1e-2, 50


class Denominator(NamedTuple):
    """Rows u_k of A W and weights v_k for which ||A W y||_p^p = sum_k v_k |u_k^T y|^p."""

    U: np.ndarray
    weight: np.ndarray


@validate_params(
    {
        "method": [StrOptions({"auto", "irls", "lp", "approx"})],
        "coreset_size": [None, Interval(Integral, 1, None, closed="left")],
        "block_size": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def lp_sensitivities(
    X: Any,
    p: float,
    *,
    method: Literal["auto", "irls", "lp", "approx"] = "auto",
    rows: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    coreset_size: int | None = None,
    block_size: int = 4,
    tol: float = 1e-6,
    random_state: int | np.random.RandomState | None = None,
) -> np.ndarray:
    r"""The l_p sensitivities of the rows of a matrix.

    .. math::
        \sigma_i = \sup_{A x \neq 0} \frac{|a_i^\top x|^p}{\|A x\|_p^p}
                 = \Bigl(\min_{a_i^\top x = 1} \|A x\|_p\Bigr)^{-p} \in [0, 1]

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n, d)
        The matrix A.
    p : float
        The power, p >= 1.
    method : {"auto", "irls", "lp", "approx"}, default="auto"
        "irls" minimises :math:`\|A x\|_p` by reweighted least squares for many rows at once, at a
        cost of order n^2 d^2 per iteration, followed at p = 1 by simplex steps, and by a linear
        program for rows whose vertex is degenerate; it never returns more than the sensitivity.
        "lp" solves one linear program per row, for p = 1. "approx" returns upper bounds, each of
        which fails with probability at most 1/(100 n): random signed sums over random blocks of
        `block_size` rows stand for these rows, so that fewer problems have to be solved. "auto"
        takes leverage scores for p = 2 and "irls" otherwise, with `coreset_size` set to
        :math:`20 d \log(d + 1)` for n > 5000.
    rows : array-like of int of shape (k,), default=None
        The rows whose sensitivities are wanted; all if None.
    sample_weight : array-like of shape (n,), default=None
        Weights of the p-th powers; the sensitivities are those of :math:`\omega_i^{1/p} a_i`.
    coreset_size : int, default=None
        Replace :math:`\|A x\|_p` by its value on a Lewis coreset of that size, with the
        relative error that its distortion allows. If None, all rows are used.
    block_size : int, default=4
        Number :math:`\alpha` of rows that share a problem with method="approx". The bounds add up
        to at most about :math:`\alpha^p` times the total sensitivity.
    tol : float, default=1e-6
        Relative accuracy of "irls".
    random_state : int, RandomState instance or None, default=None
        Seed of the coreset and of "approx".

    Returns
    -------
    ndarray of shape (n,) or (k,)
        The sensitivities.

    Raises
    ------
    ValueError
        If p < 1, if method="lp" and p is not 1, if X has NaN, infinity or fewer rows than columns,
        if a weight is negative, or if `rows` are not row numbers.

    Warns
    -----
    ConvergenceWarning
        If reweighted least squares did not reach `tol`.

    See Also
    --------
    lewis_weights : Bounds for a few Gram matrices.
    total_sensitivity : The sum of all sensitivities from a few of them.

    References
    ----------
    .. [1] D. P. Woodruff, T. Yasuda, "Sharper Bounds for l_p Sensitivity Sampling", ICML 2023,
       Definition 1.1.
    .. [2] S. Padmanabhan, D. P. Woodruff, Q. Zhang, "Computing Approximate l_p Sensitivities",
       NeurIPS 2023.

    Examples
    --------
    >>> from skreg.coreset import lp_sensitivities
    >>> lp_sensitivities([[1.0], [2.0], [3.0]], p=1).round(6)
    array([0.166667, 0.333333, 0.5     ])
    """
    p = checked_power(p, 1)
    if method == "lp" and p != 1:
        raise ValueError(f"method='lp' is for p=1; got p={p}. Use method='irls'")
    A = checked_rows(X, p, sample_weight)
    require_tall(A)
    wanted = np.arange(A.n_rows) if rows is None else checked_indices(rows, A.n_rows, "rows")
    rng = check_random_state(random_state)
    return sensitivities_of_rows(A, p, method, wanted, coreset_size, block_size, tol, rng)


def sensitivities_of_rows(A, p, method, wanted, coreset_size, block_size, tol, rng):
    """Sensitivities of `Rows`; see `lp_sensitivities`."""
    if method == "auto" and p == 2:
        return leverage_of_rows(A)[wanted]
    lewis = lewis_of_rows(A, p, _LEWIS_TOL, _LEWIS_ITER)
    d = lewis.W.shape[1]
    if coreset_size is None and method == "auto" and A.n_rows > EXACT_ROWS:
        coreset_size = int(np.ceil(20 * d * np.log(d + 1)))
    whitened = A._replace(basis=lewis.whitening)
    denominator = _denominator(whitened, lewis.weights, coreset_size, rng)
    if method == "approx":
        return _block_bounds(whitened, denominator, p, block_size, tol, rng)[wanted]
    targets = dense(take(whitened, wanted))
    if method == "lp":
        return np.array([_linear_program(denominator, target) for target in targets])
    return np.minimum(irls(denominator, targets, p, tol), 1.0)


def _denominator(A, weights, size, rng):
    if size is None or size >= A.n_rows:
        return Denominator(dense(A), np.ones(A.n_rows))
    q = water_filling(weights, size)
    kept = bernoulli(q, hashed_uniform(rng.randint(2**31), np.arange(A.n_rows)))
    return Denominator(dense(take(A, kept)), 1 / q[kept])


def irls(denominator, targets, p, tol):
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
    for start in range(0, len(nonzero), height):
        batch = nonzero[start : start + height]
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
            smallest[i], error[i] = 1 / _linear_program(denominator, V[i]), 0.0
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


def _linear_program(denominator, target):
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


def _block_bounds(A, denominator, p, block_size, tol, rng):
    """est_i = max_j sigma(c_{B(i)}^j), c_B^j = sum_{i in B} r_i a_i with random signs r.

    By the symmetry of the signs, sigma(c_B^j) >= sigma_i with probability at least 1/2.
    """
    n = A.n_rows
    n_signs = int(np.ceil(np.log2(100.0 * n)))
    rows = dense(A)
    order = rng.permutation(n)
    starts = np.arange(0, n, block_size)
    bounds = np.zeros(len(starts))
    for _ in range(n_signs):
        signs = rng.choice([-1.0, 1.0], size=n)[:, None]
        sums = np.add.reduceat(signs * rows[order], starts)
        bounds = np.maximum(bounds, irls(denominator, sums, p, tol))
    estimates = np.empty(n)
    estimates[order] = np.repeat(bounds, np.diff(np.r_[starts, n]))
    return np.minimum(estimates, 1.0)


@validate_params(
    {
        "n_probes": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def total_sensitivity(
    X: Any,
    p: float,
    n_probes: int = 32,
    *,
    sample_weight: ArrayLike | None = None,
    tol: float = 1e-6,
    random_state: int | np.random.RandomState | None = None,
) -> float:
    r"""The total sensitivity :math:`S = \sum_i \sigma_i`, from the sensitivities of a few rows.

    Rows are drawn with probability :math:`w_i / d`, w the Lewis weights, and
    :math:`\hat S = d \cdot \operatorname{mean}(\sigma_i / w_i)`. As :math:`\sigma_i / w_i` lies
    between 1 and :math:`d^{p/2-1}`, few draws suffice; for p = 2 the answer is the rank.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n, d)
        The matrix A.
    p : float
        The power, p >= 1.
    n_probes : int, default=32
        Number of draws.
    sample_weight : array-like of shape (n,), default=None
        Weights of the p-th powers.
    tol : float, default=1e-6
        Relative accuracy of the sensitivities that are computed.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws.

    Returns
    -------
    float
        An unbiased estimate of S.

    Raises
    ------
    ValueError
        As `lp_sensitivities`.

    See Also
    --------
    lp_sensitivities : All sensitivities.

    References
    ----------
    .. [1] S. Padmanabhan, D. P. Woodruff, Q. Zhang, "Computing Approximate l_p Sensitivities",
       NeurIPS 2023.

    Examples
    --------
    >>> from skreg.coreset import total_sensitivity
    >>> round(total_sensitivity([[1.0], [2.0], [3.0]], p=1, random_state=0), 6)
    1.0
    """
    p = checked_power(p, 1)
    A = checked_rows(X, p, sample_weight)
    require_tall(A)
    rng = check_random_state(random_state)
    lewis = lewis_of_rows(A, p, _LEWIS_TOL, _LEWIS_ITER)
    total = lewis.weights.sum()
    if total == 0.0:  # A is zero
        return 0.0
    probes = rng.choice(A.n_rows, size=n_probes, p=lewis.weights / total)
    unique, inverse = np.unique(probes, return_inverse=True)
    whitened = A._replace(basis=lewis.whitening)
    denominator = Denominator(dense(whitened), np.ones(A.n_rows))
    sigma = irls(denominator, denominator.U[unique], p, tol)
    return float(total * np.mean((sigma / lewis.weights[unique])[inverse]))
