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
    Near,
    Plan,
    distance,
    entries_near,
    evaluate,
    price,
    semi_dual_potentials,
    support_norms,
)
from skreg.transport._newton import Point, ascend

FIRST = 0.01  # mu, in costs over masses: the spread of the costs times the number of sources
LEAST = 0.1  # first mu over gamma
FALL, RISE, FAIL = 0.3, 2.0, 4.0  # of mu after few Newton steps, after many, after too many
FEW, MANY, TOO_MANY = 2, 12, 40
INEXACT = 0.1  # marginal error of a step, over the move of the plan
GROWTH = 1.1  # room for a plan, over the entries of the one before
FEW_ENTRIES = 4  # entries of a list, over those of the last plan, above which there is none
MARGIN = 2.0  # of a step's list, over the move of the potentials in the step before
MOVE = 1000.0  # largest move of the plan in the last step, over the tolerance


class Problem(NamedTuple):
    """Costs (n_sources, n_targets), weights of both sides, k and gamma."""

    cost: np.ndarray
    a: np.ndarray
    b: np.ndarray
    k: int
    gamma: float

    @property
    def block(self):
        """Targets that a pass over the costs takes together."""
        return 1 if self.cost.flags.f_contiguous else BLOCK

    def bound(self, alpha, beta):
        """The dual's point without a proximal term, whose value no plan falls below."""
        return ProximalDual(self, 0.0, Plan.empty(len(self.b), 0))(alpha, beta)

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


class ProximalDual:
    """Objective of the dual with a proximal term mu/2 ||T - last||^2: a `Point` for potentials.

    After `stay_near`, passes over the costs are passes over a list of entries, as long as no
    reduced cost has moved by more than its margin: the answer is the same.
    """

    def __init__(self, problem: Problem, mu: float, last: Plan) -> None:
        self.problem, self.mu, self.last = problem, mu, last
        self.room = int(GROWTH * last.starts[-1]) or len(problem.b) * problem.k
        self.near: Near | None = None

    def stay_near(self, alpha, beta, margin):
        """List the entries that matter within a margin; none if they are not few."""
        cost, block, last = self.problem.cost, self.problem.block, self.last
        near = Near.empty(cost, FEW_ENTRIES * last.starts[-1])
        size = entries_near(cost, alpha, beta, margin, self.mu, block, last, near)
        if size <= len(near.sources):
            self.near, self.centre, self.margin = near, (alpha, beta), margin

    def __call__(self, alpha, beta):
        (cost, a, b, k, gamma), block = self.problem, self.problem.block
        near, mu, last = self._near(alpha, beta), self.mu, self.last
        rows, columns = np.empty_like(a), np.empty_like(b)
        while True:
            plan = Plan.empty(len(b), self.room)
            total, size = evaluate(
                cost, near, alpha, beta, k, gamma, mu, block, last, plan, rows, columns
            )
            if size <= self.room:
                break
            del plan
            self.room = int(GROWTH * size)
        value = alpha @ a + beta @ b - total + 0.5 * mu * (last.mass @ last.mass)
        return Point(alpha, beta, value, plan.trimmed(), a - rows, b - columns)

    def _near(self, alpha, beta):
        if self.near is not None and moved(self.centre, (alpha, beta)) <= self.margin:
            return self.near
        return Near.empty(self.problem.cost, 0)


def moved(start, end):
    """The most by which an entry's alpha_i + beta_j has risen."""
    return np.max(end[0] - start[0]) + np.max(end[1] - start[1])


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
    """Where the proximal steps ended: a point, and the dual's point that bounds from below."""

    point: Point
    bound: Point
    n_iter: int


def solve_envelope(problem, alpha, beta, tol, max_iter, tick=lambda: None):
    """Proximal steps until the marginal error, the gap and the move of the plan are small.

    Masses must add up to 1. The gap is relative to the value above the least of the costs. If the
    steps run out, the plan with the least error and move is returned.
    """
    last = Plan.empty(len(problem.b), 0)
    mu = max(FIRST * np.ptp(problem.cost) * len(problem.a), LEAST * problem.gamma)
    n_newton, margin, least = 0, np.inf, np.inf
    kept: Any = None  # set in the first step
    bound: Any = None
    for _ in range(max_iter):
        dual = ProximalDual(problem, mu, last)
        if margin < np.inf:
            dual.stay_near(alpha, beta, margin)

        def solved(point, start=alpha, last=last):
            if point.alpha is start:  # its plan has moved with mu alone
                return point.error <= 0.5 * tol
            return point.error <= max(0.5 * tol, INEXACT * distance(point.plan, last))

        stiffness = problem.gamma + mu
        point, n_steps = ascend(dual, dual(alpha, beta), solved, stiffness, mu, TOO_MANY)
        margin = MARGIN * moved((alpha, beta), (point.alpha, point.beta))
        alpha, beta = point.alpha, point.beta
        n_newton += n_steps
        tick()
        lacks = max(point.error, distance(point.plan, last) / MOVE)
        if kept is None or lacks < least:
            kept, least, bound = point, lacks, None
        if lacks <= tol:
            kept, bound = point, problem.semi_dual(alpha)
            if problem.gap(problem.value(point.plan), bound.value) <= tol:
                break
        if not solved(point):
            mu *= FAIL
            continue
        last = point.plan
        mu *= FALL if n_steps <= FEW else RISE if n_steps >= MANY else 1.0
    if bound is None:
        bound = problem.semi_dual(kept.alpha)
    return Envelope(kept, bound, n_newton)
