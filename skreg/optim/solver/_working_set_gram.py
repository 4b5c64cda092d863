"""Quadratic losses on a working set, through the Gram matrix of the blocks seen so far."""

import numpy as np

from skreg.optim.kernels._blocks import Blocks, members_of, scan
from skreg.optim.kernels._coordinate_descent import descend_gram
from skreg.optim.kernels._newton import add_rows, descend_face, submatrix
from skreg.optim.losses import loss_gradient

ROUNDS = 20
SUPPORT_PASSES = 10
SUPPORT_ROUNDS = 5  # of passes, while one shrinks the largest move by more than ..
SLOW = 0.5  # .. this factor; from then on Newton steps are faster


def solve_on_gram(workspace, penalty, working, accuracy, magnitude):
    """Quadratic loss: alternate passes over the working set with Newton steps on the support.

    All gradients are those of the blocks in the Gram store; stops when the distance to optimality
    in the working set is at most `accuracy`.
    """
    problem, store = workspace.problem, workspace.gram
    residual_gradient = problem.weight * loss_gradient(
        problem.loss, workspace.state.prediction, problem.target
    )
    store.extend(working)
    store.refresh(working, residual_gradient, np.empty_like(workspace.state.coef))
    n = store.size
    everything = np.arange(n)
    store.coef[:, :n] = workspace.state.coef[:, store.features]
    coef, gradient = store.coef, store.gradient
    order = store.slot[working]
    distance, gauge = np.zeros(store.n_blocks), np.zeros(store.n_blocks)
    unpenalised = (penalty.weights == 0.0) | (penalty.alpha == 0.0)
    for n_round in range(ROUNDS):
        zero = ~np.logical_or.reduceat(np.any(coef[:, :n] != 0.0, axis=0), store.starts[:-1])
        descend_gram(
            penalty, store.hessian, n, store.lipschitz, store.starts, store.ids, order[zero[order]],
            1, 0.0, coef, gradient,
        )  # fmt: skip
        newton_above = 0.3 * accuracy if n_round > 0 else np.inf
        improve_support(store, penalty, order, unpenalised, accuracy, magnitude, newton_above)
        scan(penalty, store.starts, everything, order, store.ids, coef, -gradient, distance, gauge)
        if distance[order].max() <= accuracy:
            break
    workspace.state.coef[:, store.features] = coef[:, :n]


def improve_support(store, penalty, order, unpenalised, accuracy, magnitude, newton_above):
    """Descend on a compact copy of the support, then bring the gradient of the store up to date.

    Newton steps follow where the last pass still moved a gradient by more than `newton_above`.
    """
    n = store.size
    coef, gradient = store.coef, store.gradient
    nonzero = np.logical_or.reduceat(np.any(coef[:, :n] != 0.0, axis=0), store.starts[:-1])
    fixed = unpenalised[store.ids] & (store.lipschitz > 0.0)
    chosen = order[(nonzero | fixed)[order]]
    if len(chosen) == 0:
        return

    inside, starts = members_of(Blocks(store.starts, np.arange(n)), chosen)
    ids = store.ids[chosen]
    hessian = submatrix(store.hessian, inside)
    # unlike an index, `take` keeps C order, without which numba compiles every kernel once more
    compact, slope = coef.take(inside, axis=1), gradient.take(inside, axis=1)
    largest = np.inf
    for _ in range(SUPPORT_ROUNDS):
        last = largest
        largest = descend_gram(
            penalty, hessian, len(inside), store.lipschitz[chosen], starts, ids,
            np.arange(len(chosen)), SUPPORT_PASSES, 0.3 * accuracy, compact, slope,
        )  # fmt: skip
        if largest <= 0.3 * accuracy or largest > SLOW * last:
            break
    if largest > newton_above:
        compact, _ = descend_face(
            hessian, penalty, starts, ids, compact, slope, magnitude, fixed[chosen]
        )
    move = compact - coef[:, inside]
    add_rows(store.hessian, inside, move, n, gradient)
    coef[:, inside] = compact
