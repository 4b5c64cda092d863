"""Dense designs sorted by class: standardised in their sorted copy."""

from typing import NamedTuple

import numpy as np

from skreg._jit import kernel
from skreg.ordinal._design import (
    class_squares,
    class_sums,
    n_columns,
    shift_predictors,
    step_model,
)


class SortedDense(NamedTuple):
    """Standardised columns as rows of `matrix`, shape (1 + n_features, n_samples).

    Class c has the samples start[c] .. start[c + 1] - 1. Gradients are measured by the `deviation`
    of their column, 1 for the constant and for standardised columns.
    """

    matrix: np.ndarray
    start: np.ndarray
    deviation: np.ndarray


@kernel(reassociate=True)
def _dot(x, v):
    total = 0.0
    for i in range(x.shape[0]):
        total += x[i] * v[i]
    return total


@kernel(reassociate=True)
def _two_dots(x, u, v):
    first, second = 0.0, 0.0
    for i in range(x.shape[0]):
        first += x[i] * u[i]
        second += x[i] * v[i]
    return first, second


@kernel(reassociate=True)
def _square(x, v):
    total = 0.0
    for i in range(x.shape[0]):
        total += x[i] * x[i] * v[i]
    return total


@kernel(reassociate=True)
def _three_squares(x, u, v, w):
    first, second, third = 0.0, 0.0, 0.0
    for i in range(x.shape[0]):
        square = x[i] * x[i]
        first += square * u[i]
        second += square * v[i]
        third += square * w[i]
    return first, second, third


@kernel
def _add_product(x, s, step, out):
    for i in range(x.shape[0]):
        out[i] += x[i] * s[i] * step


@kernel
def _add_products(x, sa, sb, r, A, B, qa, q):
    for i in range(x.shape[0]):
        along_a = sa[i] * A
        qa[i] += x[i] * (along_a + r[i] * (A - B))
        q[i] += x[i] * (along_a + sb[i] * B)


@n_columns.register(SortedDense)
def _(design):
    return design.matrix.shape[0]


@class_sums.register(SortedDense)
def _(design, j, first, model, out):
    last = design.start.shape[0] - 2
    for c in range(first, last + 1):
        low, high = design.start[c], design.start[c + 1]
        x = design.matrix[j, low:high]
        if c == 0:
            out[0, c] = _dot(x, model.qa[low:high])
        elif c == last:
            out[1, c] = _dot(x, model.q[low:high])
        else:
            out[0, c], out[1, c] = _two_dots(x, model.qa[low:high], model.q[low:high])


@class_squares.register(SortedDense)
def _(design, j, model, out):
    last = design.start.shape[0] - 2
    for c in range(last + 1):
        low, high = design.start[c], design.start[c + 1]
        x = design.matrix[j, low:high]
        if c == 0:
            out[0, c] = _square(x, model.sa[low:high])
        elif c == last:
            out[1, c] = _square(x, model.sb[low:high])
        else:
            out[0, c], out[1, c], out[2, c] = _three_squares(
                x, model.sa[low:high], model.sb[low:high], model.r[low:high]
            )


@step_model.register(SortedDense)
def _(design, j, first, step, model):
    last = design.start.shape[0] - 2
    A, B = 0.0, 0.0
    for c in range(first, last + 1):
        low, high = design.start[c], design.start[c + 1]
        x = design.matrix[j, low:high]
        B = A
        if c < last:
            A += step[c]
        if c == 0:
            _add_product(x, model.sa[low:high], A, model.qa[low:high])
        elif c == last:
            _add_product(x, model.sb[low:high], B, model.q[low:high])
        else:
            _add_products(
                x,
                model.sa[low:high],
                model.sb[low:high],
                model.r[low:high],
                A,
                B,
                model.qa[low:high],
                model.q[low:high],
            )


@shift_predictors.register(SortedDense)
def _(design, j, step, a, b, offset):
    last = design.start.shape[0] - 2
    A, B = 0.0, 0.0
    for c in range(last + 1):
        low, high = design.start[c], design.start[c + 1]
        x = design.matrix[j, low:high]
        B = A
        if c < last:
            A += step[c]
            if A != 0.0:
                for i in range(low, high):
                    a[i] += x[i - low] * A
        if B != 0.0:
            for i in range(low, high):
                b[i] += x[i - low] * B
