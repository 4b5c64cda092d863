"""Block coordinate descent on a quadratic model plus a penalty, with maintained gradients.

The model of the smooth part around the current point is g^T d + d^T H d / 2. Both kernels below
visit blocks in turn and take the proximal step with the block's Lipschitz constant L_b,

    w_b <- prox_{penalty_b / L_b}(w_b - g_b / L_b),

which is exact minimisation for a block of one coordinate. They differ in what they keep up to
date: the gradient itself, through the columns of H, or the gradient with respect to the
predictions.
"""

import numpy as np

from skreg.optim._designs import column_axpy, column_dot, column_weighted_axpy
from skreg.optim._jit import kernel
from skreg.optim._penalties import block_prox


@kernel
def _prox_step(penalty, b, lo, hi, lipschitz, coef, gradient, trial):
    """Proposed block into `trial`; returns whether it moves."""
    t = 0
    for k in range(coef.shape[0]):
        for i in range(lo, hi):
            trial[t] = coef[k, i] - gradient[k, i] / lipschitz
            t += 1
    block_prox(penalty, b, trial[:t], 1.0 / lipschitz)
    t = 0
    moved = False
    for k in range(coef.shape[0]):
        for i in range(lo, hi):
            moved = moved or trial[t] != coef[k, i]
            t += 1
    return moved


@kernel
def descend_gram(
    penalty, hessian, n, lipschitz, starts, ids, order, max_passes, tol, coef, gradient
):
    """Passes over the blocks `order`, keeping the gradient of the first `n` coordinates.

    An unchanged block costs O(1), a changed coordinate one row of H. The outputs share H. Stops
    after a pass in which no gradient moved by more than `tol`; returns the largest such move.
    """
    size = 1
    for b in order:
        size = max(size, (starts[b + 1] - starts[b]) * coef.shape[0])
    trial = np.empty(size)
    largest = 0.0
    for _ in range(max_passes):
        largest = 0.0
        for b in order:
            lo, hi = starts[b], starts[b + 1]
            if lipschitz[b] <= 0.0:
                continue
            if not _prox_step(penalty, ids[b], lo, hi, lipschitz[b], coef, gradient, trial):
                continue
            t = 0
            for k in range(coef.shape[0]):
                for i in range(lo, hi):
                    step = trial[t] - coef[k, i]
                    t += 1
                    if step != 0.0:
                        coef[k, i] += step
                        largest = max(largest, lipschitz[b] * abs(step))
                        row, out = hessian[i], gradient[k]
                        for l in range(n):
                            out[l] += row[l] * step
            t = 0
            for k in range(coef.shape[0]):
                for i in range(lo, hi):
                    coef[k, i] = trial[t]
                    t += 1
        if largest <= tol:
            break
    return largest


@kernel
def descend_residual(
    penalty,
    design,
    features,
    weight,
    lipschitz,
    means,
    total,
    starts,
    ids,
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
    without an intercept. Returns the largest move of a gradient in the last pass.
    """
    n_outputs = coef.shape[0]
    size = 1
    for b in order:
        size = max(size, (starts[b + 1] - starts[b]) * n_outputs)
    trial = np.empty(size)
    gradient = np.empty(coef.shape)
    uniform = weight.shape[1] == 1
    largest = 0.0
    for _ in range(max_passes):
        largest = 0.0
        for b in order:
            lo, hi = starts[b], starts[b + 1]
            if lipschitz[b] <= 0.0:
                continue
            for k in range(n_outputs):
                for i in range(lo, hi):
                    correction = shift[k] * means[k, i] * total[k]
                    gradient[k, i] = column_dot(design, features[i], residual[k]) - correction
            if not _prox_step(penalty, ids[b], lo, hi, lipschitz[b], coef, gradient, trial):
                continue
            t = 0
            for k in range(n_outputs):
                for i in range(lo, hi):
                    step = trial[t] - coef[k, i]
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
