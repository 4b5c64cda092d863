"""Tests of proportional odds: by Brant's separate fits, and by likelihood ratios."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc

from skreg._optional import require
from skreg.ordinal._brant import separate_fits, wald_statistic
from skreg.ordinal._coefficient_table import threshold_names
from skreg.ordinal._maximum import free_increments
from skreg.ordinal._maximum_likelihood import (
    checked_maximum,
    crossing_rate_at,
    likelihood_of,
    warn_of_crossing,
    warn_of_fractions,
)
from skreg.ordinal._terms import distinct_terms

ALL_FEATURES, LARGER_MODEL = "all features", "larger model"
# share of rows at which a larger model may cross. In simulations of proportional odds with five
# features no sample of 300 rows had more, and the test at 5 % rejected 6 %; of samples of 100 rows
# two thirds had, and it rejected 16 % of all
MUCH_CROSSING = 0.05


def brant_test(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
) -> Any:
    """Test proportional odds by separate logistic regressions at the boundaries.

    Proportional odds say that these have equal slopes. The Wald statistic of their differences is
    asymptotically chi-squared [1]_. Where the last class has few events, its regression is
    uncertain and the statistic unreliable; `likelihood_ratio_test` then is better.

    Parameters
    ----------
    estimator : ProportionalOddsClassifier or PrestoClassifier
        Fitted without penalty. Of the latter, its `proportional` features are tested.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Features of the fit.
    y : array-like of shape (n_samples,)
        Labels of the fit.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the fit, taken for numbers of equal rows.
    offset : array-like of shape (n_samples,), default=None
        Offset of the fit.

    Returns
    -------
    pandas.DataFrame
        Columns ``statistic``, ``degrees_of_freedom`` and ``p_value``; first a row for all tested
        features together, then one for each. Small p-values speak against proportional odds.

    Raises
    ------
    TypeError
        If `estimator` is none of these.
    ValueError
        If the link is not the logistic one, if there are only two classes or no proportional
        features, if a boundary separates its classes, and as `ProportionalOddsClassifier.summary`.
    ImportError
        If pandas is not installed.

    Warns
    -----
    UserWarning
        If weights are not whole numbers.

    See Also
    --------
    likelihood_ratio_test : The same hypothesis, by the likelihood.

    References
    ----------
    .. [1] R. Brant, "Assessing Proportionality in the Proportional Odds Model for Ordinal Logistic
       Regression", Biometrics 46, 1990.

    Examples
    --------
    >>> from skreg.datasets import load_ordinal_diabetes
    >>> from skreg.ordinal import ProportionalOddsClassifier, brant_test
    >>> X, y = load_ordinal_diabetes(return_X_y=True)
    >>> table = brant_test(ProportionalOddsClassifier().fit(X, y), X, y)
    >>> table.loc[["all features", "x2"], "p_value"].round(2).tolist()
    [0.32, 0.11]
    """
    by = "brant_test"
    likelihood = likelihood_of(estimator, X, y, sample_weight, by, offset)
    _warn_of_fractions(sample_weight, by)
    tested, names = _proportional(estimator, likelihood, by), estimator._feature_names()
    if estimator.link_ != "logit":
        raise ValueError(
            f"the estimator was fitted with link={estimator.link_!r}, but brant_test compares "
            "logistic regressions: use likelihood_ratio_test, which has the link of the fit"
        )
    included = np.isfinite(likelihood.problem.weights[0, 1:])
    slopes, covariance = separate_fits(
        likelihood.X,
        likelihood.codes,
        likelihood.sample_weight,
        likelihood.offset,
        included,
        names,
        threshold_names(estimator.class_order_),
    )
    positions = np.searchsorted(np.flatnonzero(included), tested)
    return _test_table(
        [ALL_FEATURES, *names[tested]],
        [wald_statistic(slopes, covariance, some) for some in (positions, *positions[:, None])],
        by,
    )


def likelihood_ratio_test(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    *,
    larger: Any = None,
) -> Any:
    """Test proportional odds against slopes that differ between boundaries, by the likelihood.

    With another link than the logistic one it is the same test of equal slopes, under this link.
    The larger model gives one proportional feature, or all, a slope of its own at each boundary, or
    is another fit. Twice the difference of the log-likelihoods is asymptotically chi-squared.

    Parameters
    ----------
    estimator : ProportionalOddsClassifier or PrestoClassifier
        Fitted without penalty. Of the latter, its `proportional` features are tested.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Features of the fit.
    y : array-like of shape (n_samples,)
        Labels of the fit.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the fit, taken for numbers of equal rows.
    offset : array-like of shape (n_samples,), default=None
        Offset of the fit.
    larger : ProportionalOddsClassifier or PrestoClassifier, default=None
        Fitted to the same rows without penalty, with the same link: a model that holds `estimator`,
        by fewer `proportional` features, or by fewer that `penalty_weights` exclude. If None, each
        larger model is fitted here.

    Returns
    -------
    pandas.DataFrame
        Columns ``statistic``, ``degrees_of_freedom`` and ``p_value``; one row if `larger` is given,
        and else first a row for all tested features together, then one for each. Small p-values
        speak against proportional odds, or against `estimator`.

    Raises
    ------
    TypeError
        If `estimator` or `larger` is none of these.
    ValueError
        If there are only two classes or no proportional features to free, if `larger` does not hold
        `estimator`, if a larger model has no maximum, and as `ProportionalOddsClassifier.summary`.
    ImportError
        If pandas is not installed.

    Warns
    -----
    UserWarning
        If weights are not whole numbers, or if boundaries of a larger model cross at more than 5%
        of the rows.

    See Also
    --------
    brant_test : The same hypothesis, by separate logistic regressions.

    Examples
    --------
    >>> from skreg.datasets import load_ordinal_diabetes
    >>> from skreg.ordinal import ProportionalOddsClassifier, likelihood_ratio_test
    >>> X, y = load_ordinal_diabetes(return_X_y=True)
    >>> X = X[:, [2, 3, 8]]
    >>> table = likelihood_ratio_test(ProportionalOddsClassifier().fit(X, y), X, y)
    >>> table.loc[["all features", "x0"], "p_value"].round(2).tolist()
    [0.11, 0.06]
    """
    by = "likelihood_ratio_test"
    likelihood = likelihood_of(estimator, X, y, sample_weight, by, offset)
    _warn_of_fractions(sample_weight, by)
    if larger is not None:
        other = likelihood_of(larger, X, y, sample_weight, by, offset)
        _check_nested(estimator, likelihood, larger, other)
        _warn_of_crossing(likelihood, [other.maximum])
        return _test_table([LARGER_MODEL], [_ratio(likelihood, other.maximum, other.free)], by)
    tested, names = _proportional(estimator, likelihood, by), estimator._feature_names()
    results, maxima = [], []
    for free_features in (tested, *tested[:, None]):
        weights = likelihood.problem.weights.copy()
        weights[:, 1 + free_features] = 0.0
        free = free_increments(likelihood.problem._replace(weights=weights))
        found = checked_maximum(likelihood.problem, likelihood.maximum.point, free, names, by)
        results.append(_ratio(likelihood, found, free))
        maxima.append(found)
    _warn_of_crossing(likelihood, maxima)
    return _test_table([ALL_FEATURES, *names[tested]], results, by)


def _warn_of_fractions(sample_weight, by):
    warn_of_fractions(
        sample_weight,
        by,
        "its statistics grow with their scale",
        "compare intervals of summary(covariance='sandwich')",
    )


def _warn_of_crossing(likelihood, maxima):
    rate = max(crossing_rate_at(likelihood, maximum) for maximum in maxima)
    if rate > MUCH_CROSSING:
        consequence = "statistics then are larger than chi-squared, and the test rejects too often"
        warn_of_crossing(rate, "a larger model", consequence)


def _ratio(smaller, maximum, free):
    """Twice the logarithm of the likelihood ratio, and the number of increments added."""
    gain = smaller.maximum.loss - maximum.loss
    return 2.0 * smaller.total_weight * gain, len(free) - len(smaller.free)


def _proportional(estimator, likelihood, by):
    """Positions of the features that have one coefficient for several boundaries."""
    if len(estimator.class_order_) < 3:
        raise ValueError(
            f"{by} compares boundaries, but the classes {estimator.class_order_.tolist()} have one"
        )
    terms = distinct_terms(np.isfinite(likelihood.problem.weights[:, 1:]))
    if not terms.common.any():
        raise ValueError(
            f"{by} asks whether effects differ between boundaries, but in this model no feature "
            "has one effect at all of them: fit ProportionalOddsClassifier, or PrestoClassifier "
            "with proportional, with features"
        )
    return terms.feature[terms.common]


def _check_nested(estimator, likelihood, larger, other):
    """Raise ValueError unless all that is free in the smaller model is free in the larger."""
    if estimator.class_order_.tolist() != larger.class_order_.tolist():
        raise ValueError(
            f"larger has the order {larger.class_order_.tolist()} of the classes, but estimator "
            f"{estimator.class_order_.tolist()}"
        )
    if estimator.link_ != larger.link_:
        raise ValueError(f"larger has link={larger.link_!r}, but estimator {estimator.link_!r}")
    lost = np.setdiff1d(likelihood.free, other.free)
    if len(lost):
        features = np.unique(lost % likelihood.problem.weights.shape[1]) - 1
        names = estimator._feature_names()[features][:5].tolist()
        raise ValueError(
            f"larger must hold estimator, but it leaves out coefficients of {names} that estimator "
            "has"
        )
    if len(other.free) == len(likelihood.free):
        raise ValueError("larger must have more coefficients than estimator, but is the same model")


def _test_table(terms, results, by):
    statistic, degrees = (np.array(values) for values in zip(*results, strict=True))
    pandas = require("pandas", "bench", by)
    return pandas.DataFrame(
        {
            "statistic": statistic,
            "degrees_of_freedom": degrees,
            "p_value": chdtrc(degrees, statistic),
        },
        index=pandas.Index(terms, name="term"),
    )
