"""The matrix A whose rows are scored, read in blocks so that X is never copied."""

from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.utils import assert_all_finite

from skreg.moments import second_moments
from skreg.rows import CACHE_BYTES, chunk_slices, rows_per_chunk


class Rows(NamedTuple):
    """A = diag(scale) [X, columns] basis, with X dense or CSR of any float type.

    `columns` holds the intercept and the target, `scale` the weights omega_i^{1/p} that turn a
    weighted sum of p-th powers into a plain one, `basis` a change of columns. Each is None where
    there is none.
    """

    X: np.ndarray | sparse.csr_array
    columns: np.ndarray | None = None
    scale: np.ndarray | None = None
    basis: np.ndarray | None = None

    @property
    def n_rows(self):
        return self.X.shape[0]

    @property
    def n_columns(self):
        if self.basis is not None:
            return self.basis.shape[1]
        return self.X.shape[1] + (0 if self.columns is None else self.columns.shape[1])


def block(A, rows):
    """The rows of A, in float64; a view of X where nothing has to be converted or added."""
    part = A.X[rows]
    if sparse.issparse(part):
        part = part.astype(np.float64, copy=False)
        if A.columns is not None:
            part = sparse.hstack([part, sparse.csr_array(A.columns[rows])], format="csr")
        if A.scale is not None:
            part = sparse.diags_array(A.scale[rows]) @ part
    else:
        if A.columns is not None:
            part = np.concatenate([part, A.columns[rows]], axis=1, dtype=np.float64)
        part = np.asarray(part, dtype=np.float64)
        if A.scale is not None:
            part = part * A.scale[rows, None]
    return part if A.basis is None else part @ A.basis


def dense_block(A, rows):
    """As `block`, always dense."""
    part = block(A, rows)
    return part.toarray() if sparse.issparse(part) else part


def block_slices(n_rows, n_columns):
    """Consecutive slices of rows that fit in cache, never less than n_columns rows high."""
    return chunk_slices(n_rows, max(rows_per_chunk(n_columns, n_bytes=CACHE_BYTES), n_columns))


def blocks(A):
    """Pairs of a slice and the dense or CSR block of these rows of A."""
    for rows in block_slices(A.n_rows, A.n_columns):
        yield rows, block(A, rows)


def gram(A):
    """G = A^T A, accumulated in float64."""
    G = np.zeros((A.n_columns, A.n_columns))
    with np.errstate(over="ignore", invalid="ignore"):
        for _, part in blocks(A):
            G += second_moments(part)
    return G


def block_squared_norms(part, W):
    """||W^T a_i||^2 for the rows a_i of one block."""
    image = W.T @ part.T  # sums over few long rows are faster than over many short ones
    return np.einsum("ij,ij->j", image, image)


def squared_norms(A, W):
    """||W^T a_i||^2 for all rows of A, shape (n,)."""
    result = np.empty(A.n_rows)
    for rows, part in blocks(A):
        result[rows] = block_squared_norms(part, W)
    return result


def squared_distances_to_mean(A, share):
    """||a_i - mu||^2, mu = sum_i share_i a_i, in float64, for rows that are not scaled.

    Raises ValueError where they are not finite.
    """
    result = np.empty(A.n_rows)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = sum(share[rows] @ part for rows, part in blocks(A))
        for rows in block_slices(A.n_rows, A.n_columns):
            deviation = dense_block(A, rows) - mean
            result[rows] = np.einsum("ij,ij->i", deviation, deviation)
        total = result.sum()
    if not np.isfinite(total):
        assert_all_finite(A.X, input_name="X")
        raise ValueError("X has values whose squares overflow; rescale X")
    return result


def dense(A):
    """All of A as one dense array of shape (n, d)."""
    result = np.empty((A.n_rows, A.n_columns))
    for rows in block_slices(A.n_rows, A.n_columns):
        result[rows] = dense_block(A, rows)
    return result


def take(A, indices):
    """The rows of A with these numbers, as `Rows`."""
    return A._replace(
        X=A.X[indices],
        columns=None if A.columns is None else A.columns[indices],
        scale=None if A.scale is None else A.scale[indices],
    )


def image(A, W):
    """A W, dense, shape (n, W.shape[1])."""
    result = np.empty((A.n_rows, W.shape[1]))
    for rows, part in blocks(A):
        result[rows] = part @ W
    return result


def power_scale(sample_weight, p):
    """omega_i^{1/p}, by which a row is multiplied so that its p-th power counts omega_i times."""
    return None if sample_weight is None else sample_weight ** (1 / p)
