"""Intervals of coefficients by refits to bootstrap samples, with the strength chosen anew."""

import warnings
from numbers import Integral, Real
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed

from skreg._progress import progress
from skreg._sklearn import (
    Interval,
    StrOptions,
    _check_sample_weight,
    _safe_indexing,
    validate_params,
)
from skreg._warnings import warn
from skreg.ordinal._base import CumulativeLinkClassifier
from skreg.ordinal._coefficient_table import (
    DIRECTIONS,
    Estimates,
    coefficient_table,
    threshold_names,
)
from skreg.ordinal._labels import from_categorical
from skreg.ordinal._terms import distinct_terms, levels_of

BY = "bootstrap_summary"
# with fewer different rows of a class, some fold could not learn it
ROWS_OF_A_CLASS = 2
# share of draws with too few rows of a class above which their absence is said
MANY_REDRAWN = 0.05


class Refit(NamedTuple):
    """What one sample gave."""

    coef: np.ndarray
    intercept: np.ndarray
    free: np.ndarray
    converged: bool
    at_edge: bool


@validate_params(
    {
        "X": ["array-like", "sparse matrix"],
        "y": ["array-like"],
        "sample_weight": ["array-like", None],
        "offset": ["array-like", None],
        "n_bootstraps": [Interval(Integral, 2, None, closed="left")],
        "level": [Interval(Real, 0, 1, closed="neither")],
        "direction": [StrOptions(DIRECTIONS)],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=True,
)
def bootstrap_summary(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    *,
    n_bootstraps: int = 200,
    level: float = 0.95,
    direction: Literal["lower", "higher"] = "lower",
    random_state: int | np.random.RandomState | None = None,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> Any:
    """Coefficients with percentile intervals from refits to bootstrap samples.

    An estimator that chooses its strength, such as `PrestoClassifierCV` or a grid search, chooses
    it again in every sample. A sample is a weight for each row, the number of times that it was
    drawn, so that copies of a row never lie in different folds.

    Intervals of penalised coefficients show how much these vary from sample to sample. They are
    around a value that the penalty has moved, and need not cover the true coefficient at their
    level; nor does an interval that leaves out 0 test anything [1]_.

    Parameters
    ----------
    estimator : estimator
        A classifier of `skreg.ordinal`, or a search of scikit-learn over one, fitted or not. (Such
        a search scores each row of a sample once, unless its scorer asks for weights by metadata
        routing.)
    X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
        Features.
    y : array-like of shape (n_samples,)
        Labels.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights, multiplied by the numbers of draws.
    offset : array-like of shape (n_samples,), default=None
        Known part of the predictors in every fit.
    n_bootstraps : int, default=200
        Number of samples.
    level : float, default=0.95
        Level of the intervals.
    direction : {"lower", "higher"}, default="lower"
        Whether a positive coefficient makes lower or higher classes more probable, as in
        `ProportionalOddsClassifier.summary`.
    random_state : int, RandomState instance or None, default=None
        Draws the samples.
    n_jobs : int, default=None
        Number of samples fitted at once.
    verbose : int, default=0
        Whether to show the progress over the samples on stderr.

    Returns
    -------
    pandas.DataFrame
        Columns ``coefficient`` of the fit to all rows, ``standard_error`` over the samples,
        ``lower``, ``upper``, with the logistic link ``odds_ratio`` with its ``odds_ratio_lower``
        and ``odds_ratio_upper``, and ``nonzero``, the share of samples in which the coefficient is
        not 0. Rows as in `ProportionalOddsClassifier.summary`, or in `PrestoClassifier.summary`, by
        ``term`` and ``boundary``: at each boundary for a feature that a search over `proportional`
        left free on all rows or in some sample.

    Raises
    ------
    TypeError
        If `estimator` is no classifier of `skreg.ordinal` and no search over one.
    ValueError
        If a class has fewer than two rows, if `n_bootstraps` is too small for the ends of the
        intervals, if a search chose another link in some sample, and as `fit`.
    ImportError
        If pandas is not installed.

    Warns
    -----
    UserWarning
        If the fit is penalised: what the intervals mean. If many draws were repeated, because they
        had fewer than two different rows of a class. If many samples chose a strength at the edge
        of its grid.
    ConvergenceWarning
        If fits to samples did not converge.

    See Also
    --------
    ProportionalOddsClassifier.summary : Without penalty.

    References
    ----------
    .. [1] A. Chatterjee, S. N. Lahiri, "Bootstrapping Lasso Estimators", JASA 106, 2011.

    Examples
    --------
    >>> import warnings
    >>> from skreg.datasets import load_ordinal_diabetes
    >>> from skreg.ordinal import PrestoClassifierCV, bootstrap_summary
    >>> X, y = load_ordinal_diabetes(return_X_y=True)
    >>> model = PrestoClassifierCV(5, cv=3)
    >>> with warnings.catch_warnings():  # that penalised coefficients are moved
    ...     warnings.simplefilter("ignore")
    ...     table = bootstrap_summary(model, X[:, :3], y, n_bootstraps=40, random_state=0)
    >>> bool(table.loc[("x2", "2|3"), "upper"] < 0)
    True
    """
    _check_estimator(estimator)
    _check_ends(n_bootstraps, level)
    whole = clone(estimator).fit(X, y, sample_weight=sample_weight, **_given(offset))
    fitted = getattr(whole, "best_estimator_", whole)
    _warn_of_penalty(whole, fitted)
    refits = _refit_all(
        _with_order(estimator, fitted.class_order_), X, y, sample_weight, offset,
        np.searchsorted(fitted.classes_, from_categorical(y)[0]), fitted.link_,
        n_bootstraps, random_state, n_jobs, verbose,
    )  # fmt: skip
    _warn_of_refits(refits)
    free = np.any([_free_increments(fitted), *(refit.free for refit in refits)], axis=0)
    terms = distinct_terms(free)
    values = np.array([_flat(terms, refit.coef, refit.intercept) for refit in refits])
    lower, upper = np.quantile(values, [0.5 - 0.5 * level, 0.5 + 0.5 * level], axis=0)
    levels = levels_of(
        terms, fitted._feature_names(), threshold_names(fitted.class_order_), _by_boundary(fitted)
    )
    estimates = Estimates(
        levels, len(terms.feature), _flat(terms, fitted.coef_, fitted.intercept_),
        values.std(axis=0, ddof=1), lower, upper,
    )  # fmt: skip
    table = coefficient_table(estimates, direction, fitted.link_, BY)
    table["nonzero"] = np.mean(values != 0.0, axis=0)
    return table


def _refit_all(
    model, X, y, sample_weight, offset, codes, link, n_bootstraps, random_state, n_jobs, verbose
):
    weight = _check_sample_weight(sample_weight, X, dtype=np.float64)
    samples = _draw(codes, weight, n_bootstraps, check_random_state(random_state))
    results = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_refit)(model, X, y, offset, link, weight * counts) for counts in samples
    )
    return list(progress(results, total=n_bootstraps, verbose=verbose, by=BY, unit="sample"))


def _refit(model, X, y, offset, link, weight):
    rows = np.flatnonzero(weight > 0.0)
    model = clone(model)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(
            _safe_indexing(X, rows), _safe_indexing(y, rows), sample_weight=weight[rows],
            **_given(None if offset is None else _safe_indexing(offset, rows)),
        )  # fmt: skip
    converged = not any(issubclass(warning.category, ConvergenceWarning) for warning in caught)
    fitted = getattr(model, "best_estimator_", model)
    if fitted.link_ != link:
        raise ValueError(
            f"all rows chose link={link!r}, but a bootstrap sample link={fitted.link_!r}, whose "
            f"coefficients have another meaning: {BY} needs a search that leaves the link alone"
        )
    at_edge = bool(getattr(fitted, "alpha_at_edge_", False))
    return Refit(fitted.coef_, fitted.intercept_, _free_increments(fitted), converged, at_edge)


def _given(offset):
    """The offset as a parameter of fit, for searches too, that take what they are given."""
    return {} if offset is None else {"offset": offset}


def _draw(codes, weight, n_bootstraps, random_state):
    """Numbers of draws of each row, in samples that have rows of every class."""
    n, available = len(codes), np.flatnonzero(weight > 0.0)
    n_classes = codes.max() + 1
    if np.bincount(codes[available], minlength=n_classes).min() < ROWS_OF_A_CLASS:
        raise ValueError(f"{BY} needs at least {ROWS_OF_A_CLASS} rows of every class of y")
    samples: list[np.ndarray] = []
    n_drawn = 0
    while len(samples) < n_bootstraps:
        drawn = random_state.choice(available, len(available))
        counts = np.bincount(drawn, minlength=n)
        n_drawn += 1
        if np.bincount(codes[counts > 0], minlength=n_classes).min() >= ROWS_OF_A_CLASS:
            samples.append(counts)
    if n_drawn - n_bootstraps > MANY_REDRAWN * n_drawn:
        warn(
            f"{n_drawn - n_bootstraps} of {n_drawn} bootstrap samples had fewer than "
            f"{ROWS_OF_A_CLASS} different rows of some class and were drawn again: intervals do "
            "not show how uncertain so rare a class is"
        )
    return samples


def _check_estimator(estimator):
    inner = getattr(estimator, "estimator", estimator)
    if not isinstance(inner, CumulativeLinkClassifier):
        raise TypeError(
            f"{BY} refits a classifier of skreg.ordinal, or a search over one, with weights for "
            f"its rows; got {type(estimator).__name__}. In a Pipeline, pass its last step, and X "
            "as transformed by the steps before"
        )


def _check_ends(n_bootstraps, level):
    needed = int(np.ceil(2.0 / (1.0 - level) - 1e-9))
    if n_bootstraps < needed:
        raise ValueError(
            f"n_bootstraps={n_bootstraps} samples are too few for the ends of intervals of "
            f"level={level}: at least {needed} are needed"
        )


def _with_order(estimator, class_order):
    prefix = "" if isinstance(estimator, CumulativeLinkClassifier) else "estimator__"
    return clone(estimator).set_params(**{f"{prefix}class_order": class_order})


def _flat(terms, coef, intercept):
    return np.concatenate([terms.of(coef), intercept])


def _by_boundary(fitted):
    """Whether coefficients may differ between boundaries."""
    return hasattr(fitted, "coef_diff_")


def _free_increments(fitted):
    """Which increments have coefficients of their own, also those that the penalty keeps out."""
    free = np.zeros((len(fitted.intercept_), fitted.n_features_in_), dtype=bool)
    free[0] = True
    if _by_boundary(fitted):
        free[1:] = ~fitted._proportional_features()
    return free


def _warn_of_penalty(whole, fitted):
    alpha = fitted.alpha_ if hasattr(fitted, "alpha_") else fitted.alpha
    if alpha == 0.0:
        return
    chosen = hasattr(fitted, "alpha_") or whole is not fitted
    held = (
        f" alpha={alpha:.3g} was held fixed, as if it had been known before the data; to have it "
        "chosen again in every sample, pass PrestoClassifierCV or a search."
    )
    warn(
        "The coefficients are penalised: the intervals show how much they vary from sample to "
        "sample, around values that the penalty has drawn towards zero or towards each other. They "
        "need not cover the true coefficients at their level, and one that leaves out 0 is no test."
        + ("" if chosen else held)
    )


def _warn_of_refits(refits):
    n_failed = sum(not refit.converged for refit in refits)
    if n_failed:
        warn(
            f"{n_failed} of {len(refits)} fits to bootstrap samples did not converge, or had "
            "separable classes: standard errors are unreliable, and so are the ends if they are "
            "many. Penalise the coefficients, or increase max_iter.",
            ConvergenceWarning,
        )
    n_at_edge = sum(refit.at_edge for refit in refits)
    if n_at_edge > 0.5 * len(refits):
        warn(
            f"{n_at_edge} of {len(refits)} bootstrap samples chose a strength at an edge of the "
            "grid: widen it, by a smaller eps or by other alphas"
        )
