"""Ordered class labels: their order, where it comes from, and positions in it."""

from numbers import Number
from typing import NamedTuple

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.multiclass import check_classification_targets

from skreg._warnings import warn

ENCODERS = "cross_val_predict, StackingClassifier, VotingClassifier, BaggingClassifier"
# where an order can come from
GIVEN, CATEGORICAL, NATURAL, GUESSED = "class_order", "categorical", "natural", "guessed"


class OrderedLabels(NamedTuple):
    """Sorted labels, the same labels in the order of the model, the position of each sample's
    label in the latter, and where the order comes from."""

    classes: np.ndarray
    order: np.ndarray
    codes: np.ndarray
    origin: str


def from_categorical(y):
    """Labels in a plain array, and the categories if they are ordered.

    The only column of a data frame counts as a column. Ordered are the categories of an ordered
    pandas categorical and those of a polars Enum. Numbers of dtype object become numbers. What is
    no column is returned as it is, for others to complain.
    """
    column = _only_column(y)
    dtype = getattr(column, "dtype", None)
    if isinstance(column, list | tuple):
        return _from_list(column), None
    if dtype is None or issparse(column):
        return y, None
    return _plain(np.asarray(column)), _ordered_levels(dtype)


def _from_list(labels):
    """Array of a list, where numpy would turn a nan or a number among strings into a string."""
    values = np.asarray(labels)
    return _plain(np.asarray(labels, dtype=object) if values.dtype.kind == "U" else values)


def _ordered_levels(dtype):
    if type(dtype).__module__.startswith("polars."):
        return dtype.categories.to_list() if type(dtype).__name__ == "Enum" else None
    return list(dtype.categories) if getattr(dtype, "ordered", False) else None


def _only_column(y):
    if not hasattr(y, "columns") or np.ndim(y) != 2 or y.shape[1] != 1:
        return y
    return y.iloc[:, 0] if hasattr(y, "iloc") else y[:, 0]


def _plain(labels):
    """Array of strings or numbers from one of dtype object."""
    if labels.dtype != object or labels.ndim != 1:
        return labels
    if all(isinstance(label, Number | np.bool_) for label in labels):
        return np.array(labels.tolist())
    odd = [label for label in labels if not isinstance(label, str)]
    if odd:
        raise ValueError(
            "y must hold only strings or only numbers, and nothing missing; "
            f"{len(odd)} of its {len(labels)} entries are no strings, such as {odd[0]!r}"
        )
    return labels


def order_labels(y, class_order, levels=None):
    """Bring labels into an order.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Labels.
    class_order : array-like of shape (n_levels,) or None
        Labels from the first class to the last. Those that `y` does not have are left out.
    levels : list or None
        The same from an ordered categorical, in case `class_order` is None. If both are, the
        labels are sorted: numbers by value, strings alphabetically.

    Returns
    -------
    OrderedLabels
        The labels and their order.

    Raises
    ------
    ValueError
        If there are fewer than two classes, or `class_order` lacks or repeats a label.
    """
    check_classification_targets(y)
    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(
            f"y has {len(classes)} class, {classes.tolist()}; at least two classes are needed"
        )
    if class_order is not None:
        order, origin = order_of(classes, class_order), GIVEN
    elif levels is not None:
        order, origin = order_of(classes, levels), CATEGORICAL
    else:
        order, origin = classes, NATURAL if has_natural_order(classes) else GUESSED
    position = np.empty(len(classes), dtype=np.intp)
    position[np.searchsorted(classes, order)] = np.arange(len(classes))
    return OrderedLabels(classes, order, position[codes], origin)


def order_of(classes, class_order):
    """The sorted `classes` in the order of `class_order`, which may have more labels."""
    given = np.asarray(class_order, dtype=object).tolist()
    position = {label: k for k, label in enumerate(given)}
    lacking = [label for label in classes.tolist() if label not in position]
    if len(position) != len(given) or lacking:
        encoded = classes.tolist() == list(range(len(given)))
        raise ValueError(
            f"class_order={given} must name each label of y once; y has {classes.tolist()}"
            + ((encoded and f". {_encoded()}") or "")
        )
    return classes[np.argsort([position[label] for label in classes.tolist()])]


def has_natural_order(classes):
    """Whether sorted labels are in an order that they have by themselves: numbers and times."""
    return classes.dtype.kind in "biufmM"


def _encoded():
    return (
        f"Utilities that encode y before they fit ({ENCODERS}) pass on the positions of the "
        "sorted labels: give them y as integers in the order of the classes, and leave "
        "class_order out, or use skreg.ordinal.out_of_fold_proba"
    )


def warn_if_guessed(labels):
    """Say which order was taken for labels that have none. With two it only sets a sign."""
    if labels.origin == GUESSED and len(labels.order) > 2:
        warn(
            f"The labels of y have no order of their own and are taken alphabetically: "
            f"{_ascending(labels)}. Another order is given by class_order=[...], from the first "
            "class to the last, or by y as integers or as an ordered categorical."
        )


def warn_if_lost_by_encoding(labels):
    """Say that the order of a categorical is unknown to whoever encodes y by sorting."""
    sorted_too = np.array_equal(labels.order, labels.classes)
    if labels.origin == CATEGORICAL and len(labels.order) > 2 and not sorted_too:
        warn(
            f"The order of the categories of y, {_ascending(labels)}, is not that of the sorted "
            "labels. This fit keeps it, but utilities that encode y before they fit "
            f"({ENCODERS}) lose it without a word: give them y as integers in the order of the "
            "classes. skreg.ordinal.out_of_fold_proba keeps it. With class_order=[...] here the "
            "order cannot be lost unnoticed, and this warning goes."
        )


def _ascending(labels):
    return " < ".join(str(label) for label in labels.order)


def check_class_weights(labels, sample_weight):
    """Raise ValueError if the weights of some class sum to zero."""
    total = np.bincount(labels.codes, weights=sample_weight, minlength=len(labels.order))
    empty = labels.order[total <= 0.0]
    if len(empty):
        raise ValueError(
            f"sample_weight gives class {empty.tolist()[0]!r} of y no weight; every class needs "
            "some"
        )
