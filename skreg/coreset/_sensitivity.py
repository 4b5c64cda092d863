"""l_p sensitivities: sigma_i = sup |a_i^T x|^p / ||A x||_p^p."""

from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state

from skreg._progress import progress
from skreg._sklearn import Interval, StrOptions, validate_params
from skreg.coreset._checks import checked_indices, checked_power, checked_rows, require_tall
from skreg.coreset._leverage import leverage_of_rows
from skreg.coreset._lewis import lewis_of_rows
from skreg.coreset._rows import dense, take
from skreg.coreset._sampling import bernoulli, hashed_uniform, water_filling
from skreg.coreset._sensitivity_solvers import Denominator, irls, linear_program

_NAME = "lp_sensitivities"
EXACT_ROWS = 5000  # above it method="auto" replaces ||A x||_p by its value on a Lewis coreset
_LEWIS_TOL, _LEWIS_ITER = 1e-2, 50


@validate_params(
    {
        "method": [StrOptions({"auto", "irls", "lp", "approx"})],
        "coreset_size": [None, Interval(Integral, 1, None, closed="left")],
        "block_size": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
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
    verbose: int = 0,
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
    verbose : int, default=0
        Show a progress bar if positive (needs tqdm): over batches of rows, with "lp" over rows,
        with "approx" over random sums.

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
    return sensitivities_of_rows(A, p, method, wanted, coreset_size, block_size, tol, rng, verbose)


def sensitivities_of_rows(A, p, method, wanted, coreset_size, block_size, tol, rng, verbose=0):
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
        return _block_bounds(whitened, denominator, p, block_size, tol, rng, verbose)[wanted]
    targets = dense(take(whitened, wanted))
    if method == "lp":
        rows = progress(targets, total=len(targets), verbose=verbose, by=_NAME, unit="row")
        return np.array([linear_program(denominator, target) for target in rows])
    return np.minimum(irls(denominator, targets, p, tol, verbose), 1.0)


def _denominator(A, weights, size, rng):
    if size is None or size >= A.n_rows:
        return Denominator(dense(A), np.ones(A.n_rows))
    q = water_filling(weights, size)
    kept = bernoulli(q, hashed_uniform(rng.randint(2**31), np.arange(A.n_rows)))
    return Denominator(dense(take(A, kept)), 1 / q[kept])


def _block_bounds(A, denominator, p, block_size, tol, rng, verbose):
    """est_i = max_j sigma(c_{B(i)}^j), c_B^j = sum_{i in B} r_i a_i with random signs r.

    By the symmetry of the signs, sigma(c_B^j) >= sigma_i with probability at least 1/2.
    """
    n = A.n_rows
    n_signs = int(np.ceil(np.log2(100.0 * n)))
    rows = dense(A)
    order = rng.permutation(n)
    starts = np.arange(0, n, block_size)
    bounds = np.zeros(len(starts))
    for _ in progress(range(n_signs), total=n_signs, verbose=verbose, by=_NAME, unit="sum"):
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
