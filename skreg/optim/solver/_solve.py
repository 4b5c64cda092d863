"""The public functions of the solver: one penalty, a path of them, and where a path begins."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from skreg._progress import progress
from skreg.optim.kernels._blocks import feasible_start, members_of, thresholds
from skreg.optim.solver._descend import descend
from skreg.optim.solver._moments import compute_moments, pays_by_moments, solve_on_moments
from skreg.optim.solver._problem import make_problem, ready
from skreg.optim.solver._solution import Solution, solution
from skreg.optim.solver._stages import approach, largest_gauge
from skreg.optim.solver._units import in_own_units, to_own_units
from skreg.optim.solver._workspace import Workspace

EXACT = 1e-12  # tolerance of the unpenalised fit whose gradient says where a path begins


def solve(
    design: Any,
    target: np.ndarray,
    loss: Any,
    penalty: Any,
    *,
    sample_weight: np.ndarray | None = None,
    fit_intercept: bool = True,
    coef_init: np.ndarray | None = None,
    intercept_init: np.ndarray | float | None = None,
    tol: float = 1e-6,
    max_iter: int = 100,
    working_set_size: int = 200,
    memory_budget: int = 2**30,
) -> Solution:
    """Minimise a weighted mean loss plus a penalty of the coefficients.

    The problem is ``min_w,b sum_i s_i l(x_i^T w + b, y_i) + penalty(w)``, where the weights s are
    `sample_weight` divided by its sum.

    Parameters
    ----------
    design : Dense, Csc, ndarray or scipy sparse matrix of shape (n_samples, n_features)
        Design matrix, float32 or float64. Fortran-ordered arrays and CSC matrices are not copied.
    target : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Responses; -1 and 1 for `Logistic`, one-hot rows for `Multinomial`.
    loss : Quadratic or another record of `skreg.optim.losses`
        Loss of one prediction.
    penalty : L1 or another record of `skreg.optim.penalties`
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
    design: Any,
    target: np.ndarray,
    loss: Any,
    penalties: Sequence[Any],
    *,
    sample_weight: np.ndarray | None = None,
    fit_intercept: bool = True,
    coef_init: np.ndarray | None = None,
    intercept_init: np.ndarray | float | None = None,
    tol: float = 1e-6,
    max_iter: int = 100,
    working_set_size: int = 200,
    memory_budget: int = 2**30,
    verbose: int = 0,
) -> list[Solution]:
    """Solve for several penalties of one kind in turn, each from the last answer.

    The Gram matrix, the gradients and the working set stay from one penalty to the next.

    Parameters
    ----------
    design : Dense, Csc, ndarray or scipy sparse matrix of shape (n_samples, n_features)
        Design matrix.
    target : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Responses, as in `solve`.
    loss : Quadratic or another record of `skreg.optim.losses`
        Loss of one prediction.
    penalties : sequence of L1 or another record of `skreg.optim.penalties`
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
    verbose : int, default=0
        Whether to show progress over the penalties (needs tqdm).

    Returns
    -------
    list of Solution
        One for each penalty.
    """
    problem = make_problem(design, target, loss, penalties[0], sample_weight, fit_intercept)
    penalties = [ready(penalty, problem) for penalty in penalties]
    problem = in_own_units(problem, penalties)
    coef, intercept = _start(problem, penalties[0], coef_init, intercept_init)
    if pays_by_moments(problem, penalties):
        return _by_moments(problem, penalties, coef, tol, max_iter)
    workspace = Workspace(problem, coef, intercept, memory_budget)
    previous, used = approach(workspace, penalties[0], tol, max_iter, working_set_size)
    solutions = []
    shown = progress(penalties, total=len(penalties), verbose=verbose, by="solve_path")
    for penalty in shown:
        found = descend(workspace, penalty, tol, max_iter - used, working_set_size, previous)
        solutions.append(found._replace(n_iter=found.n_iter + used))
        previous, used = penalty, 0
    return solutions


def penalty_max(
    design: Any,
    target: np.ndarray,
    loss: Any,
    penalty: Any,
    *,
    sample_weight: np.ndarray | None = None,
    fit_intercept: bool = True,
) -> float:
    """Smallest alpha at which every penalised coefficient is zero.

    Parameters
    ----------
    design : Dense, Csc, ndarray or scipy sparse matrix of shape (n_samples, n_features)
        Design matrix.
    target : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Responses, as in `solve`.
    loss : Quadratic or another record of `skreg.optim.losses`
        Loss of one prediction.
    penalty : L1 or another record of `skreg.optim.penalties`
        Penalty; its `alpha` is ignored.
    sample_weight : ndarray of shape (n_samples,), default=None
        Nonnegative weights, 1 if None.
    fit_intercept : bool, default=True
        Fit an unpenalised intercept, one per output.

    Returns
    -------
    float
        The strength; 0 if nothing is penalised, infinite if squares alone are, which give no zeros.
    """
    problem = make_problem(design, target, loss, penalty, sample_weight, fit_intercept)
    penalty = ready(penalty._replace(alpha=1.0), problem)
    problem = in_own_units(problem, [penalty])
    workspace = Workspace(problem, None, None, 2**30)
    fixed = penalty.weights == 0.0
    if fixed.any():
        alone = penalty._replace(weights=np.where(fixed, 0.0, np.inf))
        descend(workspace, alone, EXACT, 100, 100, None)
        workspace.state.move_dual()
        workspace.gradients.refresh(workspace.gradients.block_ids, workspace.state.dual)
    largest = float(largest_gauge(workspace, penalty))
    return np.inf if _bends_nowhere(workspace, penalty) else largest


def _bends_nowhere(workspace, penalty):
    """Whether a penalised block has a gradient at 0 but no threshold for it: a square alone."""
    threshold = thresholds(penalty, len(penalty.weights))
    smooth = (threshold == 0.0) & (penalty.weights > 0.0) & np.isfinite(penalty.weights)
    features, _ = members_of(workspace.problem.blocks, np.flatnonzero(smooth))
    gradient = workspace.gradients.q[:, features]
    return bool(np.any(gradient[:, workspace.columns.square[features] > 0.0]))


def _by_moments(problem, penalties, coef_init, tol, max_iter):
    moments = compute_moments(problem)
    answers = solve_on_moments(problem, moments, penalties, coef_init, tol, max_iter)
    return [solution(problem, *answer) for answer in answers]


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
