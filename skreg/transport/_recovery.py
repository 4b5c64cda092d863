"""Plans with at most k entries in every column."""

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from skreg.transport._columns import Plan, evaluate_on_support, widest_support
from skreg.transport._envelope import solve_envelope
from skreg.transport._newton import Point, ascend

NEWTON_STEPS = 100
INFEASIBLE = 2  # what linprog answers


def sparsest(problem, found, tol, max_iter):
    """The best plan on k entries of each column, the largest of the relaxed one among them.

    Where none lies there, the relaxed plans for smaller k are tried, which have fewer entries.
    Returns its point, the number of Newton steps, and a hint where there is no such plan.
    """
    point, n_iter, hint = None, found.n_iter, ""
    for k in _smaller_and_smaller(problem):
        relaxed = found
        if k < problem.k:
            start = found.point.alpha, found.point.beta
            relaxed = solve_envelope(problem._replace(k=k), *start, tol, max_iter)
        support = support_of(problem, relaxed, problem.k)
        new, n_steps = cheapest_on_support(problem, support, relaxed.point, tol)
        n_iter += n_steps + (relaxed.n_iter if k < problem.k else 0)
        if point is None or new.error < point.error:
            point = new
        if point.error <= tol:
            break
    else:
        hint = _hint(problem, found)
    return point, n_iter, hint


def _smaller_and_smaller(problem):
    """k, then k - 1, k - 2, k - 4, .. down to the fewest entries that can hold all sources."""
    fewest = -(-np.count_nonzero(problem.a) // len(problem.b))
    yield problem.k
    step = 1
    while problem.k - step > fewest:
        yield problem.k - step
        step *= 2
    if fewest < problem.k:
        yield fewest


def _hint(problem, found):
    if is_feasible(problem, support_of(problem, found, problem.k)):
        return ""
    k = smallest_feasible(problem, found)
    return f" No plan was found with {problem.k} entries in each column; there is one with {k}."


def support_of(problem, found, k):
    """Places of k entries in each column, as (starts, sources)."""
    point = found.point
    return widest_support(problem.cost, point.alpha, point.beta, k, point.plan)


def cheapest_on_support(problem, support, start, tol):
    """Minimum of <T, C> + gamma/2 ||T||^2 over the plans with entries of `support` only, from the
    potentials of a point."""
    starts, sources = support
    targets = np.repeat(np.arange(len(problem.b)), np.diff(starts))
    cost = problem.cost[sources, targets].astype(np.float64)

    def at(alpha, beta):
        plan = Plan.empty(len(problem.b), len(cost))
        rows, columns = np.empty_like(problem.a), np.empty_like(problem.b)
        total, _ = evaluate_on_support(
            starts, sources, cost, alpha, beta, problem.gamma, plan, rows, columns
        )
        value = alpha @ problem.a + beta @ problem.b - total
        return Point(alpha, beta, value, plan.trimmed(), problem.a - rows, problem.b - columns)

    def solved(point):
        return point.error <= 0.5 * tol

    return ascend(at, at(start.alpha, start.beta), solved, problem.gamma, 0.0, NEWTON_STEPS)


def is_feasible(problem, support):
    """Whether some plan with entries of `support` only has the marginals."""
    starts, sources = support
    targets = np.repeat(np.arange(len(problem.b)), np.diff(starts))
    entries = np.arange(len(targets))
    ones = np.ones(len(targets))
    rows = sparse.csr_array((ones, (sources, entries)), (len(problem.a), len(targets)))
    columns = sparse.csr_array((ones, (targets, entries)), (len(problem.b), len(targets)))
    answer = linprog(
        np.zeros(len(targets)), A_eq=sparse.vstack([rows, columns]),
        b_eq=np.concatenate([problem.a, problem.b]), method="highs",
    )  # fmt: skip
    return answer.status != INFEASIBLE


def smallest_feasible(problem, found):
    """The smallest k for which a plan lies on `support_of`."""
    fullest = int(np.diff(found.point.plan.starts).max())  # on which the relaxed plan lies
    low, high = problem.k + 1, max(problem.k + 1, fullest)
    while low < high:
        middle = (low + high) // 2
        if is_feasible(problem, support_of(problem, found, middle)):
            high = middle
        else:
            low = middle + 1
    return low
