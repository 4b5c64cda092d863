"""The order of the classes of a fitted classifier, wherever it is wrapped."""

import numpy as np

from skreg._inside import fitted_inside
from skreg.ordinal._labels import GUESSED, from_categorical, has_natural_order, order_of


def class_order_of(estimator, class_order=None, y=None):
    """Classes of a fitted classifier from the first to the last, rare one.

    Parameters
    ----------
    estimator : classifier
        Fitted classifier, or a Pipeline, search, calibration or the like that holds one.
    class_order : array-like of shape (n_levels,), default=None
        The order; it may have labels that the classifier does not have.
    y : array-like of shape (n_samples,), default=None
        Labels, whose order counts if they are an ordered categorical.

    Returns
    -------
    ndarray of shape (n_classes,)
        `class_order`, or else the order that the classifier was fitted with, or else that of
        `y`, or else that of numbers.

    Raises
    ------
    ValueError
        If none of these is known: the alphabet says nothing about the order of the classes.
    """
    classes = np.asarray(estimator.classes_)
    if class_order is not None:
        return order_of(classes, class_order)
    for inner in fitted_inside(estimator):
        order = getattr(inner, "class_order_", None)
        if order is not None and same_labels(order, classes) and not _arbitrary(inner):
            return np.asarray(order)
    levels = None if y is None else from_categorical(y)[1]
    if levels is not None and set(classes.tolist()) <= set(levels):
        return order_of(classes, levels)
    if has_natural_order(classes):
        return classes
    raise order_unknown(classes, type(estimator).__name__)


def order_unknown(classes, owner):
    """Error about labels whose order nobody has given."""
    return ValueError(
        f"the order of the classes {classes.tolist()} of {owner} is not known: give it by "
        "class_order=[...], from the first class to the last, rare one"
    )


def label_position(label, classes):
    """Where a label stands among the classes, or an error."""
    classes = np.asarray(classes).tolist()
    if label not in classes:
        raise ValueError(f"label={label!r} is not one of the classes {classes}")
    return classes.index(label)


def same_labels(order, classes):
    """Whether an order has exactly the labels of `classes`."""
    return len(order) == len(classes) and set(np.asarray(order).tolist()) == set(classes.tolist())


def _arbitrary(estimator):
    """Whether the order is a guess of which `fit` said nothing, since with two classes it only
    sets a sign."""
    guessed = getattr(estimator, "_order_origin", None) == GUESSED
    return guessed and len(estimator.class_order_) == 2
