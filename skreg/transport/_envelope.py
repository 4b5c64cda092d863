"""The convex envelope of sparsity-constrained transport, by proximal steps on the plan.

Each step maximises the dual of

    <T, C> + gamma/2 sum_j (||t_j||_k^sp)^2 + mu/2 ||T - T'||^2    over U(a, b),

T' being the plan of the step before, until the marginal error is a tenth of the move of the plan.
Unlike a vanishing mu alone, that ends with a plan that meets its marginals, for any gamma. mu falls
while the Newton steps for the dual are few, and rises where they are many. For any potentials the
dual objective at mu = 0 bounds the minimum from below.
"""

from typing import Any, NamedTuple

import numpy as np

from skreg.transport._columns import (
    BLOCK,
    Plan,
    distance,
    evaluate,
    price,
    semi_dual_potentials,
    support_norms,
)
from skreg.transport._newton import Point, ascend

FIRST = 0.01  # mu, in costs over masses: the spread of the costs times the number of sources
LEAST = 0.1  # first mu over gamma
FALL, RISE, FAIL = 0.3, 2.0, 4.0  # of mu after few Newton steps, after many, after too many
FEW, MANY, TOO_MANY = 6, 12, 40
INEXACT = 0.1  # marginal error of a step, over the move of the plan
MOVE = 1000.0  # largest move of the plan in the last step, over the tolerance


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
        room = n_targets * min(4 * self.k + 32, len(self.a))  # the first plans are wide
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

    def semi_dual(self, alpha):
        """`bound` at the best beta, where the plan has the column sums b."""
        return self.bound(alpha, semi_dual_potentials(self.cost, alpha, self.b, self.k, self.gamma))

    @property
    def least(self):
        """The least of the costs: a value above it is positive, whatever the unit and offset."""
        return float(self.cost.min())

    def value(self, plan):
        """What the envelope charges for a plan, of which a mass of 1 has at least the least."""
        excess = price(self.cost, self.least, plan)
        return self.least + excess + 0.5 * self.gamma * support_norms(plan, self.k)

    def gap(self, value, bound):
        """Share of the value above the least of the costs by which it is above a bound."""
        return (value - bound) / (value - self.least)


def first_potentials(problem):
    """Potentials at which every target takes some of its nearest sources."""
    n_sources, n_targets = problem.cost.shape
    near = min(n_sources, max(1, 2 * -(-n_sources // n_targets))) - 1
    beta = problem.gamma * problem.b
    for first in range(0, n_targets, BLOCK):  # partition copies what it is given
        block = slice(first, first + BLOCK)
        beta[block] += np.partition(problem.cost[:, block], near, axis=0)[near]
    return np.zeros(n_sources), beta


class Envelope(NamedTuple):
    """Where the proximal steps ended: `value` of the plan, and the best bound from below."""

    point: Point
    value: float
    bound: float
    best_alpha: np.ndarray
    gap: float
    n_iter: int


def solve_envelope(problem, alpha, beta, tol, max_iter, tick=lambda: None):
    """Proximal steps until the marginal error, the gap and the move of the plan are small.

    Masses must add up to 1. The gap is relative to the value above the least of the costs. If the
    steps run out, the plan with the least error and gap is returned.
    """
    last = Plan.empty(len(problem.b), 0)
    mu = max(FIRST * np.ptp(problem.cost) * len(problem.a), LEAST * problem.gamma)
    best, best_alpha, n_newton = -np.inf, alpha, 0
    kept: Any = None  # set in the first step
    least = np.inf
    for _ in range(max_iter):

        def at(alpha, beta, mu=mu, last=last):
            return problem.point(alpha, beta, mu, last)

        def solved(point, last=last):
            return point.error <= max(0.5 * tol, INEXACT * distance(point.plan, last))

        point, n_steps = ascend(at, at(alpha, beta), solved, problem.gamma + mu, mu, TOO_MANY)
        alpha, beta = point.alpha, point.beta
        n_newton += n_steps
        tick()
        bound = problem.semi_dual(alpha)
        if bound.value > best:
            best, best_alpha = bound.value, alpha
        value = problem.value(point.plan)
        gap = problem.gap(value, best)
        ended = max(point.error, gap, distance(point.plan, last) / MOVE) <= tol
        if ended or kept is None or max(point.error, gap) < least:
            kept, least = (point, value, gap), max(point.error, gap)
        if ended:
            break
        if not solved(point):
            mu *= FAIL
            continue
        last = point.plan
        mu *= FALL if n_steps <= FEW else RISE if n_steps >= MANY else 1.0
    point, value, gap = kept
    return Envelope(point, value, best, best_alpha, gap, n_newton)
