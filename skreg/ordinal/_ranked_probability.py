"""A proper score of the probabilities of ordered classes."""

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import assert_all_finite, check_array, check_consistent_length, column_or_1d

from skreg._sklearn import _check_sample_weight, validate_params
from skreg.ordinal._class_order import order_unknown
from skreg.ordinal._labels import from_categorical, has_natural_order

ROUNDING = 1e-5  # as single precision leaves it


@validate_params(
    {
        "y_true": ["array-like"],
        "y_prob": ["array-like"],
        "class_order": ["array-like", None],
        "sample_weight": ["array-like", None],
    },
    prefer_skip_nested_validation=True,
)
def ranked_probability_score(
    y_true: ArrayLike,
    y_prob: ArrayLike,
    *,
    class_order: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""Mean squared error of the cumulative probabilities; smaller is better, 0 is perfect.

    .. math::
        \frac{1}{n} \sum_i \sum_{k = 0}^{K - 2} \big( P_i(Y \le k) - 1[y_i \le k] \big)^2

    A proper score that knows the order: probability on a neighbour of the observed class costs less
    than on a class far away [1]_. With two classes it is the Brier score of one of them.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels: numbers, strings, or an ordered categorical. Every column of `y_prob` needs a label
        that is here or in `class_order`.
    y_prob : array-like of shape (n_samples, n_classes)
        Probabilities, with the columns of the *sorted* labels, as from `predict_proba` and
        `out_of_fold_proba`.
    class_order : array-like of shape (n_classes,), default=None
        The labels from the first class to the last. If None, the order of the categories of an
        ordered categorical, or of numbers.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights.

    Returns
    -------
    float
        The score.

    Raises
    ------
    ValueError
        If the order is not known, if `y_prob` has another number of columns than there are labels,
        or rows that are no distributions.

    References
    ----------
    .. [1] E. S. Epstein, "A Scoring System for Probability Forecasts of Ranked Categories",
       Journal of Applied Meteorology 8, 1969.

    Examples
    --------
    >>> from skreg.ordinal import ranked_probability_score
    >>> near, far = [[0.0, 1.0, 0.0]], [[0.0, 0.0, 1.0]]
    >>> [ranked_probability_score([0], p, class_order=[0, 1, 2]) for p in (near, far)]
    [1.0, 2.0]
    """
    values, levels = from_categorical(y_true)
    values = column_or_1d(values)
    proba = check_array(y_prob, input_name="y_prob")
    check_consistent_length(values, proba)
    order = _all_labels(values, levels if class_order is None else class_order)
    columns = np.unique(order)
    _check_distributions(proba, order)
    codes = np.searchsorted(columns, order).argsort()[np.searchsorted(columns, values)]
    below = np.cumsum(proba[:, np.searchsorted(columns, order)], axis=1)[:, :-1]
    error = below - (codes[:, None] <= np.arange(len(order) - 1))
    weight = _check_sample_weight(sample_weight, proba, ensure_non_negative=True)
    return float(np.average((error**2).sum(axis=1), weights=weight))


def _all_labels(values, given):
    """Labels in their order, also those that are not among the values."""
    assert_all_finite(values, input_name="y_true")
    found = np.unique(values)
    if given is None:
        if not has_natural_order(found):
            raise order_unknown(found, "y_true")
        return found
    order = np.asarray(given)
    if len(np.unique(order)) < len(order) or not np.isin(found, order).all():
        raise ValueError(
            f"class_order={order.tolist()} must name each label once; y_true has {found.tolist()}"
        )
    return order


def _check_distributions(proba, order):
    if proba.shape[1] != len(order):
        raise ValueError(
            f"y_prob has {proba.shape[1]} columns for the {len(order)} labels {order.tolist()}; "
            "class_order=[...] names the label of each column, also one that y_true does not have"
        )
    if proba.min() < -ROUNDING or np.abs(proba.sum(axis=1) - 1.0).max() > ROUNDING:
        raise ValueError(
            f"rows of y_prob must be distributions; their sums go from "
            f"{proba.sum(axis=1).min():.6g} to {proba.sum(axis=1).max():.6g}, and the smallest "
            f"entry is {proba.min():.6g}"
        )
