"""Any loss on a working set, through the samples: proximal Newton steps, then Newton on the face.

A proximal Newton step minimises the quadratic model of the loss plus the penalty by coordinate
descent, roughly, and searches along the line to the model's minimiser. When the zero pattern has
settled, Newton steps on the face take over, by turns as long as something outside of it wants in.
"""

from typing import NamedTuple

import numpy as np

from skreg.optim.kernels._blocks import face, members_of, return_to_face, scan, total_value
from skreg.optim.kernels._coordinate_descent import descend_gram, descend_residual
from skreg.optim.kernels._designs import combine, correlate, is_dense, weighted_sums
from skreg.optim.kernels._newton import (
    FLAT,
    HALVINGS,
    STEPS,
    block_rank_one_product,
    conjugate_gradient,
    face_preconditioner,
    first_crossing,
    solve_positive,
    solve_through_rows,
)
from skreg.optim.losses import couples_outputs, is_half_square, loss_gradient
from skreg.optim.penalties import constrained, separable
from skreg.optim.solver._free_directions import polish_intercept
from skreg.optim.solver._gram import block_models, largest_eigenvalues, square_offsets
from skreg.optim.solver._hessian import (
    coordinate_hessian,
    damped_curvature,
    hessian_operator,
    intercept_response,
    sample_curvature,
    shared_hessian,
    weighted_columns,
)
from skreg.optim.solver._problem import smooth_value

NEWTON_STEPS = 30
SPARSE_CHOLESKY = 400
DENSE_CHOLESKY = 3000
SMALL_GRAM = 150
LARGE_GRAM = 2000
CG_STEPS = 50
SUPPORT_PASSES = 10
BLOCK_ROUNDS, BLOCK_PASSES = 6, 10  # passes over blocks that are minimised almost exactly ..
SLOW = 0.5  # .. while a round shrinks the largest move by more than this
ARMIJO = 1e-4
MUCH_BETTER = 2.0  # gain of coefficients that cross zero over that of zeros
AT_KINK = 1e-6  # of a coefficient, at which it has arrived at zero
ABOUT_RIGHT, LONGEST, BISECTIONS = 0.3, 1e6, 40  # share of a slope, step, and steps of the search
TINY = np.finfo(float).tiny


class Subproblem(NamedTuple):
    """A working set: its features, block after block, and the penalty's view of them."""

    problem: tuple
    penalty: tuple
    features: np.ndarray
    starts: np.ndarray
    ids: np.ndarray
    fixed: np.ndarray


class Point(NamedTuple):
    """Coefficients of the working set, intercepts, predictions, gradient and objective."""

    coef: np.ndarray
    intercept: np.ndarray
    prediction: np.ndarray
    gradient: np.ndarray
    penalty_value: float
    objective: float


def solve_on_samples(workspace, penalty, working, accuracy):
    """Decrease the distance to optimality on the working set to `accuracy`."""
    problem = workspace.problem
    features, starts = members_of(problem.blocks, working)
    unpenalised = (penalty.weights[working] == 0.0) | (penalty.alpha == 0.0)
    sub = Subproblem(problem, penalty, features, starts, working, unpenalised)
    state = workspace.state
    scratch = np.zeros_like(state.coef)
    coef = state.coef.take(features, axis=1)
    point = _point(sub, scratch, coef, state.intercept, state.prediction)
    pattern, on_face, stuck, at_rounding = None, False, False, False
    for _ in range(NEWTON_STEPS):
        distance, violated = _distances(sub, point)
        if distance.max() <= accuracy:
            break
        previous, pattern = pattern, point.coef != 0.0
        settled = previous is not None and np.array_equal(pattern, previous)
        settled &= not (violated.any() and on_face)
        on_face = settled and not stuck
        if on_face:
            new = _newton_on_face(sub, scratch, point, accuracy)
        else:
            new = _prox_newton(sub, scratch, point, workspace, accuracy)
        stuck = new is None and on_face
        if new is None and not stuck:
            break
        if new is not None and _at_rounding(sub, point, new):
            if settled or at_rounding:
                break
            at_rounding = True  # of a proximal step; one on the face may still get on
            continue
        point = point if new is None else new
    state.coef[:, features] = point.coef
    state.intercept = point.intercept


def _at_rounding(sub, old, new):
    """Whether a step changed neither the objective nor the distance by more than rounding does."""
    flat = abs(new.objective - old.objective) <= FLAT * abs(old.objective)
    return flat and _distances(sub, new)[0].max() > 0.5 * _distances(sub, old)[0].max()


def _point(sub, scratch, coef, intercept, prediction):
    """The point of given coefficients, with the intercepts at their optimum."""
    problem = sub.problem
    if problem.fit_intercept:
        change, prediction = polish_intercept(problem, prediction)
        intercept = intercept + change
    dual = loss_gradient(problem.loss, prediction, problem.target)
    correlate(problem.design, sub.features, problem.weight * dual, scratch)
    value = total_value(sub.penalty, sub.starts, sub.ids, coef)
    objective = smooth_value(problem, prediction) + value
    gradient = scratch.take(sub.features, axis=1)
    return Point(coef, intercept, prediction, gradient, value, objective)


def _distances(sub, point):
    """Distance to optimality of each block, and whether a zero block is to become nonzero."""
    n_blocks = len(sub.ids)
    distance, gauge = np.zeros(n_blocks), np.zeros(n_blocks)
    everything = np.arange(len(sub.features))
    scan(
        sub.penalty, sub.starts, everything, np.arange(n_blocks), sub.ids, point.coef,
        -point.gradient, distance, gauge,
    )  # fmt: skip
    zero = ~np.logical_or.reduceat((point.coef != 0.0).any(axis=0), sub.starts[:-1])
    return distance, zero & (distance > 0.0)


def _predictions(sub, scratch, coef):
    """X w of the working set."""
    change = np.zeros_like(sub.problem.target)
    scratch[:, sub.features] = coef
    combine(sub.problem.design, sub.features, scratch, change)
    return change


def _prox_newton(sub, scratch, point, workspace, accuracy):
    """One proximal Newton step with a line search; None if it makes no progress."""
    if _prefers_gram(sub):
        new = _model_by_gram(sub, point, accuracy)
    else:
        new = _model_by_samples(sub, point, workspace, accuracy)
    move = new - point.coef
    if not move.any():
        return None
    change = _predictions(sub, scratch, move)
    shift = intercept_response(sub.problem, point.prediction, change)
    change += shift[:, None]
    value = total_value(sub.penalty, sub.starts, sub.ids, new)
    slope = np.vdot(point.gradient, move) + value - point.penalty_value
    slope = min(slope, 0.0)  # rounding of a huge step must not allow an ascent
    step = 1.0
    for _ in range(40):
        prediction = point.prediction + step * change
        coef = new if step == 1.0 else point.coef + step * move
        value = total_value(sub.penalty, sub.starts, sub.ids, coef)
        objective = smooth_value(sub.problem, prediction) + value
        flat = step == 1.0 and abs(objective - point.objective) <= FLAT * abs(point.objective)
        if objective <= point.objective + ARMIJO * step * slope or flat:
            return _point(sub, scratch, coef, point.intercept + step * shift, prediction)
        step *= 0.5
    return None


def _prefers_gram(sub):
    """Whether the model's Hessian is cheaper to form than the passes that it saves."""
    size = len(sub.features) * len(sub.problem.target)
    if couples_outputs(sub.problem.loss):
        return size <= LARGE_GRAM
    if not is_dense(sub.problem.design) or is_half_square(sub.problem.loss):
        return False
    grouped = len(sub.ids) < len(sub.features)
    return size <= (LARGE_GRAM if grouped else SMALL_GRAM)


def _coordinates(sub, chosen_entries):
    """Coordinates of a working set as one list: features, outputs, block starts and ids.

    Entries of a separable penalty are blocks of their own; otherwise a block has all its entries,
    output after output.
    """
    block_of = np.repeat(np.arange(len(sub.ids)), np.diff(sub.starts))
    if separable(sub.penalty):
        outputs, positions = np.nonzero(chosen_entries)
        starts = np.arange(len(outputs) + 1)
        return positions, outputs, starts, block_of[positions]
    chosen = np.logical_or.reduceat(chosen_entries.any(axis=0), sub.starts[:-1])
    blocks = np.flatnonzero(chosen)
    n_outputs = len(chosen_entries)
    sizes = np.diff(sub.starts)[blocks]
    positions = np.concatenate(
        [np.tile(np.arange(sub.starts[b], sub.starts[b + 1]), n_outputs) for b in blocks]
    )
    outputs = np.concatenate([np.repeat(np.arange(n_outputs), size) for size in sizes])
    starts = np.concatenate([[0], np.cumsum(sizes * n_outputs)])
    return positions, outputs, starts, blocks


def _active_entries(sub, point):
    """Entries that are nonzero, unpenalised or about to leave zero."""
    n_outputs = len(point.coef)
    wide_starts = np.arange(len(sub.features) + 1)
    if separable(sub.penalty):
        ids = np.repeat(sub.ids, np.diff(sub.starts))
        distance, gauge = np.zeros(len(ids)), np.zeros(len(ids))
        active = point.coef != 0.0
        for k in range(n_outputs):
            scan(
                sub.penalty, wide_starts, wide_starts[:-1], wide_starts[:-1], ids,
                point.coef[k : k + 1], -point.gradient[k : k + 1], distance, gauge,
            )  # fmt: skip
            active[k] |= distance > 0.0
        return active
    distance, _ = _distances(sub, point)
    nonzero = np.logical_or.reduceat((point.coef != 0.0).any(axis=0), sub.starts[:-1])
    active = np.repeat(nonzero | (distance > 0.0), np.diff(sub.starts))
    return np.repeat(active[None], n_outputs, axis=0)


def _model_by_gram(sub, point, accuracy):
    """Minimiser of the quadratic model plus penalty over the active entries, from its Hessian."""
    active = _active_entries(sub, point)
    positions, outputs, starts, blocks = _coordinates(sub, active)
    problem, features = sub.problem, sub.features[positions]
    if couples_outputs(problem.loss):
        hessian = coordinate_hessian(problem, point.prediction, features, outputs)
    else:
        bound = damped_curvature(problem, point.prediction)[0]
        hessian = shared_hessian(problem, problem.weight * bound, features)
    coef = point.coef[outputs, positions][None].copy()
    gradient = point.gradient[outputs, positions][None].copy()
    lipschitz = largest_eigenvalues(hessian, starts)
    descend_gram(
        sub.penalty, hessian, hessian.shape[0], lipschitz, starts, sub.ids[blocks],
        np.arange(len(blocks)), 50, 0.1 * accuracy, coef, gradient,
    )  # fmt: skip
    new = point.coef.copy()
    new[outputs, positions] = coef[0]
    return new


def _model_by_samples(sub, point, workspace, accuracy):
    """Rough minimiser of the model with diagonal curvature, by passes over the columns."""
    problem = sub.problem
    n_outputs, n_features = point.coef.shape
    if is_half_square(problem.loss):
        means = np.repeat(workspace.columns.mean[None, sub.features], n_outputs, axis=0)
        square = workspace.columns.square[sub.features]
        total = np.ones(n_outputs)
        even = np.ptp(problem.weight) == 0.0
        weight = problem.weight[:1] if even else problem.weight
        weight = np.repeat(weight[None], 1 if even else n_outputs, axis=0)
        centred = np.repeat(square[None], n_outputs, axis=0)
    else:
        weight = problem.weight * damped_curvature(problem, point.prediction)
        means, square = np.empty((2, n_outputs, n_features))
        weighted_sums(problem.design, sub.features, weight, means, square)
        total = np.maximum(weight.sum(axis=1), TINY)
        means /= total[:, None]
        centred = square - total[:, None] * means**2 if problem.fit_intercept else square
        centred = np.where(
            workspace.columns.square[sub.features] > 0.0, np.maximum(centred, 0.0), 0.0
        )
    if not problem.fit_intercept:
        means = np.zeros((n_outputs, n_features))
    lipschitz = np.add.reduceat(centred, sub.starts[:-1], axis=1).max(axis=0)
    offsets, hessians = np.zeros(len(sub.ids), dtype=np.int64), np.empty(0)
    if len(sub.ids) < n_features and is_half_square(problem.loss):
        offsets, hessians, lipschitz = workspace.block_models.of(sub.ids, lipschitz)
    elif len(sub.ids) < n_features and n_outputs == 1:
        offsets = square_offsets(sub.starts)
        hessians = np.empty(offsets[-1])
        lipschitz = block_models(
            problem.design, sub.features, sub.starts, weight[0], means[0], total[0], lipschitz,
            offsets, hessians,
        )  # fmt: skip
    coef = point.coef.copy()
    dual = loss_gradient(problem.loss, point.prediction, problem.target)
    residual = problem.weight * dual
    shift = np.zeros(n_outputs)
    order = np.arange(len(sub.ids))

    def passes(order, count):
        return descend_residual(
            sub.penalty, problem.design, sub.features, weight, lipschitz, means, total,
            sub.starts, sub.ids, offsets, hessians, order, count, 0.3 * accuracy, coef, residual,
            shift,
        )  # fmt: skip

    passes(order, 2)
    nonzero = np.logical_or.reduceat((coef != 0.0).any(axis=0), sub.starts[:-1])
    support = np.flatnonzero(nonzero | sub.fixed)
    if len(hessians) == 0:
        passes(support, SUPPORT_PASSES)
        return coef
    largest = np.inf
    for _ in range(BLOCK_ROUNDS):
        last, largest = largest, passes(support, BLOCK_PASSES)
        if largest <= 0.3 * accuracy or largest > SLOW * last:
            break
    return coef


def _restrict(sub, point):
    """The support of a working set as a subproblem, its point, and where it lies."""
    nonzero = np.logical_or.reduceat((point.coef != 0.0).any(axis=0), sub.starts[:-1])
    chosen = np.flatnonzero(nonzero | sub.fixed)
    sizes = np.diff(sub.starts)
    inside = np.flatnonzero(np.repeat(nonzero | sub.fixed, sizes))
    starts = np.concatenate([[0], np.cumsum(sizes[chosen])])
    small = Subproblem(
        sub.problem, sub.penalty, sub.features[inside], starts, sub.ids[chosen], sub.fixed[chosen]
    )
    coef, gradient = point.coef.take(inside, axis=1), point.gradient.take(inside, axis=1)
    return small, point._replace(coef=coef, gradient=gradient), inside


def _newton_on_face(sub, scratch, point, accuracy):
    """Newton steps on the support; None if the first one makes no progress."""
    answer = None
    for _ in range(STEPS):
        small, here, inside = _restrict(sub, point if answer is None else answer)
        if len(inside) == 0:
            return answer
        new = _face_step(small, scratch, here)
        if new is None:
            return answer
        coef = np.zeros_like(point.coef)
        coef[:, inside] = new.coef
        previous, answer = answer, _point(sub, scratch, coef, new.intercept, new.prediction)
        distance, violated = _distances(sub, answer)
        if previous is not None and _at_rounding(sub, previous, answer):
            return previous
        if distance.max() <= accuracy or violated[np.argmax(distance)]:
            return answer
    return answer


def _face_step(sub, scratch, point):
    """One Newton step on the face, put back where it crosses kinks; None without progress."""
    problem, coef = sub.problem, point.coef
    face_grad, diagonal = np.empty_like(coef), np.empty_like(coef)
    rank_one = np.empty(len(sub.ids))
    value = face(sub.penalty, sub.starts, sub.ids, coef, face_grad, diagonal, rank_one)
    free = (coef != 0.0) | np.repeat(sub.fixed, np.diff(sub.starts))
    if not separable(sub.penalty):
        free[:] = True
    rhs = np.where(free, -(point.gradient + face_grad), 0.0)
    size = int(free.sum())
    dense = is_dense(problem.design)
    limit = DENSE_CHOLESKY if dense and size <= len(problem.weight) else SPARSE_CHOLESKY
    if size <= limit:
        positions, outputs, _, _ = _coordinates(sub, free)
        hessian = coordinate_hessian(problem, point.prediction, sub.features[positions], outputs)
        hessian.flat[:: size + 1] += diagonal[outputs, positions]
        if rank_one.any():
            block = np.repeat(np.arange(len(sub.ids)), np.diff(sub.starts))[positions]
            entries = coef[outputs, positions]
            same = block[:, None] == block
            hessian += same * (rank_one[block][:, None] * np.outer(entries, entries))
        solution = solve_positive(hessian, rhs[outputs, positions])
        if solution is None:
            return None
        direction = np.zeros_like(coef)
        direction[outputs, positions] = solution
    elif (
        dense
        and len(coef) == 1
        and free.all()
        and diagonal.min() > 0.0
        and np.count_nonzero(rank_one) < len(problem.weight)
    ):
        weight = sample_curvature(problem, point.prediction)
        matrix = weighted_columns(problem, weight, sub.features)
        solution = solve_through_rows(matrix, sub.starts, diagonal[0], rank_one, coef[0], rhs[0])
        if solution is None:
            return None
        direction = solution[None]
    else:
        operator = hessian_operator(problem, point.prediction, sub.features, scratch)

        def product(v):
            out = operator(v) + diagonal * v
            if rank_one.any():
                out += block_rank_one_product(coef, sub.starts, rank_one, v)
            return np.where(free, out, 0.0)

        weight = problem.weight * damped_curvature(problem, point.prediction)
        first, square = np.empty((2, *coef.shape))
        weighted_sums(problem.design, sub.features, weight, first, square)
        precondition = face_preconditioner(square, coef, sub.starts, diagonal, rank_one)
        direction = conjugate_gradient(product, rhs, precondition, CG_STEPS, 1e-2)
    return _search_face(sub, scratch, point, direction, value)


def _search_face(sub, scratch, point, direction, value):
    """Step along a direction on the face to where the objective is least, projected back.

    The step is halved until the objective falls. Coefficients that cross zero are put back there or
    go on, if that is much better: along a direction in which no sample changes its prediction (all
    levels of a category up, all of another one down) the least is at one kink, beyond many others.
    """
    change = _predictions(sub, scratch, direction)
    shift = intercept_response(sub.problem, point.prediction, change)
    best = _line_minimum(sub, point, direction, change + shift[:, None])
    steps = [best * 0.5**k for k in range(HALVINGS)] + [first_crossing(point.coef, direction)]
    for step in steps:
        raw = point.coef + step * direction
        coef = raw.copy()
        value = return_to_face(sub.penalty, sub.starts, sub.ids, point.coef, coef)
        returned = not np.array_equal(raw, coef)
        new = _moved(sub, scratch, point, coef, value)
        if returned and step == best and not constrained(sub.penalty):
            raw[np.abs(raw) <= AT_KINK * np.abs(point.coef)] = 0.0
            value = total_value(sub.penalty, sub.starts, sub.ids, raw)
            across = _moved(sub, scratch, point, raw, value)
            gain = max(point.objective - new.objective, 0.0)
            if point.objective - across.objective > MUCH_BETTER * gain:
                new = across
        flat = abs(new.objective - point.objective) <= FLAT * abs(point.objective) and not returned
        if new.objective < point.objective or flat:
            return new
    return None


def _moved(sub, scratch, point, coef, value):
    """The point with other coefficients, at which the penalty is `value`; its gradient is old."""
    change = _predictions(sub, scratch, coef - point.coef)
    shift = intercept_response(sub.problem, point.prediction, change)
    prediction = point.prediction + change + shift[:, None]
    return point._replace(
        coef=coef,
        intercept=point.intercept + shift,
        prediction=prediction,
        penalty_value=value,
        objective=smooth_value(sub.problem, prediction) + value,
    )


def _line_minimum(sub, point, direction, change):
    """Step along a direction at which the objective's slope vanishes, 1 where that is about right.

    Newton's step is wrong by orders of magnitude where the curvature jumps, as that of a Huber loss
    does with every residual that crosses delta.
    """
    problem, starts, ids = sub.problem, sub.starts, sub.ids
    gradient, diagonal = np.empty_like(direction), np.empty_like(direction)
    rank_one = np.empty(len(ids))

    def slope(step):
        prediction = point.prediction + step * change
        dual = loss_gradient(problem.loss, prediction, problem.target)
        face(sub.penalty, starts, ids, point.coef + step * direction, gradient, diagonal, rank_one)
        return np.sum(problem.weight * dual * change) + np.vdot(gradient, direction)

    face(sub.penalty, starts, ids, point.coef, gradient, diagonal, rank_one)
    first, last = np.vdot(point.gradient + gradient, direction), slope(1.0)
    if abs(last) <= ABOUT_RIGHT * abs(first) or not np.isfinite(last):
        return 1.0
    low, high = 0.0, 1.0
    while last < 0.0 and high < LONGEST:
        low, high = high, 4.0 * high
        last = slope(high)
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        at_middle = slope(middle)
        if abs(at_middle) <= ABOUT_RIGHT**2 * abs(first):
            return middle
        low, high = (middle, high) if at_middle < 0.0 else (low, middle)
    return high
