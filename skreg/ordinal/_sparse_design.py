"""Sparse designs sorted by class, never made dense.

Columns are scaled, but their centre is kept apart: a step in the centre shifts all rows of a class
by the same amount, which `QuadraticModel.offset` remembers instead of touching the rows.
"""

from typing import NamedTuple

import numpy as np

from skreg.ordinal._design import (
    class_squares,
    class_sums,
    n_columns,
    shift_predictors,
    step_model,
)


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
