"""Rows for `LinearProbe`: validated, dense, in float64, without those of weight zero."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import assert_all_finite

from skreg.moments import Moments
from skreg.probe._eigenframe import class_rows, within_scatter
from skreg.probe._input import read_labelled_rows
from skreg.rows import dense_rows

LEAST_EXPONENT, LARGEST_EXPONENT = -500, 1023  # below, squares lose digits; above is infinity


class DenseRows(NamedTuple):
    """Rows of positive weight, their class codes and weights."""

    X: np.ndarray
    codes: np.ndarray
    weights: np.ndarray
    classes: np.ndarray

    @property
    def count(self):
        """Weight of each class."""
        return np.bincount(self.codes, self.weights, minlength=len(self.classes))

    @property
    def has_single_row(self):
        """Classes of one row whose weight is no more than that of one copy."""
        n_rows = np.bincount(self.codes, minlength=len(self.classes))
        return (n_rows == 1) & (self.count <= 1.0)


def read_dense_rows(
    estimator: Any, X: Any, y: Any, sample_weight: Any, *, reset: bool, all_zero: bool = False
):
    """`DenseRows` of any input; classes may lack rows of positive weight, with `all_zero` all."""
    rows = read_labelled_rows(estimator, X, y, sample_weight, reset=reset, all_zero=all_zero)
    assert_all_finite(rows.X, input_name="X", estimator_name=type(estimator).__name__)
    X, used = dense_rows(rows.X, slice(None)), rows.weights > 0
    if used.all():
        return DenseRows(X, rows.codes, rows.weights, rows.classes)
    return DenseRows(X[used], rows.codes[used], rows.weights[used], rows.classes)


def full_moments(rows: DenseRows) -> Moments:
    """`Moments` of the classes with a full scatter within classes."""
    n_classes, width = len(rows.classes), rows.X.shape[1]
    if not rows.codes.size:
        return Moments(np.zeros(n_classes), np.zeros((n_classes, width)), np.zeros((width, width)))
    if np.log2(power_of_two_above(rows.X)) < LEAST_EXPONENT:
        raise ValueError("X varies by less than 1e-150, so that squares underflow; rescale X")
    with np.errstate(over="ignore", invalid="ignore"):
        centred = class_rows(rows.X, rows.codes, rows.weights, n_classes)
        scatter = within_scatter(centred) * centred.count.sum()
    means = np.where(centred.count[:, None] > 0, centred.means + centred.centre, 0.0)
    if not (np.isfinite(scatter).all() and np.isfinite(means).all()):
        raise ValueError("X has values whose squares overflow; rescale the features")
    return Moments(centred.count, means, scatter)


def require_two_classes(classes, count):
    """Raise unless two classes have rows."""
    if np.count_nonzero(count) < 2:
        raise ValueError(
            f"at least two classes must have samples; got one class, {classes[count > 0]}"
        )


def power_of_two_above(X: np.ndarray) -> float:
    """Power of two above the range of the entries, 1 if they do not vary."""
    span = float(np.max(X.max(axis=0) / 2 - X.min(axis=0) / 2))
    return 2.0 ** min(np.ceil(np.log2(span)), LARGEST_EXPONENT) if span > 0 else 1.0
