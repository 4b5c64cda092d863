"""Updates: how far the chosen block goes.

An update is a small record with one method, ``step(run, block)``. With g_b the gradient, H_b the
block of the Hessian or of its bound and L_b the largest eigenvalue of the bound, the first ones
guarantee a decrease of ||g_b||^2 / (2 L_b) ("gradient"), or of g_b^T H_b^{-1} g_b / 2 ("matrix",
"message_passing").
"""

from typing import NamedTuple

import numpy as np
from scipy.sparse import diags_array, issparse

from skreg.optim.descent._block_solvers import cubic_step, factorise, penalised_model_step
from skreg.optim.descent._kernels import prox_units
from skreg.optim.descent._line_search import FLAT, MAX_TRIALS, SUFFICIENT, backtrack

ALMOST_ZERO = 1e-4  # relative size below which two-metric projection may call a variable active
NULL_PART = 1e-8
EXACT_STEPS = 50
EXACT_TOL = 1e-12


class Gradient(NamedTuple):
    """d = -g_b / L_b."""

    def step(self, run, block):
        """Step of the block."""
        lipschitz = run.block_lipschitz(block)
        g = run.gradient(block)
        return -g / lipschitz if lipschitz > 0.0 else np.zeros_like(g)


class LipschitzLineSearch(NamedTuple):
    """d = -g_b / L with a running estimate L, doubled until it holds.

    Every coordinate has an estimate, 1 at first, that never decreases. A block starts from the
    largest of its members, doubles until f decreases by ||g_b||^2 / (2 L), and leaves the result
    with all of them. The rules GSL and GSD rank by the estimates.
    """

    def step(self, run, block):
        """Step of the block."""
        g = run.gradient(block)
        square = float(g @ g)
        change = run.state.ray(block.coordinates, -g)
        estimate = float(run.estimates[block.coordinates].max())
        # the trace of the bound is at least its largest eigenvalue, with which the test must hold
        enough = float(run.state.lipschitz[block.coordinates].sum())
        while estimate < enough and not change(1.0 / estimate) <= -0.5 * square / estimate:
            estimate *= 2.0
        run.estimates[block.coordinates] = estimate
        return -g / estimate


class Matrix(NamedTuple):
    """d = -H_b^+ g_b with the bound of the Hessian: exact minimisation for quadratics."""

    def step(self, run, block):
        """Step of the block."""
        return -run.solver(block, "bound")(run.gradient(block))


class Newton(NamedTuple):
    """d = -t H_b^+ g_b with the current Hessian; t by backtracking from 1."""

    def step(self, run, block):
        """Step of the block."""
        g = run.gradient(block)
        direction = -run.solver(block, "current")(g)
        return searched(run, block, direction, float(g @ direction))


class CubicNewton(NamedTuple):
    """Minimiser of g_b^T d + d^T H_b d / 2 + M_b ||d||^3 / 6, an upper bound of f; no search.

    M_b bounds the third derivative along the block.
    """

    def step(self, run, block):
        """Step of the block."""
        hessian = run.dense_hessian(block, "current")
        return cubic_step(
            hessian, run.gradient(block), run.state.third_derivative(block.coordinates)
        )


class MessagePassing(NamedTuple):
    """d = -H_b^{-1} g_b by elimination along the trees of a forest block, in `O(|b|)`.

    H_b is A_b for a graph quadratic, the majorant at the current point for Huber couplings, and
    the bound of the Hessian for other losses.
    """

    def step(self, run, block):
        """Step of the block."""
        return -run.forest_solver(block, self.hessian_kind(run))(run.gradient(block))

    def hessian_kind(self, run):
        """The Hessian that bounds f from above most closely."""
        return "current" if run.state.current_is_bound else "bound"


class ProximalGradient(NamedTuple):
    """x_b <- prox_{penalty / L_b}(x_b - g_b / L_b)."""

    def step(self, run, block):
        """Step of the block."""
        lipschitz = run.block_lipschitz(block)
        x = run.state.x[block.coordinates]
        if lipschitz <= 0.0:
            return np.zeros_like(x)
        new = x - run.gradient(block) / lipschitz
        prox_units(run.penalty, block.starts, run.ids[block.units], 1.0 / lipschitz, new)
        return new - x


class ProjectedNewton(NamedTuple):
    """Minimiser of the quadratic model plus the penalty over the block, then backtracking.

    The model has the current Hessian; for a quadratic f it is exact and the full step is taken.
    """

    def step(self, run, block):
        """Step of the block."""
        g, x = run.gradient(block), run.state.x[block.coordinates]
        hessian = run.dense_hessian(block, "current")
        ids = run.ids[block.units]
        direction = penalised_model_step(hessian, g, x, run.penalty, block.starts, ids)
        if run.state.quadratic:
            return direction
        rise = run.block_penalty(block, x + direction) - run.block_penalty(block, x)
        return searched(run, block, direction, float(g @ direction) + rise)


class TwoMetric(NamedTuple):
    """Two-metric projection: Newton on the working variables, gradient on the active ones.

    In the orthant of the current signs (of minus the gradient where x_i = 0), a variable is active
    if it is almost zero and the gradient pushes it further; never do active and working variables
    meet in an inverse (Bertsekas 1982). The step is projected onto the orthant.
    """

    def step(self, run, block):
        """Step of the block."""
        x, g = run.state.x[block.coordinates], run.gradient(block)
        left, right, ridge = (values[block.units] for values in run.kinks)
        lipschitz = run.state.lipschitz[block.coordinates]
        live = np.isfinite(run.threshold[block.units]) & (lipschitz > 0.0)
        nonnegative = np.isinf(left)
        sign = np.where(nonnegative, 1.0, np.where(x != 0.0, np.sign(x), -np.sign(g)))
        kink = np.where(live, np.where(sign > 0.0, right, left), 0.0)
        slope = g + np.where(live, ridge, 0.0) * x + kink * sign
        bounded = live & (nonnegative | (kink > 0.0))
        active = bounded & self._nearly_active(run, block, x, sign, slope)
        working = live & ~active
        direction = np.zeros_like(x)
        if active.any():
            direction[active] = -slope[active] / lipschitz[active].sum()
        if working.any():
            hessian = run.hessian(block, "current")
            hessian = hessian[working][:, working]
            extra = ridge[working]
            hessian = hessian + (diags_array(extra) if issparse(hessian) else np.diag(extra))
            direction[working] = _face_direction(
                hessian, slope[working], x[working], bounded[working], lipschitz[working].sum()
            )
        return self._projected(run, block, x, sign, bounded, active, slope, direction)

    def _nearly_active(self, run, block, x, sign, slope):
        """sign_i x_i at most epsilon, and pushed towards zero.

        epsilon vanishes with the length of a projected gradient step (Bertsekas 1982).
        """
        lipschitz = run.block_lipschitz(block)
        if lipschitz <= 0.0:
            return np.zeros(len(x), dtype=bool)
        stepped = x - slope / lipschitz
        residual = np.linalg.norm(x - np.where(sign * stepped > 0.0, stepped, 0.0))
        epsilon = min(ALMOST_ZERO * np.abs(x).max(initial=0.0), residual)
        return (sign * x <= epsilon) & (sign * slope > 0.0)

    def _projected(self, run, block, x, sign, bounded, active, slope, direction):
        """Backtracking along the projection of x + t direction."""
        before = run.block_penalty(block, x)
        magnitude = abs(run.objective)

        def trial(t):
            new = x + t * direction
            outside = bounded & (sign * new < 0.0)
            new[outside] = 0.0
            step = new - x
            change = run.state.ray(block.coordinates, step)(1.0)
            change += run.block_penalty(block, new) - before
            expected = t * float(slope[~active] @ direction[~active])
            expected += float(slope[active] @ step[active])
            return step, change, expected, np.any(outside & (x != 0.0))

        t = 1.0
        for _ in range(MAX_TRIALS):
            step, change, expected, cut = trial(t)
            if change <= SUFFICIENT * expected and np.isfinite(change):
                return step
            if t == 1.0 and not cut and max(abs(change), abs(expected)) <= FLAT * magnitude:
                return step
            t *= 0.5
        return np.zeros_like(x)


def _face_direction(hessian, slope, x, bounded, lipschitz):
    """-H^+ s, and where H is singular, along the part r of s in its null space as well.

    There the objective falls linearly in the direction -r until the first variable is zero.
    """
    direction = -factorise(hessian)(slope)
    null = -(slope + hessian @ direction)
    if np.linalg.norm(null) <= NULL_PART * np.linalg.norm(slope):
        return direction
    towards_zero = bounded & (x * null < 0.0)
    first = np.min(np.abs(x[towards_zero]) / np.abs(null[towards_zero]), initial=np.inf)
    if not np.isfinite(first):
        first = 1.0 / lipschitz
    return direction + first * null


class Exact(NamedTuple):
    """Minimise over the block, by Newton steps until its gradient vanishes.

    Quadratics need one step; with a penalty, the steps are those of `ProjectedNewton`.
    """

    def step(self, run, block):
        """Last step of the block; those before have been taken."""
        newton = ProjectedNewton() if run.penalised else Newton()
        if run.state.quadratic:
            return (newton if run.penalised else Matrix()).step(run, block)
        step = newton.step(run, block)
        for _ in range(EXACT_STEPS):
            size = np.abs(run.state.x[block.coordinates]).max() + np.abs(step).max()
            if np.abs(step).max() <= EXACT_TOL * size:
                break
            run.move(block, step)
            step = newton.step(run, block)
        return step


def searched(run, block, direction, slope):
    """Step along a direction of model slope `slope`, by backtracking."""
    ray = run.state.ray(block.coordinates, direction)
    x = run.state.x[block.coordinates]
    before = run.block_penalty(block, x)

    def change(t):
        return ray(t) + run.block_penalty(block, x + t * direction) - before

    return backtrack(change, slope, abs(run.objective)) * direction
