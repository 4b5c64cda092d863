"""Plans with at most k entries in every column."""

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from skreg.transport._columns import Plan, evaluate_on_support
from skreg.transport._newton import Point, ascend

NEWTON_STEPS = 100
INFEASIBLE = 2  # what linprog answers


def sparsest(problem, found, tol):
    """The best plan on the k largest entries of each column of the relaxed one.

    Returns its point, the number of Newton steps, and a hint where there is no such plan.
    """
    support = largest_entries(found.point.plan, problem.k)
    point, n_steps = cheapest_on_support(problem, support, found.point.alpha, found.point.beta, tol)
    hint = ""
    if point.error > tol and not is_feasible(problem, support):
        k = smallest_feasible(problem, found.point.plan)
        hint = f" No plan lies on the {problem.k} largest entries of each column; one does for {k}."
    return point, found.n_iter + n_steps, hint


def largest_entries(plan, k):
    """The k largest entries of each column, ties by their order."""
    kept = np.zeros(len(plan.mass), dtype=bool)
    for lo, hi in zip(plan.starts[:-1], plan.starts[1:], strict=True):
        kept[lo + np.argsort(-plan.mass[lo:hi], kind="stable")[:k]] = True
    counts = np.add.reduceat(np.append(kept, False), plan.starts[:-1]) * (np.diff(plan.starts) > 0)
    return Plan(
        np.concatenate([[0], np.cumsum(counts)]), plan.sources[kept], plan.mass[kept],
        plan.fractional[kept], plan.kappa,
    )  # fmt: skip


def cheapest_on_support(problem, support, alpha, beta, tol):
    """Minimum of <T, C> + gamma/2 ||T||^2 over the plans with entries of `support` only."""
    targets = np.repeat(np.arange(len(problem.b)), np.diff(support.starts))
    cost = problem.cost[support.sources, targets].astype(np.float64)

    def at(alpha, beta):
        plan = Plan.empty(len(problem.b), len(cost))
        rows, columns = np.empty_like(problem.a), np.empty_like(problem.b)
        total, _ = evaluate_on_support(
            support.starts, support.sources, cost, alpha, beta, problem.gamma, plan, rows, columns
        )
        value = alpha @ problem.a + beta @ problem.b - total
        return Point(alpha, beta, value, plan.trimmed(), problem.a - rows, problem.b - columns)

    def solved(point):
        return point.error <= 0.5 * tol

    return ascend(at, at(alpha, beta), solved, problem.gamma, 0.0, NEWTON_STEPS)


def is_feasible(problem, support):
    """Whether some plan with entries of `support` only has the marginals."""
    targets = np.repeat(np.arange(len(problem.b)), np.diff(support.starts))
    entries = np.arange(len(targets))
    ones = np.ones(len(targets))
    rows = sparse.csr_array((ones, (support.sources, entries)), (len(problem.a), len(targets)))
    columns = sparse.csr_array((ones, (targets, entries)), (len(problem.b), len(targets)))
    answer = linprog(
        np.zeros(len(targets)), A_eq=sparse.vstack([rows, columns]),
        b_eq=np.concatenate([problem.a, problem.b]), method="highs",
    )  # fmt: skip
    return answer.status != INFEASIBLE


def smallest_feasible(problem, plan):
    """The smallest k whose largest entries of each column of a plan hold the marginals."""
    low, high = 1, int(np.diff(plan.starts).max())
    while low < high:
        middle = (low + high) // 2
        if is_feasible(problem, largest_entries(plan, middle)):
            high = middle
        else:
            low = middle + 1
    return low
