"""Variance of all entries of a table, of which the scale of a kernel is made."""

from typing import Any

import numpy as np
from scipy import sparse

from skreg.moments import Moments
from skreg.rows import Chunk, SlicedRows, rows_per_chunk


def moments_of_entries(chunk: Chunk) -> Moments:
    """Weight, mean and scatter of all entries of some rows, as of one column."""
    X = chunk.X
    n, d = X.shape
    weight = np.ones(n) if chunk.sample_weight is None else chunk.sample_weight
    total = d * float(weight.sum())
    if total == 0.0:
        return _one_column(0.0, 0.0, 0.0)
    if sparse.issparse(X):
        # zeros count as well: about zero first, then about the mean
        X = X.astype(np.float64)
        mean = float(weight @ np.asarray(X.sum(axis=1)).reshape(-1)) / total
        second = float(weight @ np.asarray(X.multiply(X).sum(axis=1)).reshape(-1))
        return _one_column(total, mean, max(second - total * mean**2, 0.0))
    X = np.asarray(X, dtype=np.float64)
    mean = float(weight @ X.sum(axis=1)) / total
    return _one_column(total, mean, float(weight @ np.sum((X - mean) ** 2, axis=1)))


def _one_column(total, mean, scatter):
    return Moments(total, np.array([mean]), np.array([scatter]))


def variance_of_entries(X: Any, sample_weight: np.ndarray | None) -> float:
    """Variance over all entries of X, in chunks of rows.

    Parameters
    ----------
    X : {ndarray, CSR matrix} of shape (n, d)
        Rows.
    sample_weight : ndarray of shape (n,) or None
        Their positive weights.

    Returns
    -------
    float
        The variance.
    """
    rows = SlicedRows(X, None, sample_weight, rows_per_chunk(X.shape[1]))
    return variance_of(rows)


def variance_of(rows: Any) -> float:
    """The same of rows that are reduced chunk by chunk."""
    return float(rows.reduce(moments_of_entries, Moments.merge).covariance[0])
