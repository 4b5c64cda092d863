"""Block coordinate descent on a quadratic model plus a penalty, with maintained gradients.

The model of the smooth part around the current point is g^T d + d^T H d / 2. Both kernels below
visit blocks in turn and take proximal steps with the block's Lipschitz constant L_b,

    w_b <- prox_{penalty_b / L_b}(w_b - g_b / L_b).

One step is exact minimisation for a block of one coordinate. A wider block takes several, from its
own part of H, which costs little next to bringing all other gradients up to date. The kernels
differ in what they keep up to date: the gradient itself, through the columns of H, or the gradient
with respect to the predictions.
"""

import numpy as np

from skreg._jit import kernel
from skreg.optim.kernels._designs import (
    clear_rows,
    column_axpy,
    column_dot,
    column_weighted_axpy,
    shape,
)
from skreg.optim.penalties import block_prox

BLOCK_STEPS = 20
BLOCK_ACCURACY = 0.1  # of the first step's move, at which a block is left
CANCELLED = 1e-9


@kernel(inline=True)
def _minimise_block(penalty, b, lipschitz, width, hessian, at, start, slope, trial, last):
    """Proximal steps on one block from `start`, into `trial`; returns whether it moves.

    The block has its outputs one after the other, `width` entries each; they share the square of
    `hessian` from row and column `at` on, which is read for more than one entry only. `slope`, the
    block's gradient, and `last` are overwritten.
    """
    size = start.shape[0]
    largest = 0.0
    for t in range(size):
        trial[t] = start[t]
    for n_steps in range(BLOCK_STEPS):
        for t in range(size):
            last[t] = trial[t]
            trial[t] -= slope[t] / lipschitz
        block_prox(penalty, b, trial, 1.0 / lipschitz)
        change = 0.0
        for t in range(size):
            change = max(change, abs(trial[t] - last[t]))
        if n_steps == 0:
            largest = change
        if width < 2 or change == 0.0 or (n_steps > 0 and change <= BLOCK_ACCURACY * largest):
            break
        for t in range(size):
            move = trial[t] - last[t]
            if move != 0.0:
                first = t - t % width
                row = hessian[at + t - first]
                for i in range(width):
                    slope[first + i] += row[at + i] * move
    return largest > 0.0


@kernel
def _widest(order, starts, n_outputs):
    size = 1
    for b in order:
        size = max(size, (starts[b + 1] - starts[b]) * n_outputs)
    return size


@kernel
def _flatten(values, lo, hi, out):
    """out <- values[:, lo:hi], output after output."""
    t = 0
    for k in range(values.shape[0]):
        for i in range(lo, hi):
            out[t] = values[k, i]
            t += 1


@kernel(inline=True)
def add_row(row, factor, n, out):
    """out[:n] <- out[:n] + factor row[:n]."""
    for l in range(n):
        out[l] += row[l] * factor


@kernel
def _move_block(hessian, n, lo, hi, start, trial, coef, gradient):
    """Coefficients of a block from `start` to `trial`; returns the largest move of one."""
    t, largest = 0, 0.0
    for k in range(coef.shape[0]):
        for i in range(lo, hi):
            step = trial[t] - start[t]
            if step != 0.0:
                coef[k, i] = trial[t]
                largest = max(largest, abs(step))
                add_row(hessian[i], step, n, gradient[k])
            t += 1
    return largest


@kernel
def descend_gram(
    penalty, hessian, n, lipschitz, starts, ids, order, max_passes, tol, coef, gradient
):
    """Passes over the blocks `order`, keeping the gradient of the first `n` coordinates.

    An unchanged block costs O(1), a changed coordinate one row of H. The outputs share H. Stops
    after a pass in which no gradient moved by more than `tol`; returns the largest such move.
    """
    size = _widest(order, starts, coef.shape[0])
    buffers = np.empty((4, size))
    start, slope, trial, last = buffers[0], buffers[1], buffers[2], buffers[3]
    largest = 0.0
    for _ in range(max_passes):
        largest = 0.0
        for b in order:
            lo, hi = starts[b], starts[b + 1]
            if lipschitz[b] <= 0.0:
                continue
            width = hi - lo
            size = width * coef.shape[0]
            if size != start.shape[0]:
                start, slope = buffers[0, :size], buffers[1, :size]
                trial, last = buffers[2, :size], buffers[3, :size]
            if size == 1:  # no arrays to pass around
                trial[0] = coef[0, lo] - gradient[0, lo] / lipschitz[b]
                block_prox(penalty, ids[b], trial, 1.0 / lipschitz[b])
                step = trial[0] - coef[0, lo]
                if step != 0.0:
                    coef[0, lo] = trial[0]
                    largest = max(largest, lipschitz[b] * abs(step))
                    add_row(hessian[lo], step, n, gradient[0])
                continue
            _flatten(coef, lo, hi, start)
            _flatten(gradient, lo, hi, slope)
            moves = _minimise_block(
                penalty, ids[b], lipschitz[b], width, hessian, lo, start, slope, trial, last
            )
            if moves:
                step = _move_block(hessian, n, lo, hi, start, trial, coef, gradient)
                largest = max(largest, lipschitz[b] * step)
        if largest <= tol:
            break
    return largest


@kernel
def block_hessians(design, features, starts, weight, means, total, bound, offsets, out):
    """Weighted, centred second moments of each block's columns, a square from `offsets[b]` on.

    They are X_b^T D X_b - total m_b m_b^T, where D has the diagonal `weight`. Where next to nothing
    is left of a column after centring, the square is replaced by `bound` times the identity.
    """
    scaled = np.zeros(shape(design)[0])
    for b in range(len(starts) - 1):
        lo, width = starts[b], starts[b + 1] - starts[b]
        square = out[offsets[b] : offsets[b] + width * width].reshape((width, width))
        trustworthy = True
        for i in range(width):
            j = features[lo + i]
            column_weighted_axpy(design, j, 1.0, weight, scaled)
            for l in range(i + 1):
                centring = total * means[lo + i] * means[lo + l]
                square[i, l] = column_dot(design, features[lo + l], scaled) - centring
                square[l, i] = square[i, l]
            trustworthy = trustworthy and square[i, i] >= CANCELLED * total * means[lo + i] ** 2
            clear_rows(design, j, scaled)
        if not trustworthy:
            square[:] = 0.0
            for i in range(width):
                square[i, i] = bound[b]


@kernel
def descend_residual(  # noqa: C901  one compiled loop
    penalty,
    design,
    features,
    weight,
    lipschitz,
    means,
    total,
    starts,
    ids,
    offsets,
    hessians,
    order,
    max_passes,
    tol,
    coef,
    residual,
    shift,
):
    """Passes over the blocks `order`, keeping the gradient with respect to the predictions.

    `weight` (n_outputs, n_samples) or (1, 1) is the diagonal curvature D of the samples. An
    unpenalised intercept is eliminated: columns are centred by `means` = X^T D / `total` without
    touching them, as shift_k = sum_j means_kj d_kj is subtracted from the predictions. `means` is 0
    without an intercept. `hessians` holds the blocks' parts of H, from `offsets` on, as
    `block_hessians` leaves them; it may be empty. Returns the largest move of a gradient in the
    last pass.
    """
    n_outputs = coef.shape[0]
    size = _widest(order, starts, n_outputs)
    buffers = np.empty((4, size))
    start, slope, trial, last = buffers[0], buffers[1], buffers[2], buffers[3]
    own = hessians[:0].reshape((0, 0))
    uniform = weight.shape[1] == 1
    largest = 0.0
    for _ in range(max_passes):
        largest = 0.0
        for b in order:
            lo, hi = starts[b], starts[b + 1]
            if lipschitz[b] <= 0.0:
                continue
            width = hi - lo if len(hessians) > 0 else 1
            size = (hi - lo) * n_outputs
            if size != start.shape[0]:
                start, slope = buffers[0, :size], buffers[1, :size]
                trial, last = buffers[2, :size], buffers[3, :size]
            if size == 1:  # no arrays to pass around
                j, out = features[lo], residual[0]
                derivative = column_dot(design, j, out) - shift[0] * means[0, lo] * total[0]
                trial[0] = coef[0, lo] - derivative / lipschitz[b]
                block_prox(penalty, ids[b], trial, 1.0 / lipschitz[b])
                step = trial[0] - coef[0, lo]
                if step != 0.0:
                    coef[0, lo] = trial[0]
                    largest = max(largest, lipschitz[b] * abs(step))
                    shift[0] += means[0, lo] * step
                    if uniform:
                        column_axpy(design, j, step * weight[0, 0], out)
                    else:
                        column_weighted_axpy(design, j, step, weight[0], out)
                continue
            if width > 1:
                own = hessians[offsets[b] : offsets[b] + width * width].reshape((width, width))
            _flatten(coef, lo, hi, start)
            t = 0
            for k in range(n_outputs):
                for i in range(lo, hi):
                    correction = shift[k] * means[k, i] * total[k]
                    slope[t] = column_dot(design, features[i], residual[k]) - correction
                    t += 1
            moves = _minimise_block(
                penalty, ids[b], lipschitz[b], width, own, 0, start, slope, trial, last
            )
            if not moves:
                continue
            t = 0
            for k in range(n_outputs):
                for i in range(lo, hi):
                    step = trial[t] - start[t]
                    if step != 0.0:
                        coef[k, i] = trial[t]
                        largest = max(largest, lipschitz[b] * abs(step))
                        shift[k] += means[k, i] * step
                        if uniform:
                            column_axpy(design, features[i], step * weight[0, 0], residual[k])
                        else:
                            column_weighted_axpy(design, features[i], step, weight[k], residual[k])
                    t += 1
        if largest <= tol:
            break
    return largest
