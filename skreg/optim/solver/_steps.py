"""The five steps of an iteration: look, certify, screen, choose, solve."""

from typing import NamedTuple

import numpy as np

from skreg.optim.kernels._blocks import conjugate, discard, ridge_energy
from skreg.optim.kernels._designs import is_dense, stored_per_column
from skreg.optim.penalties import ridge_share
from skreg.optim.solver._problem import best_scale, dual_loss, smooth_value
from skreg.optim.solver._working_set_gram import solve_on_gram
from skreg.optim.solver._working_set_samples import solve_on_samples

INNER_ACCURACY = 0.1  # of the violation: beyond it the gradient of the other blocks is worth a look
SHARE_OF_TOL = 0.1  # distance per threshold that leaves room for the other terms of the gap
SHARPER = 0.1  # .. and its factor each time that a working set holds no new block
MACHINE = 1e-16  # rounding of a product of unit columns, below which no accuracy is asked
NEGATIVE = -1e-9  # relative gap that rounding may leave below 0
GRAM_COLUMN_LENGTH = 250  # shorter columns are cheaper to visit than a row of the Gram matrix
SHARE_OF_SHORT = 1 / 30  # passes over so few short columns cost less than one gradient
TINY = np.finfo(float).tiny


class Search:
    """What changes from one iteration to the next, next to the point and its gradients.

    `live` flags the blocks that are not proven to be zero, `was_nonzero` and `was_working` those of
    the last iteration; `share_of_tol` is the accuracy asked of working sets without a new block;
    `idle` counts the rounds at the end of which no coefficient has changed.
    """

    def __init__(self, frame):
        self.live = frame.live.copy()
        self.was_nonzero, self.was_working = np.zeros((2, len(self.live)), dtype=bool)
        self.share_of_tol = SHARE_OF_TOL * frame.tol
        self.n_iter, self.idle = 0, 0


class View(NamedTuple):
    """Blocks that are live and nonzero, the penalty's value, and a bound of all gauges."""

    alive: np.ndarray
    nonzero: np.ndarray
    penalty_value: float
    largest: float


class Verdict(NamedTuple):
    """Objective, dual value, the scale of the dual point that gives it, and what they prove."""

    objective: float
    dual: float
    scale: float
    gap: float
    kkt: float
    converged: bool


def look(workspace, frame, search):
    """Move predictions and dual point to the new coefficients; gradients where they may matter."""
    state, gradients = workspace.state, workspace.gradients
    state.place_prediction()
    gradients.travelled += state.move_dual()
    alive, nonzero = np.flatnonzero(search.live), state.nonzero_blocks()
    if search.n_iter == 0:
        gradients.scan(frame.penalty, alive, state.coef)  # what it says is of another penalty
    stale, moved, unseen = gradients.bound(frame.threshold, alive, nonzero, search.was_nonzero)
    gradients.refresh(stale, state.dual)
    search.was_nonzero = nonzero
    value, largest = gradients.scan(frame.penalty, moved, state.coef)
    return View(alive, nonzero, value, max(largest, unseen))


def certify(workspace, frame, view):
    """Duality gap and KKT residual of the point, and whether they are small enough."""
    state, distance = workspace.state, workspace.gradients.distance
    kkt = distance[view.alive].max(initial=0.0) / max(frame.kkt_scale, TINY)
    objective, dual, scale = _best_values(workspace, frame, view)
    if not frame.certified:
        return Verdict(objective, dual, scale, np.nan, kkt, kkt <= frame.tol)
    gap = np.inf
    if state.has_digits(frame.columns.sizes):
        gap = (objective - dual) / frame.gap_scale
    return Verdict(objective, dual, scale, gap, kkt, NEGATIVE <= gap <= frame.tol)


def screen(workspace, frame, search, view, verdict):
    """Discard the blocks that the gap proves to be zero (the sphere of Fercoq et al. 2015)."""
    if not (frame.certified and np.isfinite(frame.smoothness) and np.isfinite(verdict.dual)):
        return
    gradients = workspace.gradients
    radius = np.sqrt(2.0 * frame.smoothness * max(verdict.objective - verdict.dual, 0.0))
    discard(
        view.alive, view.nonzero, frame.threshold, frame.columns.norm, gradients.gauge,
        gradients.drift, verdict.scale, radius, search.live,
    )  # fmt: skip


def choose(workspace, frame, search, verdict):
    """(blocks to work on, distance to optimality to reach on them)."""
    likely = workspace.gradients.gauge >= (frame.likely if search.n_iter == 0 else np.inf)
    working = _working_blocks(workspace, frame, search.live, likely)
    accuracy = _accuracy(workspace, frame, search, verdict, working)
    search.was_working[:] = False
    search.was_working[working] = True
    return working, accuracy


def solve(workspace, frame, search, working, accuracy, magnitude):
    """Solve on the working set, by Gram matrix or by samples, whichever is cheaper."""
    before = workspace.state.coef.copy()
    if len(working) and _gram_pays(workspace, frame.problem, working):
        solve_on_gram(workspace, frame.penalty, working, accuracy, magnitude)
    elif len(working):
        solve_on_samples(workspace, frame.penalty, working, accuracy)
    search.idle = search.idle + 1 if np.array_equal(before, workspace.state.coef) else 0
    search.n_iter += 1


def _best_values(workspace, frame, view):
    """(objective, dual value, scale of the dual point): the best of the scales that are at hand.

    With a quadratic part in the penalty every scale of the dual point is feasible at a price;
    otherwise those up to the inverse of the largest gauge are.
    """
    problem, penalty, state = frame.problem, frame.penalty, workspace.state
    objective = smooth_value(problem, state.prediction) + view.penalty_value
    if not state.feasible:  # 0 is a dual point of every loss
        return objective, dual_loss(problem, state.dual, 0.0), 0.0
    limit = 1.0 / view.largest if view.largest > 0.0 else np.inf
    with_ridge = ridge_share(penalty) > 0.0
    ridge = _ridge_energy(workspace, frame, view) if with_ridge else 0.0
    best, best_dual = best_scale(problem, state.dual, ridge, limit), -np.inf
    for scale in (best, 1.0) if with_ridge else (best,):
        value = dual_loss(problem, state.dual, scale)
        if with_ridge:
            value -= _price(workspace, frame, view, scale)
        if value > best_dual:
            best, best_dual = scale, value
    return objective, best_dual, best


def _ridge_energy(workspace, frame, view):
    """sum_b a2_b ||w_b||^2, the dual point's part in the augmented design of an elastic net."""
    starts, members = frame.problem.blocks
    ids, coef = workspace.gradients.block_ids, workspace.state.coef
    return ridge_energy(frame.penalty, starts, members, view.alive, ids, coef)


def _price(workspace, frame, view, scale):
    """Conjugate of a penalty with a quadratic part at the scaled gradient."""
    gradients, blocks = workspace.gradients, view.alive
    starts, members = frame.problem.blocks
    reached = (gradients.gauge * scale > 1.0) | (frame.threshold == 0.0)
    outside = blocks[reached[blocks]]
    return conjugate(
        frame.penalty, starts, members, outside, gradients.block_ids, gradients.q, scale
    )


def _working_blocks(workspace, frame, live, likely):
    """Blocks to work on: the support, the unpenalised ones, and the worst violators.

    Violators count by their distance relative to the norm of their columns. There are at least
    `size` blocks (more where a gradient costs many passes over these) and at most about as many new
    ones as there were nonzero ones.
    """
    distance, size = workspace.gradients.distance, frame.size
    nonzero = workspace.state.nonzero_blocks() & live
    kept = nonzero | frame.fixed
    others = np.flatnonzero(live & ~kept & ((distance > 0.0) | likely))
    if _short_columns(frame.problem):
        size = max(size, int(SHARE_OF_SHORT * live.sum()))
    room = max(size - int(kept.sum()), int(nonzero.sum()), size // 2)
    if len(others) > room:
        score = distance[others] / frame.columns.norm[others]
        score[likely[others]] += score.max(initial=1.0)
        others = others[np.argpartition(-score, room)[:room]]
    kept[others] = True
    return np.flatnonzero(kept)


def _accuracy(workspace, frame, search, verdict, working):
    """Distance to optimality to reach on a working set.

    One with new blocks is solved roughly. One without has been solved before, and not well enough:
    it must get nearer in the ratio of the wanted gap to the present one, down to where rounding of
    the gradient is.
    """
    violation = workspace.gradients.distance[working].max(initial=0.0)
    smallest = frame.kkt_scale
    if frame.certified:
        threshold = frame.threshold[working]
        smallest = np.min(threshold, where=threshold > 0.0, initial=frame.kkt_scale)
    accuracy = max(INNER_ACCURACY * violation, search.share_of_tol * smallest)
    if not search.was_working[working].all():
        return accuracy
    search.share_of_tol *= SHARPER
    reached = verdict.gap if frame.certified else verdict.kkt
    target = violation * min(SHARE_OF_TOL * frame.tol / reached, INNER_ACCURACY)
    norm = frame.columns.norm[working].max(initial=0.0)
    rounding = MACHINE * norm * workspace.state.dual_size()
    return max(min(accuracy, target), min(rounding, MACHINE * frame.kkt_scale))


def _short_columns(problem):
    """Whether the design is sparse, with fewer entries in a column than a Gram matrix pays for."""
    return not is_dense(problem.design) and stored_per_column(problem.design) < GRAM_COLUMN_LENGTH


def _gram_pays(workspace, problem, working):
    """Whether a Gram matrix of the working set is right for the loss, affordable and cheaper."""
    n_columns = np.sum(np.diff(problem.blocks.starts)[working])
    wide_groups = n_columns > max(len(working), problem.target.shape[1])
    fast = workspace.state.half_square and not _short_columns(problem) and not wide_groups
    return fast and workspace.gram.fits(working)
