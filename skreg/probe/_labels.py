"""Class labels: stored as objects, or beside arrays of another namespace."""

from numbers import Real

import numpy as np

from skreg._sklearn import get_namespace_and_device, move_to


def labels_without_objects(y):
    """Numbers and booleans that are stored as objects, as their own type; else y as it is."""
    if (
        isinstance(y, np.ndarray)
        and y.dtype.kind == "O"
        and all(isinstance(label, Real) for label in y)
    ):
        return np.array(y.tolist())
    return y


def labels_beside(classes, like):
    """Class labels in the namespace of `like`, unless they are not numbers."""
    if like is None or classes.dtype.kind not in "biuf":
        return classes
    xp, is_array_api, device = get_namespace_and_device(like)
    return move_to(classes, xp=xp, device=device) if is_array_api else classes
