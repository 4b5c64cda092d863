"""Leverage scores: tau_i = a_i^T (A^T A)^+ a_i, and what is made from them."""

from numbers import Real
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import assert_all_finite, check_random_state

from skreg._jit import kernel
from skreg._sklearn import Interval, StrOptions, validate_params
from skreg.coreset._checks import checked_power, checked_rows, require_finite, require_tall
from skreg.coreset._rows import block_slices, dense_block, gram, squared_norms
from skreg.coreset._whitening import (
    cholesky_whitening,
    qr_whitening,
    sketched_whitening,
    svd_whitening,
    triangular_factor,
    whitening,
)


@validate_params(
    {
        "ridge": [Interval(Real, 0, None, closed="left")],
        "method": [StrOptions({"auto", "cholesky", "qr", "svd", "sketch"})],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def leverage_scores(
    X: Any,
    *,
    ridge: float = 0.0,
    sample_weight: ArrayLike | None = None,
    method: Literal["auto", "cholesky", "qr", "svd", "sketch"] = "auto",
    random_state: int | np.random.RandomState | None = None,
) -> np.ndarray:
    r"""Leverage scores of the rows of a matrix.

    .. math::
        \tau_i = a_i^\top (A^\top A + \lambda I)^{+} a_i
               = \max_x \frac{(a_i^\top x)^2}{\|A x\|_2^2 + \lambda \|x\|_2^2}

    They lie in [0, 1]. For :math:`\lambda = 0` they are the diagonal of the hat matrix, are
    unchanged by any invertible transformation of the columns, and add up to the rank of A.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n, d)
        The matrix A. No copy of it is made if its type is float64 or float32; sums are taken in
        float64.
    ridge : float, default=0.0
        The ridge :math:`\lambda`, in squared units of X.
    sample_weight : array-like of shape (n,), default=None
        Weights :math:`\omega_i \geq 0`; the scores are then those of :math:`\omega_i^{1/2} a_i`.
    method : {"auto", "cholesky", "qr", "svd", "sketch"}, default="auto"
        How the columns are made orthonormal. "cholesky" uses the Gram matrix, the fastest way;
        "qr" is rank-revealing, and "svd" too; both read the rows in blocks. "auto" is "cholesky"
        unless the condition number of A, with columns of unit norm, may exceed 1e7, and "qr" then.
        "sketch" gives scores within a constant factor (about two), from a sparse embedding
        and a Gaussian projection to :math:`8 \log n` dimensions; it pays from a few hundred
        columns.
    random_state : int, RandomState instance or None, default=None
        Seed of "sketch".

    Returns
    -------
    ndarray of shape (n,)
        The scores :math:`\tau_i`.

    Raises
    ------
    ValueError
        If X has NaN, infinity or fewer rows than columns (at ridge=0), if a weight is negative, or
        if method="cholesky" meets a matrix whose columns are nearly dependent.

    See Also
    --------
    lewis_weights : Their counterpart in other norms.
    online_leverage_scores : Scores of a stream of rows.

    References
    ----------
    .. [1] D. P. Woodruff, T. Yasuda, "Sharper Bounds for l_p Sensitivity Sampling", ICML 2023.

    Examples
    --------
    >>> from skreg.coreset import leverage_scores
    >>> leverage_scores([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    array([0.5, 0.5, 1. ])
    """
    A = checked_rows(X, 2, sample_weight)
    if ridge == 0:
        require_tall(A)
    return leverage_of_rows(A, ridge=ridge, method=method, random_state=random_state)


def leverage_of_rows(A, *, ridge=0.0, method="auto", random_state=None):
    """Leverage scores of `Rows`; see `leverage_scores`."""
    if method == "auto":
        W = whitening(A, ridge)
    elif method == "cholesky":
        G = gram(A)
        require_finite(G, A)
        W = cholesky_whitening(G + ridge * np.eye(len(G)))
        if W is None:
            raise ValueError(
                "method='cholesky' needs columns that are linearly independent up to a "
                "condition number of 1e7; use method='auto', 'qr' or 'svd'"
            )
    elif method == "sketch":
        rng = check_random_state(random_state)
        rng = np.random.default_rng(rng.randint(2**31))
        W = sketched_whitening(A, rng, ridge)
        width = int(np.ceil(8 * np.log(A.n_rows)))
        if width < W.shape[1]:
            W = W @ (rng.standard_normal((W.shape[1], width)) / np.sqrt(width))
    else:
        R = triangular_factor(A, ridge)
        require_finite(R, A)
        W = (qr_whitening if method == "qr" else svd_whitening)(R, A.n_rows)
    return np.clip(squared_norms(A, W), 0.0, 1.0)


def root_leverage_scores(X: Any, p: float, *, sample_weight: ArrayLike | None = None) -> np.ndarray:
    r"""Root leverage scores :math:`\tau_i^{p/2}`, an upper bound of the sensitivities for p <= 2.

    For :math:`1 \leq p < 2` they satisfy :math:`n^{p/2-1} \tau_i^{p/2} \leq \sigma_i \leq
    \tau_i^{p/2}`, and cost no more than leverage scores. Their sum can be as large as
    :math:`n^{1-p/2} d^{p/2}`, which `root_leverage_coreset` brings down by recursion.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n, d)
        The matrix A.
    p : float
        The power, p >= 1.
    sample_weight : array-like of shape (n,), default=None
        Weights of the p-th powers; the scores are those of :math:`\omega_i^{1/p} a_i`.

    Returns
    -------
    ndarray of shape (n,)
        The scores.

    Raises
    ------
    ValueError
        If p < 1, or as `leverage_scores`.

    See Also
    --------
    root_leverage_coreset : Recursive sampling by these scores.

    Examples
    --------
    >>> from skreg.coreset import root_leverage_scores
    >>> root_leverage_scores([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], p=1)
    array([0.70710678, 0.70710678, 1.        ])
    """
    p = checked_power(p, 1)
    A = checked_rows(X, p, sample_weight)
    require_tall(A)
    return leverage_of_rows(A) ** (p / 2)


@validate_params(
    {"ridge": [Interval(Real, 0, None, closed="neither")]}, prefer_skip_nested_validation=True
)
def online_leverage_scores(X: Any, ridge: float) -> np.ndarray:
    r"""Ridge leverage of every row with respect to the rows before it.

    .. math:: \tau_i^{OL} = \min\{1, a_i^\top (A_{i-1}^\top A_{i-1} + \lambda I)^{-1} a_i\}

    A row's score is known when the row arrives, so that keeping or dropping it is final. It is
    never below the row's ridge leverage in the whole matrix, and all of them add up to at most
    :math:`\log_2 \det(A^\top A + \lambda I) - \log_2 \det(\lambda I)
    \leq d \log_2(1 + \|A\|_F^2 / (d \lambda))`.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n, d)
        The rows in the order of their arrival.
    ridge : float
        The ridge :math:`\lambda > 0`.

    Returns
    -------
    ndarray of shape (n,)
        The scores.

    Raises
    ------
    ValueError
        If X has NaN or infinity, or if ridge is not positive.

    See Also
    --------
    leverage_scores : Scores with respect to all rows.

    Examples
    --------
    >>> from skreg.coreset import online_leverage_scores
    >>> online_leverage_scores([[1.0], [1.0], [1.0]], ridge=1.0)
    array([1.        , 0.5       , 0.33333333])
    """
    A = checked_rows(X, 2)
    assert_all_finite(A.X, input_name="X")
    R = np.sqrt(ridge) * np.eye(A.n_columns)
    scores = np.empty(A.n_rows)
    for rows in block_slices(A.n_rows, A.n_columns):
        _online_scores(dense_block(A, rows), R, scores[rows])
    return scores


@kernel
def _online_scores(A, R, scores):
    """Scores ||z||^2, R^T z = a_i, with R^T R = A_{i-1}^T A_{i-1} + ridge I, R upper triangular.

    R is updated in place by Givens rotations: an inverse that is updated instead loses all digits
    where the ridge is small beside the rows.
    """
    n, d = A.shape
    rest, row = np.empty(d), np.empty(d)
    for i in range(n):
        for j in range(d):
            rest[j] = row[j] = A[i, j]
        leverage = 0.0
        for j in range(d):
            z = rest[j] / R[j, j]
            leverage += z * z
            for k in range(j + 1, d):
                rest[k] -= R[j, k] * z
        scores[i] = min(1.0, leverage)
        for j in range(d):
            length = np.hypot(R[j, j], row[j])
            cosine, sine = R[j, j] / length, row[j] / length
            R[j, j] = length
            for k in range(j + 1, d):
                above = R[j, k]
                R[j, k] = cosine * above + sine * row[k]
                row[k] = cosine * row[k] - sine * above
