"""Solutions along decreasing strengths, each started from the one before."""

import numpy as np

from skreg.ordinal._newton import solve
from skreg.ordinal._penalty import elastic_net, gauge_of

# l1_ratio below which the largest alpha is that of this ratio, as ridge penalties have none
SMALLEST_RATIO = 0.01
# a small alpha is approached through rough solutions for this multiple of it, its square, ...
APPROACH, ROUGH_TOL = 10.0, 1e-2


def solve_at(problem, alpha, *, tol, max_iter, start=None, share=1.0):
    """Solve for one alpha, from `start` or on the way from the optimum without features."""
    if start is None:
        start = approach(problem, alpha, problem.start, problem.alpha_bound, max_iter)
    return solve(
        problem.rows,
        elastic_net(alpha, problem.l1_ratio, problem.weights),
        start,
        problem.scales,
        tol=tol,
        max_iter=max_iter,
        share=share,
    )


def approach(problem, alpha, start, before, max_iter):
    """Where to start for alpha, given the solution `start` for the larger alpha `before`.

    The solution for a much smaller alpha has many increments that the Newton model at `start` gets
    wrong; rough solutions in between bring them in a few at a time.
    """
    if alpha == 0.0 or before <= alpha:
        return start
    n_between = int(np.log(before / alpha) / np.log(APPROACH))
    for power in range(n_between, 0, -1):
        between = alpha * APPROACH**power
        start = solve_at(problem, between, tol=ROUGH_TOL, max_iter=max_iter, start=start).point
    return start


def null_solution(problem, *, tol, max_iter):
    """Optimum in the unpenalised increments alone: the limit of the path for large alpha."""
    penalised = problem._replace(weights=np.where(problem.weights > 0.0, np.inf, 0.0), l1_ratio=1.0)
    return solve_at(penalised, 1.0, tol=tol, max_iter=max_iter)


def alpha_max(problem, null):
    """Smallest alpha at which every penalised increment is zero."""
    unit = elastic_net(1.0, max(problem.l1_ratio, SMALLEST_RATIO), problem.weights)
    return gauge_of(unit, -null.gradient.reshape(-1))


def alpha_grid(problem, null, n_alphas, eps):
    """Largest useful alpha down to `eps` times it, in equal steps of the logarithm."""
    steps = np.logspace(0.0, np.log10(eps), n_alphas) if n_alphas > 1 else np.ones(1)
    return alpha_max(problem, null) * steps


def solve_path(problem, null, alphas, *, tol, max_iter):
    """Solutions for decreasing alphas, each started from the one before, the first from `null`.

    At alpha, columns whose gradient was below 2 alpha - alpha_before at the solution before wait
    until their optimality conditions are violated.
    """
    previous, before = null, np.inf
    for alpha in alphas:
        share = max(2.0 - before / alpha, 0.0) if alpha > 0.0 and np.isfinite(before) else 1.0
        nearest = min(before, problem.alpha_bound)
        start = approach(problem, alpha, previous.point, nearest, max_iter)
        solution = solve_at(problem, alpha, tol=tol, max_iter=max_iter, start=start, share=share)
        yield solution
        previous, before = solution, alpha
