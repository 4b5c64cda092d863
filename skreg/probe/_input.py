"""Rows, labels and weights of every kind, validated; the moments of their classes."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from skreg._sklearn import check_same_namespace, get_namespace
from skreg.moments import moments_by_class
from skreg.probe._labels import labels_without_objects
from skreg.rows import checked_weights, in_main_memory, widen_bfloat16


class LabelledRows(NamedTuple):
    """Validated rows of any kind; class codes, classes and weights are in main memory."""

    X: Any
    codes: np.ndarray
    classes: np.ndarray
    weights: np.ndarray
    xp: Any


def read_labelled_rows(estimator, X, y, sample_weight, *, reset, all_zero=False):
    """Validated rows; finiteness of X is checked on its moments, where it costs nothing.

    `all_zero` says that all weights may be zero, as those of one batch of many may.
    """
    X, y = validate_data(
        estimator, widen_bfloat16(X), y, accept_sparse="csr", ensure_all_finite=False, reset=reset
    )
    y = labels_without_objects(y)
    check_classification_targets(y)
    xp, is_array_api = get_namespace(X)
    classes, codes = np.unique(in_main_memory(y), return_inverse=True)
    weights = np.ones(codes.size)
    if sample_weight is not None:
        weights = checked_weights(in_main_memory(sample_weight), codes, all_zero=all_zero)
    return LabelledRows(X, codes.astype(np.intp), classes, weights, xp if is_array_api else np)


def checked_moments(rows, chunk_size):
    """`Moments` of the classes; raises where X is not finite, in rows of weight zero too."""
    X, codes, classes, weights, xp = rows
    if (weights == 0).any():
        assert_all_finite(X[np.flatnonzero(weights == 0)], input_name="X")
    statistics = moments_by_class(X, codes, weights, len(classes), xp=xp, chunk_size=chunk_size)
    if not (np.isfinite(statistics.scatter).all() and np.isfinite(statistics.mean).all()):
        assert_all_finite(X, input_name="X", estimator_name="LinearNaiveBayes")
        raise ValueError("X has values whose squares overflow; rescale the features")
    return statistics


def read_rows(estimator, X, method):
    """Validated X for a fitted estimator, and the namespace of X; values are checked later."""
    check_is_fitted(estimator)
    check_same_namespace(X, estimator, attribute="coef_", method=method)
    X = validate_data(
        estimator, widen_bfloat16(X), accept_sparse="csr", ensure_all_finite=False, reset=False
    )
    xp, is_array_api = get_namespace(X)
    return X, xp if is_array_api else np


def refuse_dask_frame(X):
    """Blocks are arrays without names, so that those of a data frame would get lost."""
    if hasattr(X, "to_dask_array"):
        raise ValueError(
            "X must be a dask array; for a dask dataframe give X.to_dask_array(lengths=True)"
        )
