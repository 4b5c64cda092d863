"""Plans with at most k entries in every column."""

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from skreg.transport._columns import Plan, evaluate_on_support, widest_support
from skreg.transport._newton import Point, ascend

NEWTON_STEPS = 100
INFEASIBLE = 2  # what linprog answers


def sparsest(problem, found, tol):
    """The best plan on k entries of each column, the largest of the relaxed one among them.

    Returns its point, the number of Newton steps, and a hint where there is no such plan.
    """
    support = support_of(problem, found, problem.k)
    point, n_steps = cheapest_on_support(problem, support, found.point.alpha, found.point.beta, tol)
    hint = ""
    if point.error > tol and not is_feasible(problem, support):
        k = smallest_feasible(problem, found)
        hint = f" No plan was found with {problem.k} entries in each column; there is one with {k}."
    return point, found.n_iter + n_steps, hint


def support_of(problem, found, k):
    """Places of k entries in each column, as (starts, sources)."""
    point = found.point
    return widest_support(problem.cost, point.alpha, point.beta, k, point.plan)


def cheapest_on_support(problem, support, alpha, beta, tol):
    """Minimum of <T, C> + gamma/2 ||T||^2 over the plans with entries of `support` only."""
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

    return ascend(at, at(alpha, beta), solved, problem.gamma, 0.0, NEWTON_STEPS)


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
    low, high = problem.k + 1, len(problem.a)
    while low < high:
        middle = (low + high) // 2
        if is_feasible(problem, support_of(problem, found, middle)):
            high = middle
        else:
            low = middle + 1
    return low
