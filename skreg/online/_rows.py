"""What kernels read of a row, dense or CSR, in float32 or float64; sums are in float64."""

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from skreg._jit import generic, kernel


class DenseRows(NamedTuple):
    """Rows of a C-contiguous array."""

    X: np.ndarray


class CsrRows(NamedTuple):
    """Rows of a CSR matrix without duplicates."""

    data: np.ndarray
    indices: np.ndarray
    indptr: np.ndarray


def rows_of(X: Any) -> Any:
    """The rows of a validated matrix, as kernels read them."""
    if not sparse.issparse(X):
        return DenseRows(np.ascontiguousarray(X))
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return CsrRows(X.data, X.indices, X.indptr)


@generic
def sums(rows, i, v, m):
    """v.a, m.a and a.a for row a."""


@generic
def dot(rows, i, v):
    """v.a for row a."""


@generic
def add_row(rows, i, step, v):
    """Add step times row a to v."""


@generic
def keep_row(rows, i, last, m):
    """Make m row a; before, it is row `last`, or any vector if that is negative."""


@generic
def add_kept(rows, last, step, m, v):
    """Add step times m to v, where m is row `last`, or any vector if that is negative."""


@kernel(reassociate=True)
def _sums(a, v, m):
    va, ma, aa = 0.0, 0.0, 0.0
    for j in range(a.shape[0]):
        x = np.float64(a[j])
        va += v[j] * x
        ma += m[j] * x
        aa += x * x
    return va, ma, aa


@kernel(reassociate=True)
def _dot(a, v):
    total = 0.0
    for j in range(a.shape[0]):
        total += v[j] * a[j]
    return total


@kernel
def _add(a, step, v):
    for j in range(a.shape[0]):
        v[j] += step * a[j]


@sums.register(DenseRows)
def _(rows, i, v, m):
    return _sums(rows.X[i], v, m)


@dot.register(DenseRows)
def _(rows, i, v):
    return _dot(rows.X[i], v)


@add_row.register(DenseRows)
def _(rows, i, step, v):
    _add(rows.X[i], step, v)


@keep_row.register(DenseRows)
def _(rows, i, last, m):  # noqa: ARG001
    a = rows.X[i]
    for j in range(a.shape[0]):
        m[j] = a[j]


@add_kept.register(DenseRows)
def _(rows, last, step, m, v):  # noqa: ARG001
    _add(m, step, v)


@sums.register(CsrRows)
def _(rows, i, v, m):
    va, ma, aa = 0.0, 0.0, 0.0
    for at in range(rows.indptr[i], rows.indptr[i + 1]):
        j, x = rows.indices[at], np.float64(rows.data[at])
        va += v[j] * x
        ma += m[j] * x
        aa += x * x
    return va, ma, aa


@dot.register(CsrRows)
def _(rows, i, v):
    total = 0.0
    for at in range(rows.indptr[i], rows.indptr[i + 1]):
        total += v[rows.indices[at]] * rows.data[at]
    return total


@add_row.register(CsrRows)
def _(rows, i, step, v):
    for at in range(rows.indptr[i], rows.indptr[i + 1]):
        v[rows.indices[at]] += step * rows.data[at]


@keep_row.register(CsrRows)
def _(rows, i, last, m):
    if last < 0:
        for j in range(m.shape[0]):
            m[j] = 0.0
    else:
        for at in range(rows.indptr[last], rows.indptr[last + 1]):
            m[rows.indices[at]] = 0.0
    for at in range(rows.indptr[i], rows.indptr[i + 1]):
        m[rows.indices[at]] = rows.data[at]


@add_kept.register(CsrRows)
def _(rows, last, step, m, v):
    if last < 0:
        for j in range(m.shape[0]):
            v[j] += step * m[j]
    else:
        for at in range(rows.indptr[last], rows.indptr[last + 1]):
            v[rows.indices[at]] += step * rows.data[at]
