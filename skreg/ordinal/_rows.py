"""Designs whose rows are sorted by class, and the quadratic model of the loss on them.

Increments psi_l = beta_l - beta_{l-1} (psi_0 = beta_0) are the coordinates of the solver. A step t
in the increments of feature j moves a row of class c with entry x by

    da = x (t_0 + .. + t_c),     db = x (t_0 + .. + t_{c-1}),

so every product that the solver needs is a few sums over the contiguous rows of each class. Feature
0 is the constant 1, whose increments are those of the intercepts.

Dense columns are standardised in their sorted copy. Sparse columns are scaled, but their centre is
kept apart: a step in the centre shifts all rows of a class by the same amount, which
`QuadraticModel.offset` remembers instead of touching the rows.
"""

import math
from typing import NamedTuple

import numpy as np

from skreg._jit import generic, kernel
from skreg.optim.kernels._designs import Csc, column_moments

ROWS_PER_COPY = 8192
EPS = float(np.finfo(np.float64).eps)
EXTREME = 1e100  # magnitudes whose squares come near the limits of float64


class SortedDense(NamedTuple):
    """Standardised columns as rows of `matrix`, shape (1 + n_features, n_samples).

    Class c has the samples start[c] .. start[c + 1] - 1. Gradients are measured by the `deviation`
    of their column, 1 for the constant and for standardised columns.
    """

    matrix: np.ndarray
    start: np.ndarray
    deviation: np.ndarray


class SortedCsc(NamedTuple):
    """Scaled columns, stored entries only; the standardised column is data - centre.

    A column that stores all its entries is centred outright and has centre 0: nothing is lost then
    to rounding, even if its mean is large. In the others zeros keep the mean near the deviation.

    Column j has its entries of class c at segment[j, c] .. segment[j, c + 1] - 1, and `deviation`
    is as in `SortedDense`.
    """

    data: np.ndarray
    indices: np.ndarray
    segment: np.ndarray
    centre: np.ndarray
    start: np.ndarray
    deviation: np.ndarray


class QuadraticModel(NamedTuple):
    """Second-order model of the weighted mean loss around the current predictors.

    `sa`, `sb`, `r` (n_samples,) make up the Hessian of each row. The gradient of the model with
    respect to a is qa + sa A + r (A - B), with respect to a and b together q + sa A + sb B, where
    A and B are the cumulated `offset` (n_boundaries,) at the two boundaries of the row's class.
    `total` (5, n_classes) sums these two gradients, sa, sb and r over each class.
    """

    sa: np.ndarray
    sb: np.ndarray
    r: np.ndarray
    qa: np.ndarray
    q: np.ndarray
    offset: np.ndarray
    total: np.ndarray


@generic
def n_columns(design):
    """Number of columns, the constant included."""


@generic
def class_sums(design, j, first, model, out):
    """out[0, c] <- sum over class c of x qa, out[1, c] <- sum of x q, for classes c >= first.

    q of class 0 and qa of the last class are never needed.
    """


@generic
def class_squares(design, j, model, out):
    """out[:, c] <- sums over class c of x^2 sa, x^2 sb, x^2 r."""


@generic
def step_model(design, j, first, step, model):
    """Move the model by `step` (n_boundaries,) in the increments of column j; no step below
    `first`."""


@generic
def shift_predictors(design, j, step, a, b, offset):
    """Add `step` in the increments of column j to the predictors, but for the centre: that goes
    to `offset`."""


# Dense


@kernel(reassociate=True)
def _dot(x, v):
    total = 0.0
    for i in range(x.shape[0]):
        total += x[i] * v[i]
    return total


@kernel(reassociate=True)
def _two_dots(x, u, v):
    first, second = 0.0, 0.0
    for i in range(x.shape[0]):
        first += x[i] * u[i]
        second += x[i] * v[i]
    return first, second


@kernel(reassociate=True)
def _square(x, v):
    total = 0.0
    for i in range(x.shape[0]):
        total += x[i] * x[i] * v[i]
    return total


@kernel(reassociate=True)
def _three_squares(x, u, v, w):
    first, second, third = 0.0, 0.0, 0.0
    for i in range(x.shape[0]):
        square = x[i] * x[i]
        first += square * u[i]
        second += square * v[i]
        third += square * w[i]
    return first, second, third


@kernel(reassociate=True)
def _centred_square(x, mean, weight):
    total = 0.0
    for i in range(x.shape[0]):
        total += weight[i] * (x[i] - mean) ** 2
    return total


@kernel
def _add_product(x, s, step, out):
    for i in range(x.shape[0]):
        out[i] += x[i] * s[i] * step


@kernel
def _add_products(x, sa, sb, r, A, B, qa, q):
    for i in range(x.shape[0]):
        along_a = sa[i] * A
        qa[i] += x[i] * (along_a + r[i] * (A - B))
        q[i] += x[i] * (along_a + sb[i] * B)


@n_columns.register(SortedDense)
def _(design):
    return design.matrix.shape[0]


@class_sums.register(SortedDense)
def _(design, j, first, model, out):
    last = design.start.shape[0] - 2
    for c in range(first, last + 1):
        low, high = design.start[c], design.start[c + 1]
        x = design.matrix[j, low:high]
        if c == 0:
            out[0, c] = _dot(x, model.qa[low:high])
        elif c == last:
            out[1, c] = _dot(x, model.q[low:high])
        else:
            out[0, c], out[1, c] = _two_dots(x, model.qa[low:high], model.q[low:high])


@class_squares.register(SortedDense)
def _(design, j, model, out):
    last = design.start.shape[0] - 2
    for c in range(last + 1):
        low, high = design.start[c], design.start[c + 1]
        x = design.matrix[j, low:high]
        if c == 0:
            out[0, c] = _square(x, model.sa[low:high])
        elif c == last:
            out[1, c] = _square(x, model.sb[low:high])
        else:
            out[0, c], out[1, c], out[2, c] = _three_squares(
                x, model.sa[low:high], model.sb[low:high], model.r[low:high]
            )


@step_model.register(SortedDense)
def _(design, j, first, step, model):
    last = design.start.shape[0] - 2
    A, B = 0.0, 0.0
    for c in range(first, last + 1):
        low, high = design.start[c], design.start[c + 1]
        x = design.matrix[j, low:high]
        B = A
        if c < last:
            A += step[c]
        if c == 0:
            _add_product(x, model.sa[low:high], A, model.qa[low:high])
        elif c == last:
            _add_product(x, model.sb[low:high], B, model.q[low:high])
        else:
            _add_products(
                x,
                model.sa[low:high],
                model.sb[low:high],
                model.r[low:high],
                A,
                B,
                model.qa[low:high],
                model.q[low:high],
            )


@shift_predictors.register(SortedDense)
def _(design, j, step, a, b, offset):
    last = design.start.shape[0] - 2
    A, B = 0.0, 0.0
    for c in range(last + 1):
        low, high = design.start[c], design.start[c + 1]
        x = design.matrix[j, low:high]
        B = A
        if c < last:
            A += step[c]
            if A != 0.0:
                for i in range(low, high):
                    a[i] += x[i - low] * A
        if B != 0.0:
            for i in range(low, high):
                b[i] += x[i - low] * B


# Sparse


@n_columns.register(SortedCsc)
def _(design):
    return design.segment.shape[0]


@class_sums.register(SortedCsc)
def _(design, j, first, model, out):
    n_boundaries = design.start.shape[0] - 2
    A, B = 0.0, 0.0
    for c in range(n_boundaries + 1):
        B = A
        if c < n_boundaries:
            A += model.offset[c]
        if c < first:
            continue
        along_a, along_both = 0.0, 0.0
        for k in range(design.segment[j, c], design.segment[j, c + 1]):
            i, x = design.indices[k], design.data[k]
            along_a += x * (model.qa[i] + model.sa[i] * A + model.r[i] * (A - B))
            along_both += x * (model.q[i] + model.sa[i] * A + model.sb[i] * B)
        out[0, c] = along_a - design.centre[j] * model.total[0, c]
        out[1, c] = along_both - design.centre[j] * model.total[1, c]


@class_squares.register(SortedCsc)
def _(design, j, model, out):
    m = design.centre[j]
    for c in range(design.start.shape[0] - 1):
        for k in range(3):
            out[k, c] = m * m * model.total[2 + k, c]
        for k in range(design.segment[j, c], design.segment[j, c + 1]):
            i, x = design.indices[k], design.data[k]
            excess = x * x - 2.0 * m * x
            out[0, c] += excess * model.sa[i]
            out[1, c] += excess * model.sb[i]
            out[2, c] += excess * model.r[i]


@step_model.register(SortedCsc)
def _(design, j, first, step, model):
    n_boundaries = design.start.shape[0] - 2
    m = design.centre[j]
    A, B = 0.0, 0.0
    for c in range(first, n_boundaries + 1):
        B = A
        if c < n_boundaries:
            A += step[c]
            model.offset[c] -= m * step[c]
        along_a, along_both = 0.0, 0.0
        for k in range(design.segment[j, c], design.segment[j, c + 1]):
            i, x = design.indices[k], design.data[k]
            move_a = x * (model.sa[i] * A + model.r[i] * (A - B))
            move_both = x * (model.sa[i] * A + model.sb[i] * B)
            model.qa[i] += move_a
            model.q[i] += move_both
            along_a += move_a
            along_both += move_both
        sa, sb, r = model.total[2, c], model.total[3, c], model.total[4, c]
        model.total[0, c] += along_a - m * (sa * A + r * (A - B))
        model.total[1, c] += along_both - m * (sa * A + sb * B)


@shift_predictors.register(SortedCsc)
def _(design, j, step, a, b, offset):
    n_boundaries = design.start.shape[0] - 2
    A, B = 0.0, 0.0
    for c in range(n_boundaries + 1):
        B = A
        if c < n_boundaries:
            A += step[c]
            offset[c] -= design.centre[j] * step[c]
        for k in range(design.segment[j, c], design.segment[j, c + 1]):
            i, x = design.indices[k], design.data[k]
            if c < n_boundaries:
                a[i] += x * A
            if c > 0:
                b[i] += x * B


# Building a design


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
