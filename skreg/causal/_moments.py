"""Weighted means and covariances of the columns, all that the methods need of the data.

The optimisation path magnifies differences: two covariance matrices that differ in their last bits
can lead to graphs that differ in an edge. Sums are therefore carried in twice the working precision
(compensated products, Ogita, Rump and Oishi 2005), so that the order of the rows does not matter,
and an integer weight is the same as copies of the row, to the last bit.
"""

import math
from typing import NamedTuple

import numpy as np
from sklearn.utils import gen_batches
from sklearn.utils.validation import _check_sample_weight, validate_data

from skreg.optim._jit import kernel

ROWS_AT_ONCE = 1024
SPLITTER = 2.0**27 + 1.0  # halves the 53 bits of a double (Veltkamp)
SMALLEST_DEVIATION = 1e-14


class Moments(NamedTuple):
    """Means (d,) and covariance matrix (d, d) with divisor n or, weighted, the sum of weights."""

    mean: np.ndarray
    covariance: np.ndarray


def validate_rows(estimator, X, sample_weight):
    """Rows as float64 and their weights; sets the estimator's feature names."""
    X = validate_data(estimator, X, dtype=np.float64, ensure_min_samples=2, ensure_min_features=2)
    sample_weight = _check_sample_weight(
        sample_weight, X, dtype=np.float64, ensure_non_negative=True
    )
    if np.count_nonzero(sample_weight) < 2:
        raise ValueError("sample_weight must be positive for at least 2 samples")
    return X, sample_weight


def moments(X, sample_weight, *, assume_centered=False, names=None):
    """Means and covariance of the columns of X (n, d).

    Raises
    ------
    ValueError
        If a column is constant, or so large that its variance overflows.
    """
    names = default_names(X.shape[1]) if names is None else names
    used = sample_weight > 0
    X, sample_weight = X[used], sample_weight[used]
    total = math.fsum(sample_weight)
    d = X.shape[1]
    shift = np.zeros(d + 1)
    if not assume_centered:
        shift[:d] = to_single(X.T @ (sample_weight / total))
    high, low, largest = np.zeros((d + 1, d + 1)), np.zeros((d + 1, d + 1)), np.zeros(d)
    for rows in gen_batches(len(sample_weight), ROWS_AT_ONCE):
        block = np.ones((rows.stop - rows.start, d + 1))
        block[:, :d] = X[rows]
        largest = np.maximum(largest, np.abs(block[:, :d]).max(axis=0))
        block -= shift
        add_products(block, sample_weight[rows], high, low)
    products = (high + low) / total
    products += np.triu(products, k=1).T
    offset = np.zeros(d) if assume_centered else products[d, :d]
    with np.errstate(over="ignore", invalid="ignore"):
        covariance = products[:d, :d] - np.outer(offset, offset)
    variance = np.diagonal(covariance)
    if not np.all(np.isfinite(covariance)):
        column = names[int(np.argmin(np.isfinite(variance)))]
        raise ValueError(f"the variance of column {column!r} overflows; rescale it")
    constant = np.sqrt(np.maximum(variance, 0.0)) <= SMALLEST_DEVIATION * largest
    if constant.any():
        raise ValueError(
            f"column {names[int(np.argmax(constant))]!r} is constant; a node without variation has "
            "no place in the graph"
        )
    return Moments(shift[:d] + offset, covariance)


def to_single(x):
    """Numbers rounded to 24 bits, in double precision."""
    mantissa, exponent = np.frexp(x)
    return np.ldexp(mantissa.astype(np.float32).astype(np.float64), exponent)


@kernel
def add_products(rows, weight, high, low):
    """Add sum_t weight_t rows_ti rows_tj to high + low (d, d), upper triangle only.

    Every product is split exactly into a rounded product and its error (Dekker), every sum into a
    rounded sum and its error (Knuth); `low` gathers the errors.
    """
    n, d = rows.shape
    head, tail = np.empty(d), np.empty(d)
    for t in range(n):
        x = rows[t]
        for j in range(d):
            c = SPLITTER * x[j]
            head[j] = c - (c - x[j])
            tail[j] = x[j] - head[j]
        w = weight[t]
        c = SPLITTER * w
        w_head = c - (c - w)
        w_tail = w - w_head
        for i in range(d):
            a = w * x[i]
            a_error = w_tail * tail[i] - (
                ((a - w_head * head[i]) - w_tail * head[i]) - w_head * tail[i]
            )
            c = SPLITTER * a
            a_head = c - (c - a)
            a_tail = a - a_head
            upper, lower = high[i], low[i]
            for j in range(i, d):
                p = a * x[j]
                error = a_tail * tail[j] - (
                    ((p - a_head * head[j]) - a_tail * head[j]) - a_head * tail[j]
                )
                before = upper[j]
                after = before + p
                part = after - before
                lower[j] += (before - (after - part)) + (p - part) + (error + a_error * x[j])
                upper[j] = after


def default_names(n):
    """Names x0, x1, ... of n columns."""
    return [f"x{j}" for j in range(n)]
