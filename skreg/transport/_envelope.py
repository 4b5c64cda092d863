"""The convex envelope of sparsity-constrained transport, by proximal steps on the plan.

Each step maximises the dual of

    <T, C> + gamma/2 sum_j (||t_j||_k^sp)^2 + mu/2 ||T - T'||^2    over U(a, b),

T' being the plan of the step before, as exactly as the move of the plan is large. Unlike a vanishing
mu alone, that ends with a plan that meets its marginals. For any potentials the dual objective at
mu = 0 bounds the minimum from below.
"""

from typing import NamedTuple

import numpy as np

from skreg.transport._columns import BLOCK, Plan, distance, evaluate, price, support_norms
from skreg.transport._newton import Point, ascend

FIRST, FACTOR, LAST = 30.0, 0.3, 0.1  # mu / gamma, times a factor a step
INEXACT = 0.1  # marginal error of a step, of the move of the plan in the last one
NEWTON_STEPS = 20


class Problem(NamedTuple):
    """Costs (n_sources, n_targets), weights of both sides, k and gamma."""

    cost: np.ndarray
    a: np.ndarray
    b: np.ndarray
    k: int
    gamma: float

    def point(self, alpha, beta, mu, last):
        """Objective of the dual with a proximal term, and its plan."""
        n_targets = len(self.b)
        block = 1 if self.cost.flags.f_contiguous else BLOCK
        rows, columns = np.empty_like(self.a), np.empty_like(self.b)
        room = n_targets * (min(self.k, len(self.a)) + 8)
        while True:
            plan = Plan.empty(n_targets, room)
            total, size = evaluate(
                self.cost, alpha, beta, self.k, self.gamma, mu, block, last, plan, rows, columns
            )
            if size <= room:
                break
            room = size
        value = alpha @ self.a + beta @ self.b - total + 0.5 * mu * (last.mass @ last.mass)
        return Point(alpha, beta, value, plan.trimmed(), self.a - rows, self.b - columns)

    def bound(self, alpha, beta):
        """The point at mu = 0, whose value no plan falls below."""
        return self.point(alpha, beta, 0.0, Plan.empty(len(self.b), 0))

    def value(self, plan):
        """What the envelope charges for a plan."""
        return price(self.cost, plan) + 0.5 * self.gamma * support_norms(plan, self.k)


def first_potentials(problem):
    """Potentials at which every target takes some of its nearest sources."""
    n_sources, n_targets = problem.cost.shape
    near = min(n_sources, max(1, 2 * -(-n_sources // n_targets))) - 1
    beta = np.partition(problem.cost, near, axis=0)[near] + problem.gamma * problem.b
    return np.zeros(n_sources), beta.astype(np.float64)


class Envelope(NamedTuple):
    """Where the proximal steps ended: `value` of the plan, and the best bound from below."""

    point: Point
    value: float
    bound: float
    bound_potentials: tuple[np.ndarray, np.ndarray]
    n_iter: int


def solve_envelope(problem, alpha, beta, tol, max_iter, tick=lambda: None):
    """Proximal steps until the marginal error, and the value over its bound, are at most `tol`.

    The error is a share of the mass, the gap one of the value.
    """
    last, moved = Plan.empty(len(problem.b), 0), problem.a.sum()
    best, where, n_newton = -np.inf, (alpha, beta), 0
    mass = problem.a.sum()
    for n_iter in range(max_iter):
        mu = problem.gamma * max(FIRST * FACTOR**n_iter, LAST)

        def at(alpha, beta, mu=mu, last=last):
            return problem.point(alpha, beta, mu, last)

        start = at(alpha, beta)
        accuracy = max(0.5 * tol * mass, INEXACT * moved)
        point, n_steps = ascend(at, start, problem.gamma, mu, accuracy, NEWTON_STEPS)
        n_newton += n_steps
        tick()
        alpha, beta = point.alpha, point.beta
        moved = min(moved, distance(point.plan, last))
        last = point.plan
        bound = problem.bound(alpha, beta).value
        if bound > best:
            best, where = bound, (alpha, beta)
        value = problem.value(point.plan)
        if point.error <= tol * mass and value - best <= tol * abs(value):
            break
    return Envelope(point, value, best, where, n_newton)
