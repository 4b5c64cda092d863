"""Proximal Newton for the penalised cumulative-link likelihood.

One step minimises the quadratic model of the loss plus the penalty by block coordinate descent, a
block being the increments of one feature (`descend`), helped by the Gram matrix of the active
increments when that is slow (`skreg.ordinal._gram`). It then goes along the direction found, at
most 0.99 of the way to the nearest crossing of a row's boundaries, halving until the objective
decreases enough.
"""

from typing import NamedTuple

import numpy as np

from skreg._jit import kernel
from skreg.optim.penalties import block_prox, block_threshold
from skreg.ordinal import _certificate as certificate
from skreg.ordinal._dense_design import SortedDense
from skreg.ordinal._design import (
    QuadraticModel,
    class_squares,
    class_sums,
    n_columns,
    shift_predictors,
    step_model,
)
from skreg.ordinal._gradient import all_class_sums, gradient_from_sums
from skreg.ordinal._gram import descend_on_gram, passes_worth_a_gram
from skreg.ordinal._likelihood import boundaries_of_shares, mean_loss
from skreg.ordinal._link import Link, first_derivatives, reflected, row_derivatives
from skreg.ordinal._penalty import penalty_at
from skreg.ordinal._screening import select_columns
from skreg.ordinal._sparse_design import SortedCsc

ARMIJO = 1e-4
TO_THE_BOUNDARY = 0.99
MAX_HALVINGS = 60
MAX_PASSES = 200
# violation of the optimality conditions that rounding leaves, per standard deviation
ROUNDING_GRADIENT = 1e-15
# the model is minimised to this share of the current violation of the optimality conditions
FORCING = 0.03


class Rows(NamedTuple):
    """Design, weights and offset of the samples, sorted by class, and the link.

    The weights sum to one. The offset is a known part of both predictors, None where it is 0.
    """

    design: SortedDense | SortedCsc
    weight: np.ndarray
    link: Link
    offset: np.ndarray | None

    @property
    def start(self):
        """Where each class starts, shape (n_classes + 1,)."""
        return self.design.start


class Point(NamedTuple):
    """Increments theta (n_boundaries, 1 + n_features), intercepts first, and both predictors of
    each row."""

    theta: np.ndarray
    a: np.ndarray
    b: np.ndarray


class Scales(NamedTuple):
    """What certificates are relative to, both at the class frequencies without features: the mean
    loss, and the largest gradient per standard deviation of a feature."""

    loss: float
    gradient: float


class Solution(NamedTuple):
    """Where the solver stopped, and what is known there; residual and gap are relative."""

    point: Point
    objective: float
    kkt_residual: float
    dual_gap: float
    n_iter: int
    converged: bool
    gradient: np.ndarray
    last_move: float
    move_before: float


def intercept_point(rows, centre=0.0):
    """Intercepts alpha_k - centre, where G(alpha_k) is the share of the classes 0 .. k.

    They are the optimum without features, if all offsets are `centre`.
    """
    start, design = rows.start, rows.design
    shares = np.add.reduceat(rows.weight, start[:-1])
    below, above = np.cumsum(shares)[:-1], np.cumsum(shares[::-1])[-2::-1]
    alpha = boundaries_of_shares(rows.link, below, above)
    theta = np.zeros((len(alpha), n_columns(design)))
    theta[:, 0] = np.diff(alpha, prepend=0.0)
    theta[0, 0] -= centre
    return point_at(rows, theta)


def point_at(rows, theta):
    """Predictors of all rows at `theta`, from scratch."""
    a, b = _predictors(rows.design, theta)
    if rows.offset is not None:
        a, b = a + rows.offset, b + rows.offset
    n_classes = len(rows.start) - 1
    a[rows.start[n_classes - 1] :] = np.inf
    b[: rows.start[1]] = -np.inf
    return Point(theta, a, b)


def _predictors(design, theta):
    """Both predictors of each row but for the offset: its moves, if `theta` is a step."""
    a, b = np.zeros(design.start[-1]), np.zeros(design.start[-1])
    offset = np.zeros(theta.shape[0])
    columns = np.flatnonzero(np.any(theta != 0.0, axis=0))
    _shift_all(design, columns, theta, a, b, offset)
    return a, b


@kernel
def _shift_all(design, columns, step, a, b, offset):
    for j in columns:
        shift_predictors(design, j, step[:, j], a, b, offset)
    n_boundaries = step.shape[0]
    A, B = 0.0, 0.0
    for c in range(n_boundaries + 1):
        B = A
        if c < n_boundaries:
            A += offset[c]
        for i in range(design.start[c], design.start[c + 1]):
            if c < n_boundaries:
                a[i] += A
            b[i] += B


def quadratic_model(rows, a, b):
    """Gradient and Hessian of every row at the predictors."""
    n, n_classes = len(a), len(rows.start) - 1
    sa, sb, r, qa, q = np.empty((5, n))
    offset, total = np.zeros(n_classes - 1), np.zeros((5, n_classes))
    model = QuadraticModel(sa, sb, r, qa, q, offset, total)
    _fill_model(rows.link, a, b, rows.weight, rows.start, model)
    return model


@kernel
def _fill_model(link, a, b, weight, start, model):
    last = start.shape[0] - 2
    for c in range(last + 1):
        for i in range(start[c], start[c + 1]):
            ga, gb, sa, sb, r = 0.0, 0.0, 0.0, 0.0, 0.0
            if c == 0:
                ga, sa = first_derivatives(link, a[i])
            elif c == last:
                falling, sb = first_derivatives(reflected(link), -b[i])
                gb = -falling
            else:
                ga, gb, sa, sb, r = row_derivatives(link, a[i], b[i])
            model.qa[i], model.q[i] = weight[i] * ga, weight[i] * (ga + gb)
            model.sa[i], model.sb[i], model.r[i] = weight[i] * sa, weight[i] * sb, weight[i] * r
            model.total[0, c] += model.qa[i]
            model.total[1, c] += model.q[i]
            model.total[2, c] += model.sa[i]
            model.total[3, c] += model.sb[i]
            model.total[4, c] += model.r[i]


@kernel
def block_hessians(design, columns, model, joint, own):
    """Hessian of each column's increments: H_lm = joint[j, max(l, m)] + own[j, l] [l = m].

    joint_m = sum_{c > m} x^2 (sa + sb) + sum_{c = m} x^2 sa,     own_l = sum_{c = l} x^2 r.
    """
    last = design.start.shape[0] - 2
    squares = np.zeros((3, last + 1))
    for j in columns:
        class_squares(design, j, model, squares)
        beyond = 0.0
        for c in range(last, 0, -1):
            beyond += squares[1, c] + (squares[0, c] if c < last else 0.0)
            joint[j, c - 1] = beyond + squares[0, c - 1]
            own[j, c - 1] = squares[2, c - 1]


@kernel
def _descend_block(joint, own, gradient, penalty, column, width, first, theta, step, tol):
    """Minimise the model over the increments >= first of one column; the step goes to `step`.

    `theta` (n_boundaries,) is moved. Returns the largest curvature-weighted step.
    """
    n_boundaries = theta.shape[0]
    step[:] = 0.0
    for _ in range(100):
        largest = 0.0
        for l in range(first, n_boundaries):
            h = joint[l] + own[l]
            if not h > 0.0:
                continue
            slope = gradient[l] + own[l] * step[l]
            for m in range(first, n_boundaries):
                slope += joint[max(l, m)] * step[m]
            old = theta[l]
            theta[l] = old - slope / h
            block_prox(penalty, l * width + column, theta[l : l + 1], 1.0 / h)
            step[l] += theta[l] - old
            largest = max(largest, h * abs(theta[l] - old))
        if largest <= tol:
            break
    moved = 0.0
    for l in range(first, n_boundaries):
        moved = max(moved, (joint[l] + own[l]) * abs(step[l]))
    return moved


@kernel
def _first_active(penalty, theta, column):
    """Lowest boundary with a nonzero or unpenalised increment; n_boundaries if there is none."""
    n_boundaries, width = theta.shape
    for l in range(n_boundaries):
        if theta[l, column] != 0.0 or block_threshold(penalty, l * width + column) == 0.0:
            return l
    return n_boundaries


@kernel
def _sweep(design, columns, model, joint, own, penalty, theta, active_only, tol):
    n_boundaries, width = theta.shape
    sums, gradient = np.zeros((2, n_boundaries + 1)), np.zeros(n_boundaries)
    block, step = np.zeros(n_boundaries), np.zeros(n_boundaries)
    largest = 0.0
    for j in columns:
        first = _first_active(penalty, theta, j) if active_only else 0
        if first == n_boundaries:
            continue
        class_sums(design, j, first, model, sums)
        beyond = 0.0
        for c in range(n_boundaries, first, -1):
            beyond += sums[1, c]
            gradient[c - 1] = sums[0, c - 1] + beyond
        for l in range(n_boundaries):
            block[l] = theta[l, j]
        unit = design.deviation[j]
        moved = _descend_block(
            joint[j], own[j], gradient, penalty, j, width, first, block, step, 0.1 * tol * unit
        )
        if moved > 0.0:
            for l in range(n_boundaries):
                theta[l, j] = block[l]
            step_model(design, j, first, step, model)
            largest = max(largest, moved / unit)
    return largest


@kernel
def descend(design, columns, model, joint, own, penalty, theta, tol, max_passes):
    """Block coordinate descent on the model: all columns, then the active ones until they rest.

    Moves `theta` and `model`. Returns the number of passes, and whether a pass over all columns
    changed no gradient by more than `tol`, in deviations of its column.
    """
    n_passes = 0
    while n_passes < max_passes:
        n_passes += 1
        if _sweep(design, columns, model, joint, own, penalty, theta, False, tol) <= tol:
            return n_passes, True
        while n_passes < max_passes:
            n_passes += 1
            if _sweep(design, columns, model, joint, own, penalty, theta, True, tol) <= tol:
                break
    return n_passes, False


def minimise_model(design, model, penalty, theta, columns, tol):
    """Minimiser of the quadratic model plus the penalty over `columns`, to the tolerance `tol`."""
    theta = theta.copy()
    joint = np.zeros((theta.shape[1], theta.shape[0]))
    own = np.zeros_like(joint)
    block_hessians(design, columns, model, joint, own)
    spent, done = 0, False
    while not done and spent < MAX_PASSES:
        budget = passes_worth_a_gram(np.count_nonzero(theta.any(axis=0)))
        n_passes, done = descend(design, columns, model, joint, own, penalty, theta, tol, budget)
        spent += n_passes
        if not done:
            descend_on_gram(design, model, penalty, theta, tol)
    return theta


@kernel
def _largest_step(a, b, da, db):
    """Step at which the first row's boundaries meet; inf if none do."""
    nearest = np.inf
    for i in range(a.shape[0]):
        closing = db[i] - da[i]
        if closing > 0.0:
            nearest = min(nearest, (a[i] - b[i]) / closing)
    return nearest


def rounding_of_loss(rows, loss):
    """Bound of what rounding does to a loss: a sum over n rows is off by some sqrt(n) / 3 units."""
    return max(16.0, 2.0 * np.sqrt(len(rows.weight))) * np.finfo(float).eps * abs(loss)


def line_search(rows, penalty, point, target, gradient, objective):
    """Point between `point` and `target` that decreases the objective enough (Armijo).

    Returns the point, its objective, and the largest change of a predictor. Within its rounding, an
    objective counts as no larger.
    """
    step = target - point.theta
    da, db = _predictors(rows.design, step)
    slope = np.sum(gradient * step)
    slope += penalty_at(penalty, target) - penalty_at(penalty, point.theta)
    rounding = rounding_of_loss(rows, objective)
    t = min(1.0, TO_THE_BOUNDARY * _largest_step(point.a, point.b, da, db))
    for _ in range(MAX_HALVINGS):
        theta = target if t == 1.0 else point.theta + t * step
        a, b = point.a + t * da, point.b + t * db
        value = mean_loss(rows.link, a, b, rows.weight, rows.start)
        value += penalty_at(penalty, theta)
        if value <= objective + ARMIJO * t * slope + rounding:
            return Point(theta, a, b), value, t * max(np.abs(da).max(), np.abs(db).max())
        t *= 0.5
    return point, objective, 0.0


def solve(rows, penalty, point, scales, *, tol, max_iter, share=1.0):
    """Minimise mean loss plus penalty, from a feasible point.

    Parameters
    ----------
    rows : Rows
        The data.
    penalty : ElasticNet
        Weight b belongs to entry b of the flattened theta; those of the intercepts are zero.
    point : Point
        Where to start.
    scales : Scales
        Of the certificates.
    tol : float
        Bound on the relative duality gap, if every increment is penalised, or else on the relative
        violation of the optimality conditions, of which rounding leaves some.
    max_iter : int
        Largest number of iterations. Each checks the certificate first; the last takes no step.
    share : float, default=1.0
        Columns whose gradient is below this share of its threshold wait until it is not.

    Returns
    -------
    Solution
        Its gap is NaN where there is none.
    """
    penalised = certificate.has_gap(penalty, rows.design.deviation)
    objective = mean_loss(rows.link, point.a, point.b, rows.weight, rows.start)
    objective += penalty_at(penalty, point.theta)
    n_boundaries, width = point.theta.shape
    sums, gradient = np.zeros((width, 2, n_boundaries + 1)), np.empty((n_boundaries, width))
    move_before = last_move = np.inf
    residual_tol = max(tol, ROUNDING_GRADIENT / scales.gradient)
    for n_iter in range(1, max_iter + 1):
        model = quadratic_model(rows, point.a, point.b)
        all_class_sums(rows.design, model, sums)
        gradient_from_sums(sums, gradient)
        violation = certificate.kkt_residual(
            penalty, point.theta.reshape(-1), -gradient.reshape(-1), rows.design.deviation
        )
        residual, gap = violation / scales.gradient, np.nan
        if penalised:
            gap = certificate.duality_gap(rows, penalty, point, objective, model, sums)
            gap /= scales.loss
        converged = gap <= tol if penalised else residual <= residual_tol
        if converged or n_iter == max_iter or last_move == 0.0:
            break
        columns = select_columns(penalty, point.theta, -gradient, share)
        target = minimise_model(
            rows.design, model, penalty, point.theta, columns, FORCING * violation
        )
        move_before = last_move
        point, objective, last_move = line_search(rows, penalty, point, target, gradient, objective)
    return Solution(
        point, objective, residual, gap, n_iter, bool(converged), gradient, last_move, move_before
    )
