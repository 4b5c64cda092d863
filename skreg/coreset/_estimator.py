"""Any scikit-learn estimator, fitted on a weighted coreset."""

from copy import copy
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import MetaEstimatorMixin, clone, is_classifier
from sklearn.utils import Bunch, check_random_state, get_tags
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from skreg._estimator import Estimator
from skreg._sklearn import (
    HasMethods,
    Interval,
    MetadataRouter,
    MethodMapping,
    StrOptions,
    _check_method_params,
    _fit_context,
    _routing_enabled,
    process_routing,
)
from skreg.coreset._excess import (
    Loss,
    costs,
    excess_limit,
    loss_of,
    next_size,
    require_all_may_be_drawn,
    share_above_least,
)
from skreg.coreset._sampler import SensitivitySampler
from skreg.rows import checked_weights


def _delegates(*methods):
    def check(self):
        for method in methods:
            getattr(getattr(self, "estimator_", self.estimator), method)
        return True

    return check


class CoresetEstimator(MetaEstimatorMixin, Estimator):
    """Fit an estimator on a weighted subset of the rows, chosen by importance.

    Everything but `fit` is left to the fitted estimator. As one estimator it goes into a Pipeline
    or a grid search, where samplers with weights do not fit.

    Parameters
    ----------
    estimator : estimator
        What to fit. Its `fit` must take `sample_weight`, or the sampler have ``scale_rows=True``.
    sampler : SensitivitySampler, default=None
        Draws the subset; ``SensitivitySampler()`` if None.
    check : bool, default=False
        Measure the distortion on all rows and store it.
    excess : float, default=None
        Draw larger subsets until the cost of the fit on all rows is certified to be above the least
        one by at most this share, with 95 % confidence; all rows are taken in the end. ``inf``
        certifies the first subset, whatever comes out. None certifies nothing.
    loss : {"auto"} or callable, default="auto"
        Cost of each row that the estimator minimises the sum of: ``loss(estimator, X, y)`` returns
        an array of shape (n,). "auto" is the log loss of classifiers with probabilities, the p-th
        power of residuals of regressors, p that of the sampler, and the squared distance to the
        nearest centre of clusterings.
    n_checks : int, default=4
        Number of further subsets of the same size that a certificate takes, on each of which the
        estimator is fitted. More make it tighter.

    Attributes
    ----------
    estimator_ : estimator
        The estimator, fitted on the coreset.
    sampler_ : SensitivitySampler
        The fitted sampler: scores, probabilities.
    coreset_ : Bunch
        The rows that were kept: ``indices`` and ``sample_weight``, each of shape (m,).
    distortion_lower_bound_ : float
        Distortion of the coreset, exact for p = 2, if `check` is true.
    cost_ : float
        Cost of the fit on all rows, if `excess` is given.
    excess_ : float
        Certified excess of that cost over the least one, as a share of the latter: an upper
        confidence limit, 0 of a fit on all rows. If `excess` is given.
    excess_path_ : ndarray of shape (n_subsets, 2)
        Expected number of rows of each subset that was tried, and its certified excess.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if they are all strings.
    classes_ : ndarray of shape (n_classes,)
        Labels of the classes, if the estimator is a classifier.

    See Also
    --------
    SensitivitySampler : The subset alone.

    Notes
    -----
    With metadata routing, `sample_weight` of `fit` is used by the sampler, multiplied into the
    weights of the coreset, and these are passed on; other metadata are cut to the coreset and
    routed.

    The certificate is the one of [1]_. The fit v costs :math:`F_S(v)` on a further subset S, with
    its weights, and the fit on S costs :math:`F_S(v_S)`. As F_S is unbiased, the mean of the
    difference is at least the excess of v on all rows, whatever the loss: the limit is that of a
    t interval from `n_checks` subsets. Of smooth losses it is about twice the excess, which falls
    with the inverse of the number of rows. Where the cost on all rows is beyond what the subsets
    say of it, these lack rows that decide it, as uniform ones lack outliers, and the limit is
    infinite. An estimator with a penalty minimises the sum of cost
    and penalty; the limit then bounds the mean excess of that sum over the draws. One that finds
    local minima only, such as `KMeans`, is compared with what it finds.

    References
    ----------
    .. [1] W.-K. Mak, D. P. Morton, R. K. Wood, "Monte Carlo Bounding Techniques for Determining
       Solution Quality in Stochastic Programs", Operations Research Letters 24, 1999.

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from skreg.coreset import CoresetEstimator, LpRegressor, SensitivitySampler
    >>> X, y = make_regression(2000, 5, noise=10.0, random_state=0)
    >>> sampler = SensitivitySampler(p=1, n_samples=300, random_state=0)
    >>> model = CoresetEstimator(LpRegressor(p=1), sampler).fit(X, y)
    >>> model.coreset_.indices.size < 350
    True
    >>> bool(model.score(X, y) > 0.98)
    True

    At most one per cent above the least sum of absolute deviations:

    >>> model = CoresetEstimator(LpRegressor(p=1), sampler, excess=0.01).fit(X, y)
    >>> bool(model.excess_ <= 0.01)
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        "estimator": [HasMethods(["fit"])],
        "sampler": [SensitivitySampler, None],
        "check": ["boolean"],
        "excess": [Interval(Real, 0, np.inf, closed="both"), None],
        "loss": [StrOptions({"auto"}), callable],
        "n_checks": [Interval(Integral, 2, None, closed="left")],
    }

    def __init__(
        self,
        estimator: Any,
        sampler: SensitivitySampler | None = None,
        check: bool = False,
        *,
        excess: float | None = None,
        loss: Literal["auto"] | Loss = "auto",
        n_checks: int = 4,
    ) -> None:
        self.estimator = estimator
        self.sampler = sampler
        self.check = check
        self.excess = excess
        self.loss = loss
        self.n_checks = n_checks

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(
        self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None, **fit_params: Any
    ) -> Self:
        """Draw the coreset and fit the estimator on it.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Target.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in the loss.
        **fit_params : dict
            Metadata for the estimator's `fit`, with metadata routing.

        Returns
        -------
        CoresetEstimator
            The fitted estimator.

        Raises
        ------
        ValueError
            If the estimator takes no weights, if its loss is not known or not finite, or some rows
            are never drawn, where an excess is to be certified, or as the sampler.
        """
        fresh = copy(self)
        fresh._fit(X, y, sample_weight, fit_params)
        self.__dict__ = fresh.__dict__  # in one step: errors leave the last fit whole
        return self

    def _fit(self, X, y, sample_weight, fit_params):
        self._require_weights()
        for name in ("distortion_lower_bound_", "cost_", "excess_", "excess_path_"):
            self.__dict__.pop(name, None)
        self.sampler_ = self._sampler_for(y)
        subset = self.sampler_.fit_resample_weighted(X, y, sample_weight)
        self.estimator_ = self._fitted(self.sampler_, subset, X, fit_params)
        if self.excess is not None:
            self._grow(self.excess, X, y, sample_weight, fit_params)
        self.coreset_ = Bunch(
            indices=self.sampler_.sample_indices_, sample_weight=self.sampler_.sample_weight_
        )
        if self.check:
            self.distortion_lower_bound_ = self.sampler_.distortion(
                X, y, sample_weight, random_state=0
            )

    def _fitted(self, sampler, subset, X, fit_params):
        """A clone of the estimator, fitted on the subset that a sampler drew."""
        X_kept, y_kept, weight = subset
        params = self._params_of_child(X, fit_params, sampler.sample_indices_)
        if not sampler.scale_rows:
            params["sample_weight"] = weight
        return clone(self.estimator).fit(X_kept, y_kept, **params)

    def _grow(self, wanted, X, y, sample_weight, fit_params):
        """Certify the fit, and fit on larger subsets until the excess is at most `wanted`."""
        loss = loss_of(self.estimator_, self.sampler_.p) if self.loss == "auto" else self.loss
        omega = checked_weights(sample_weight, np.empty((len(self.sampler_.scores_), 0)))
        require_all_may_be_drawn(self.sampler_.inclusion_proba_[omega > 0.0])
        # not the draws that the subset was made from
        rng = np.random.default_rng(check_random_state(self.sampler_.random_state).randint(2**31))
        path = []

        def drawn(n_samples):
            sampler, subset = self.sampler_._redrawn(
                n_samples, rng.integers(2**31), X, y, sample_weight
            )
            return sampler, subset, self._fitted(sampler, subset, X, fit_params)

        def check():
            _, subset, model = drawn(self.sampler_.n_samples_)
            return costs(loss, self.estimator_, *subset), costs(loss, model, *subset)

        while True:
            n_samples = self.sampler_.n_samples_
            self.cost_ = costs(loss, self.estimator_, X, y, omega)
            is_whole = n_samples >= np.count_nonzero(omega)
            limit = 0.0
            if not is_whole:
                of_fit, least = np.array([check() for _ in range(self.n_checks)]).T
                limit = excess_limit(of_fit, least, self.cost_)
            self.excess_ = share_above_least(limit, self.cost_)
            path.append((n_samples, self.excess_))
            if self.excess_ <= wanted or is_whole:
                break
            larger = next_size(n_samples, self.excess_, wanted)
            self.sampler_, _, self.estimator_ = drawn(larger)
        self.excess_path_ = np.array(path)

    def _sampler_for(self, y):
        """A copy of the sampler that knows whether y holds classes."""
        sampler = SensitivitySampler() if self.sampler is None else clone(self.sampler)
        if y is not None and sampler.include_y == "auto":
            kind = "classification" if is_classifier(self.estimator) else "regression"
            sampler.set_params(include_y=kind)
        return sampler

    def _require_weights(self):
        if getattr(self.sampler, "scale_rows", False) or has_fit_parameter(
            self.estimator, "sample_weight"
        ):
            return
        if _routing_enabled() and get_routing_for_object(self.estimator).consumes(
            "fit", ["sample_weight"]
        ):
            return
        raise ValueError(
            f"{type(self.estimator).__name__}.fit takes no sample_weight, as coresets need. Give "
            "the sampler scale_rows=True (for losses that are p-th powers), put CoresetEstimator "
            "into the Pipeline rather than around it, or enable metadata routing"
        )

    def _params_of_child(self, X, fit_params, indices):
        if not fit_params:
            return {}
        routed = process_routing(self, "fit", **fit_params).estimator.fit
        return dict(_check_method_params(X, routed, indices=indices))

    @property
    def n_features_in_(self) -> int:
        """Number of features."""
        check_is_fitted(self)
        return self.sampler_.n_features_in_

    @property
    def feature_names_in_(self) -> np.ndarray:
        """Names of the features."""
        check_is_fitted(self)
        return self.sampler_.feature_names_in_

    @property
    def classes_(self) -> np.ndarray:
        """Labels of the classes."""
        return self.estimator_.classes_

    def get_metadata_routing(self) -> MetadataRouter:
        """Tell which metadata go where.

        Returns
        -------
        MetadataRouter
            `fit` takes `sample_weight` itself, and routes the rest to the estimator.
        """
        mapping = MethodMapping()
        for method in ("fit", "score"):
            mapping.add(caller=method, callee=method)
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(estimator=self.estimator, method_mapping=mapping)
        )

    def __sklearn_is_fitted__(self):
        return hasattr(self, "estimator_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.estimator_type = inner.estimator_type
        tags.classifier_tags = inner.classifier_tags
        tags.regressor_tags = inner.regressor_tags
        tags.transformer_tags = inner.transformer_tags
        tags.target_tags = inner.target_tags
        tags.input_tags.sparse = inner.input_tags.sparse
        return tags

    @available_if(_delegates("predict"))
    def predict(self, X: Any) -> Any:
        """Predict with the fitted estimator.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets)
            Predictions.
        """
        check_is_fitted(self)
        return self.estimator_.predict(X)

    @available_if(_delegates("predict_proba"))
    def predict_proba(self, X: Any) -> Any:
        """Probabilities of the classes by the fitted estimator.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities.
        """
        check_is_fitted(self)
        return self.estimator_.predict_proba(X)

    @available_if(_delegates("predict_log_proba"))
    def predict_log_proba(self, X: Any) -> Any:
        """Logarithms of the probabilities of the classes by the fitted estimator.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Logarithms of the probabilities.
        """
        check_is_fitted(self)
        return self.estimator_.predict_log_proba(X)

    @available_if(_delegates("decision_function"))
    def decision_function(self, X: Any) -> Any:
        """Decision function of the fitted estimator.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Decision function.
        """
        check_is_fitted(self)
        return self.estimator_.decision_function(X)

    @available_if(_delegates("transform"))
    def transform(self, X: Any) -> Any:
        """Transform with the fitted estimator.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        {ndarray, sparse matrix, dataframe} of shape (n_samples, n_components)
            Transformed features.
        """
        check_is_fitted(self)
        return self.estimator_.transform(X)

    @available_if(_delegates("transform"))
    def fit_transform(
        self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None, **fit_params: Any
    ) -> Any:
        """Fit on a coreset, and transform all rows.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Target.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in the loss.
        **fit_params : dict
            Metadata for the estimator's `fit`, with metadata routing.

        Returns
        -------
        {ndarray, sparse matrix, dataframe} of shape (n_samples, n_components)
            Transformed features.
        """
        return self.fit(X, y, sample_weight, **fit_params).transform(X)

    @available_if(_delegates("transform", "get_feature_names_out"))
    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> np.ndarray:
        """Names of the transformed features.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the features of X; those of `fit` if None.

        Returns
        -------
        ndarray of str
            Names.
        """
        check_is_fitted(self)
        return self.estimator_.get_feature_names_out(input_features)

    @available_if(_delegates("transform", "set_output"))
    def set_output(
        self, *, transform: Literal["default", "pandas", "polars"] | None = None
    ) -> Self:
        """Set the container that `transform` returns.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"} or None, default=None
            The container; None leaves it as it is.

        Returns
        -------
        CoresetEstimator
            The estimator itself.
        """
        for estimator in (self.estimator, getattr(self, "estimator_", self.estimator)):
            estimator.set_output(transform=transform)
        return self

    @available_if(_delegates("score"))
    def score(self, X: Any, y: Any = None, **score_params: Any) -> float:
        """Score of the fitted estimator.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Target.
        **score_params : dict
            Metadata for the estimator's `score`, such as `sample_weight`.

        Returns
        -------
        float
            The score.
        """
        check_is_fitted(self)
        if _routing_enabled() and score_params:
            score_params = process_routing(self, "score", **score_params).estimator.score
        return self.estimator_.score(X, y, **score_params)
