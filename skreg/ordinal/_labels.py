"""Ordered class labels: their order, and positions in it."""

from typing import NamedTuple

import numpy as np
from sklearn.utils.multiclass import check_classification_targets


class OrderedLabels(NamedTuple):
    """Sorted labels, the same labels in the order of the model, and the position of each sample's
    label in the latter."""

    classes: np.ndarray
    order: np.ndarray
    codes: np.ndarray


def from_categorical(y):
    """Labels of a pandas categorical, alone or a column of a frame, and their order if it has one.

    Other y are returned as they are. Categories that do not occur are left out of the order.
    """
    column = y.iloc[:, 0] if hasattr(y, "iloc") and y.ndim == 2 and y.shape[1] == 1 else y
    dtype = getattr(column, "dtype", None)
    if not hasattr(dtype, "categories"):
        return y, None
    occurring = set(column.unique())
    order = [category for category in dtype.categories if category in occurring]
    return np.asarray(column), np.asarray(order) if dtype.ordered else None


def order_labels(y, class_order):
    """Bring labels into an order.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Labels.
    class_order : array-like of shape (n_classes,) or None
        The labels from the first class to the last; sorted if None.

    Returns
    -------
    OrderedLabels
        The labels and their order.

    Raises
    ------
    ValueError
        If there are fewer than two classes, or `class_order` is not a permutation of the labels.
    """
    check_classification_targets(y)
    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(
            f"y has {len(classes)} class, {classes.tolist()}; at least two classes are needed"
        )
    if class_order is None:
        return OrderedLabels(classes, classes, codes)
    given = np.asarray(class_order).tolist()
    position = {label: k for k, label in enumerate(given)}
    if len(position) != len(given) or set(position) != set(classes.tolist()):
        raise ValueError(
            f"class_order={given} must name each label of y once; y has {classes.tolist()}"
        )
    code_of_class = np.array([position[label] for label in classes.tolist()])
    return OrderedLabels(classes, classes[np.argsort(code_of_class)], code_of_class[codes])


def check_class_weights(labels, sample_weight):
    """Raise ValueError if the weights of some class sum to zero."""
    total = np.bincount(labels.codes, weights=sample_weight, minlength=len(labels.order))
    empty = labels.order[total <= 0.0]
    if len(empty):
        raise ValueError(
            f"sample_weight gives class {empty.tolist()[0]!r} of y no weight; every class needs "
            "some"
        )
