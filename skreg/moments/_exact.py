"""Weighted means and covariances of the columns, exact and whatever the order of the rows.

Optimisation paths of graphs magnify differences: two covariance matrices that differ in their last
bits can lead to graphs that differ in an edge. So the order of the rows must not matter, and an
integer weight must be the same as copies of the row, to the last bit. Matrix products of the BLAS
do that where no sum is rounded: centred values x are split into a head h of some 21 bits on a grid
that all rows of a column share, and a tail t = x - h,

    sum w x_i x_j = sum w h_i h_j + [ sum w (h + t/2)_i t_j ] + [ the same with i and j exchanged ].

The first product is one of integers below 2^53 in units of the grid, and exact. The second is
smaller by 2^21, and so are its rounding errors, which vanish when the three are added. Blocks of
rows are added up in twice the working precision. Weights that are no integers, times a power of
two, leave the rounding errors of ordinary sums. (The idea is Ozaki's, Ogita's, Oishi's and Rump's,
"Error-free transformations of matrix multiplication by using fast routines of matrix
multiplication and its applications", Numerical Algorithms 59, 2012.)
"""

import math

import numpy as np
from threadpoolctl import threadpool_limits

from skreg._jit import kernel
from skreg.moments._accumulator import Moments
from skreg.rows import chunk_slices

ROWS_AT_ONCE = 512
SHIFT_BITS = 32  # means are rounded to this share of a column's range, so that they are repeatable
SMALLEST_RANGE = 1e-14
SMALLEST_SCATTER = np.nextafter(0.0, 1.0)


def moments(X: np.ndarray, sample_weight: np.ndarray) -> Moments:
    """`Moments` of the rows X (n, d) with nonnegative weights (n,)."""
    used = sample_weight > 0
    if not used.any():
        d = X.shape[1]
        return Moments(0.0, np.zeros(d), np.zeros((d, d)))
    if not used.all():
        X, sample_weight = X[used], sample_weight[used]
    return resampled_moments(X, sample_weight[None])[0]


@threadpool_limits.wrap(limits=1, user_api="blas")  # blocks are too small to share
def resampled_moments(X: np.ndarray, weights: np.ndarray) -> list[Moments]:
    """`Moments` of the rows X (n, d) with each of several weightings (n_weightings, n).

    All of them come from two passes over the rows, one for the means; beside the results, memory
    holds blocks of rows only.
    """
    n, d = X.shape
    # powers of two: dividing by them is exact, and keeps squares from overflowing
    with np.errstate(over="ignore"):
        exponent = np.append(np.frexp(np.ptp(X, axis=0))[1], 0)
    sums = [_Sum(d + 1) for _ in weights]
    shifts = _shifts(X, weights, exponent)
    low, high = np.full((len(weights), d + 1), np.inf), np.full((len(weights), d + 1), -np.inf)
    scale = np.ldexp(1.0, -exponent)
    buffers = np.empty((5, min(n, ROWS_AT_ONCE), d + 1))
    for rows in chunk_slices(n, ROWS_AT_ONCE):
        block = buffers[0, : rows.stop - rows.start]
        block[:, :d], block[:, d] = X[rows], 1.0
        for k, weight in enumerate(weights):
            weight = weight[rows].astype(np.float64)
            n_used = split_rows(
                block, weight, shifts[k], scale, head_grid(weight), low[k], high[k], *buffers[1:]
            )
            sums[k].add(*buffers[1:, :n_used])
    return [
        _finish(*terms, exponent)
        for terms in zip(sums, shifts, low[:, :d], high[:, :d], strict=True)
    ]


def _shifts(X, weights, exponent):
    """Weighted means (n_weightings, d + 1) on a grid, and 0 for a column of ones.

    The grid makes the means, whose last digits depend on the order of the rows, repeatable, and
    their difference from the values exact.
    """
    means, totals = np.zeros((len(weights), len(exponent))), weights.sum(axis=1)
    for rows in chunk_slices(len(X), ROWS_AT_ONCE):
        means[:, :-1] += (weights[:, rows] / totals[:, None]) @ X[rows]
    return np.ldexp(np.rint(np.ldexp(means, SHIFT_BITS - exponent)), exponent - SHIFT_BITS)


def head_grid(weight):
    """Grid of the heads of numbers below 2, so coarse that sums of their products are exact."""
    bits = math.ceil(math.log2(max(weight.sum(), 1.0)))
    return math.ldexp(1.0, 1 - max(53 - bits, 2) // 2)


@kernel
def split_rows(block, weight, shift, scale, grid, low, high, head, tail, weighted, middle):
    """Split the rows of positive weight, shifted and scaled, for the products of the module's head.

    Writes heads h into `head`, w h into `weighted`, h + t/2 into `middle` and w t into `tail`, and
    lowers `low` and raises `high` (d,) to the range of these rows. Returns their number.
    """
    rounder = 1.5 * 2.0**52 * grid  # adding and subtracting it rounds to the grid
    k = 0
    for i in range(len(block)):
        w = weight[i]
        if w > 0.0:
            for j in range(block.shape[1]):
                x = block[i, j]
                low[j] = min(low[j], x)
                high[j] = max(high[j], x)
                x = (x - shift[j]) * scale[j]
                h = (x + rounder) - rounder
                t = x - h
                head[k, j] = h
                weighted[k, j] = w * h
                middle[k, j] = h + 0.5 * t
                tail[k, j] = w * t
            k += 1
    return k


class _Sum:
    """Sum of matrices (d, d) in twice the working precision (Knuth)."""

    def __init__(self, d):
        self.high, self.low = np.zeros((d, d)), np.zeros((d, d))

    def add(self, head, tail, weighted, middle):
        exact = head.T @ weighted
        before = self.high
        self.high = before + exact
        part = self.high - before
        self.low += (before - (self.high - part)) + (exact - part)
        rest = middle.T @ tail
        self.low += rest + rest.T

    def value(self):
        return self.high + self.low


def _finish(products, shift, low, high, exponent):
    """`Moments` from sums of products of shifted, scaled values and ones (d + 1, d + 1)."""
    products = products.value()
    total = products[-1, -1]
    products = products / total
    offset = products[-1, :-1]
    exponent = exponent[:-1]
    with np.errstate(over="ignore", invalid="ignore"):
        scatter = total * np.ldexp(
            products[:-1, :-1] - np.outer(offset, offset), exponent + exponent[:, None]
        )
        constant = high - low <= SMALLEST_RANGE * np.maximum(np.abs(low), np.abs(high))
    varying = np.flatnonzero(~constant)
    # a column that varies has a positive scatter, however small: only constant ones have zero
    scatter[varying, varying] = np.maximum(scatter[varying, varying], SMALLEST_SCATTER)
    scatter[constant], scatter[:, constant] = 0.0, 0.0
    return Moments(float(total), shift[:-1] + np.ldexp(offset, exponent), scatter)


def with_exact_constants(merged: Moments) -> Moments:
    """The same with no scatter where it is rounding alone.

    `moments` finds constant columns by their range. Means of parts of one column of equal values
    may differ by their last digit, which `Moments.merge` takes for a scatter.
    """
    rounding = merged.weight * (SMALLEST_RANGE * merged.mean) ** 2
    constant = np.diagonal(merged.scatter) <= rounding
    scatter = np.where(constant | constant[:, None], 0.0, merged.scatter)
    return Moments(float(merged.weight), merged.mean, scatter)


def about_zero(data: Moments) -> Moments:
    """The same with means taken to be zero: second moments in place of covariances."""
    second = data.scatter + data.weight * np.outer(data.mean, data.mean)
    return data._replace(mean=np.zeros_like(data.mean), scatter=second)
