"""The estimator `PrestoClassifier`."""

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
from skreg.ordinal._linear_predictors import crossing_rate
from skreg.ordinal._link import LINKS
from skreg.ordinal._problem import Coefficients, increment_weights, make_problem, original_scale
from skreg.ordinal._proportional_features import proportional_mask
from skreg.ordinal._solve_path import solve_at
from skreg.ordinal._warm_start import warm_point

PRESTO_CONSTRAINTS = PENALTY_CONSTRAINTS | {
    "first_penalty": [Interval(Real, 0, None, closed="left")],
    "proportional": ["array-like", str, None],
}


class IncrementsClassifier(CumulativeLinkClassifier):
    """What PRESTO at one strength and at a chosen one have learned."""

    def _store(self, coefficients, data):
        self.intercept_, self.coef_, self.coef_diff_ = coefficients
        self.violates_proportional_odds_ = np.any(self.coef_diff_[1:] != 0.0, axis=0)
        self.selected_features_ = self._feature_names()[np.any(self.coef_diff_ != 0.0, axis=0)]
        self.crossing_rate_ = crossing_rate(data.X, self.coef_, self.intercept_, data.sample_weight)
        return self

    def _proportional_features(self):
        """Mask of the features that have one coefficient."""
        names = getattr(self, "feature_names_in_", None)
        return proportional_mask(self.proportional, self.n_features_in_, names)


class PrestoClassifier(IncrementsClassifier):
    r"""Ordinal classifier for rare last classes: boundaries that borrow from their neighbours.

    Every boundary k between the ordered classes 0 .. K-1 has its own coefficients,

    .. math::
        P(Y \le k \mid x) = G(\alpha_k + x^\top \beta_k),

    with the logistic function G, or that of another `link`, and an L1 penalty on the increments
    :math:`\psi_0 = \beta_0`, :math:`\psi_k = \beta_k - \beta_{k-1}` draws each boundary towards the
    one before it:

    .. math::
        \min_{\alpha, \psi} \; -\sum_i w_i \log \pi_{y_i}(x_i)
        + \alpha \sum_j c_j \Big( \omega |\psi_{0j}| + \sum_{k \ge 1} |\psi_{kj}| \Big),

    on standardised features, with weights :math:`w_i` that sum to one. The rare last boundary thus
    learns from the abundant transitions before it and departs from them only where the data
    insist [1]_. Logistic regression of the last class against the rest uses the rare events
    alone; proportional odds (`ProportionalOddsClassifier`) force one coefficient vector on all
    boundaries.

    The default :math:`\omega` = 1 shrinks the first boundary as well: a large `alpha` gives the
    class frequencies. With `first_penalty=0` it gives the proportional odds model.

    Parameters
    ----------
    alpha : float, default=0.01
        Strength of the penalty, the paper's :math:`\lambda`, relative to the *mean* log-loss.
    link : {"logit", "probit", "cloglog", "loglog"}, default="logit"
        Distribution function G, as in `ProportionalOddsClassifier`; the paper has the logistic one.
    l1_ratio : float, default=1.0
        Share of the L1 part: the penalty on an increment is
        ``alpha * (l1_ratio * abs(psi) + (1 - l1_ratio) / 2 * psi**2)``.
    first_penalty : float, default=1.0
        Factor :math:`\omega` of the penalty on the coefficients of the first boundary.
    penalty_weights : array-like of shape (n_features,) or dict, default=None
        Weights :math:`c_j` of the penalty on each feature, 1 if None. 0 leaves a feature
        unpenalised, inf keeps it out. A dict has weights by column names of X, 1 for the others.
    proportional : array-like or "all", default=None
        Features that have one coefficient for all boundaries, by names, positions, or a mask of
        shape (n_features,): their increments after the first are left out. None is none of them.
        With ``alpha=0`` this is the partial proportional odds model [2]_, with "all" besides the
        proportional odds model.
    standardize : bool, default=True
        Penalise the coefficients of the features divided by their standard deviation. `coef_` is
        on the original scale in any case.
    class_order : array-like of shape (n_classes,), default=None
        The labels from the first class to the last, rare one; those that y does not have are left
        out of the model. If None, the order of the categories of an ordered categorical (pandas, or
        a polars Enum), or of numbers; strings are taken alphabetically, with a warning.
    tol : float, default=1e-4
        Tolerance on `dual_gap_`. If some increment is not penalised, or by no more than rounding
        (1e-11 per standard deviation), there is no gap, and it is on `kkt_residual_`, of which
        rounding (1e-15 per standard deviation) is taken for none.
    max_iter : int, default=100
        Largest number of iterations of proximal Newton.
    warm_start : bool, default=False
        Start from the coefficients of the previous call of `fit`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted labels, the columns of `predict_proba`.
    class_order_ : ndarray of shape (n_classes,)
        Labels in the order of the model.
    coef_ : ndarray of shape (n_classes - 1, n_features)
        Coefficients :math:`\beta_k` of each boundary. A *positive* coefficient makes *lower*
        classes more probable, as in the paper; many other packages have the opposite sign.
    intercept_ : ndarray of shape (n_classes - 1,)
        Intercepts :math:`\alpha_k`.
    coef_diff_ : ndarray of shape (n_classes - 1, n_features)
        Increments :math:`\psi_k`, with exact zeros; row 0 is ``coef_[0]``.
    violates_proportional_odds_ : ndarray of shape (n_features,)
        Whether the effect of a feature differs between boundaries.
    selected_features_ : ndarray of str of shape (n_selected,)
        Names of the features with a nonzero increment; ``x0``, ``x1``, ... if X has no names.
    n_iter_ : int
        Iterations in use.
    dual_gap_ : float
        Duality gap, relative to the log-loss of the class frequencies, or with an offset of the
        best intercepts beside it: the objective is at most this share of it above its minimum.
        NaN where some increment is not penalised.
    kkt_residual_ : float
        Largest violation of the optimality conditions, relative to the largest gradient at the
        class frequencies, both per standard deviation of the feature. (Where no feature has a
        gradient above 1e-7 there, relative to that.)
    link_ : str
        The `link` of the fit.
    crossing_rate_ : float
        Weighted share of the training rows at which boundaries cross, so that `predict_proba`
        repairs them.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if X has string column names.

    See Also
    --------
    PrestoClassifierCV : Chooses `alpha` by cross-validation.
    ProportionalOddsClassifier : The same coefficients at all boundaries.
    out_of_fold_proba : Cross-validated probabilities that keep the order of the classes.

    Notes
    -----
    The columns of `predict_proba` follow the sorted `classes_`, because scikit-learn's metrics
    assume that order. Utilities that encode the labels before they fit, such as
    `sklearn.model_selection.cross_val_predict` with probabilities, stacking, voting and bagging,
    lose the order of a categorical: give them integers in the right order. `out_of_fold_proba`
    keeps the order.

    A small `alpha` is approached through rough solutions at ten times its value, a hundred times,
    and so on; `n_iter_` counts the iterations at `alpha` itself.

    Sparse X is standardised implicitly and never made dense. Beside X itself, memory is a sorted
    copy of X and a few arrays of length n_samples.

    The problem is convex with every link, as their densities are log-concave (see
    `ProportionalOddsClassifier`). The certificate holds with every link: where the conjugate of the
    loss has no closed form, all but the logistic one, `dual_gap_` has an upper bound of it, and may
    be tens of times what it would be otherwise: one or two iterations more, as it falls quickly.

    There is no `class_weight`: reweighting the classes would distort the probabilities.

    References
    ----------
    .. [1] G. Faletto, J. Bien, "Predicting Rare Events by Shrinking Towards Proportional Odds",
       ICML 2023.
    .. [2] B. Peterson, F. E. Harrell, "Partial Proportional Odds Models for Ordinal Response
       Variables", JRSS C 39, 1990.

    Examples
    --------
    >>> from skreg.datasets import make_ordinal
    >>> from skreg.ordinal import PrestoClassifier
    >>> X, y, probability = make_ordinal(random_state=0)
    >>> model = PrestoClassifier(alpha=0.005).fit(X, y)
    >>> model.predict_proba(X[:2]).round(3)
    array([[0.447, 0.531, 0.019, 0.003],
           [0.417, 0.546, 0.032, 0.006]])
    >>> model.violates_proportional_odds_.nonzero()[0]
    array([3, 5, 7, 8, 9])
    """

    _parameter_constraints: dict = PRESTO_CONSTRAINTS | {
        "alpha": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
    }

    def __init__(
        self,
        alpha: float = 0.01,
        *,
        link: Literal["logit", "probit", "cloglog", "loglog"] = "logit",
        l1_ratio: float = 1.0,
        first_penalty: float = 1.0,
        penalty_weights: ArrayLike | dict[str, float] | None = None,
        proportional: ArrayLike | Literal["all"] | None = None,
        standardize: bool = True,
        class_order: ArrayLike | None = None,
        tol: float = 1e-4,
        max_iter: int = 100,
        warm_start: bool = False,
    ) -> None:
        self.alpha = alpha
        self.link = link
        self.l1_ratio = l1_ratio
        self.first_penalty = first_penalty
        self.penalty_weights = penalty_weights
        self.proportional = proportional
        self.standardize = standardize
        self.class_order = class_order
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start

    @_fit_context(prefer_skip_nested_validation=True)
    @all_or_nothing
    def fit(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        offset: ArrayLike | None = None,
    ) -> Self:
        """Fit all boundaries.

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
        PrestoClassifier
            The fitted estimator.

        Raises
        ------
        ValueError
            If X or y has NaN or infinity, if there are fewer than two classes, if a class has no
            weight, or if `class_order`, `penalty_weights`, `proportional` or `offset` does not fit
            the data.

        Warns
        -----
        ConvergenceWarning
            If `tol` was not reached.
        UserWarning
            If three or more labels have no order of their own, so that the alphabetical one is
            taken; or if that of a categorical differs from the sorted one, which utilities that
            encode `y` take.
        """
        previous = self._previous() if self.warm_start else None
        data = self._validate(X, y, sample_weight, offset)
        problem, start = presto_problem(self, data), None
        if previous is not None and previous.coef.shape == problem.weights[:, 1:].shape:
            start = warm_point(problem, previous, self.alpha)
        solution = solve_at(problem, self.alpha, tol=self.tol, max_iter=self.max_iter, start=start)
        link = problem.rows.link
        warn_if_not_converged(solution, link, tol=self.tol, max_iter=self.max_iter)
        self.n_iter_, self.dual_gap_ = solution.n_iter, solution.dual_gap
        self.kkt_residual_ = solution.kkt_residual
        return self._store(original_scale(problem, solution.point.theta), data)

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
        """Coefficients with standard errors, tests, intervals and odds ratios, for ``alpha=0``.

        The model without penalty, with or without `proportional` features, is maximum likelihood.
        `bootstrap_summary` is for penalised coefficients.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features of the fit.
        y : array-like of shape (n_samples,)
            Labels of the fit.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the fit, as in `ProportionalOddsClassifier.summary`.
        offset : array-like of shape (n_samples,), default=None
            Offset of the fit.
        covariance : {"observed", "sandwich", "cluster"}, default="observed"
            As in `ProportionalOddsClassifier.summary`.
        groups : array-like of shape (n_samples,), default=None
            Groups of rows that depend on each other, for "cluster".
        interval : {"wald", "profile"}, default="wald"
            As in `ProportionalOddsClassifier.summary`. The rare boundary has the fewest events, and
            needs "profile" most.
        level : float, default=0.95
            Level of the intervals.
        direction : {"lower", "higher"}, default="lower"
            Whether a positive coefficient makes lower classes more probable, as in `coef_`, or
            higher ones.

        Returns
        -------
        pandas.DataFrame
            Columns as in `ProportionalOddsClassifier.summary`. The index has ``term`` and
            ``boundary``: a row for each `proportional` feature, at "all boundaries"; then, boundary
            by boundary, for each of the others; then for each "threshold". Boundaries are named by
            the classes on their sides.

        Raises
        ------
        ValueError
            If the fit was penalised, if X, y, sample_weight and offset are not those of the fit, or
            parameters were changed after it, if columns of X depend on each other, if the classes
            are separable at some boundary, or if `groups` do not fit.
        ImportError
            If pandas is not installed.

        Warns
        -----
        UserWarning
            If "observed" is given weights that are not whole numbers, if there are no more groups
            than parameters, or if boundaries cross at some row, which then has a class of negative
            probability.
        ConvergenceWarning
            If an end of a profile interval was not found; it is nan.

        See Also
        --------
        likelihood_ratio_test : Compares nested models, such as with and without `proportional`.
        bootstrap_summary : Of penalised fits.

        Examples
        --------
        >>> from skreg.datasets import load_ordinal_diabetes
        >>> from skreg.ordinal import PrestoClassifier
        >>> X, y = load_ordinal_diabetes(return_X_y=True)
        >>> X = X[:, [2, 3, 8]]
        >>> model = PrestoClassifier(alpha=0, proportional=[0, 1]).fit(X, y)
        >>> table = model.summary(X, y, direction="higher")
        >>> table.loc["x2", "coefficient"].round(1).to_dict()
        {'0|1': 15.5, '1|2': 18.3, '2|3': 7.2}
        """
        return summarise(
            self, X, y, sample_weight, offset, covariance=covariance, groups=groups,
            interval=interval, level=level, direction=direction,
        )  # fmt: skip

    def _problem(self, data):
        return presto_problem(self, data)

    def _previous(self):
        if not hasattr(self, "coef_diff_"):
            return None
        return Coefficients(self.intercept_, self.coef_, self.coef_diff_)


def presto_problem(estimator, data):
    """Problem of an estimator with PRESTO's parameters."""
    n_classes, n_features = len(data.labels.order), data.X.shape[1]
    names = getattr(estimator, "feature_names_in_", None)
    of_features = check_penalty_weights(estimator.penalty_weights, n_features, names)
    weights = increment_weights(n_classes, estimator.first_penalty, of_features)
    weights[1:, proportional_mask(estimator.proportional, n_features, names)] = np.inf
    return make_problem(
        data.X,
        data.labels.codes,
        n_classes,
        data.sample_weight,
        weights,
        estimator.l1_ratio,
        estimator.standardize,
        LINKS[estimator.link],
        data.offset,
    )
