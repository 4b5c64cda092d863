"""Compiled loops over columns, rows and scores that a block iteration needs."""

import numpy as np

from skreg._jit import kernel
from skreg.optim.kernels._designs import column_axpy, column_dot, column_weighted_axpy
from skreg.optim.penalties import (
    block_distance,
    block_prox,
    block_ridge,
    block_value,
    face_gradient,
)

BESIDE_ZERO = 1e-300  # where a penalty has the slope that it has on that side of 0

# Columns of a design


@kernel
def add_columns(design, features, outputs, step, prediction):
    """prediction[c_t] <- prediction[c_t] + step_t x_{f_t} for the coordinates t of a block."""
    for t in range(len(features)):
        if step[t] != 0.0:
            column_axpy(design, features[t], step[t], prediction[outputs[t]])


@kernel
def column_dots(design, features, outputs, dual):
    """x_{f_t}^T dual[c_t] for the coordinates t of a block."""
    out = np.empty(len(features))
    for t in range(len(features)):
        out[t] = column_dot(design, features[t], dual[outputs[t]])
    return out


@kernel
def column_gram(design, features, weight):
    """X_b^T diag(weight) X_b for the columns b = `features`."""
    size = len(features)
    work, out = np.empty(len(weight)), np.empty((size, size))
    for a in range(size):
        work[:] = 0.0
        column_weighted_axpy(design, features[a], 1.0, weight, work)
        for b in range(a + 1):
            out[a, b] = column_dot(design, features[b], work)
            out[b, a] = out[a, b]
    return out


@kernel
def touched_rows(indptr, indices, features, seen, stamp):
    """Rows in which one of the columns has an entry; `seen` remembers the last stamp of a row."""
    count = 0
    for j in features:
        count += indptr[j + 1] - indptr[j]
    rows = np.empty(min(count, len(seen)), dtype=np.int64)
    n = 0
    for j in features:
        for i in range(indptr[j], indptr[j + 1]):
            row = indices[i]
            if seen[row] != stamp:
                seen[row] = stamp
                rows[n] = row
                n += 1
    return np.sort(rows[:n])


@kernel
def _add_sparse_row(indices, data, start, stop, factor, out):
    """out <- out + factor times a compressed row; unsigned indices spare a wrap-around test."""
    for i in range(np.uint64(start), np.uint64(stop)):
        out[np.uint64(indices[i])] += factor * data[i]


@kernel
def add_rows_to_gradient(indptr, indices, data, rows, change, gradient):
    """gradient <- gradient + sum_i change[i] x_i over some rows of a sparse design; one output."""
    for t in range(len(rows)):
        row = rows[t]
        _add_sparse_row(indices, data, indptr[row], indptr[row + 1], change[t], gradient)


@kernel
def add_rows_to_gradients(indptr, indices, data, rows, change, gradient):
    """The same for several outputs: gradient (n_features, n_outputs), change (len(rows), ..)."""
    for t in range(len(rows)):
        delta = change[t]
        for i in range(indptr[rows[t]], indptr[rows[t] + 1]):
            target = gradient[indices[i]]
            for c in range(len(target)):
                target[c] += data[i] * delta[c]


@kernel
def sparse_gram_row(data, indices, indptr, row_data, row_indices, row_indptr, weight, j, out):
    """out <- X^T diag(weight) x_j from the columns and the rows of a sparse design."""
    out[:] = 0.0
    for i in range(indptr[j], indptr[j + 1]):
        row = indices[i]
        factor = weight[row] * data[i]
        _add_sparse_row(row_indices, row_data, row_indptr[row], row_indptr[row + 1], factor, out)


@kernel
def sparse_gram_row_sums(data, indices, indptr, row_data, row_indices, row_indptr, weight):
    """sum_j |(X^T diag(weight) X)_ij| for every i."""
    n_features = len(indptr) - 1
    row, out = np.empty(n_features), np.empty(n_features)
    for j in range(n_features):
        sparse_gram_row(data, indices, indptr, row_data, row_indices, row_indptr, weight, j, row)
        out[j] = np.abs(row).sum()
    return out


@kernel
def add_scaled_rows(matrix, slots, step, out):
    """out <- out + sum_t step_t matrix[slots_t]."""
    for t in range(len(slots)):
        if step[t] != 0.0:
            row = matrix[slots[t]]
            for j in range(len(out)):
                out[j] += step[t] * row[j]


@kernel
def add_graph_columns(indptr, indices, data, block, step, gradient):
    """gradient <- gradient + A[:, block] step for a symmetric sparse A."""
    for t in range(len(block)):
        if step[t] != 0.0:
            for i in range(indptr[block[t]], indptr[block[t] + 1]):
                gradient[indices[i]] += data[i] * step[t]


# Scores


@kernel
def _worse(value, index, other_value, other_index):
    """Whether (value, index) ranks below the other: a smaller value, or an equal one further on."""
    return value < other_value or (value == other_value and index > other_index)


@kernel
def _sift_down(values, indices, start, size):
    """Restore the heap (the worst of the kept ones on top) below `start`."""
    value, index = values[start], indices[start]
    while True:
        child = 2 * start + 1
        if child >= size:
            break
        right = child + 1
        if right < size and _worse(values[right], indices[right], values[child], indices[child]):
            child = right
        if not _worse(values[child], indices[child], value, index):
            break
        values[start], indices[start] = values[child], indices[child]
        start = child
    values[start], indices[start] = value, index


@kernel
def largest(scores, count):
    """Positions of the `count` largest scores in increasing order; of equal ones the first."""
    values, indices = scores[:count].copy(), np.arange(count)
    for start in range(count // 2 - 1, -1, -1):
        _sift_down(values, indices, start, count)
    for i in range(count, len(scores)):
        if scores[i] > values[0]:
            values[0], indices[0] = scores[i], i
            _sift_down(values, indices, 0, count)
    return np.sort(indices)


# Penalties over units (the smallest blocks that a penalty allows)


@kernel
def proximal_scores(penalty, starts, members, ids, x, gradient, curvature, distance, move, model):
    """Scores of every unit u with curvature L_u (Nutini et al. 2022, the proximal rules).

    distance: min over subgradients s of ||g_u + s||                                    (GS-s)
    move:     ||prox_{penalty / L_u}(x_u - g_u / L_u) - x_u||                           (GS-r)
    model:    -min_d g_u^T d + L_u ||d||^2 / 2 + penalty(x_u + d) - penalty(x_u)        (GS-q)
    """
    size = 1
    for u in range(len(ids)):
        size = max(size, starts[u + 1] - starts[u])
    w_buffer, q_buffer, v_buffer = np.empty(size), np.empty(size), np.empty(size)
    for u in range(len(ids)):
        lo, hi = starts[u], starts[u + 1]
        w, q, v = w_buffer[: hi - lo], q_buffer[: hi - lo], v_buffer[: hi - lo]
        distance[u] = move[u] = model[u] = 0.0
        L = curvature[u]
        if L <= 0.0:
            continue
        for i in range(lo, hi):
            w[i - lo] = x[members[i]]
            q[i - lo] = -gradient[members[i]]
            v[i - lo] = w[i - lo] + q[i - lo] / L
        distance[u] = block_distance(penalty, ids[u], w, q)
        block_prox(penalty, ids[u], v, 1.0 / L)
        square, slope = 0.0, 0.0
        for i in range(hi - lo):
            d = v[i] - w[i]
            square += d * d
            slope -= q[i] * d
        if square > 0.0:
            rise = block_value(penalty, ids[u], v) - block_value(penalty, ids[u], w)
            move[u] = np.sqrt(square)
            model[u] = max(-(slope + 0.5 * L * square + rise), 0.0)


@kernel
def largest_distance(penalty, starts, members, ids, x, gradient, curvature):
    """Largest distance of -g_u to the subdifferential, over the units of positive curvature."""
    size = 1
    for u in range(len(ids)):
        size = max(size, starts[u + 1] - starts[u])
    w_buffer, q_buffer = np.empty(size), np.empty(size)
    out = 0.0
    for u in range(len(ids)):
        if curvature[u] <= 0.0:
            continue
        lo, hi = starts[u], starts[u + 1]
        for i in range(lo, hi):
            w_buffer[i - lo] = x[members[i]]
            q_buffer[i - lo] = -gradient[members[i]]
        out = max(out, block_distance(penalty, ids[u], w_buffer[: hi - lo], q_buffer[: hi - lo]))
    return out


@kernel
def prox_units(penalty, starts, ids, step, v):
    """Proximal operator of a block whose units lie one after the other in `v`, in place."""
    for u in range(len(ids)):
        block_prox(penalty, ids[u], v[starts[u] : starts[u + 1]], step)


@kernel
def kinks(penalty, ids):
    """Slopes of the penalty on both sides of 0 and its ridge, for units of one coordinate.

    The slope on the left is infinite where the penalty forbids negative values.
    """
    left, right, ridge = np.empty(len(ids)), np.empty(len(ids)), np.empty(len(ids))
    w, slope = np.empty(1), np.empty(1)
    for u in range(len(ids)):
        ridge[u] = block_ridge(penalty, ids[u])
        w[0] = BESIDE_ZERO
        face_gradient(penalty, ids[u], w, slope)
        right[u] = slope[0] - ridge[u] * w[0]
        w[0] = -BESIDE_ZERO
        face_gradient(penalty, ids[u], w, slope)
        left[u] = ridge[u] * w[0] - slope[0]
        if not np.isfinite(block_value(penalty, ids[u], w)):
            left[u] = np.inf
    return left, right, ridge
