"""Gaussian mixtures of weighted rows.

scikit-learn's `GaussianMixture` takes none. Its start and its two steps of EM are overridden here.
"""

from copy import copy
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.cluster import KMeans
from sklearn.mixture import GaussianMixture

from skreg._estimator import Estimator
from skreg._sklearn import StrOptions, _safe_indexing
from skreg.coreset._worst_error import require_squares_in_range
from skreg.rows import checked_weights

_PARAMETERS = ("n_components", "tol", "reg_covar", "max_iter", "n_init", "random_state")


class WeightedGaussianMixture(Estimator, GaussianMixture):
    r"""Gaussian mixture of weighted rows: `sklearn.mixture.GaussianMixture` with sample weights.

    It maximises :math:`\sum_i \omega_i \log p(x_i)`, so that a weight of two is a row twice. EM
    starts from clusters of the weighted rows.

    Parameters
    ----------
    n_components : int, default=1
        Number of components k.
    covariance_type : {"full", "diag", "spherical"}, default="full"
        Whether covariances are any, diagonal, or multiples of the identity.
    tol : float, default=1e-3
        Stop when the weighted mean of the log-likelihood gains less in one step.
    reg_covar : float, default=1e-6
        Added to the variances, in squared units of X.
    max_iter : int, default=100
        Largest number of steps.
    n_init : int, default=1
        Number of starts, the best of which is kept.
    random_state : int, RandomState instance or None, default=None
        Seed of the starts.

    Attributes
    ----------
    weights_ : ndarray of shape (k,)
        Shares of the components.
    means_ : ndarray of shape (k, n_features)
        Their means.
    covariances_ : ndarray of shape (k, n_features, n_features), (k, n_features) or (k,)
        Their covariances, by type.
    precisions_ : ndarray of the same shape
        The inverses.
    precisions_cholesky_ : ndarray of the same shape
        Upper triangular factors U of the inverses, U U^T.
    converged_ : bool
        Whether the best start reached `tol`.
    n_iter_ : int
        Its number of steps.
    lower_bound_ : float
        Weighted mean of the log-likelihood.
    lower_bounds_ : list of float
        The same after each step of the best start.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns of X, if they are all strings.

    See Also
    --------
    CoresetEstimator : Fits it to a coreset of all rows.
    mixture_distortion : How far likelihoods on a coreset are from those on all rows.

    Notes
    -----
    `score`, `bic` and `aic` count every row once: give them all rows, not those of a coreset.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skreg.coreset import CoresetEstimator, SensitivitySampler, WeightedGaussianMixture
    >>> X, _ = make_blobs(20000, centers=[[0, 0], [9, 0], [0, 9]], random_state=0)
    >>> sampler = SensitivitySampler(scores="distance", floor=1.0, n_samples=500, random_state=0)
    >>> mixture = WeightedGaussianMixture(3, random_state=0)
    >>> model = CoresetEstimator(mixture, sampler).fit(X)
    >>> whole = WeightedGaussianMixture(3, random_state=0).fit(X)
    >>> bool(whole.score(X) - model.score(X) < 0.02)
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        **{name: GaussianMixture._parameter_constraints[name] for name in _PARAMETERS},
        # scikit-learn takes a tied covariance from the rows, not from their responsibilities
        "covariance_type": [StrOptions({"full", "diag", "spherical"})],
    }

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: Literal["full", "diag", "spherical"] = "full",
        tol: float = 1e-3,
        reg_covar: float = 1e-6,
        max_iter: int = 100,
        n_init: int = 1,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        super().__init__(
            n_components, covariance_type=covariance_type, tol=tol, reg_covar=reg_covar,
            max_iter=max_iter, n_init=n_init, random_state=random_state,
        )  # fmt: skip

    def fit(self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit by EM.

        Parameters
        ----------
        X : {array-like, dataframe} of shape (n_samples, n_features)
            Rows.
        y : object, default=None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows; those without weight are not looked at.

        Returns
        -------
        WeightedGaussianMixture
            The fitted mixture.

        Raises
        ------
        ValueError
            If weights are negative, not finite or all zero, if there are fewer rows with a weight
            than components, if squares of X overflow, or as `sklearn.mixture.GaussianMixture`.
        """
        self.fit_predict(X, y, sample_weight)
        return self

    def fit_predict(
        self,
        X: Any,
        y: Any = None,  # noqa: ARG002
        sample_weight: ArrayLike | None = None,
    ) -> np.ndarray:
        """Fit by EM, and tell the most probable component of each row.

        Parameters
        ----------
        X : {array-like, dataframe} of shape (n_samples, n_features)
            Rows.
        y : object, default=None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows; those without weight are not looked at.

        Returns
        -------
        ndarray of shape (n_samples,)
            Numbers of the components.

        Raises
        ------
        ValueError
            As `fit`.
        """
        X = X if hasattr(X, "shape") else np.asarray(X)
        weight = checked_weights(sample_weight, X)
        positive = np.flatnonzero(weight)
        kept = X if len(positive) == len(weight) else _safe_indexing(X, positive)
        fresh = copy(self)
        fresh._share = weight[positive] / weight[positive].mean()  # as mixing weights are over n
        labels = GaussianMixture.fit_predict(fresh, kept)
        del fresh._share
        self.__dict__ = fresh.__dict__  # in one step: errors leave the last fit whole
        return labels if kept is X else self.predict(X)

    def _check_parameters(self, X, xp=None):
        """No start can be given, so that there is none to check."""

    def _initialize_parameters(self, X, random_state, xp=None):
        require_squares_in_range(X)
        kmeans = KMeans(self.n_components, n_init=1, random_state=random_state)
        labels = kmeans.fit(X, sample_weight=self._share).labels_
        self._initialize(X, np.eye(self.n_components, dtype=X.dtype)[labels], xp=xp)

    def _initialize(self, X, resp, xp=None):
        super()._initialize(X, resp * self._share[:, None].astype(resp.dtype), xp=xp)

    def _e_step(self, X, xp=None):
        log_density, log_resp = self._estimate_log_prob_resp(X, xp=xp)
        return np.average(log_density, weights=self._share), log_resp

    def _m_step(self, X, log_resp, xp=None):
        super()._m_step(X, log_resp + np.log(self._share)[:, None].astype(log_resp.dtype), xp=xp)

    def _estimate_log_prob(self, X, xp=None):
        if X.dtype.kind != "f":
            X = X.astype(np.float64)  # scikit-learn would round the logarithms to integers
        return super()._estimate_log_prob(X, xp=xp)

    def _estimate_log_prob_resp(self, X, xp=None):
        with np.errstate(invalid="ignore"):
            log_density, log_resp = super()._estimate_log_prob_resp(X, xp=xp)
        log_resp[np.isneginf(log_density)] = np.log(self.weights_)  # all are infinitely far
        return log_density, log_resp

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.array_api_support = False  # the clusters that it starts from are those of numpy
        return tags
