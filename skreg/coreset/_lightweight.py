"""Lightweight coresets for k-means."""

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array

from skreg._sklearn import Interval, validate_params
from skreg.coreset._rows import Rows, squared_distances_to_mean
from skreg.rows import checked_weights


@validate_params(
    {
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def lightweight_coreset(
    X: Any,
    n_samples: int,
    *,
    sample_weight: ArrayLike | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    r"""Lightweight coreset for k-means clustering.

    `n_samples` rows are drawn with replacement, with probabilities

    .. math:: q_i = \frac12 \frac{\omega_i}{\sum_j \omega_j}
                  + \frac12 \frac{\omega_i \|x_i - \mu\|^2}{\sum_j \omega_j \|x_j - \mu\|^2},

    :math:`\mu` the weighted mean; a row that comes k times gets the weight
    :math:`k \omega_i / (m q_i)`. The k-means cost of all centres is kept up to a relative error
    :math:`\epsilon` plus :math:`\epsilon` times the cost of the mean.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n, d)
        The rows.
    n_samples : int
        Number of draws m; of the order :math:`d k \log k / \epsilon^2` for k clusters.
    sample_weight : array-like of shape (n,), default=None
        Weights :math:`\omega_i` of the rows.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws.

    Returns
    -------
    indices : ndarray of shape (m',)
        The distinct rows that were drawn, m' <= m.
    weight : ndarray of shape (m',)
        Their weights, for `sklearn.cluster.KMeans.fit(X[indices], sample_weight=weight)`.

    Raises
    ------
    ValueError
        If X has NaN or infinity, or if weights are negative or all zero.

    References
    ----------
    .. [1] O. Bachem, M. Lucic, A. Krause, "Scalable k-Means Clustering via Lightweight Coresets",
       KDD 2018, Algorithm 1.

    Examples
    --------
    >>> from sklearn.cluster import KMeans
    >>> from sklearn.datasets import make_blobs
    >>> from skreg.coreset import lightweight_coreset
    >>> X, _ = make_blobs(5000, centers=4, random_state=0)
    >>> indices, weight = lightweight_coreset(X, 400, random_state=0)
    >>> small = KMeans(4, n_init=3, random_state=0).fit(X[indices], sample_weight=weight)
    >>> full = KMeans(4, n_init=3, random_state=0).fit(X)
    >>> bool(small.score(X) / full.score(X) < 1.05)
    True
    """
    X = check_array(X, accept_sparse="csr", dtype=[np.float64, np.float32])
    omega = checked_weights(sample_weight, X)
    share = omega / omega.sum()
    spread = share * squared_distances_to_mean(Rows(X), share)
    total = spread.sum()
    q = 0.5 * share + 0.5 * spread / total if total > 0 else share
    counts = np.random.default_rng(check_random_state(random_state).randint(2**31)).multinomial(
        n_samples, q / q.sum()
    )
    indices = np.flatnonzero(counts)
    return indices, counts[indices] * omega[indices] / (n_samples * q[indices])
