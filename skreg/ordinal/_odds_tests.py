"""Tests of proportional odds: by Brant's separate fits, and by likelihood ratios."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc

from skreg._optional import require
from skreg.ordinal._brant import separate_fits, wald_statistic
from skreg.ordinal._coefficient_table import threshold_names
from skreg.ordinal._maximum import free_increments
from skreg.ordinal._maximum_likelihood import checked_maximum, likelihood_of

ALL_FEATURES = "all features"


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
    estimator : ProportionalOddsClassifier
        Fitted without penalty.
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
        Columns ``statistic``, ``degrees_of_freedom`` and ``p_value``; first a row for all features
        together, then one for each feature in the model. Small p-values speak against proportional
        odds.

    Raises
    ------
    ValueError
        If the link is not the logistic one, if there are only two classes, if a boundary separates
        its classes, and as `ProportionalOddsClassifier.summary`.
    ImportError
        If pandas is not installed.

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
    likelihood, names, included = _of_three_classes(
        estimator, X, y, sample_weight, offset, "brant_test"
    )
    if estimator.link_ != "logit":
        raise ValueError(
            f"the estimator was fitted with link={estimator.link_!r}, but brant_test compares "
            "logistic regressions: use likelihood_ratio_test, which has the link of the fit"
        )
    slopes, covariance = separate_fits(
        likelihood.X,
        likelihood.codes,
        likelihood.sample_weight,
        likelihood.offset,
        included,
        names,
        threshold_names(estimator.class_order_),
    )
    positions = np.arange(slopes.shape[1])
    return _test_table(
        names[included],
        [wald_statistic(slopes, covariance, some) for some in (positions, *positions[:, None])],
        "brant_test",
    )


def likelihood_ratio_test(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
) -> Any:
    """Test proportional odds against slopes that differ between boundaries, by the likelihood.

    With another link than the logistic one it is the same test of equal slopes, under this link.
    The larger model gives one feature, or all, a slope of its own at each boundary. Twice the
    difference of the log-likelihoods is asymptotically chi-squared.

    Parameters
    ----------
    estimator : ProportionalOddsClassifier
        Fitted without penalty.
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
        Columns ``statistic``, ``degrees_of_freedom`` and ``p_value``; first a row for all features
        together, then one for each feature in the model. Small p-values speak against proportional
        odds.

    Raises
    ------
    ValueError
        If there are only two classes, if a larger model has no maximum, and as
        `ProportionalOddsClassifier.summary`.
    ImportError
        If pandas is not installed.

    See Also
    --------
    brant_test : The same hypothesis, by separate logistic regressions.

    Examples
    --------
    >>> from skreg.datasets import load_ordinal_diabetes
    >>> from skreg.ordinal import ProportionalOddsClassifier, likelihood_ratio_test
    >>> X, y = load_ordinal_diabetes(return_X_y=True)
    >>> table = likelihood_ratio_test(ProportionalOddsClassifier().fit(X, y), X, y)
    >>> table.loc[["all features", "x2"], "p_value"].round(2).tolist()
    [0.56, 0.05]
    """
    by = "likelihood_ratio_test"
    likelihood, names, included = _of_three_classes(estimator, X, y, sample_weight, offset, by)
    features = np.flatnonzero(included)
    results = []
    for free_features in (features, *features[:, None]):
        larger = likelihood.problem.weights.copy()
        larger[:, 1 + free_features] = 0.0
        free = free_increments(likelihood.problem._replace(weights=larger))
        found = checked_maximum(likelihood.problem, likelihood.maximum.point, free, names, by)
        gain = likelihood.maximum.loss - found.loss
        results.append((2.0 * likelihood.total_weight * gain, len(free) - len(likelihood.free)))
    return _test_table(names[included], results, by)


def _of_three_classes(estimator, X, y, sample_weight, offset, by):
    """The likelihood, the names of all features, and which of them are in the model."""
    likelihood = likelihood_of(estimator, X, y, sample_weight, by, offset)
    if len(estimator.class_order_) < 3:
        raise ValueError(
            f"{by} compares boundaries, but the classes {estimator.class_order_.tolist()} have one"
        )
    included = np.isfinite(likelihood.problem.weights[0, 1:])
    return likelihood, estimator._feature_names(), included


def _test_table(names, results, by):
    statistic, degrees = (np.array(values) for values in zip(*results, strict=True))
    pandas = require("pandas", "bench", by)
    return pandas.DataFrame(
        {
            "statistic": statistic,
            "degrees_of_freedom": degrees,
            "p_value": chdtrc(degrees, statistic),
        },
        index=pandas.Index([ALL_FEATURES, *names], name="term"),
    )
