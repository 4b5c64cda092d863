"""Moments of the rows of each class with a diagonal scatter, in one pass.

For rows x_i with labels y_i and weights w_i these are, per class k and feature j,

    c_k    = sum_{y_i = k} w_i                              weight
    mu_kj  = (1 / c_k) sum_{y_i = k} w_i x_ij               mean
    M2_j   = sum_k sum_{y_i = k} w_i (x_ij - mu_kj)^2       pooled within-class scatter

that is K n + n + K numbers, held in float64: all that naive Bayes with shared variances needs
(Zheng et al. 2023). The update of one row, for Delta = x - mu_k and r = w / (c_k + w),

    mu_k <- mu_k + r Delta,     M2 <- M2 + w (1 - r) Delta^2                        (Welford 1962)

never subtracts large numbers, whatever the offset of the features.
"""

from typing import Any

import numpy as np
from scipy import sparse

from skreg._jit import kernel
from skreg._sklearn import _convert_to_numpy
from skreg.moments._accumulator import Moments
from skreg.rows import chunk_slices, rows_per_chunk, working_dtype


def expand_classes(statistics: Moments, positions: np.ndarray, n_classes: int) -> Moments:
    """Place class k of `statistics` at `positions[k]` among `n_classes` classes."""
    weight, mean, scatter = statistics
    wide = Moments.of_no_rows(mean.shape[1], n_classes)
    wide.weight[positions] = weight
    wide.mean[positions] = mean
    return wide._replace(scatter=scatter)


def merge_over_classes(
    a: tuple[np.ndarray, Moments], b: tuple[np.ndarray, Moments]
) -> tuple[np.ndarray, Moments]:
    """Union of the classes of two (classes, statistics) pairs, and their merged statistics."""
    if (a[0].dtype.kind in "biuf") != (b[0].dtype.kind in "biuf"):
        raise ValueError(
            f"labels must be all numbers or all strings; got the classes {a[0]} of "
            f"{a[0].dtype} and {b[0]} of {b[0].dtype}"
        )
    classes = np.union1d(a[0], b[0])
    first, second = (
        expand_classes(statistics, np.searchsorted(classes, own), len(classes))
        for own, statistics in (a, b)
    )
    return classes, first.merge(second)


def moments_by_class(
    X: Any,
    codes: np.ndarray,
    weights: np.ndarray,
    n_classes: int,
    *,
    xp: Any = np,
    chunk_size: int | None = None,
) -> Moments:
    """`Moments` of the classes, with a diagonal scatter, in one pass over chunks of rows.

    Parameters
    ----------
    X : ndarray, CSR matrix or array of the namespace `xp`, of shape (n_samples, n_features)
        Any real dtype; float16 and bfloat16 chunks are widened before anything is squared.
    codes : ndarray of shape (n_samples,), intp
        Class index of every row.
    weights : ndarray of shape (n_samples,), float64
        Non-negative weights; rows of weight zero are not read.
    n_classes : int
        Number of classes K.
    xp : module
        Array namespace of X.
    chunk_size : int or None
        Rows per chunk; chosen so that a chunk takes 16 MiB if None.

    Returns
    -------
    Moments
        Not finite wherever X is not finite in a row of positive weight.
    """
    n_rows, n_features = X.shape
    if sparse.issparse(X):
        data = X.data.astype(np.float64, copy=False)
        return _csr_statistics(data, X.indices, X.indptr, codes, weights, n_classes, n_features)
    slices = chunk_slices(n_rows, chunk_size or rows_per_chunk(n_features))
    if isinstance(X, np.ndarray):
        statistics = Moments.of_no_rows(n_features, n_classes)
        for rows in slices:
            chunk = np.ascontiguousarray(X[rows], dtype=working_dtype(X, np))
            _add_rows(chunk, codes[rows], weights[rows], *statistics)
        return statistics
    merged = Moments.of_no_rows(n_features, n_classes)
    for rows in slices:
        merged = merged.merge(
            _namespace_statistics(X[rows, ...], codes[rows], weights[rows], n_classes, xp)
        )
    return merged


@kernel
def _add_rows(X, codes, weights, count, mean, scatter):
    n_rows, n_features = X.shape
    for i in range(n_rows):
        weight = weights[i]
        if weight == 0.0:
            continue
        k = codes[i]
        count[k] += weight
        ratio = weight / count[k]
        residual_weight = weight * (1.0 - ratio)
        for j in range(n_features):
            difference = X[i, j] - mean[k, j]
            mean[k, j] += ratio * difference
            scatter[j] += residual_weight * difference * difference


@kernel
def _csr_statistics_kernel(data, indices, indptr, codes, weights, count, mean, scatter, stored):
    """Two passes over the stored entries; the zeros of class k add (c_k - stored_kj) mu_kj^2."""
    n_classes, n_features = mean.shape
    n_rows = codes.size
    for i in range(n_rows):
        if weights[i] > 0.0:
            k = codes[i]
            count[k] += weights[i]
            for position in range(indptr[i], indptr[i + 1]):
                mean[k, indices[position]] += weights[i] * data[position]
                stored[k, indices[position]] += weights[i]
    for k in range(n_classes):
        if count[k] > 0.0:
            for j in range(n_features):
                mean[k, j] /= count[k]
                scatter[j] += (count[k] - stored[k, j]) * mean[k, j] ** 2
    for i in range(n_rows):
        if weights[i] > 0.0:
            k = codes[i]
            for position in range(indptr[i], indptr[i + 1]):
                j = indices[position]
                scatter[j] += weights[i] * (data[position] - mean[k, j]) ** 2


def _csr_statistics(data, indices, indptr, codes, weights, n_classes, n_features):
    statistics = Moments.of_no_rows(n_features, n_classes)
    stored = np.zeros((n_classes, n_features))
    _csr_statistics_kernel(data, indices, indptr, codes, weights, *statistics, stored)
    return statistics


def _namespace_statistics(chunk, codes, weights, n_classes, xp):
    """Statistics of one chunk by products with the weighted one-hot matrix of its labels.

    Rows are shifted by the chunk's first row of positive weight, so that a constant feature stays
    exactly constant and float32 products keep their digits; sums leave the device in float64.
    """
    used = np.flatnonzero(weights)
    if used.size == 0:
        return Moments.of_no_rows(chunk.shape[1], n_classes)
    device, dtype = chunk.device, working_dtype(chunk, xp)
    one_hot = np.zeros((n_classes, codes.size))
    one_hot[codes, np.arange(codes.size)] = weights
    count = one_hot.sum(axis=1)
    share = np.divide(one_hot, count[:, None], out=np.zeros_like(one_hot), where=one_hot > 0)

    shift = xp.astype(chunk[int(used[0]), ...], dtype)
    rows = xp.astype(chunk, dtype) - shift
    if used.size < codes.size:
        keep = xp.asarray((weights > 0)[:, None], device=device)
        rows = xp.where(keep, rows, xp.zeros_like(rows))
    mean = _full_precision_product(xp.asarray(share, dtype=dtype, device=device), rows, xp)
    rows = rows - xp.take(mean, xp.asarray(codes, device=device), axis=0)
    scatter = xp.sum(xp.asarray(weights[:, None], dtype=dtype, device=device) * rows**2, axis=0)
    mean = _convert_to_numpy(mean, xp).astype(np.float64)
    shift = _convert_to_numpy(shift, xp).astype(np.float64)
    present = (count > 0)[:, None]
    return Moments(
        count, np.where(present, mean + shift, 0.0), _convert_to_numpy(scatter, xp).astype(float)
    )


def _full_precision_product(a, b, xp):
    """Matrix product that a user's permission of TF32 does not round to ten bits."""
    if not hasattr(xp, "set_float32_matmul_precision"):
        return a @ b
    allowed = xp.get_float32_matmul_precision()
    xp.set_float32_matmul_precision("highest")
    try:
        return a @ b
    finally:
        xp.set_float32_matmul_precision(allowed)
