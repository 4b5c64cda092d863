"""The quadratic model on the Gram matrix of the active increments.

Where features are strongly correlated, coordinate descent needs many passes over the rows. The
active increments are few, so their Hessian is affordable, and minimising on it costs nothing per
row: passes alternate with the engine's Newton steps on the face of the current signs.

With M_m = (sa + sb on classes > m, sa on class m) and R_l = (r on class l) as row weights,

    H_{(j, l), (k, m)} = x_j^T diag(M_{max(l, m)}) x_k + [l = m] x_j^T diag(R_l) x_k.
"""

from functools import singledispatch

import numpy as np

from skreg._jit import kernel
from skreg.optim.kernels import descend_face, descend_gram
from skreg.optim.penalties import block_threshold
from skreg.ordinal._dense_design import SortedDense
from skreg.ordinal._design import step_model
from skreg.ordinal._gradient import all_class_sums, gradient_from_sums
from skreg.ordinal._sparse_design import SortedCsc

MAX_ACTIVE = 1500
MAX_ROUNDS = 20
PASSES_PER_ROUND = 10
ROWS_PER_CHUNK = 4096
# passes over the rows that cost as much as the Gram matrix, per active column
PASSES_PER_COLUMN = 0.05
# size of a mean log-loss, to whose rounding the engine compares the decrease by a step
LOSS_SIZE = 1.0


def passes_worth_a_gram(n_active_columns):
    """Number of passes over the rows after which building the Gram matrix is no more expensive."""
    return 10 + int(PASSES_PER_COLUMN * n_active_columns)


def descend_on_gram(design, model, penalty, theta, tol):
    """Minimise the model over the increments that are active in `theta`; moves theta and model."""
    n_boundaries, width = theta.shape
    smooth = np.zeros(theta.size, dtype=np.bool_)
    _mark_smooth(penalty, smooth)
    active = np.flatnonzero((theta.reshape(-1) != 0.0) | (smooth & np.isfinite(penalty.weights)))
    if len(active) > MAX_ACTIVE:
        return
    boundary, column = np.divmod(active, width)
    features, position = np.unique(column, return_inverse=True)
    H = active_hessian(design, model, features, boundary, position)
    sums, gradient = np.zeros((width, 2, n_boundaries + 1)), np.empty_like(theta)
    all_class_sums(design, model, sums)
    gradient_from_sums(sums, gradient)
    step, old = np.zeros_like(theta), theta.reshape(-1)[active]
    tol = 0.1 * tol * np.min(design.deviation[column], initial=1.0)
    new = minimise_quadratic(
        H, gradient.reshape(-1)[active], penalty, active, smooth[active], old, tol
    )
    step.reshape(-1)[active] = new - old
    theta.reshape(-1)[active] = new
    _step_model_along(design, features, step, model)


@kernel
def _mark_smooth(penalty, out):
    for b in range(out.shape[0]):
        out[b] = block_threshold(penalty, b) == 0.0


@kernel
def _step_model_along(design, columns, step, model):
    for j in columns:
        step_model(design, j, 0, step[:, j], model)


def active_hessian(design, model, features, boundary, position):
    """Hessian in the increments (features[position], boundary).

    From the last boundary m with an active increment to the first, the rows of the classes in
    between join the Gram matrix of those beyond.
    """
    H = np.empty((len(boundary), len(boundary)))
    start, both = design.start, model.sa + model.sb
    beyond, reached = np.zeros((len(features), len(features))), len(start) - 1
    for m in np.unique(boundary)[::-1]:
        beyond += gram(design, features, start[m + 1], start[reached], both)
        reached = m + 1
        joint = beyond + gram(design, features, start[m], start[m + 1], model.sa)
        here, lower = np.flatnonzero(boundary == m), np.flatnonzero(boundary < m)
        H[np.ix_(here, lower)] = joint[np.ix_(position[here], position[lower])]
        H[np.ix_(lower, here)] = H[np.ix_(here, lower)].T
        if m > 0:
            joint += gram(design, features, start[m], start[m + 1], model.r)
        H[np.ix_(here, here)] = joint[np.ix_(position[here], position[here])]
    return H


def gram(design, features, first, last, weight):
    """X^T diag(weight) X of the columns `features` over the rows first .. last - 1."""
    total = np.zeros((len(features), len(features)))
    for low in range(first, last, ROWS_PER_CHUNK):
        rows = slice(low, min(low + ROWS_PER_CHUNK, last))
        scaled = row_block(design, features, rows) * np.sqrt(weight[rows])
        total += scaled @ scaled.T
    return total


@singledispatch
def row_block(design, features, rows):
    """Standardised columns `features` at a slice of rows, shape (n_columns, n_rows), float64."""
    name = type(design).__name__
    raise TypeError(f"{name} has no body of row_block, asked for columns {features}, {rows}")


@row_block.register(SortedDense)
def _(design, features, rows):
    return design.matrix[features, rows].astype(np.float64, copy=False)


@row_block.register(SortedCsc)
def _(design, features, rows):
    block = np.empty((len(features), rows.stop - rows.start))
    _fill_block(design, features, rows.start, rows.stop, block)
    return block


@kernel
def _fill_block(design, features, low, high, out):
    for row in range(features.shape[0]):
        j = features[row]
        for i in range(high - low):
            out[row, i] = -design.centre[j]
        k, end = design.segment[j, 0], design.segment[j, design.segment.shape[1] - 1]
        while k < end and design.indices[k] < low:
            k += 1
        while k < end and design.indices[k] < high:
            out[row, design.indices[k] - low] += design.data[k]
            k += 1


def minimise_quadratic(H, gradient, penalty, active, smooth, theta, tol):
    """argmin of gradient^T e + e^T H e / 2 + penalty(theta + e), returned as theta + e.

    `smooth` flags the entries whose penalty has no kink at zero.
    """
    n = len(theta)
    theta, gradient = theta[None].copy(), gradient[None].copy()
    order, starts, diagonal = np.arange(n), np.arange(n + 1), np.diagonal(H).copy()
    fixed = smooth & (diagonal > 0.0)
    for _ in range(MAX_ROUNDS):
        moved = descend_gram(
            penalty, H, n, diagonal, starts, active, order, PASSES_PER_ROUND, tol, theta, gradient
        )
        if moved <= tol:
            break
        face, _ = descend_face(H, penalty, starts, active, theta, gradient, LOSS_SIZE, fixed)
        gradient += (face - theta) @ H
        theta = face
    return theta[0]
