"""The solver: working sets around coordinate descent and face Newton steps, with a certificate.

One iteration evaluates the gradient where it may matter, certifies the current point by its duality
gap, discards blocks that the gap proves to be zero, chooses a working set and solves the problem
on it well enough. Between evaluations a block's gradient cannot move by more than the norm of its
columns times the way that the dual point has gone (Cauchy-Schwarz), so that blocks far inside of
their threshold need not be looked at again.
"""

from typing import NamedTuple

import numpy as np

from skreg.optim.kernels._blocks import (
    conjugate,
    discard,
    feasible_start,
    members_of,
    outdated,
    ridge_energy,
    scan,
    thresholds,
)
from skreg.optim.kernels._designs import (
    Csc,
    Dense,
    combine,
    correlate,
    stored_per_column,
    summarise,
    units,
)
from skreg.optim.losses import Multinomial, Quadratic, loss_gradient, smoothness
from skreg.optim.penalties import constrained, ridge_share
from skreg.optim.solver._free_directions import (
    FreeDirections,
    free_directions,
    minimise_free,
    null_point,
    project_dual,
    too_many,
)
from skreg.optim.solver._gram import GramStore, block_models, square_offsets
from skreg.optim.solver._moments import compute_moments, pays_by_moments, solve_on_moments
from skreg.optim.solver._problem import (
    ROUNDING,
    best_scale,
    dual_loss,
    gap_scale,
    make_problem,
    ready,
    smooth_value,
    unpenalised,
)
from skreg.optim.solver._units import in_own_units, to_own_units, to_user_units
from skreg.optim.solver._working_set_gram import solve_on_gram
from skreg.optim.solver._working_set_samples import solve_on_samples

GRAM_COLUMN_LENGTH = 250  # shorter columns are cheaper to visit than a row of the Gram matrix

SHARE = 1 / 30  # of short columns: passes over so few cost less than one gradient

INNER_ACCURACY = 0.1
STAGE_RATIO = 3.0
FAR_FROM_ZERO = 20.0  # ratio of alpha's maximum to alpha from which stages pay
MOST_STAGES = 40
STAGE_TOL = 1e-2  # of what the stage before left unexplained
NEGATIVE = -1e-9  # relative gap that rounding may leave below 0
FEW_DIGITS = 1e-3  # share of rounding in the spread of predictions from which they mean nothing


class Solution(NamedTuple):
    """Answer of `solve`, with its certificate.

    Attributes
    ----------
    coef : ndarray of shape (n_features,) or (n_outputs, n_features)
        Coefficients; zeros are exact.
    intercept : float or ndarray of shape (n_outputs,)
        Intercept, 0 if none was asked for.
    objective : float
        sum_i s_i l(z_i, y_i) + penalty(w), with sample weights s that sum to one.
    gap : float
        Relative duality gap (P - D) / P(0); infinite where the predictions are but the rounding of
        large terms that cancel, nan where the problem has no finite dual bound (an unpenalised
        restriction) or too many unpenalised columns to make one.
    kkt : float
        Largest distance of minus the gradient to the subdifferential of the penalty, relative to
        the largest such distance without a penalty at w = 0.
    n_iter : int
        Number of working sets.
    converged : bool
        Whether the gap (the KKT residual where there is no gap) reached the tolerance.
    """

    coef: np.ndarray
    intercept: float | np.ndarray
    objective: float
    gap: float
    kkt: float
    n_iter: int
    converged: bool


class Workspace:
    """Current point of a problem with everything that stays warm from one penalty to the next."""

    def __init__(self, problem, coef, intercept, memory_budget):
        self.problem = problem
        n_features, n_outputs = problem.n_features, len(problem.target)
        n_blocks = len(problem.blocks.starts) - 1
        self.quadratic = isinstance(problem.loss, Quadratic)
        self.null_intercept, prediction = null_point(problem)
        self.null_prediction = prediction
        self.null_value = smooth_value(problem, prediction)
        self.coef = np.zeros((n_outputs, n_features)) if coef is None else coef
        self.intercept = self.null_intercept.copy()
        if intercept is not None and problem.fit_intercept:
            self.intercept = intercept
        self.mean, self.square = np.empty(n_features), np.empty(n_features)
        self.q = np.zeros((n_outputs, n_features))
        self.everything = np.arange(n_features)
        self.block_ids = np.arange(n_blocks)
        self.distance, self.gauge = np.zeros(n_blocks), np.zeros(n_blocks)
        self.travelled, self.seen_at = 0.0, np.zeros(n_blocks)
        self.dual, self.feasible = None, False
        self.free = self._directions(np.empty(0, dtype=np.int64), np.zeros(n_features))
        self.budget = memory_budget
        self.kkt_scale = None
        self.block_eigenvalue = np.full(n_blocks, np.nan)
        self.block_offsets, self.block_hessian = None, None
        self._start()

    @np.errstate(over="ignore", invalid="ignore")
    def _start(self):
        """First pass over the design: column moments, and the gradient at the start.

        A start that is worse than no features at all (data in another unit) is dropped.
        """
        problem = self.problem
        if self.coef.any() and not smooth_value(problem, self._predict()) <= self.null_value:
            self.coef[:] = 0.0
            self.intercept = self.null_intercept.copy()
        self.place_prediction()
        self.dual = loss_gradient(problem.loss, self.prediction, problem.target)
        weighted = -problem.weight * self.dual
        summarise(
            problem.design,
            self.everything,
            problem.weight,
            weighted,
            self.mean,
            self.square,
            self.q,
        )
        raw = self.square + self.mean**2
        shift, scale = units(problem.design)
        given = self.square + (self.mean + shift * scale) ** 2
        self.sizes = np.sqrt(given)
        if not problem.fit_intercept:
            self.square = raw
        self.square[self.square <= ROUNDING**2 * given] = 0.0
        starts, members = problem.blocks
        self.norm = np.sqrt(np.add.reduceat(self.square[members], starts[:-1]))
        self.coef[:, self.square == 0.0] = 0.0
        self.gradient_size = np.sqrt(given.max(initial=0.0)) * problem.target_size
        if not self.coef.any():
            self.kkt_scale = self._above_rounding(np.abs(self.q).max(initial=0.0))
        self.gram = GramStore(problem, self.mean, self.budget)

    def null_gradient_size(self):
        """Largest entry of the gradient at w = 0, the scale of KKT residuals."""
        if self.kkt_scale is None:
            problem = self.problem
            dual = loss_gradient(problem.loss, self.null_prediction, problem.target)
            gradient = np.empty_like(self.q)
            correlate(problem.design, self.everything, problem.weight * dual, gradient)
            largest = np.abs(gradient[:, self.square > 0.0]).max(initial=0.0)
            self.kkt_scale = self._above_rounding(largest)
        return self.kkt_scale

    def _above_rounding(self, largest):
        """A null gradient's size; that of the data where it is 0 but for rounding."""
        return largest if largest > ROUNDING * self.gradient_size else self.gradient_size

    def _directions(self, features, means):
        """Free directions of the unpenalised columns `features`, next to the intercept's."""
        problem = self.problem
        if len(features):
            return free_directions(problem, features, means, self.sizes)
        constant = np.ones((int(problem.fit_intercept), 1))
        return FreeDirections(
            constant, features, np.zeros((len(constant), 0)), np.ones(len(constant))
        )

    def set_free(self, features):
        """Let `features` be the unpenalised columns; returns whether their basis is affordable."""
        if too_many(self.problem, features):
            features = features[:0]
        if not np.array_equal(features, self.free.features):
            self.free = self._directions(features, self.mean)

    def place_prediction(self):
        """Predictions, with the intercept and the free coefficients at their optimum.

        Multinomial intercepts, which matter up to a common shift, are centred.
        """
        problem, free = self.problem, self.free
        if problem.fit_intercept and isinstance(problem.loss, Multinomial):
            self.intercept = self.intercept - self.intercept.mean()
        self.prediction = self._predict()
        if self.quadratic and len(free.features) == 0:
            return
        amounts, prediction = minimise_free(problem, self.prediction, free.basis)
        self.intercept = self.intercept + amounts @ free.intercept
        if len(free.features):
            self.coef[:, free.features] += amounts @ free.coef
            prediction = self._predict()
        self.prediction = prediction

    def has_digits(self):
        """Whether the predictions are more than the rounding of large terms that cancel."""
        problem = self.problem
        used = np.flatnonzero(self.coef.any(axis=0))
        rounding = np.finfo(float).eps * (np.abs(self.coef[:, used]) @ self.sizes[used])
        centred = self.prediction - (self.prediction @ problem.weight)[:, None]
        spread = np.sqrt(np.sum(problem.weight * centred**2, axis=1))
        return bool(np.all(rounding <= FEW_DIGITS * spread))

    def _predict(self):
        """X w + b; for a quadratic loss with the best b."""
        problem = self.problem
        prediction = np.zeros(problem.target.shape)
        support = np.flatnonzero(self.coef.any(axis=0))
        combine(problem.design, support, self.coef, prediction)
        if problem.fit_intercept and self.quadratic:
            self.intercept = (problem.target - prediction) @ problem.weight
        prediction += self.intercept[:, None]
        return prediction

    def move_dual(self):
        """Dual point of the current prediction; counts the way that it went."""
        problem = self.problem
        dual = loss_gradient(problem.loss, self.prediction, problem.target)
        dual, self.feasible = project_dual(problem, self.prediction, dual, self.free.basis)
        change = dual - self.dual
        self.travelled += np.sqrt(np.sum(problem.weight * change * change)) * (1 + 1e-12)
        self.dual = dual

    def dual_size(self):
        """Root mean square of the dual point."""
        return float(np.sqrt(np.sum(self.problem.weight * self.dual**2)))

    def block_models(self, blocks, bound):
        """Second moments of the blocks' columns under the sample weights, computed once for each.

        Returns (offsets, hessians, largest eigenvalues) for `descend_residual`; `bound` bounds the
        eigenvalues.
        """
        problem = self.problem
        if self.block_hessian is None:
            self.block_offsets = square_offsets(problem.blocks.starts)
            self.block_hessian = np.empty(self.block_offsets[-1])
        new = np.isnan(self.block_eigenvalue[blocks])
        if new.any():
            chosen = blocks[new]
            features, starts = members_of(problem.blocks, chosen)
            means = self.mean[features] if problem.fit_intercept else np.zeros(len(features))
            self.block_eigenvalue[chosen] = block_models(
                problem.design, features, starts, problem.weight, means, 1.0, bound[new],
                self.block_offsets[chosen], self.block_hessian,
            )  # fmt: skip
        return self.block_offsets[blocks], self.block_hessian, self.block_eigenvalue[blocks]

    def nonzero_blocks(self):
        """Flags of the blocks that have a nonzero coefficient."""
        starts, members = self.problem.blocks
        nonzero = self.coef.any(axis=0)[members]
        if len(starts) == len(members) + 1:
            return nonzero
        return np.logical_or.reduceat(nonzero, starts[:-1])

    def evaluate(self, blocks):
        """Gradient at the given blocks."""
        features, _ = members_of(self.problem.blocks, blocks)
        correlate(self.problem.design, features, -self.problem.weight * self.dual, self.q)
        self.seen_at[blocks] = self.travelled


def _certify(workspace, penalty, penalty_value, limit, blocks, threshold):
    """(objective, dual value, scale of the dual point): the best of the scales that are at hand.

    `limit` is the largest scale at which the dual point is feasible for the augmented design;
    with a quadratic part in the penalty every scale is feasible at a price.
    """
    problem = workspace.problem
    objective = smooth_value(problem, workspace.prediction) + penalty_value
    if not workspace.feasible:  # 0 is a dual point of every loss
        return objective, dual_loss(problem, workspace.dual, 0.0), 0.0
    starts, members = problem.blocks
    ridge = 0.0
    if ridge_share(penalty) > 0.0:
        ridge = ridge_energy(penalty, starts, members, blocks, workspace.block_ids, workspace.coef)
    scale = best_scale(problem, workspace.dual, ridge, limit)
    candidates = [scale] if ridge_share(penalty) == 0.0 else [scale, 1.0]
    best, best_dual = scale, -np.inf
    for t in candidates:
        value = dual_loss(problem, workspace.dual, t)
        if ridge_share(penalty) > 0.0:
            outside = blocks[(workspace.gauge * t > 1.0)[blocks] | (threshold == 0.0)[blocks]]
            value -= conjugate(
                penalty, starts, members, outside, workspace.block_ids, workspace.q, t
            )
        if value > best_dual:
            best, best_dual = t, value
    return objective, best_dual, best


def _working_blocks(workspace, live, fixed, distance, size, reach):
    """Blocks to work on: the support, the unpenalised ones, and the worst violators.

    Violators count by their distance relative to the norm of their columns. There are at least
    `size` blocks (more where a gradient costs many passes over these) and at most about as many new
    ones as there were nonzero ones.
    """
    nonzero = workspace.nonzero_blocks() & live
    kept = nonzero | fixed
    others = np.flatnonzero(live & ~kept & ((distance > 0.0) | reach))
    if short_columns(workspace.problem):
        size = max(size, int(SHARE * live.sum()))
    room = max(size - int(kept.sum()), int(nonzero.sum()), size // 2)
    if len(others) > room:
        score = distance[others] / workspace.norm[others]
        score[reach[others]] += score.max(initial=1.0)
        others = others[np.argpartition(-score, room)[:room]]
    kept[others] = True
    return np.flatnonzero(kept)


@np.errstate(over="ignore", invalid="ignore")
def _descend(workspace, penalty, tol, max_iter, size, previous):
    """Solve for one penalty from the workspace's point; returns a Solution.

    Trial steps whose loss overflows are rejected like any other that does not decrease it.
    """
    problem = workspace.problem
    starts, members = problem.blocks
    n_blocks = len(starts) - 1
    threshold = thresholds(penalty, n_blocks)
    live = np.isfinite(threshold) & np.isfinite(penalty.weights) & (workspace.norm > 0.0)
    finite_threshold = np.where(live, threshold, 0.0)
    dead, _ = members_of(problem.blocks, np.flatnonzero(~live))
    workspace.coef[:, dead] = 0.0
    fixed = unpenalised(penalty) & live
    free, _ = members_of(problem.blocks, np.flatnonzero(fixed))
    workspace.set_free(free)
    certified = len(workspace.free.features) == len(free)
    if constrained(penalty):
        certified = not (live & ((penalty.weights == 0.0) | (penalty.alpha == 0.0))).any()
    scale = gap_scale(problem, workspace.null_value)
    lipschitz = smoothness(problem.loss)
    reach_gauge = np.inf
    if previous is not None and previous.alpha > penalty.alpha > 0.0:
        reach_gauge = 2.0 - previous.alpha / penalty.alpha
    wanted = 0.1 * tol  # of the smallest threshold on the working set
    gap, kkt, idle = np.inf, np.inf, 0
    was_nonzero, was_working = np.zeros((2, n_blocks), dtype=bool)
    drift = np.zeros(n_blocks)
    for n_iter in range(max_iter + 1):
        workspace.place_prediction()
        workspace.move_dual()
        alive = np.flatnonzero(live)
        if n_iter == 0:
            scan(
                penalty, starts, members, alive, workspace.block_ids,
                workspace.coef, workspace.q, workspace.distance, workspace.gauge,
            )  # fmt: skip
        nonzero = workspace.nonzero_blocks()
        way = workspace.travelled - workspace.seen_at
        stale, moved, unseen = outdated(
            alive, nonzero, was_nonzero, finite_threshold, workspace.norm, way, workspace.gauge,
            drift,
        )  # fmt: skip
        workspace.evaluate(stale)
        was_nonzero = nonzero
        value, largest = scan(
            penalty, starts, members, moved, workspace.block_ids,
            workspace.coef, workspace.q, workspace.distance, workspace.gauge,
        )  # fmt: skip
        largest = max(largest, unseen)
        distance = workspace.distance
        violation = distance[alive].max(initial=0.0)
        kkt = violation / max(workspace.null_gradient_size(), np.finfo(float).tiny)
        objective, dual, t = _certify(
            workspace, penalty, value, 1.0 / largest if largest > 0.0 else np.inf, alive, threshold
        )
        if certified:
            gap = (objective - dual) / scale if workspace.has_digits() else np.inf
            converged = NEGATIVE <= gap <= tol
        else:
            gap, converged = np.nan, kkt <= tol
        if converged or n_iter == max_iter or idle > 3:
            break
        if certified and np.isfinite(lipschitz) and np.isfinite(dual):
            radius = np.sqrt(2.0 * lipschitz * max(objective - dual, 0.0))
            discard(
                alive, nonzero, finite_threshold, workspace.norm, workspace.gauge, drift, t, radius,
                live,
            )  # fmt: skip
        reach = workspace.gauge >= reach_gauge
        reach_gauge = np.inf
        working = _working_blocks(workspace, live, fixed, distance, size, reach)
        violation = distance[working].max(initial=0.0)
        size_of_gradient = workspace.null_gradient_size()
        smallest = size_of_gradient
        if certified:
            penalised = threshold[working]
            smallest = np.min(penalised, where=penalised > 0.0, initial=size_of_gradient)
        accuracy = max(INNER_ACCURACY * violation, wanted * smallest)
        if was_working[working].all():
            wanted *= 0.1
            target = violation * min(0.1 * tol / (gap if certified else kkt), INNER_ACCURACY)
            rounding = 1e-16 * workspace.norm[working].max(initial=0.0) * workspace.dual_size()
            accuracy = max(min(accuracy, target), min(rounding, 1e-16 * size_of_gradient))
        was_working[:] = False
        was_working[working] = True
        before = workspace.coef.copy()
        if len(working):
            _solve_on(workspace, penalty, working, accuracy, objective)
        idle = idle + 1 if np.array_equal(before, workspace.coef) else 0
    return _solution(
        problem, workspace.coef, workspace.intercept, objective, gap, kkt, n_iter, converged
    )


def _solution(problem, coef, intercept, objective, gap, kkt, n_iter, converged):
    """A solution in the user's units, without the axis of outputs where there is one only."""
    coef, intercept = to_user_units(problem, coef, intercept)
    if len(coef) == 1:
        coef, intercept = coef[0], float(intercept[0])
    return Solution(
        coef, intercept, objective, float(gap), float(kkt), int(n_iter), bool(converged)
    )


def short_columns(problem):
    """Whether the design is sparse, with fewer entries in a column than a Gram matrix pays for."""
    sparse = isinstance(problem.design, Csc)
    return sparse and stored_per_column(problem.design) < GRAM_COLUMN_LENGTH


def _solve_on(workspace, penalty, working, accuracy, magnitude):
    """Solve on the working set, by Gram matrix or by samples, whichever is cheaper."""
    problem = workspace.problem
    n_columns = np.sum(np.diff(problem.blocks.starts)[working])
    wide_groups = n_columns > max(len(working), problem.target.shape[1])
    by_gram = workspace.quadratic and not short_columns(problem) and not wide_groups
    if by_gram and workspace.gram.fits(working):
        solve_on_gram(workspace, penalty, working, accuracy, magnitude)
    else:
        solve_on_samples(workspace, penalty, working, accuracy, magnitude)


def solve(
    design,
    target,
    loss,
    penalty,
    *,
    sample_weight=None,
    fit_intercept=True,
    coef_init=None,
    intercept_init=None,
    tol=1e-6,
    max_iter=100,
    working_set_size=200,
    memory_budget=2**30,
):
    """Minimise a weighted mean loss plus a penalty of the coefficients.

    The problem is ``min_w,b sum_i s_i l(x_i^T w + b, y_i) + penalty(w)``, where the weights s are
    `sample_weight` divided by its sum.

    Parameters
    ----------
    design : Dense, Csc, ndarray or scipy sparse matrix of shape (n_samples, n_features)
        Design matrix, float32 or float64. Fortran-ordered arrays and CSC matrices are not copied.
    target : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Responses; -1 and 1 for `Logistic`, one-hot rows for `Multinomial`.
    loss : Quadratic, Huber, Logistic, Multinomial or Poisson
        Loss of one prediction.
    penalty : L1, ElasticNet, NonNegative or GroupL2
        Penalty with its strength; weights of 0 free a block of features, infinite ones exclude it.
    sample_weight : ndarray of shape (n_samples,), default=None
        Nonnegative weights, 1 if None.
    fit_intercept : bool, default=True
        Fit an unpenalised intercept, one per output.
    coef_init, intercept_init : ndarray, default=None
        Point to start from, in the shapes of the answer.
    tol : float, default=1e-6
        Relative duality gap (P - D) / P(0) to reach, where P(0) is the objective at w = 0 with the
        best intercept; relative KKT residual where no coefficient is penalised.
    max_iter : int, default=100
        Largest number of working sets.
    working_set_size : int, default=200
        Number of blocks in the first working set.
    memory_budget : int, default=2**30
        Bytes that Gram matrices may take; beyond it the solver works on the samples.

    Returns
    -------
    Solution
        Coefficients, intercept and their certificate.
    """
    (solution,) = solve_path(
        design,
        target,
        loss,
        [penalty],
        sample_weight=sample_weight,
        fit_intercept=fit_intercept,
        coef_init=coef_init,
        intercept_init=intercept_init,
        tol=tol,
        max_iter=max_iter,
        working_set_size=working_set_size,
        memory_budget=memory_budget,
    )
    return solution


def solve_path(
    design,
    target,
    loss,
    penalties,
    *,
    sample_weight=None,
    fit_intercept=True,
    coef_init=None,
    intercept_init=None,
    tol=1e-6,
    max_iter=100,
    working_set_size=200,
    memory_budget=2**30,
):
    """Solve for several penalties of one kind in turn, each from the last answer.

    The Gram matrix, the gradients and the working set stay from one penalty to the next.

    Parameters
    ----------
    design : Dense, Csc, ndarray or scipy sparse matrix of shape (n_samples, n_features)
        Design matrix.
    target : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Responses, as in `solve`.
    loss : Quadratic, Huber, Logistic, Multinomial or Poisson
        Loss of one prediction.
    penalties : sequence of L1, ElasticNet, NonNegative or GroupL2
        Penalties that differ in their numbers only; decreasing `alpha` is fastest.
    sample_weight : ndarray of shape (n_samples,), default=None
        Nonnegative weights, 1 if None.
    fit_intercept : bool, default=True
        Fit an unpenalised intercept, one per output.
    coef_init, intercept_init : ndarray, default=None
        Point to start from, in the shapes of the answer.
    tol : float, default=1e-6
        Relative duality gap to reach at each penalty, as in `solve`.
    max_iter : int, default=100
        Largest number of working sets at each penalty.
    working_set_size : int, default=200
        Number of blocks in the first working set.
    memory_budget : int, default=2**30
        Bytes that Gram matrices may take; beyond it the solver works on the samples.

    Returns
    -------
    list of Solution
        One for each penalty.
    """
    problem = make_problem(design, target, loss, penalties[0], sample_weight, fit_intercept)
    penalties = [ready(penalty, problem) for penalty in penalties]
    problem = in_own_units(problem, penalties)
    start = _start(problem, penalties[0], coef_init, intercept_init)
    if pays_by_moments(problem, penalties):
        return _by_moments(problem, penalties, start[0], tol, max_iter)
    workspace = Workspace(problem, *start, memory_budget)
    previous, used = _approach(workspace, penalties[0], tol, max_iter, working_set_size)
    solutions = []
    for penalty in penalties:
        found = _descend(workspace, penalty, tol, max_iter - used, working_set_size, previous)
        solutions.append(found._replace(n_iter=found.n_iter + used))
        previous, used = penalty, 0
    return solutions


def _approach(workspace, penalty, tol, max_iter, size):
    """Pass roughly through larger penalties; returns the last one and the number of working sets.

    A gap is rough in relation to what the stage before left unexplained: where hardly any noise is
    in the target, one relative to P(0) would soon accept any point. One working set is left over.
    """
    scale = gap_scale(workspace.problem, workspace.null_value)
    last, used, unexplained = None, 0, 1.0
    for stage in _stages(workspace, penalty):
        if used + 1 >= max_iter:
            break
        rough = max(STAGE_TOL * unexplained, tol)
        found = _descend(workspace, stage, rough, max_iter - used - 1, size, last)
        last, used, unexplained = stage, used + found.n_iter, found.objective / scale
    return last, used


def _stages(workspace, penalty):
    """Larger penalties on the way from w = 0 to a small one.

    A cold start at a small alpha would fill the working set with features that only the first
    gradient makes look good.
    """
    dense = isinstance(workspace.problem.design, Dense)
    if penalty.alpha == 0.0 or workspace.coef.any() or not dense:
        return []
    largest = _largest_gauge(workspace, penalty)
    if largest < FAR_FROM_ZERO:
        return []
    count = int(np.ceil(np.log(max(largest, 1.0)) / np.log(STAGE_RATIO))) - 1
    count = min(count, MOST_STAGES)
    return [
        penalty._replace(alpha=penalty.alpha * float(largest) ** (k / (count + 1)))
        for k in range(count, 0, -1)
    ]


def _largest_gauge(workspace, penalty):
    """Largest gauge of the penalised blocks at the workspace's gradient and coefficients of 0."""
    starts, members = workspace.problem.blocks
    live = np.flatnonzero((workspace.norm > 0.0) & np.isfinite(penalty.weights))
    scan(
        penalty, starts, members, live, workspace.block_ids,
        np.zeros_like(workspace.coef), workspace.q, workspace.distance, workspace.gauge,
    )  # fmt: skip
    return workspace.gauge[live].max(initial=0.0)


def penalty_max(design, target, loss, penalty, *, sample_weight=None, fit_intercept=True):
    """Smallest alpha at which every penalised coefficient is zero.

    Parameters
    ----------
    design : Dense, Csc, ndarray or scipy sparse matrix of shape (n_samples, n_features)
        Design matrix.
    target : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Responses, as in `solve`.
    loss : Quadratic, Huber, Logistic, Multinomial or Poisson
        Loss of one prediction.
    penalty : L1, ElasticNet, NonNegative or GroupL2
        Penalty; its `alpha` is ignored.
    sample_weight : ndarray of shape (n_samples,), default=None
        Nonnegative weights, 1 if None.
    fit_intercept : bool, default=True
        Fit an unpenalised intercept, one per output.

    Returns
    -------
    float
        The strength; 0 if nothing is penalised.
    """
    problem = make_problem(design, target, loss, penalty, sample_weight, fit_intercept)
    penalty = ready(penalty._replace(alpha=1.0), problem)
    problem = in_own_units(problem, [penalty])
    workspace = Workspace(problem, None, None, 2**30)
    fixed = penalty.weights == 0.0
    if fixed.any():
        alone = penalty._replace(weights=np.where(fixed, 0.0, np.inf))
        _descend(workspace, alone, 1e-12, 100, 100, None)
        workspace.move_dual()
        workspace.evaluate(workspace.block_ids)
    return float(_largest_gauge(workspace, penalty))


def _by_moments(problem, penalties, coef_init, tol, max_iter):
    moments = compute_moments(problem)
    answers = solve_on_moments(problem, moments, penalties, coef_init, tol, max_iter)
    return [_solution(problem, *answer) for answer in answers]


def _start(problem, penalty, coef, intercept):
    """Point to start from in the solver's units, (n_outputs, n_features), in arrays of its own.

    Coefficients that the penalty forbids (excluded, or of the wrong sign) are moved to the nearest
    that it allows.
    """
    n_outputs = len(problem.target)
    if intercept is not None:
        intercept = np.array(intercept, dtype=np.float64).reshape(n_outputs)
    if coef is not None:
        coef = np.array(coef, dtype=np.float64).reshape(n_outputs, problem.n_features)
    coef, intercept = to_own_units(problem, coef, intercept)
    if coef is not None:
        excluded = np.flatnonzero(np.isinf(penalty.weights))
        coef[:, members_of(problem.blocks, excluded)[0]] = 0.0
        allowed = np.flatnonzero(np.isfinite(penalty.weights))
        starts, members = problem.blocks
        feasible_start(penalty, starts, members, allowed, coef)
    return coef, intercept
