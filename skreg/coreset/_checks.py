"""What is asked of matrices, weights, powers and row numbers before rows are scored."""

import math
from numbers import Real

import numpy as np
from sklearn.utils import assert_all_finite, check_array

from skreg.coreset._rows import Rows, power_scale
from skreg.rows import checked_weights


def checked_matrix(X):
    """X as a dense array or CSR of float32 or float64; values are checked on the Gram matrix."""
    return check_array(
        X, accept_sparse="csr", dtype=[np.float64, np.float32], ensure_all_finite=False
    )


def checked_rows(X, p, sample_weight=None):
    """Validated `Rows` of a matrix and its sample weights."""
    X = checked_matrix(X)
    omega = None if sample_weight is None else checked_weights(sample_weight, X)
    return Rows(X, None, power_scale(omega, p))


def require_finite(G, A):
    """Raise if A has values that are not finite, as G, a Gram matrix or factor of it, may tell."""
    if not np.isfinite(G).all():
        assert_all_finite(A.X, input_name="X")
        if A.columns is not None:
            assert_all_finite(A.columns, input_name="y")


def checked_indices(indices, n_rows, name):
    """Row numbers as a vector of integers in [0, n_rows)."""
    indices = np.asarray(indices)
    if indices.size == 0:
        indices = indices.astype(np.intp)
    if indices.ndim != 1 or indices.dtype.kind not in "iu":
        raise ValueError(
            f"{name} must be a vector of row numbers; got shape {indices.shape} of {indices.dtype}"
        )
    if indices.size and not (indices.min() >= 0 and indices.max() < n_rows):
        raise ValueError(
            f"{name} must lie in [0, {n_rows}); got {indices.min()} to {indices.max()}"
        )
    return indices


def require_tall(A):
    """Raise unless A has at least as many rows as columns."""
    if A.n_rows < A.n_columns:
        raise ValueError(
            f"scores need at least as many rows as columns; got n = {A.n_rows} rows and "
            f"d = {A.n_columns} columns. Ridge leverage scores (ridge > 0) have no such condition"
        )


def checked_power(p, lowest, *, strict=False):
    """p as a float, finite and at least (strictly above) `lowest`."""
    if not (isinstance(p, Real) and math.isfinite(p) and (p > lowest if strict else p >= lowest)):
        raise ValueError(
            f"p must be a finite number {'above' if strict else 'of at least'} {lowest}; got {p!r}"
        )
    return float(p)
