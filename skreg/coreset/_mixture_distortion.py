"""How far the likelihoods of Gaussian mixtures on a coreset are from those on all rows."""

import warnings
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import log_softmax, logsumexp
from sklearn.cluster import KMeans, kmeans_plusplus
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from skreg._sklearn import Interval, validate_params
from skreg.coreset._clustering import LLOYD_STEPS
from skreg.coreset._mixture import WeightedGaussianMixture
from skreg.coreset._worst_error import largest_error, rows_and_coreset
from skreg.rows import chunk_slices, rows_per_chunk

_EM_STEPS = 10


class _Mixture(NamedTuple):
    """Logarithms of w_j / (Z |2 pi Sigma_j|^{1/2}), means, V_j with Sigma_j^{-1} = V_j V_j^T."""

    log_heights: np.ndarray
    means: np.ndarray
    whitenings: np.ndarray


@validate_params(
    {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "max_ratio": [Interval(Real, 1, None, closed="left")],
        "n_probes": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def mixture_distortion(
    X: Any,
    X_kept: Any,
    weight: ArrayLike,
    n_components: int,
    *,
    max_ratio: float = 4.0,
    n_probes: int = 10,
    sample_weight: ArrayLike | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> float:
    r"""Distortion of the negative log-likelihood of all Gaussian mixtures by a coreset, from below.

    The negative log-likelihood of a mixture :math:`\theta` with k components is
    :math:`\phi(\theta) - \log Z(\theta) \sum_i \omega_i`, with

    .. math::
        \phi(\theta) = -\sum_i \omega_i \log \sum_{j=1}^k \frac{w_j}{Z(\theta)
        |2 \pi \Sigma_j|^{1/2}} e^{-\frac12 (x_i - \mu_j)^\top \Sigma_j^{-1} (x_i - \mu_j)}, \qquad
        Z(\theta) = \sum_j \frac{w_j}{|2 \pi \Sigma_j|^{1/2}},

    which is never negative, and the only part that depends on where the rows are. The result is

    .. math:: \epsilon = \max_\theta \frac{|\phi_S(\theta) - \phi(\theta)|}{\phi(\theta)},

    with :math:`\phi_S` that of the coreset: the error that [1]_ bounds, for mixtures whose
    covariances are neither flat nor narrow. Here their eigenvalues lie between
    :math:`\sigma^2 / r` and :math:`r \sigma^2`, r being `max_ratio` and :math:`d \sigma^2` the mean
    squared distance of the rows to the nearest of k centres. The maximum is over `n_probes` times
    four mixtures, a lower bound for all: means by k-means++ from all rows and from the coreset,
    with random weights and covariances, and what ten steps of EM find on either.

    Parameters
    ----------
    X : array-like of shape (n, d)
        All rows.
    X_kept : array-like of shape (m, d)
        Rows of the coreset.
    weight : array-like of shape (m,)
        Their weights, including those of the data.
    n_components : int
        Number of components k, at most m.
    max_ratio : float, default=4.0
        Bound r of the eigenvalues of the covariances, at least 1.
    n_probes : int, default=10
        How often mixtures are drawn.
    sample_weight : array-like of shape (n,), default=None
        Weights :math:`\omega_i` of all rows.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws.

    Returns
    -------
    float
        The distortion, 0 if the rows are equal to k points.

    Raises
    ------
    ValueError
        If input is not finite, weights are negative, numbers of columns differ, or there are fewer
        rows in the coreset than components.

    See Also
    --------
    WeightedGaussianMixture : Fits mixtures to coresets.
    clustering_distortion : The same for k-means.

    References
    ----------
    .. [1] M. Lucic, M. Faulkner, A. Krause, D. Feldman, "Training Gaussian Mixture Models at Scale
       via Coresets", Journal of Machine Learning Research 18, 2018.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skreg.coreset import SensitivitySampler, mixture_distortion
    >>> X, _ = make_blobs(5000, centers=4, random_state=0)
    >>> sampler = SensitivitySampler(scores="distance", floor=1.0, n_samples=500, random_state=0)
    >>> X_kept, _, weight = sampler.fit_resample_weighted(X)
    >>> bool(mixture_distortion(X, X_kept, weight, 4, random_state=0) < 0.2)
    True
    """
    pairs = rows_and_coreset(X, X_kept, weight, sample_weight, n_components, "n_components")
    rng = check_random_state(random_state)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # any centres and mixtures will do
        variance = _within_variance(pairs[0], n_components, rng)
        if variance == 0.0:
            return 0.0
        return largest_error(
            pairs,
            n_probes,
            lambda rows: _mixtures(rows, n_components, variance, max_ratio, rng),
            _cost,
            lambda cost: cost,
        )


def _within_variance(rows, k, rng):
    """Mean squared distance to the nearest of k centres, over d."""
    X, weight = rows
    kmeans = KMeans(k, n_init=1, max_iter=LLOYD_STEPS, random_state=rng.randint(2**31))
    return kmeans.fit(X, sample_weight=weight).inertia_ / weight.sum() / X.shape[1]


def _mixtures(rows, k, variance, ratio, rng):
    """One with random weights and covariances, and what some steps of EM find."""
    X, weight = rows
    d = X.shape[1]
    means, _ = kmeans_plusplus(X, k, sample_weight=weight, random_state=rng.randint(2**31))
    yield _mixture(
        rng.dirichlet(np.ones(k)),
        means,
        variance * ratio ** rng.uniform(-1.0, 1.0, (k, d)),
        np.linalg.qr(rng.standard_normal((k, d, d)))[0],
    )
    fitted = WeightedGaussianMixture(
        k, max_iter=_EM_STEPS, reg_covar=variance / ratio, random_state=rng.randint(2**31)
    )
    fitted.fit(X, sample_weight=weight)
    variances, axes = np.linalg.eigh(fitted.covariances_)
    variances = np.clip(variances, variance / ratio, variance * ratio)
    yield _mixture(fitted.weights_, fitted.means_, variances, axes)


def _mixture(shares, means, variances, axes):
    """Components with variances (k, d) along the columns of their axes (k, d, d)."""
    log_heights = np.log(shares) - 0.5 * np.log(variances).sum(axis=1)
    return _Mixture(log_softmax(log_heights), means, axes / np.sqrt(variances)[:, None, :])


def _cost(rows, mixture):
    """phi, in blocks of rows."""
    X, weight = rows
    total = 0.0
    for part in chunk_slices(len(X), rows_per_chunk(X.shape[1] + len(mixture.means))):
        squares = [
            np.square((X[part] - mean) @ whitening).sum(axis=1)
            for mean, whitening in zip(mixture.means, mixture.whitenings, strict=True)
        ]
        total -= weight[part] @ logsumexp(mixture.log_heights - 0.5 * np.array(squares).T, axis=1)
    return total
