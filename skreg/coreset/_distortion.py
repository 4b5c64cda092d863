"""How far the p-th powers of a weighted subset are from those of all rows."""

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import eigvalsh
from scipy.optimize import minimize
from sklearn.utils import check_random_state

from skreg._sklearn import Interval, validate_params
from skreg.coreset._checks import checked_indices, checked_power, checked_rows, require_tall
from skreg.coreset._lewis import lewis_of_rows
from skreg.coreset._rows import Rows, block_slices, dense, dense_block, image, take
from skreg.coreset._whitening import whitening

_N_HEAVY = 40  # rows of largest score whose maximisers are probed
_REFINE_ITER = 20


@validate_params(
    {
        "n_probes": [Interval(Integral, 1, None, closed="left")],
        "refine": ["boolean"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def subspace_distortion(
    X: Any,
    indices: ArrayLike,
    weight: ArrayLike,
    p: float,
    *,
    n_probes: int = 300,
    refine: bool = True,
    sample_weight: ArrayLike | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> float:
    r"""Distortion of all p-th powers :math:`\|A x\|_p^p` by a weighted subset of the rows.

    .. math::
        \epsilon = \max_x \left| \frac{\sum_k v_k |a_{i_k}^\top x|^p}{\|A x\|_p^p} - 1 \right|

    For p = 2 this is exact, from eigenvalues. Otherwise the problem is not convex and the result is
    a lower bound: the best of the maximisers :math:`Q^{-1} a_i` of the 40 heaviest
    rows and of `n_probes` random directions, improved by L-BFGS from the best and the worst of
    them.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n, d)
        The matrix A, all of it: the distortion on the subset alone means nothing.
    indices : array-like of int of shape (m,)
        The rows of the subset.
    weight : array-like of shape (m,)
        Their weights :math:`v_k`, including those of the data.
    p : float
        The power, p >= 1.
    n_probes : int, default=300
        Number of random directions, for p other than 2.
    refine : bool, default=True
        Improve the extreme directions by L-BFGS.
    sample_weight : array-like of shape (n,), default=None
        Weights of the p-th powers of all rows.
    random_state : int, RandomState instance or None, default=None
        Seed of the directions.

    Returns
    -------
    float
        The distortion :math:`\epsilon`, or a lower bound of it.

    Raises
    ------
    ValueError
        If p < 1, if X has NaN or infinity, or if indices and weight are not valid or do not fit
        together.

    See Also
    --------
    SensitivitySampler : Draws such subsets.

    Examples
    --------
    >>> from skreg.coreset import subspace_distortion
    >>> X = [[1.0, 0.0], [0.0, 1.0], [0.0, 2.0], [1.0, 0.0]]
    >>> round(subspace_distortion(X, [0, 1, 2], [2.0, 1.0, 1.0], p=2), 6)
    0.0
    >>> round(subspace_distortion(X, [0, 1, 2], [1.0, 1.0, 1.0], p=2), 6)
    0.5
    """
    p = checked_power(p, 1)
    A = checked_rows(X, p, sample_weight)
    require_tall(A)
    kept = checked_indices(indices, A.n_rows, "indices")
    factor = np.asarray(weight, dtype=np.float64)
    if kept.shape != factor.shape:
        raise ValueError(
            f"indices and weight must be vectors of one length; got shapes {kept.shape} "
            f"and {factor.shape}"
        )
    if not (np.isfinite(factor) & (factor >= 0)).all():
        raise ValueError("weight must be finite and not negative")
    return distortion_of_rows(A, kept, factor, p, n_probes, refine, random_state)


def distortion_of_rows(A, indices, weight, p, n_probes=300, refine=True, random_state=None):
    """Distortion of `Rows`, of which A.scale belongs to the full sum only."""
    if p == 2:
        W = whitening(A)
        kept = image(_subset(A, indices), W) * np.sqrt(weight)[:, None]
        spectrum = eigvalsh(kept.T @ kept)
        return float(np.abs(spectrum - 1.0).max(initial=0.0))
    lewis = lewis_of_rows(A, p, 1e-2, 50)
    if not lewis.W.size:  # A is zero
        return 0.0
    return distortion_in_basis(
        A._replace(basis=lewis.whitening), lewis.weights, indices, weight, p, n_probes, refine,
        random_state,
    )  # fmt: skip


def distortion_in_basis(
    A, scores, indices, weight, p, n_probes=300, refine=True, random_state=None
):
    """As `distortion_of_rows`, where the columns of A are those in which Q = I."""
    rng = check_random_state(random_state)
    kept = dense(_subset(A, indices))
    heavy = np.argsort(scores)[-_N_HEAVY:]
    probes = np.concatenate([dense(take(A, heavy)), rng.standard_normal((n_probes, A.n_columns))])
    probes = probes[np.linalg.norm(probes, axis=1) > 0]
    ratio = _kept_powers(kept, weight, probes.T, p) / _powers(A, probes.T, p)
    up, down = ratio.max(), ratio.min()
    if refine and down > 0:
        up = max(up, _refined(A, kept, weight, p, probes[np.argmax(ratio)], 1.0))
        down = min(down, _refined(A, kept, weight, p, probes[np.argmin(ratio)], -1.0))
    return float(max(up - 1.0, 1.0 - down))


def _subset(A, indices):
    """Rows of a coreset, whose weights include those of the data."""
    return take(A._replace(scale=None), indices)


def _kept_powers(kept, weight, x, p):
    """sum_k v_k |a_k^T x|^p for each column of x."""
    return weight @ np.abs(kept @ x) ** p


def _powers(A, x, p):
    """||A x||_p^p for each column of x."""
    total = np.zeros(x.shape[1])
    for rows in block_slices(A.n_rows, max(A.n_columns, x.shape[1])):
        total += (np.abs(dense_block(A, rows) @ x) ** p).sum(axis=0)
    return total


def _power_and_gradient(A, x, p):
    value, gradient = 0.0, np.zeros(len(x))
    for rows in block_slices(A.n_rows, A.n_columns):
        part = dense_block(A, rows)
        z = part @ x
        size = np.abs(z) ** (p - 1.0)
        value += np.abs(z) @ size
        gradient += p * (part.T @ (size * np.sign(z)))
    return value, gradient


def _refined(A, kept, weight, p, start, sign):
    """The largest (sign = 1) or smallest ratio that L-BFGS finds, on the logarithm of the ratio."""
    subset = Rows(kept, None, weight ** (1 / p))

    def objective(x):
        numerator, up = _power_and_gradient(subset, x, p)
        denominator, down = _power_and_gradient(A, x, p)
        if numerator <= 0.0:
            return np.inf, np.zeros_like(x)
        value = np.log(numerator) - np.log(denominator)
        return -sign * value, -sign * (up / numerator - down / denominator)

    start = start / np.linalg.norm(start)
    found = minimize(
        objective, start, jac=True, method="L-BFGS-B", options={"maxiter": _REFINE_ITER}
    )
    return np.exp(-sign * found.fun)
