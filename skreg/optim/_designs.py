"""Design matrices, and the column operations that a coordinate-descent step needs.

A design keeps the user's numbers, in the user's precision. Whatever is computed from them is
float64. Nothing here densifies a sparse design or copies a dense one in Fortran order.
"""

from typing import NamedTuple

import numpy as np
import scipy.sparse

from skreg.optim._jit import generic, kernel

KEPT = 1e-3  # share of a sum of squares that may be left after centring without a second pass


class Dense(NamedTuple):
    """Dense design.

    Attributes
    ----------
    matrix : ndarray of shape (n_samples, n_features)
        Fortran order, float32 or float64.
    """

    matrix: np.ndarray


class Csc(NamedTuple):
    """Sparse design in compressed columns.

    Attributes
    ----------
    data, indices, indptr : ndarray
        As in `scipy.sparse.csc_array`; row indices int32 or int64, each column without repeats.
    n_rows : int
        Number of samples.
    """

    data: np.ndarray
    indices: np.ndarray
    indptr: np.ndarray
    n_rows: int


def as_design(X):
    """Design of an array or a scipy sparse matrix.

    Parameters
    ----------
    X : Dense, Csc, ndarray or scipy sparse matrix of shape (n_samples, n_features)
        Numbers. Fortran-ordered float arrays and canonical CSC matrices are not copied.

    Returns
    -------
    Dense or Csc
        The design.
    """
    if isinstance(X, Dense | Csc):
        return X
    if scipy.sparse.issparse(X):
        columns = X.tocsc()
        if not columns.has_canonical_format:
            columns = columns.copy()
            columns.sum_duplicates()
        data = columns.data
        if data.dtype not in (np.float32, np.float64):
            data = data.astype(np.float64)
        return Csc(data, columns.indices, columns.indptr, int(columns.shape[0]))
    matrix = np.asarray(X)
    if matrix.dtype not in (np.float32, np.float64):
        matrix = matrix.astype(np.float64)
    return Dense(np.asfortranarray(matrix))


@generic
def shape(design):
    """(n_samples, n_features)."""


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
def _sums(x, weight):
    first, second = 0.0, 0.0
    for i in range(x.shape[0]):
        product = weight[i] * x[i]
        first += product
        second += product * x[i]
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


@stored_per_column.register(Dense)
def _(design):
    return float(design.matrix.shape[0])


@column_dot.register(Dense)
def _(design, j, v):
    return _dot(design.matrix[:, j], v)


@column_axpy.register(Dense)
def _(design, j, step, v):
    x = design.matrix[:, j]
    for i in range(x.shape[0]):
        v[i] += step * x[i]


@column_weighted_axpy.register(Dense)
def _(design, j, step, weight, v):
    x = design.matrix[:, j]
    for i in range(x.shape[0]):
        v[i] += step * (weight[i] * x[i])


@clear_rows.register(Dense)
def _(design, j, v):
    v[:] = 0.0


@column_moments.register(Dense)
def _(design, j, weight):
    x = design.matrix[:, j]
    mean, raw = _sums(x, weight)
    square = raw - mean * mean
    return mean, square if square > KEPT * raw else _centred_square(x, mean, weight)


@column_weighted_sums.register(Dense)
def _(design, j, weight):
    return _sums(design.matrix[:, j], weight)


@columns.register(Dense)
def _(design, features):
    return np.take(design.matrix.T, features, axis=0).astype(np.float64, copy=False).T


# Csc: unsigned indices spare numba's wrap-around test, several sums hide the latency of an
# addition, and loops stand in the bodies themselves, as a call of another kernel costs as much as
# twenty entries


@shape.register(Csc)
def _(design):
    return design.n_rows, len(design.indptr) - 1


@stored_per_column.register(Csc)
def _(design):
    return len(design.data) / max(len(design.indptr) - 1, 1)


@column_dot.register(Csc)
def _(design, j, v):
    data, indices = design.data, design.indices
    one, two, three, four = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)
    i, end = np.uint64(design.indptr[j]), np.uint64(design.indptr[j + 1])
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
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
    for i in range(design.indptr[j], design.indptr[j + 1]):
        v[np.uint64(design.indices[i])] += step * design.data[i]


@column_weighted_axpy.register(Csc)
def _(design, j, step, weight, v):
    for i in range(design.indptr[j], design.indptr[j + 1]):
        row = np.uint64(design.indices[i])
        v[row] += step * (weight[row] * design.data[i])


@clear_rows.register(Csc)
def _(design, j, v):
    for i in range(design.indptr[j], design.indptr[j + 1]):
        v[np.uint64(design.indices[i])] = 0.0


@column_moments.register(Csc)
def _(design, j, weight):
    one, two = np.uint64(1), np.uint64(2)
    i, end = np.uint64(design.indptr[j]), np.uint64(design.indptr[j + 1])
    mean, odd_mean, raw, odd_raw = 0.0, 0.0, 0.0, 0.0
    while i + two <= end:
        product = weight[np.uint64(design.indices[i])] * design.data[i]
        odd = weight[np.uint64(design.indices[i + one])] * design.data[i + one]
        mean += product
        odd_mean += odd
        raw += product * design.data[i]
        odd_raw += odd * design.data[i + one]
        i += two
    if i < end:
        product = weight[np.uint64(design.indices[i])] * design.data[i]
        mean += product
        raw += product * design.data[i]
    mean += odd_mean
    raw += odd_raw
    square = raw - mean * mean
    if square > KEPT * raw:
        return mean, square
    stored, square = 0.0, 0.0
    for i in range(design.indptr[j], design.indptr[j + 1]):
        row = np.uint64(design.indices[i])
        stored += weight[row]
        square += weight[row] * (design.data[i] - mean) ** 2
    return mean, square + max(1.0 - stored, 0.0) * mean**2


@column_weighted_sums.register(Csc)
def _(design, j, weight):
    first, second = 0.0, 0.0
    for i in range(design.indptr[j], design.indptr[j + 1]):
        product = weight[np.uint64(design.indices[i])] * design.data[i]
        first += product
        second += product * design.data[i]
    return first, second


@columns.register(Csc)
def _(design, features):
    matrix = scipy.sparse.csc_array(
        (design.data, design.indices, design.indptr), shape=shape(design), copy=False
    )
    return matrix[:, features].astype(np.float64)


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
