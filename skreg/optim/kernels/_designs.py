"""Design matrices, and the column operations that a coordinate-descent step needs.

A design keeps the user's numbers, in the user's precision. Whatever is computed from them is
float64. Nothing here densifies a sparse design or copies a dense one in Fortran order.

Column j of a design stands for (x_j - shift_j) scale_j, computed entry by entry as it is read. A
column far from zero (a timestamp) keeps its digits when its shift lies among its values, as the
subtraction is then exact but for rounding of the small difference. Only columns with an entry in
every row may be shifted, so that a sparse column stays sparse.
"""

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse

from skreg._jit import generic, kernel

PROBES, NEAR = 8, 0.01  # rows that show whether a column lies far from zero, and how near they are
KEPT = 1e-3  # share of a sum of squares that may be left after centring without a second pass


class Dense(NamedTuple):
    """Dense design.

    Attributes
    ----------
    matrix : ndarray of shape (n_samples, n_features)
        Fortran order, float32 or float64.
    shift, scale : ndarray of shape (n_features,), default=None
        Origin and unit of each column; empty where all are 0 and 1.
    """

    matrix: np.ndarray
    shift: np.ndarray | None = None
    scale: np.ndarray | None = None


class Csc(NamedTuple):
    """Sparse design in compressed columns.

    Attributes
    ----------
    data, indices, indptr : ndarray
        As in `scipy.sparse.csc_array`; row indices int32 or int64, each column without repeats.
    n_rows : int
        Number of samples.
    shift, scale : ndarray of shape (n_features,), default=None
        Origin (of columns with `n_rows` entries) and unit of each column; empty where all are 0
        and 1.
    """

    data: np.ndarray
    indices: np.ndarray
    indptr: np.ndarray
    n_rows: int
    shift: np.ndarray | None = None
    scale: np.ndarray | None = None


def as_design(X: Any) -> Dense | Csc:
    """Design of an array or a scipy sparse matrix.

    Parameters
    ----------
    X : Dense, Csc, ndarray or scipy sparse matrix of shape (n_samples, n_features)
        Numbers. Fortran-ordered float arrays and canonical CSC matrices are not copied, but for
        indices of 64 bits that 32 can hold: a kernel for each would be compiled anew.

    Returns
    -------
    Dense or Csc
        The design.
    """
    if isinstance(X, Dense | Csc):
        return X if X.shift is not None else in_units(X, np.zeros(1), np.ones(1))
    if scipy.sparse.issparse(X):
        columns = X.tocsc()
        if not columns.has_canonical_format:
            columns = columns.copy()
            columns.sum_duplicates()
        data = columns.data
        if data.dtype not in (np.float32, np.float64):
            data = data.astype(np.float64)
        indices, indptr = columns.indices, columns.indptr
        if indices.dtype != np.int32 and max(columns.nnz, *columns.shape) <= np.iinfo(np.int32).max:
            indices, indptr = indices.astype(np.int32), indptr.astype(np.int32)
        design = Csc(data, indices, indptr, int(columns.shape[0]))
        return in_units(design, np.zeros(1), np.ones(1))
    matrix = np.asarray(X)
    if matrix.dtype not in (np.float32, np.float64):
        matrix = matrix.astype(np.float64)
    return in_units(Dense(np.asfortranarray(matrix)), np.zeros(1), np.ones(1))


def in_units(design, shift, scale):
    """The design with other origins and units of its columns."""
    if not shift.any() and np.all(scale == 1.0):
        shift, scale = np.empty(0), np.empty(0)
    return design._replace(shift=shift, scale=scale)


def units(design):
    """(origin, unit) of every column."""
    if len(design.shift) == 0:
        n_features = shape(design)[1]
        return np.zeros(n_features), np.ones(n_features)
    return design.shift, design.scale


def far_columns(design, weight):
    """Columns whose mean lies far from zero for their spread, with a value among theirs.

    A column counts whose values at `PROBES` rows lie within a hundredth of their size of one
    another. A column that one of these rows hides from this view varies by more than that, and
    has lost few digits at most. Returns (features, shifts).
    """
    rows = np.flatnonzero(weight > 0.0)
    rows = rows[np.linspace(0, len(rows) - 1, PROBES).astype(int)]
    features, probes = full_columns_at(design, rows)
    low, high = probes.min(axis=0, initial=np.inf), probes.max(axis=0, initial=-np.inf)
    middle = 0.5 * (low + high)
    far = high - low < NEAR * np.abs(middle)
    return features[far], probes[0, far]


@generic
def shape(design):
    """(n_samples, n_features)."""


@generic
def is_dense(design):
    """Whether every entry is stored, so that products of columns are a BLAS call."""


@generic
def stored_numbers(design):
    """The numbers as the user gave them, in one array, in the user's precision."""


@generic
def full_columns_at(design, rows):
    """(columns with an entry in every row, their numbers at `rows` as given, in float64)."""


@generic
def stored_per_column(design):
    """Average number of stored entries of a column."""


@generic
def column_dot(design, j, v):
    """x_j^T v."""


@generic
def column_axpy(design, j, step, v):
    """v <- v + step x_j, in place."""


@generic
def column_weighted_axpy(design, j, step, weight, v):
    """v <- v + step (weight * x_j), in place."""


@generic
def clear_rows(design, j, v):
    """v <- 0 wherever x_j may be nonzero, in place."""


@generic
def column_moments(design, j, weight):
    """(mean, sum_i s_i (x_ij - mean)^2) with mean = sum_i s_i x_ij, for weights that sum to one.

    The second is sum_i s_i x_ij^2 - mean^2 where that keeps most digits, else from another pass.
    """


@generic
def column_weighted_sums(design, j, weight):
    """(sum_i d_i x_ij, sum_i d_i x_ij^2)."""


@generic
def columns(design, features):
    """Columns `features`: a Fortran-ordered float64 array, or a scipy CSC array if sparse."""


# Dense


@kernel(reassociate=True)
def _dot(x, v):
    total = 0.0
    for i in range(x.shape[0]):
        total += x[i] * v[i]
    return total


@kernel(reassociate=True)
def _shifted_dot(x, shift, v):
    total = 0.0
    for i in range(x.shape[0]):
        total += (x[i] - shift) * v[i]
    return total


@kernel(reassociate=True)
def _sums(x, shift, weight):
    first, second = 0.0, 0.0
    for i in range(x.shape[0]):
        value = x[i] - shift
        product = weight[i] * value
        first += product
        second += product * value
    return first, second


@kernel(reassociate=True)
def _centred_square(x, mean, weight):
    total = 0.0
    for i in range(x.shape[0]):
        total += weight[i] * (x[i] - mean) ** 2
    return total


@shape.register(Dense)
def _(design):
    return design.matrix.shape


@is_dense.register(Dense)
def _(design):
    return True


@stored_numbers.register(Dense)
def _(design):
    return design.matrix


@full_columns_at.register(Dense)
def _(design, rows):
    probes = design.matrix[rows].astype(np.float64)
    return np.arange(probes.shape[1]), probes


@stored_per_column.register(Dense)
def _(design):
    return float(design.matrix.shape[0])


@column_dot.register(Dense)
def _(design, j, v):
    x = design.matrix[:, j]
    shift, scale = 0.0, 1.0
    if design.shift.shape[0] > 0:
        shift, scale = design.shift[j], design.scale[j]
    return scale * (_dot(x, v) if shift == 0.0 else _shifted_dot(x, shift, v))


@column_axpy.register(Dense)
def _(design, j, step, v):
    x = design.matrix[:, j]
    shift, scale = 0.0, 1.0
    if design.shift.shape[0] > 0:
        shift, scale = design.shift[j], design.scale[j]
    factor = step * scale
    for i in range(x.shape[0]):
        v[i] += factor * (x[i] - shift)


@column_weighted_axpy.register(Dense)
def _(design, j, step, weight, v):
    x = design.matrix[:, j]
    shift, scale = 0.0, 1.0
    if design.shift.shape[0] > 0:
        shift, scale = design.shift[j], design.scale[j]
    factor = step * scale
    for i in range(x.shape[0]):
        v[i] += factor * (weight[i] * (x[i] - shift))


@clear_rows.register(Dense)
def _(design, j, v):
    v[:] = 0.0


@column_moments.register(Dense)
def _(design, j, weight):
    x = design.matrix[:, j]
    shift, scale = 0.0, 1.0
    if design.shift.shape[0] > 0:
        shift, scale = design.shift[j], design.scale[j]
    mean, raw = _sums(x, shift, weight)
    square = raw - mean * mean
    if square <= KEPT * raw:
        square = _centred_square(x, shift + mean, weight)
    return scale * mean, scale * scale * square


@column_weighted_sums.register(Dense)
def _(design, j, weight):
    shift, scale = 0.0, 1.0
    if design.shift.shape[0] > 0:
        shift, scale = design.shift[j], design.scale[j]
    first, second = _sums(design.matrix[:, j], shift, weight)
    return scale * first, scale * scale * second


@columns.register(Dense)
def _(design, features):
    rows = np.take(design.matrix.T, features, axis=0).astype(np.float64, copy=False)
    if len(design.shift):
        rows -= design.shift[features][:, None]
        rows *= design.scale[features][:, None]
    return rows.T


# Csc: unsigned indices spare numba's wrap-around test, several sums hide the latency of an
# addition, and loops stand in the bodies themselves, as a call of another kernel costs as much as
# twenty entries


@shape.register(Csc)
def _(design):
    return design.n_rows, len(design.indptr) - 1


@is_dense.register(Csc)
def _(design):
    return False


@stored_numbers.register(Csc)
def _(design):
    return design.data


@full_columns_at.register(Csc)
def _(design, rows):
    features = np.flatnonzero(np.diff(design.indptr) == design.n_rows)
    matrix = scipy.sparse.csc_array(
        (design.data, design.indices, design.indptr), shape=shape(design), copy=False
    )
    return features, matrix[:, features].toarray()[rows].astype(np.float64)


@stored_per_column.register(Csc)
def _(design):
    return len(design.data) / max(len(design.indptr) - 1, 1)


@column_dot.register(Csc)
def _(design, j, v):
    data, indices = design.data, design.indices
    one, two, three, four = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)
    i, end = np.uint64(design.indptr[j]), np.uint64(design.indptr[j + 1])
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    if design.shift.shape[0] > 0:
        shift = design.shift[j]
        while i < end:
            a += (data[i] - shift) * v[np.uint64(indices[i])]
            i += one
        return design.scale[j] * a
    while i + four <= end:
        a += data[i] * v[np.uint64(indices[i])]
        b += data[i + one] * v[np.uint64(indices[i + one])]
        c += data[i + two] * v[np.uint64(indices[i + two])]
        d += data[i + three] * v[np.uint64(indices[i + three])]
        i += four
    while i < end:
        a += data[i] * v[np.uint64(indices[i])]
        i += one
    return (a + b) + (c + d)


@column_axpy.register(Csc)
def _(design, j, step, v):
    shift, scale = 0.0, 1.0
    if design.shift.shape[0] > 0:
        shift, scale = design.shift[j], design.scale[j]
    factor = step * scale
    for i in range(design.indptr[j], design.indptr[j + 1]):
        v[np.uint64(design.indices[i])] += factor * (design.data[i] - shift)


@column_weighted_axpy.register(Csc)
def _(design, j, step, weight, v):
    shift, scale = 0.0, 1.0
    if design.shift.shape[0] > 0:
        shift, scale = design.shift[j], design.scale[j]
    factor = step * scale
    for i in range(design.indptr[j], design.indptr[j + 1]):
        row = np.uint64(design.indices[i])
        v[row] += factor * (weight[row] * (design.data[i] - shift))


@clear_rows.register(Csc)
def _(design, j, v):
    for i in range(design.indptr[j], design.indptr[j + 1]):
        v[np.uint64(design.indices[i])] = 0.0


@column_moments.register(Csc)
def _(design, j, weight):
    one, two = np.uint64(1), np.uint64(2)
    i, end = np.uint64(design.indptr[j]), np.uint64(design.indptr[j + 1])
    mean, odd_mean, raw, odd_raw = 0.0, 0.0, 0.0, 0.0
    shift, scale = 0.0, 1.0
    if design.shift.shape[0] > 0:
        shift, scale = design.shift[j], design.scale[j]
    while i + two <= end:
        even_value, odd_value = design.data[i] - shift, design.data[i + one] - shift
        even = weight[np.uint64(design.indices[i])] * even_value
        odd = weight[np.uint64(design.indices[i + one])] * odd_value
        mean += even
        odd_mean += odd
        raw += even * even_value
        odd_raw += odd * odd_value
        i += two
    if i < end:
        value = design.data[i] - shift
        product = weight[np.uint64(design.indices[i])] * value
        mean += product
        raw += product * value
    mean += odd_mean
    raw += odd_raw
    square = raw - mean * mean
    if square > KEPT * raw:
        return scale * mean, scale * scale * square
    stored, square, centre = 0.0, 0.0, shift + mean
    for k in range(design.indptr[j], design.indptr[j + 1]):
        row = np.uint64(design.indices[k])
        stored += weight[row]
        square += weight[row] * (design.data[k] - centre) ** 2
    if design.indptr[j + 1] - design.indptr[j] < design.n_rows:
        square += max(1.0 - stored, 0.0) * mean**2
    return scale * mean, scale * scale * square


@column_weighted_sums.register(Csc)
def _(design, j, weight):
    first, second = 0.0, 0.0
    shift, scale = 0.0, 1.0
    if design.shift.shape[0] > 0:
        shift, scale = design.shift[j], design.scale[j]
    for i in range(design.indptr[j], design.indptr[j + 1]):
        value = design.data[i] - shift
        product = weight[np.uint64(design.indices[i])] * value
        first += product
        second += product * value
    return scale * first, scale * scale * second


@columns.register(Csc)
def _(design, features):
    matrix = scipy.sparse.csc_array(
        (design.data, design.indices, design.indptr), shape=shape(design), copy=False
    )
    chosen = matrix[:, features].astype(np.float64)
    if len(design.shift):
        sizes = np.diff(chosen.indptr)
        chosen.data -= np.repeat(design.shift[features], sizes)
        chosen.data *= np.repeat(design.scale[features], sizes)
    return chosen


# Products with many columns


@kernel
def correlate(design, features, v, out):
    """out[k, j] <- x_j^T v_k for j in `features`; v is (n_outputs, n_samples)."""
    for j in features:
        for k in range(v.shape[0]):
            out[k, j] = column_dot(design, j, v[k])


@kernel
def combine(design, features, coef, out):
    """out[k] <- out[k] + sum_j coef[k, j] x_j over the j in `features`."""
    for j in features:
        for k in range(coef.shape[0]):
            if coef[k, j] != 0.0:
                column_axpy(design, j, coef[k, j], out[k])


@kernel
def summarise(design, features, weight, v, mean, square, out):
    """One pass over the design: means and centred squares (weights sum to one), and X^T v."""
    for j in features:
        mean[j], square[j] = column_moments(design, j, weight)
        for k in range(v.shape[0]):
            out[k, j] = column_dot(design, j, v[k])


@kernel
def weighted_sums(design, features, weight, first, second):
    """Sums of d_i x_ij and d_i x_ij^2 for each row d of `weight`, one column per feature."""
    for i in range(len(features)):
        for k in range(weight.shape[0]):
            first[k, i], second[k, i] = column_weighted_sums(design, features[i], weight[k])
