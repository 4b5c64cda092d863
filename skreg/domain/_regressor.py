"""Regression on a domain that no training row came from."""

from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import RegressorMixin
from sklearn.linear_model import Ridge

from skreg._sklearn import _fit_context
from skreg._state import all_or_nothing
from skreg.domain._estimator import Combine, DomainSpecificEstimator, Level, Similarity
from skreg.domain._labels import chosen_alias
from skreg.domain._linear_heads import LinearRegressors, are_linear_regressors

Selection = Literal["similarity", "discriminator", "uniform", "shared"]


class DomainSpecificRegressor(RegressorMixin, DomainSpecificEstimator):
    """Regressor for an unseen domain: heads of the source domains, chosen row by row.

    As `DomainSpecificClassifier`, for numbers: one regressor is fitted on each domain and one on
    all rows, and a new row goes to the head whose domain it resembles.

    Parameters
    ----------
    estimator : regressor, default=None
        What is fitted on each domain; ``Ridge()`` if None.
    featurizer : transformer, default=None
        Fitted on all rows; heads and rules see what it returns.
    selection : {"similarity", "discriminator", "uniform", "shared"}, default="similarity"
        How heads are chosen: by the distance of a row to the mean of their domain; by a classifier
        that tells the domains apart; all alike; or the shared head alone.
    level : {"sample", "batch"}, default="sample"
        Choose for each row, or once for all rows of a call by the mean of their gaps.
    combine : {"hard", "soft"}, default="hard"
        Take the best head, or the mean of all with weights that fall with their gap.
    gamma : float, default=1.0
        Sharpness of soft weights: distance^-gamma or discriminator^gamma. 0 is uniform.
    include_shared : bool, default=True
        Fit the shared head, and let "uniform" use it.
    similarity : {"euclidean", "cosine", "mahalanobis"}, default="euclidean"
        Measure of similarity; the last uses the covariance within domains, and dense features.
    discriminator : classifier, default=None
        Tells the domains apart; ``LogisticRegression(max_iter=1000)`` if None.
    n_jobs : int, default=None
        Number of threads in which heads are fitted.

    Attributes
    ----------
    domains_ : ndarray of shape (n_domains,)
        Source domains.
    domain_estimators_ : list of estimator
        The head of each.
    shared_estimator_ : estimator or None
        The head of all rows.
    featurizer_ : transformer or None
        The fitted featurizer.
    domain_means_ : ndarray of shape (n_domains, n_features) or None
        Means of the features, for "similarity".
    discriminator_ : classifier or None
        For "discriminator"; its labels are positions in `domains_`. None for a single domain.
    n_samples_per_domain_ : ndarray of shape (n_domains,)
        Rows of positive weight in each domain.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns of X, if they are all strings.

    See Also
    --------
    DomainSpecificClassifier : The same for labels, with rules that use probabilities.
    leave_one_domain_out_score : How well an estimator predicts each domain from the others.

    References
    ----------
    Y.-F. Zhang, J. Wang, J. Liang, Z. Zhang, B. Yu, L. Wang, D. Tao, X. Xie, "Domain-Specific Risk
    Minimization for Out-of-Distribution Generalization", KDD 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.domain import DomainSpecificRegressor
    >>> rng = np.random.default_rng(0)
    >>> site = np.repeat(["north", "south"], 100)
    >>> X = rng.normal(size=(200, 1)) + np.where(site == "north", 10, -10)[:, None]
    >>> y = np.abs(X[:, 0])
    >>> model = DomainSpecificRegressor().fit(X, y, domains=site)
    >>> model.predict([[12], [-12]]).round(1)
    array([12., 12.])
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        featurizer: Any = None,
        selection: Selection = "similarity",
        level: Level = "sample",
        combine: Combine = "hard",
        gamma: float = 1.0,
        include_shared: bool = True,
        similarity: Similarity = "euclidean",
        discriminator: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.featurizer = featurizer
        self.selection = selection
        self.level = level
        self.combine = combine
        self.gamma = gamma
        self.include_shared = include_shared
        self.similarity = similarity
        self.discriminator = discriminator
        self.n_jobs = n_jobs

    def _head(self):
        return Ridge() if self.estimator is None else self.estimator

    @all_or_nothing
    @_fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X: Any,
        y: ArrayLike,
        *,
        domains: ArrayLike | None = None,
        sample_domain: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        **fit_params: Any,
    ) -> Self:
        """Fit a head on each domain, one on all rows, and what the rule needs.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Features, or what `featurizer` takes.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target.
        domains : array-like of shape (n_samples,), default=None
            Domain of each row: strings, numbers, or other values that can be hashed. Without any,
            all rows are of one domain, which a warning says.
        sample_domain : array-like of shape (n_samples,), default=None
            Another name of `domains`.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, for heads that take them, and where featurizer and discriminator
            do.
        **fit_params : dict
            Further metadata for the `fit` of the heads, with metadata routing.

        Returns
        -------
        DomainSpecificRegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data are not valid, both names of domains are given, one is
            missing, or heads take no weights.

        Warns
        -----
        UserWarning
            If there is one domain only.
        """
        self._fit(X, y, chosen_alias(domains, sample_domain), sample_weight, fit_params)
        return self

    def _linear(self, Z, heads, method):
        if not self._fits(Z, len(heads) * self._n_scores):
            return None
        linear = are_linear_regressors(heads, method, (self._n_scores, Z.shape[1]))
        return LinearRegressors(Z, heads) if linear else None

    def predict(
        self,
        X: Any,
        *,
        domains: ArrayLike | None = None,
        sample_domain: ArrayLike | None = None,
    ) -> np.ndarray:
        """Predict the target.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Rows.
        domains : array-like of shape (n_samples,) or a single domain, default=None
            Domains where they are known: rows of a source domain go to its head, all others by
            the rule.
        sample_domain : array-like, default=None
            Another name of `domains`.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predictions.
        """
        return self._answers(X, domains, sample_domain)
