"""Selection rules: which block is updated next.

A rule is a small record with one method, ``choose(run)``. Greedy rules rank by the decrease that a
bound guarantees, written here as a score to be maximised; c_b is the restriction to block b, D a
diagonal upper bound of the Hessian and H_b its block (Nutini et al. 2022).
"""

from typing import NamedTuple

import numpy as np

from skreg.optim.descent._block_solvers import cubic_decrease, penalised_model_step
from skreg.optim.descent._forest import greedy_forest
from skreg.optim.descent._kernels import largest, proximal_scores
from skreg.optim.descent._run import inverse

IHT_STEPS = 10
IHT_TOL = 1e-10
MIN_BLOCK = 50
GROWTH = 1.5
MAX_STACK = 10**7  # numbers in the stacked inverses of GSQ
MAX_STACKED_BLOCK = 128


def block_size(run):
    """Units in a variable block."""
    size = run.partition.size
    if size is None:
        size = max(MIN_BLOCK, int(GROWTH * run.nnz) if run.penalised else 0)
    return min(size, len(run.ids))


def best(run, scores):
    """Block of the largest score: sums over fixed blocks, or the units of the largest scores."""
    run.state.operations += len(scores)
    if run.blocks is None:
        return run.block_of_units(largest(scores, block_size(run)))
    totals = np.bincount(run.block_of_unit, scores, minlength=len(run.blocks))
    return run.blocks[int(np.argmax(totals))]


class Random(NamedTuple):
    """A block uniformly at random: a fixed one, or distinct units."""

    def choose(self, run):
        """Next block."""
        if run.blocks is not None:
            return run.blocks[run.rng.integers(len(run.blocks))]
        chosen = run.rng.choice(len(run.ids), block_size(run), replace=False, shuffle=False)
        return run.block_of_units(np.sort(chosen))


class Cyclic(NamedTuple):
    """Fixed blocks in turn; variable blocks as chunks of a permutation drawn for every epoch."""

    def choose(self, run):
        """Next block."""
        if run.blocks is not None:
            return run.blocks[(run.iteration - 1) % len(run.blocks)]
        if run.queue is None or len(run.queue) == 0:
            run.queue = run.rng.permutation(len(run.ids))
        size = block_size(run)
        chosen, run.queue = run.queue[:size], run.queue[size:]
        return run.block_of_units(np.sort(chosen))


class LipschitzSampling(NamedTuple):
    """Fixed blocks with probability L_b / sum L_b; units with probabilities proportional to L_u."""

    def choose(self, run):
        """Next block."""
        if run.blocks is not None:
            cumulated = np.cumsum(lipschitz_of_blocks(run))
            number = np.searchsorted(cumulated, run.rng.random() * cumulated[-1], side="right")
            return run.blocks[min(number, len(run.blocks) - 1)]
        # the largest keys log(U) / L are a sample without replacement (Efraimidis, Spirakis 2006)
        weight = run.unit_lipschitz
        with np.errstate(divide="ignore"):
            keys = np.where(
                weight > 0.0, -run.rng.standard_exponential(len(weight)) / weight, -np.inf
            )
        return run.block_of_units(largest(keys, block_size(run)))


class GaussSouthwell(NamedTuple):
    """The rules GS, GSL and GSD.

    Attributes
    ----------
    curvature : {"none", "lipschitz", "diagonal"}, default="none"
        GS: ||g_b||^2. GSL: ||g_b||^2 / L_b on fixed blocks, and on variable ones
        `g_i^2 / sum_j |H_ij|`, a bound that is valid for every block. GSD: sum_b g_i^2 / D_i.
    diagonal : {"lipschitz", "row_sum"}, default="lipschitz"
        D_i of GSD: L_i, or `sum_j |H_ij|`.
    """

    curvature: str = "none"
    diagonal: str = "lipschitz"

    def choose(self, run):
        """Next block."""
        return best(run, self.scores(run))

    def scores(self, run):
        """Scores of the coordinates, whose sums are those of the blocks."""
        gradient = run.state.full_gradient()
        if self.curvature == "none":
            return gradient * gradient
        if self.curvature == "diagonal":
            scale = run.inverse_curvature(self.diagonal)
        elif run.blocks is None:
            scale = run.inverse_curvature("row_sum")
        else:
            scale = inverse(lipschitz_of_blocks(run))[run.block_of_unit]
        scores = gradient * gradient
        scores *= scale
        return scores


def lipschitz_of_blocks(run):
    """L_b of the fixed blocks, or the largest running estimate in each."""
    if run.estimates is not None:
        estimates = run.coordinate_curvature("lipschitz")
        return np.array([estimates[block.coordinates].max() for block in run.blocks])
    if run.lipschitz_of_blocks is None:
        run.lipschitz_of_blocks = np.array([run.block_lipschitz(block) for block in run.blocks])
    return run.lipschitz_of_blocks


class GaussSouthwellQuadratic(NamedTuple):
    """The rule GSQ: g_b^T H_b^{-1} g_b, exactly on fixed blocks.

    Attributes
    ----------
    method : {"auto", "exact", "forward", "iht"}, default="auto"
        "exact" for fixed blocks, "forward" or "iht" for variable ones, for which the exact rule is
        combinatorial. Forward selection takes one coordinate after the other, always the one that
        decreases the quadratic model most. Iterative hard thresholding takes gradient steps on the
        model and keeps the largest entries. "auto" is "exact" or "forward".
    """

    method: str = "auto"

    def choose(self, run):
        """Next block."""
        gradient = run.state.full_gradient()
        if run.blocks is not None:
            return run.blocks[int(np.argmax(block_gains(run, gradient)))]
        if self.method == "iht":
            return run.block_of_units(hard_thresholding(run, gradient))
        diagonal = run.state.bound_diagonal()
        return run.block_of_units(forward_selection(run, gradient, diagonal, run.state.bound_row))


def block_gains(run, gradient):
    """g_b^T H_b^+ g_b of every fixed block, with the bound of the Hessian.

    Inverses of small blocks lie in one array, padded with zeros, so that all gains are one product.
    """
    size = max(len(block.coordinates) for block in run.blocks)
    run.state.operations += len(gradient) * size
    if len(run.blocks) * size**2 > MAX_STACK or size > MAX_STACKED_BLOCK:
        solvers = [run.solver(block, "bound") for block in run.blocks]
        parts = [gradient[block.coordinates] for block in run.blocks]
        return [float(g @ solve(g)) for solve, g in zip(solvers, parts, strict=True)]
    if run.inverses is None:
        members = np.full((len(run.blocks), size), len(gradient))
        inverses = np.zeros((len(run.blocks), size, size))
        for b, block in enumerate(run.blocks):
            own = len(block.coordinates)
            members[b, :own] = block.coordinates
            inverses[b, :own, :own] = run.solver(block, "bound")(np.eye(own))
        run.inverses = members, inverses
    members, inverses = run.inverses
    g = np.append(gradient, 0.0)[members][:, :, None]
    return np.sum(g * (inverses @ g), axis=(1, 2))


def forward_selection(run, gradient, diagonal, row):
    """Coordinates that decrease the model most, one after the other.

    A pick j takes the step -r_j / H_jj alone, which turns the model's gradient r into
    r - H_j r_j / H_jj.
    """
    residual, free, scale = gradient.copy(), diagonal > 0.0, inverse(diagonal)
    chosen = np.empty(block_size(run), dtype=np.int64)
    for t in range(len(chosen)):
        scores = residual * residual * scale
        scores[~free] = -1.0
        j = int(np.argmax(scores))
        if not free[j]:  # only coordinates without curvature are left
            remaining = np.setdiff1d(np.arange(len(gradient)), chosen[:t])
            chosen[t:] = remaining[: len(chosen) - t]
            break
        chosen[t], free[j] = j, False
        residual -= row(j) * (residual[j] * scale[j])
        run.state.operations += len(gradient)
    return np.sort(chosen)


def hard_thresholding(run, gradient):
    """Support of d after gradient steps on g^T d + d^T H d / 2 that keep the largest entries."""
    state, size = run.state, block_size(run)
    if run.largest_eigenvalue is None:
        run.largest_eigenvalue = power_iteration(state.bound_product, len(gradient))
    step = 1.0 / run.largest_eigenvalue if run.largest_eigenvalue > 0.0 else 0.0
    d = gradient * np.sqrt(inverse(state.lipschitz))  # the start of the authors' code
    for _ in range(IHT_STEPS):
        new = d - step * (gradient + state.bound_product(d))
        support = largest(np.abs(new), size)
        kept = np.zeros_like(new)
        kept[support] = new[support]
        change = np.abs(kept - d).max()
        d = kept
        if change <= IHT_TOL * np.abs(d).max():
            break
    return support


def power_iteration(product, n, steps=100):
    """Largest eigenvalue of a positive semi-definite operator, a little rounded up."""
    v = np.random.default_rng(0).standard_normal(n)
    value = 0.0
    for _ in range(steps):
        w = product(v / np.linalg.norm(v))
        previous, value = value, float(np.linalg.norm(w))
        if value == 0.0 or abs(value - previous) <= 1e-4 * value:
            break
        v = w
    return 1.01 * value


class GaussSouthwellNewton(NamedTuple):
    """The rule GSN: as GSQ, with the current Hessian.

    Attributes
    ----------
    cubic : bool, default=False
        Rank by the decrease of the cubic model g^T d + d^T H_b d / 2 + M_b ||d||^3 / 6, a
        guaranteed decrease of f, on fixed blocks.
    """

    cubic: bool = False

    def choose(self, run):
        """Next block."""
        gradient = run.state.full_gradient()
        if run.blocks is None:
            diagonal, row = run.state.current_rows()
            return run.block_of_units(forward_selection(run, gradient, diagonal, row))
        gain = self._cubic_gain if self.cubic else self._gain
        scores = [gain(run, block, gradient[block.coordinates]) for block in run.blocks]
        return run.blocks[int(np.argmax(scores))]

    def _gain(self, run, block, g):
        return float(g @ run.solver(block, "current")(g))

    def _cubic_gain(self, run, block, g):
        third = run.state.third_derivative(block.coordinates)
        return cubic_decrease(run.dense_hessian(block, "current"), g, third)


class GreedyForest(NamedTuple):
    """A maximal forest of the Hessian's graph, built from the coordinates of the largest scores.

    Coordinates are scanned once in decreasing order of their scores, and taken unless they close a
    cycle; the number of coordinates is what it comes to.

    Attributes
    ----------
    curvature : {"none", "lipschitz", "diagonal", "random"}, default="none"
        Scores: g_i^2, g_i^2 / L_i, `g_i^2 / sum_j |H_ij|`, or random numbers.
    """

    curvature: str = "none"

    def choose(self, run):
        """Next block."""
        n = len(run.state.x)
        if self.curvature == "random":
            order = run.rng.permutation(n)
        else:
            scores = run.state.full_gradient() ** 2
            if self.curvature != "none":
                diagonal = "lipschitz" if self.curvature == "lipschitz" else "row_sum"
                scores *= run.inverse_curvature(diagonal)
            order = np.argsort(-scores, kind="stable")
        run.state.operations += run.graph.nnz + n
        return run.block_of_units(greedy_forest(run.graph.indptr, run.graph.indices, order))


class ProximalGaussSouthwell(NamedTuple):
    """The proximal rules GS-s, GS-r and GS-q, on coordinates and blocks.

    Attributes
    ----------
    measure : {"s", "r", "q"}, default="q"
        s: distance of -g_b to the subdifferential. r: length of the proximal step. q: decrease of
        the model g_b^T d + L ||d||^2 / 2 + penalty(x_b + d) - penalty(x_b). On nearly zero
        coefficients s overrates, and r knows no scale.
    curvature : {"auto", "lipschitz", "diagonal", "matrix"}, default="auto"
        Curvature in the steps of r and q: L_b of the block (GSL-q), D_i of each unit (GSD-q), or
        the matrix H_b itself (GSQ-q). "auto" takes L_b on fixed blocks and D_i on variable ones.
    diagonal : {"lipschitz", "row_sum"}, default="lipschitz"
        D_i: L_i, or `sum_j |H_ij|`, a bound for blocks of any size.
    """

    measure: str = "q"
    curvature: str = "auto"
    diagonal: str = "lipschitz"

    def choose(self, run):
        """Next block.

        A variable block is filled with nonzero units before others that have nothing to gain
        either, so that it holds the whole support if there is room.
        """
        if self.curvature == "matrix":
            scores = [self._model_gain(run, block) for block in run.blocks]
            return run.blocks[int(np.argmax(scores))]
        scores = self.scores(run)
        if run.blocks is None:
            x = run.state.x if run.single else run.state.x[run.units.members]
            nonzero = np.logical_or.reduceat(x != 0.0, run.units.starts[:-1])
            scores = np.where(nonzero, np.maximum(scores, np.finfo(float).tiny), scores)
        return best(run, scores)

    def scores(self, run):
        """Scores of the units, whose sums are those of the blocks."""
        if run.blocks is not None and self.curvature in ("auto", "lipschitz"):
            curvature = lipschitz_of_blocks(run)[run.block_of_unit]
            curvature = np.where(run.unit_lipschitz > 0.0, curvature, 0.0)
        else:
            curvature = run.unit_curvature(self.diagonal)
        distance, move, model = (np.empty(len(run.ids)) for _ in range(3))
        proximal_scores(
            run.penalty, run.units.starts, run.units.members, run.ids, run.state.x,
            run.state.full_gradient(), curvature, distance, move, model,
        )  # fmt: skip
        if self.measure == "q":
            return model
        return distance**2 if self.measure == "s" else move**2

    def _model_gain(self, run, block):
        hessian, g = run.dense_hessian(block, "bound"), run.gradient(block)
        x = run.state.x[block.coordinates]
        ids = run.ids[block.units]
        d = penalised_model_step(hessian, g, x, run.penalty, block.starts, ids)
        rise = run.block_penalty(block, x + d) - run.block_penalty(block, x)
        return -float(g @ d + 0.5 * d @ hessian @ d + rise)
