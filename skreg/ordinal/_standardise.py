"""Standardised designs, from rows in any order."""

import math
from typing import NamedTuple

import numpy as np

from skreg._jit import kernel
from skreg.optim.kernels import Csc, column_moments
from skreg.ordinal._dense_design import SortedDense, _dot
from skreg.ordinal._sparse_design import SortedCsc

ROWS_PER_COPY = 8192
EPS = float(np.finfo(np.float64).eps)
EXTREME = 1e100  # magnitudes whose squares come near the limits of float64


class Scaling(NamedTuple):
    """Centre (mean / scale) and scale of each feature, shape (n_features,)."""

    centre: np.ndarray
    scale: np.ndarray


def sorted_design(X, order, start, weight, standardize):
    """Copy the rows `order` of X, sorted by class, and standardise them.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n, n_features)
        Floating-point features; a dense X may have any memory order.
    order : ndarray of shape (n_samples,)
        Rows of X in the order of their classes.
    start : ndarray of shape (n_classes + 1,)
        Where each class starts within `order`.
    weight : ndarray of shape (n_samples,)
        Weights in the order of `order`, with sum one.
    standardize : bool
        Divide by the weighted population standard deviation; columns are centred in any case.

    Returns
    -------
    design : SortedDense or SortedCsc
        With the constant as column 0.
    scaling : Scaling
        What was done to the columns.
    """
    n_features = X.shape[1]
    centre, scale = np.zeros(n_features), np.ones(n_features)
    deviation = np.ones(n_features + 1)
    if isinstance(X, np.ndarray):
        matrix = np.empty((n_features + 1, len(order)), dtype=X.dtype)
        matrix[0] = 1.0
        for low in range(0, len(order), ROWS_PER_COPY):
            rows = slice(low, low + ROWS_PER_COPY)
            matrix[1:, rows] = X[order[rows]].T
        _standardise_dense(matrix[1:], weight, standardize, centre, scale, deviation[1:])
        return SortedDense(matrix, start, deviation), Scaling(centre, scale)
    columns = X[order].tocsc()
    columns.sum_duplicates()
    data, apart = columns.data.astype(np.float64), np.full(n_features + 1, -1.0)
    stored = Csc(data, columns.indices, columns.indptr, len(order), np.empty(0), np.empty(0))
    _standardise_sparse(stored, weight, standardize, centre, scale, deviation[1:], apart[1:])
    segment = np.zeros((n_features + 1, len(start)), dtype=np.int64)
    _find_segments(columns.indices, columns.indptr, start, segment[1:])
    design = SortedCsc(data, columns.indices, segment, apart, start, deviation)
    return design, Scaling(centre, scale)


@kernel(reassociate=True)
def _centred_square(x, mean, weight):
    total = 0.0
    for i in range(x.shape[0]):
        total += weight[i] * (x[i] - mean) ** 2
    return total


@kernel
def _safe_factor(x):
    """Power of two that brings a column of extreme numbers close to one; 1.0 otherwise."""
    largest = 0.0
    for i in range(x.shape[0]):
        largest = max(largest, abs(x[i]))
    if largest == 0.0 or 1.0 / EXTREME < largest < EXTREME:
        return 1.0
    return 2.0 ** min(max(-math.floor(math.log2(largest)), -1000), 1000)


@kernel
def _deviation(mean, variance, n_rows):
    """Standard deviation, or 0 for a column that is constant up to rounding."""
    rounding = n_rows * EPS * mean
    return math.sqrt(variance) if variance > rounding * rounding else 0.0


@kernel
def _standardise_column(x, weight, standardize):
    """Centre and scale a column in place.

    Returns its centre (mean / scale), its scale, and the deviation that is left, 1 if it is
    constant.
    """
    factor = _safe_factor(x)
    for i in range(x.shape[0]):
        x[i] *= factor
    mean = _dot(x, weight)
    variance = _centred_square(x, mean, weight)
    deviation = _deviation(mean, variance, x.shape[0])
    divisor = deviation if standardize and deviation > 0.0 else factor
    for i in range(x.shape[0]):
        x[i] = (x[i] - mean) / divisor if deviation > 0.0 else 0.0
    return mean / divisor, divisor / factor, deviation / divisor if deviation > 0.0 else 1.0


@kernel
def _standardise_dense(matrix, weight, standardize, centre, scale, left):
    for j in range(matrix.shape[0]):
        centre[j], scale[j], left[j] = _standardise_column(matrix[j], weight, standardize)


@kernel
def _scale_column(x, design, j, weight, standardize):
    """Scale the stored entries of column j in place; returns what `_standardise_column` does."""
    factor = _safe_factor(x)
    for i in range(x.shape[0]):
        x[i] *= factor
    mean, variance = column_moments(design, j, weight)
    deviation = _deviation(mean, variance, weight.shape[0])
    divisor = deviation if standardize and deviation > 0.0 else factor
    for i in range(x.shape[0]):
        x[i] = x[i] / divisor if deviation > 0.0 else 0.0
    if deviation > 0.0:
        return mean / divisor, divisor / factor, deviation / divisor
    return 0.0, divisor / factor, 1.0


@kernel
def _standardise_sparse(stored, weight, standardize, centre, scale, left, apart):
    """`apart` is the centre that the stored entries still have."""
    for j in range(stored.indptr.shape[0] - 1):
        x = stored.data[stored.indptr[j] : stored.indptr[j + 1]]
        if x.shape[0] == stored.n_rows:
            centre[j], scale[j], left[j] = _standardise_column(x, weight, standardize)
            apart[j] = 0.0
        else:
            centre[j], scale[j], left[j] = _scale_column(x, stored, j, weight, standardize)
            apart[j] = centre[j]


@kernel
def _find_segments(indices, indptr, start, segment):
    for j in range(segment.shape[0]):
        k = indptr[j]
        for c in range(start.shape[0]):
            while k < indptr[j + 1] and indices[k] < start[c]:
                k += 1
            segment[j, c] = k
