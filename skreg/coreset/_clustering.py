"""How far the costs of clusterings on a coreset are from those on all rows."""

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.cluster import KMeans, kmeans_plusplus
from sklearn.metrics import pairwise_distances_argmin_min
from sklearn.utils import check_random_state

from skreg._sklearn import Interval, validate_params
from skreg.coreset._worst_error import largest_error, rows_and_coreset

LLOYD_STEPS = 10


@validate_params(
    {
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "n_probes": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def clustering_distortion(
    X: Any,
    X_kept: Any,
    weight: ArrayLike,
    n_clusters: int,
    *,
    n_probes: int = 10,
    sample_weight: ArrayLike | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> float:
    r"""Distortion of the k-means cost of all centres by a coreset, from below.

    .. math::
        \epsilon = \max_C \frac{|\phi_S(C) - \phi(C)|}{\frac12 \phi(C) + \frac12 \phi(\{\mu\})},
        \qquad \phi(C) = \sum_i \omega_i \min_{c \in C} \|x_i - c\|^2,

    with :math:`\phi_S` the cost on the coreset and :math:`\mu` the mean of all rows: the error that
    [1]_ bounds. The maximum is over the centres that k-means++ finds on all rows and on the
    coreset, and those that some steps of Lloyd's algorithm make of each, `n_probes` times: the
    centres that one meets, and a lower bound for all.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n, d)
        All rows.
    X_kept : {array-like, sparse matrix} of shape (m, d)
        Rows of the coreset.
    weight : array-like of shape (m,)
        Their weights, including those of the data.
    n_clusters : int
        Number of centres k, at most m.
    n_probes : int, default=10
        How often centres are drawn.
    sample_weight : array-like of shape (n,), default=None
        Weights :math:`\omega_i` of all rows.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws.

    Returns
    -------
    float
        The distortion, 0 if all rows are equal.

    Raises
    ------
    ValueError
        If input is not finite, weights are negative, numbers of columns differ, or there are fewer
        rows in the coreset than clusters.

    See Also
    --------
    SensitivitySampler : Draws such coresets with ``scores="distance"`` and ``floor=1``.
    mixture_distortion : The same for the likelihood of Gaussian mixtures.
    subspace_distortion : The same for l_p norms.

    References
    ----------
    .. [1] O. Bachem, M. Lucic, A. Krause, "Scalable k-Means Clustering via Lightweight Coresets",
       KDD 2018, Definition 1.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skreg.coreset import SensitivitySampler, clustering_distortion
    >>> X, _ = make_blobs(5000, centers=4, random_state=0)
    >>> sampler = SensitivitySampler(scores="distance", floor=1.0, n_samples=500, random_state=0)
    >>> X_kept, _, weight = sampler.fit_resample_weighted(X)
    >>> bool(clustering_distortion(X, X_kept, weight, 4, random_state=0) < 0.2)
    True
    """
    everything, subset = rows_and_coreset(
        X, X_kept, weight, sample_weight, n_clusters, "n_clusters", accept_sparse="csr"
    )
    share = everything[1] / everything[1].sum()
    of_mean = _cost(everything, np.asarray(share @ everything[0])[None])
    if of_mean == 0.0:
        return 0.0
    rng = check_random_state(random_state)
    return largest_error(
        (everything, subset),
        n_probes,
        lambda rows: _centres(rows, n_clusters, rng.randint(2**31)),
        _cost,
        lambda cost: 0.5 * cost + 0.5 * of_mean,
    )


def _centres(rows, n_clusters, seed):
    """Those of k-means++, and what some steps of Lloyd's algorithm make of them."""
    X, weight = rows
    first, _ = kmeans_plusplus(X, n_clusters, sample_weight=weight, random_state=seed)
    kmeans = KMeans(n_clusters, init=first, n_init=1, max_iter=LLOYD_STEPS, tol=0.0)
    return first, kmeans.fit(X, sample_weight=weight).cluster_centers_


def _cost(rows, centres):
    X, weight = rows
    return weight @ pairwise_distances_argmin_min(X, centres)[1].astype(np.float64) ** 2
