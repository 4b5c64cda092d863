"""The quadratic model on the Gram matrix of the active increments.

Where features are strongly correlated, coordinate descent needs many passes over the rows. The
active increments are few, so their Hessian is affordable, and minimising on it costs nothing per
row: coordinate descent alternates with Newton steps on the face of the current signs.

With M_m = (sa + sb on classes > m, sa on class m) and R_l = (r on class l) as row weights,

    H_{(j, l), (k, m)} = x_j^T diag(M_{max(l, m)}) x_k + [l = m] x_j^T diag(R_l) x_k.
"""

from functools import singledispatch

import numpy as np
import scipy.linalg
import scipy.sparse

from skreg.optim._jit import kernel
from skreg.optim._penalties import block_prox, block_ridge, block_threshold, face_gradient
from skreg.ordinal._certificate import all_class_sums, gradient_from_sums
from skreg.ordinal._rows import SortedCsc, SortedDense, step_model

MAX_ACTIVE = 1500
MAX_ROUNDS = 100
PASSES_PER_ROUND = 10
ROWS_PER_CHUNK = 4096
# passes over the rows that cost as much as the Gram matrix, per active column
PASSES_PER_COLUMN = 0.2
# relative increase of the diagonal under which a singular face has a Cholesky factor; rounds repeat
JITTER = 1e-10


def passes_worth_a_gram(n_active_columns):
    """Number of passes over the rows after which building the Gram matrix is no more expensive."""
    return 10 + int(PASSES_PER_COLUMN * n_active_columns)


def descend_on_gram(design, model, penalty, theta, tol):
    """Minimise the model over the increments that are active in `theta`; moves theta and model."""
    keep = np.zeros(theta.size, dtype=np.bool_)
    _mark_active(penalty, theta.reshape(-1), keep)
    active = np.flatnonzero(keep)
    if len(active) > MAX_ACTIVE:
        return
    n_boundaries, width = theta.shape
    boundary, column = np.divmod(active, width)
    features, position = np.unique(column, return_inverse=True)
    H = assemble_hessian(*class_grams(design, features, model), boundary, position)
    sums, gradient = np.zeros((width, 2, n_boundaries + 1)), np.empty_like(theta)
    all_class_sums(design, model, sums)
    gradient_from_sums(sums, np.ones(n_boundaries + 1), gradient)
    step = np.zeros_like(theta)
    old = theta.reshape(-1)[active]
    new = minimise_quadratic(H, gradient.reshape(-1)[active], penalty, active, old, 0.1 * tol)
    step.reshape(-1)[active] = new - old
    theta.reshape(-1)[active] = new
    _step_model_along(design, features, step, model)


@kernel
def _mark_active(penalty, theta, keep):
    for b in range(theta.shape[0]):
        free = block_threshold(penalty, b) == 0.0 and not np.isinf(penalty.weights[b])
        keep[b] = theta[b] != 0.0 or free


@kernel
def _step_model_along(design, columns, step, model):
    for j in columns:
        step_model(design, j, 0, step[:, j], model)


def class_grams(design, features, model):
    """X_c^T diag(s) X_c of each class c for s = sa, sb, r: three (n_classes, m, m) arrays."""
    n_classes = len(design.start) - 1
    along_a, along_b, barrier = np.zeros((3, n_classes, len(features), len(features)))
    for c in range(n_classes):
        for low in range(design.start[c], design.start[c + 1], ROWS_PER_CHUNK):
            rows = slice(low, min(low + ROWS_PER_CHUNK, design.start[c + 1]))
            x = row_block(design, features, rows)
            if c < n_classes - 1:
                along_a[c] += (x * model.sa[rows]) @ x.T
            if c > 0:
                along_b[c] += (x * model.sb[rows]) @ x.T
            if 0 < c < n_classes - 1:
                barrier[c] += (x * model.r[rows]) @ x.T
    return along_a, along_b, barrier


@singledispatch
def row_block(design, features, rows):
    """Standardised columns `features` at a slice of rows, shape (n_columns, n_rows), float64."""
    raise TypeError(f"no rows of {type(design).__name__}")


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


def assemble_hessian(along_a, along_b, barrier, boundary, position):
    """Hessian in the increments (position, boundary), from the Gram matrices of the classes."""
    own_row = along_a[:-1]
    beyond = np.cumsum((along_a + along_b)[:0:-1], axis=0)[::-1]
    joint = own_row + beyond
    H = joint[np.maximum.outer(boundary, boundary), position[:, None], position]
    row, column = np.nonzero(boundary[:, None] == boundary)
    H[row, column] += barrier[boundary[row], position[row], position[column]]
    return H


def minimise_quadratic(H, gradient, penalty, active, theta, tol):
    """argmin of gradient^T e + e^T H e / 2 + penalty(theta + e), returned as theta + e."""
    theta, gradient = theta.copy(), gradient.copy()
    for _ in range(MAX_ROUNDS):
        if _descend(H, gradient, penalty, active, theta, tol, PASSES_PER_ROUND):
            break
        _face_step(H, gradient, penalty, active, theta)
    return theta


@kernel
def _descend(H, gradient, penalty, active, theta, tol, n_passes):
    for _ in range(n_passes):
        largest = 0.0
        for i in range(theta.shape[0]):
            if not H[i, i] > 0.0:
                continue
            old = theta[i]
            theta[i] = old - gradient[i] / H[i, i]
            block_prox(penalty, active[i], theta[i : i + 1], 1.0 / H[i, i])
            step = theta[i] - old
            if step != 0.0:
                for k in range(theta.shape[0]):
                    gradient[k] += H[i, k] * step
                largest = max(largest, H[i, i] * abs(step))
        if largest <= tol:
            return True
    return False


def _face_step(H, gradient, penalty, active, theta):
    """Newton step with the signs held, up to the first entry that would change its sign."""
    slope, ridge, kinked = (np.empty_like(theta) for _ in range(3))
    _face(penalty, active, theta, slope, ridge, kinked)
    face = np.flatnonzero((theta != 0.0) | (kinked == 0.0))
    face = face[np.diag(H)[face] + ridge[face] > 0.0]
    curvature = H[np.ix_(face, face)] + np.diag(ridge[face] + JITTER * np.diag(H)[face])
    step = -scipy.linalg.solve(curvature, gradient[face] + slope[face], assume_a="pos")
    crossing = (theta[face] * (theta[face] + step) < 0.0) & (kinked[face] > 0.0)
    t = 1.0
    if crossing.any():
        reach = np.where(crossing, -theta[face] / np.where(crossing, step, 1.0), np.inf)
        t = reach.min()
    theta[face] += t * step
    if crossing.any():
        theta[face[np.argmin(reach)]] = 0.0
    gradient += H[:, face] @ (t * step)


@kernel
def _face(penalty, active, theta, slope, ridge, kinked):
    for i in range(theta.shape[0]):
        face_gradient(penalty, active[i], theta[i : i + 1], slope[i : i + 1])
        ridge[i] = block_ridge(penalty, active[i])
        kinked[i] = block_threshold(penalty, active[i])
