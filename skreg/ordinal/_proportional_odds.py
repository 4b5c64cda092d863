"""The estimator `ProportionalOddsClassifier`."""

from numbers import Real
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike

from skreg._sklearn import Interval, _fit_context, validate_params
from skreg._state import all_or_nothing
from skreg.ordinal._base import (
    PENALTY_CONSTRAINTS,
    CumulativeLinkClassifier,
    check_penalty_weights,
)
from skreg.ordinal._convergence import warn_if_not_converged
from skreg.ordinal._likelihood_summary import SUMMARY_CONSTRAINTS, summarise
from skreg.ordinal._link import LINKS
from skreg.ordinal._problem import make_problem, original_scale
from skreg.ordinal._solve_path import solve_at


class ProportionalOddsClassifier(CumulativeLinkClassifier):
    r"""Proportional odds: one coefficient vector for all boundaries between ordered classes.

    .. math::
        P(Y \le k \mid x) = G(\alpha_k + x^\top \beta),

    with the logistic function G, or that of another `link`, minimises the mean log-loss plus, on
    standardised features,
    ``alpha * sum_j c_j (l1_ratio * abs(beta_j) + (1 - l1_ratio) / 2 * beta_j**2)`` [1]_. It is the
    limit of `PrestoClassifier` with `first_penalty=0` for large `alpha`.

    Parameters
    ----------
    alpha : float, default=0.0
        Strength of the penalty, relative to the mean log-loss; 0 gives maximum likelihood.
    link : {"logit", "probit", "cloglog", "loglog"}, default="logit"
        Distribution function G: the logistic one; the normal one; ``1 - exp(-exp(z))``, which makes
        proportional hazards of grouped survival times; or ``exp(-exp(-z))``, the same for the
        classes in the opposite order. Only with "logit" are coefficients logarithms of odds ratios.
    l1_ratio : float, default=0.0
        Share of the L1 part of the penalty; 0 is ridge, 1 is lasso.
    penalty_weights : array-like of shape (n_features,) or dict, default=None
        Weights :math:`c_j` of the penalty on each feature, 1 if None. 0 leaves a feature
        unpenalised, inf keeps it out. A dict has weights by column names of X, 1 for the others.
    standardize : bool, default=True
        Penalise the coefficients of the features divided by their standard deviation. `coef_` is
        on the original scale in any case.
    class_order : array-like of shape (n_classes,), default=None
        The labels from the first class to the last; those that y does not have are left out of the
        model. If None, the order of the categories of an ordered categorical (pandas, or a polars
        Enum), or of numbers; strings are taken alphabetically, with a warning.
    tol : float, default=1e-4
        Tolerance on `dual_gap_`. If some feature is not penalised there is no gap, and it is on
        `kkt_residual_`, of which rounding (1e-15 per standard deviation) is taken for none.
    max_iter : int, default=100
        Largest number of iterations of proximal Newton.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted labels, the columns of `predict_proba`.
    class_order_ : ndarray of shape (n_classes,)
        Labels in the order of the model.
    coef_ : ndarray of shape (1, n_features)
        Coefficients :math:`\beta`. A *positive* coefficient makes *lower* classes more probable:
        the opposite sign of R's ``polr`` and of statsmodels' ``OrderedModel``.
    intercept_ : ndarray of shape (n_classes - 1,)
        Intercepts :math:`\alpha_k`, increasing.
    n_iter_ : int
        Iterations in use.
    dual_gap_ : float
        Duality gap, relative to the log-loss of the class frequencies, or with an offset of the
        best intercepts beside it: the objective is at most this share of it above its minimum.
        NaN where some feature is not penalised.
    kkt_residual_ : float
        Largest violation of the optimality conditions, relative to the largest gradient at the
        class frequencies, both per standard deviation of the feature. (Where no feature has a
        gradient above 1e-7 there, relative to that.)
    link_ : str
        The `link` of the fit.
    selected_features_ : ndarray of str of shape (n_selected,)
        Names of the features with a nonzero coefficient; ``x0``, ``x1``, ... if X has no names.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if X has string column names.

    See Also
    --------
    PrestoClassifier : Coefficients that may differ between boundaries, of all features or some.

    Notes
    -----
    The densities of all links are log-concave, so that the likelihood is log-concave in the
    intercepts and the coefficients jointly [2]_ [3]_: the fit is the global optimum. `dual_gap_`
    holds with every link; the notes of `PrestoClassifier` say how it is found.

    References
    ----------
    .. [1] P. McCullagh, "Regression Models for Ordinal Data", JRSS B 42, 1980.
    .. [2] A. Prekopa, "On Logarithmic Concave Measures and Functions", Acta Scientiarum
       Mathematicarum 34, 1973.
    .. [3] J. W. Pratt, "Concavity of the Log Likelihood", JASA 76, 1981.

    Examples
    --------
    >>> from skreg.datasets import load_ordinal_diabetes
    >>> from skreg.ordinal import ProportionalOddsClassifier
    >>> X, y = load_ordinal_diabetes(return_X_y=True)
    >>> model = ProportionalOddsClassifier().fit(X, y)
    >>> model.intercept_.round(2)
    array([-0.06,  2.17,  4.31])
    """

    _parameter_constraints: dict = PENALTY_CONSTRAINTS | {
        "alpha": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        alpha: float = 0.0,
        *,
        link: Literal["logit", "probit", "cloglog", "loglog"] = "logit",
        l1_ratio: float = 0.0,
        penalty_weights: ArrayLike | dict[str, float] | None = None,
        standardize: bool = True,
        class_order: ArrayLike | None = None,
        tol: float = 1e-4,
        max_iter: int = 100,
    ) -> None:
        self.alpha = alpha
        self.link = link
        self.l1_ratio = l1_ratio
        self.penalty_weights = penalty_weights
        self.standardize = standardize
        self.class_order = class_order
        self.tol = tol
        self.max_iter = max_iter

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # one direction cannot tell classes apart that do not lie along it
        tags.classifier_tags.poor_score = True
        return tags

    @_fit_context(prefer_skip_nested_validation=True)
    @all_or_nothing
    def fit(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        offset: ArrayLike | None = None,
    ) -> Self:
        """Fit the coefficients and intercepts.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,)
            Labels: numbers, strings, or an ordered categorical.
        sample_weight : array-like of shape (n_samples,), default=None
            Nonnegative weights. An integer weight equals that many copies of the row.
        offset : array-like of shape (n_samples,), default=None
            Known part of the predictor of every boundary, added with the coefficient 1:
            ``P(Y <= k) = G(intercept_k + x @ coef_k + offset)``. A *positive* offset makes *lower*
            classes more probable; statsmodels' ``OrderedModel`` has the opposite sign.

        Returns
        -------
        ProportionalOddsClassifier
            The fitted estimator.

        Raises
        ------
        ValueError
            If X or y has NaN or infinity, if there are fewer than two classes, if a class has no
            weight, or if `class_order`, `penalty_weights` or `offset` does not fit the data.

        Warns
        -----
        ConvergenceWarning
            If `tol` was not reached.
        UserWarning
            If three or more labels have no order of their own, so that the alphabetical one is
            taken; or if that of a categorical differs from the sorted one, which utilities that
            encode `y` take.
        """
        problem = self._problem(self._validate(X, y, sample_weight, offset))
        solution = solve_at(problem, self.alpha, tol=self.tol, max_iter=self.max_iter)
        link = problem.rows.link
        warn_if_not_converged(solution, link, tol=self.tol, max_iter=self.max_iter)
        self.intercept_, coef, _ = original_scale(problem, solution.point.theta)
        self.coef_ = coef[:1]
        self.n_iter_, self.dual_gap_ = solution.n_iter, solution.dual_gap
        self.kkt_residual_ = solution.kkt_residual
        self.selected_features_ = self._feature_names()[self.coef_[0] != 0.0]
        return self

    @validate_params(SUMMARY_CONSTRAINTS, prefer_skip_nested_validation=True)
    def summary(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        offset: ArrayLike | None = None,
        *,
        covariance: Literal["observed", "sandwich", "cluster"] = "observed",
        groups: ArrayLike | None = None,
        interval: Literal["wald", "profile"] = "wald",
        level: float = 0.95,
        direction: Literal["lower", "higher"] = "lower",
    ) -> Any:
        """Coefficients with standard errors, tests, intervals and odds ratios.

        The estimator does not keep its rows: give those that it was fitted to. Coefficients are
        refined on them from `coef_` to the maximum of the likelihood, up to rounding.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features of the fit.
        y : array-like of shape (n_samples,)
            Labels of the fit.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the fit. With "observed", a weight is a number of equal rows, and doubling
            all weights halves the variances. With "sandwich" and "cluster" it says how much a row
            counts, such as an inverse probability of sampling, and the scale does not matter.
        offset : array-like of shape (n_samples,), default=None
            Offset of the fit.
        covariance : {"observed", "sandwich", "cluster"}, default="observed"
            What standard errors are from: the inverse of the observed information, which needs the
            model to be right; the sandwich, which needs independent rows only (HC0, without a
            correction for small samples); or the sandwich of sums over groups, times G / (G - 1).
        groups : array-like of shape (n_samples,), default=None
            Groups of rows that depend on each other, for "cluster".
        interval : {"wald", "profile"}, default="wald"
            Coefficients plus and minus multiples of the standard error, or those values that a
            likelihood-ratio test would not reject. The latter is better where events are few, and
            needs "observed".
        level : float, default=0.95
            Level of the intervals.
        direction : {"lower", "higher"}, default="lower"
            Whether a positive coefficient makes lower classes more probable, as in `coef_`, or
            higher ones, as in R's ``polr`` and statsmodels' ``OrderedModel``. Thresholds are the
            same in both. Odds ratios are those of the lower, or higher, classes.

        Returns
        -------
        pandas.DataFrame
            A row for each feature in the model, and then for each threshold, named by the classes
            on its sides; columns ``coefficient``, ``standard_error``, ``z``, ``p_value``,
            ``lower``, ``upper``, and, with the logistic link, ``odds_ratio`` with its
            ``odds_ratio_lower`` and ``odds_ratio_upper``.

        Raises
        ------
        ValueError
            If the fit was penalised, if X, y, sample_weight and offset are not those of the fit, if
            columns of X depend on each other, if the classes are separable, or if `groups` do not
            fit.
        ImportError
            If pandas is not installed.

        Warns
        -----
        UserWarning
            If "observed" is given weights that are not whole numbers, or if there are no more
            groups than parameters.
        ConvergenceWarning
            If an end of a profile interval was not found; it is nan.

        Examples
        --------
        >>> from skreg.datasets import load_ordinal_diabetes
        >>> from skreg.ordinal import ProportionalOddsClassifier
        >>> X, y = load_ordinal_diabetes(return_X_y=True)
        >>> table = ProportionalOddsClassifier().fit(X, y).summary(X, y, direction="higher")
        >>> table.loc[["x2", "0|1"], ["coefficient", "standard_error"]].round(2).values.tolist()
        [[17.21, 2.6], [-0.06, 0.12]]
        """
        return summarise(
            self, X, y, sample_weight, offset, covariance=covariance, groups=groups,
            interval=interval, level=level, direction=direction,
        )  # fmt: skip

    def _problem(self, data):
        n_classes, n_features = len(data.labels.order), data.X.shape[1]
        weights = np.full((n_classes - 1, n_features), np.inf)
        weights[0] = check_penalty_weights(
            self.penalty_weights, n_features, getattr(self, "feature_names_in_", None)
        )
        return make_problem(
            data.X,
            data.labels.codes,
            n_classes,
            data.sample_weight,
            weights,
            self.l1_ratio,
            self.standardize,
            LINKS[self.link],
            data.offset,
        )
