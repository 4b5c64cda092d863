"""The state of one minimisation: point, blocks, curvatures and what is kept of them."""

from typing import NamedTuple

import numpy as np
from scipy.sparse import issparse

from skreg.optim.descent._block_solvers import factorise, forest_solver, largest_eigenvalue
from skreg.optim.descent._design_state import DesignState
from skreg.optim.descent._forest import OUTSIDE, root_forest
from skreg.optim.descent._graph_state import GraphState
from skreg.optim.descent._kernels import kinks, largest_distance
from skreg.optim.descent._partitions import Variable, checked_size, fixed_blocks
from skreg.optim.descent._problems import (
    GraphHuber,
    GraphQuadratic,
    LeastSquares,
    Logistic,
    Multinomial,
    checked_quadratic,
    incidence,
    one_hot,
)
from skreg.optim.kernels._blocks import Blocks, members_of, thresholds, total_value
from skreg.optim.kernels._designs import as_design, stored_numbers
from skreg.optim.losses import Huber, Quadratic
from skreg.optim.losses import Logistic as LogisticLoss
from skreg.optim.losses import Multinomial as MultinomialLoss
from skreg.optim.penalties import L1, separable
from skreg.optim.solver._gram import largest_eigenvalues
from skreg.optim.solver._problem import make_problem, ready

LARGE_BLOCK = 256  # coordinates from which Hessians of graph problems stay sparse


class Block(NamedTuple):
    """A block of whole units.

    Attributes
    ----------
    units : ndarray of int
        Its units.
    coordinates : ndarray of int
        Their coordinates, unit after unit.
    starts : ndarray of int
        Where each unit begins in `coordinates`, and the end.
    number : int
        Place in a fixed partition, -1 if the partition is variable.
    """

    units: np.ndarray
    coordinates: np.ndarray
    starts: np.ndarray
    number: int


def inverse(curvature):
    """1 / c, 0 where c is 0."""
    positive = curvature > 0.0
    return np.where(positive, 1.0 / np.where(positive, curvature, 1.0), 0.0)


class Run:
    """What selections and updates see: current point, penalty, units, blocks, cached curvatures."""

    def __init__(self, state, penalty, problem, units, ids, rng):
        self.state, self.penalty, self.problem, self.rng = state, penalty, problem, rng
        self.penalised = problem.penalty is not None
        self.units, self.ids = units, ids
        self.single = len(ids) == len(state.x)
        self.iteration = 0
        self.identified_at = 0
        self.estimates = None  # the Lipschitz line search's, when it is the update
        self.unit_lipschitz = self._unit_lipschitz()
        self.blocks = None
        self.graph = None
        self._row_sums, self._inverses = None, {}
        self._factors, self._lipschitz_of_block, self._forests = {}, {}, {}
        self._position = None
        self.threshold = thresholds(penalty, len(penalty.weights))[ids]
        self.kinks = kinks(penalty, ids)
        self._clear_dead_coordinates()
        self.nnz = int(np.count_nonzero(state.x))
        self.penalty_value = self._total_penalty()

    def _clear_dead_coordinates(self):
        """Penalised coordinates without curvature, and excluded ones, are zero."""
        if self.penalised:
            dead = (self.unit_lipschitz <= 0.0) | np.isinf(self.threshold)
            coordinates = self.coordinates_of(np.flatnonzero(dead))[0]
            if self.state.x[coordinates].any():
                self.state.x[coordinates] = 0.0
                self.state.refresh()

    def _unit_lipschitz(self):
        if self.single:
            return self.state.lipschitz
        values = np.empty(len(self.ids))
        for u in range(len(values)):
            coordinates = self.units.members[self.units.starts[u] : self.units.starts[u + 1]]
            hessian = self.state.hessian(coordinates, "bound")
            values[u] = largest_eigenvalues(hessian, np.array([0, len(coordinates)]))[0]
        return values

    def coordinates_of(self, units):
        """Coordinates of some units, and where each unit starts among them."""
        if self.single:
            return units, np.arange(len(units) + 1)
        return members_of(self.units, units)

    def block_of_units(self, units, number=-1):
        """The block that some units form."""
        coordinates, starts = self.coordinates_of(units)
        return Block(units, coordinates, starts, number)

    def fix_blocks(self, partition):
        """Form the blocks of a fixed partition."""
        if isinstance(partition, Variable):
            checked_size(partition.size, len(self.ids))
            return
        chosen = fixed_blocks(partition, self)
        self.blocks = [self.block_of_units(units, b) for b, units in enumerate(chosen)]
        self.block_of_unit = np.empty(len(self.ids), dtype=np.int64)
        for block in self.blocks:
            self.block_of_unit[block.units] = block.number

    # Values

    @property
    def objective(self):
        """f(x) + penalty(x)."""
        return self.state.value + self.penalty_value

    def _total_penalty(self):
        if not self.penalised:
            return 0.0
        x = self.state.x if self.single else self.state.x[self.units.members]
        return float(total_value(self.penalty, self.units.starts, self.ids, x[None]))

    def block_penalty(self, block, x):
        """Penalty of a block at the values x."""
        if not self.penalised:
            return 0.0
        return float(total_value(self.penalty, block.starts, self.ids[block.units], x[None]))

    def move(self, block, step):
        """Take a step, and notice whether the pattern of zeros changed."""
        state = self.state
        if np.any(step):
            old = state.x[block.coordinates]
            state.move(block.coordinates, step)
            new = state.x[block.coordinates]
            self.penalty_value += self.block_penalty(block, new) - self.block_penalty(block, old)
            if not np.array_equal(old != 0.0, new != 0.0):
                self.nnz += int(np.count_nonzero(new)) - int(np.count_nonzero(old))
                self.identified_at = self.iteration
        if state.operations > state.fresh_until:
            self.refresh()

    def refresh(self):
        """Recompute everything from x, free of rounding drift."""
        self.state.refresh()
        self.penalty_value = self._total_penalty()

    def kkt(self):
        """Largest distance of -g to the subdifferential of the penalty."""
        if not self.penalised:
            return float(np.abs(self.state.full_gradient()).max(initial=0.0))
        return largest_distance(
            self.penalty, self.units.starts, self.units.members, self.ids, self.state.x,
            self.state.full_gradient(), self.unit_lipschitz,
        )  # fmt: skip

    # Curvature

    def gradient(self, block):
        """Gradient of f at a block."""
        return self.state.block_gradient(block.coordinates)

    def coordinate_curvature(self, diagonal):
        """D_i: L_i (or its running estimate), or sum_j |H_ij|."""
        if self.estimates is not None:
            return np.where(self.state.lipschitz > 0.0, self.estimates, 0.0)
        if diagonal == "lipschitz":
            return self.state.lipschitz
        if self._row_sums is None:
            self._row_sums = self.state.row_sums()
        return self._row_sums

    def inverse_curvature(self, diagonal):
        """1 / D_i, 0 where D_i is 0."""
        if self.estimates is not None:
            return inverse(self.coordinate_curvature(diagonal))
        if diagonal not in self._inverses:
            self._inverses[diagonal] = inverse(self.coordinate_curvature(diagonal))
        return self._inverses[diagonal]

    def unit_curvature(self, diagonal):
        """The same for units: the largest of the coordinates, or the largest eigenvalue."""
        if self.single:
            return self.coordinate_curvature(diagonal)
        if diagonal == "lipschitz":
            return self.unit_lipschitz
        members = self.coordinate_curvature(diagonal)[self.units.members]
        return np.maximum.reduceat(members, self.units.starts[:-1])

    def hessian(self, block, kind):
        """Block of the Hessian ("current") or of its bound ("bound"); sparse if large and so."""
        coordinates = block.coordinates
        if self.graph is not None and len(coordinates) > LARGE_BLOCK:
            return self.state.sparse_hessian(coordinates, kind)
        return self.state.hessian(coordinates, kind)

    def constant(self, kind):
        """Whether that Hessian is the same at every point."""
        return kind == "bound" or self.state.quadratic

    def solver(self, block, kind):
        """Function r -> H_b^+ r, kept for fixed blocks with a constant Hessian."""
        return self._kept(
            self._factors, block, kind, lambda: self._counted(factorise(self.hessian(block, kind)))
        )

    def forest_solver(self, block, kind):
        """The same by message passing; ValueError if the block has a cycle."""
        return self._kept(self._forests, block, kind, lambda: self._forest_solver(block, kind))

    def _kept(self, kept, block, kind, make):
        if block.number < 0 or not self.constant(kind):
            return make()
        if block.number not in kept:
            kept[block.number] = make()
        return kept[block.number]

    def _counted(self, solve):
        state = self.state

        def solve_and_count(rhs):
            state.operations += len(rhs) ** 2
            return solve(rhs)

        return solve_and_count

    def _forest_solver(self, block, kind):
        """On the whole matrix A where there is one: no submatrix is formed."""
        state, coordinates = self.state, block.coordinates
        if isinstance(state, GraphState):
            if self._position is None:
                self._position = np.full(len(state.x), OUTSIDE)
            forest = root_forest(state.A, coordinates, self._position)
            if forest is not None:
                self._position[coordinates] = np.arange(len(coordinates))
                forest = forest._replace(nodes=self._position[forest.nodes])
                self._position[coordinates] = OUTSIDE
            state.operations += len(coordinates) * state.degree
        else:
            hessian = state.sparse_hessian(coordinates, kind)
            hessian.eliminate_zeros()
            forest = root_forest(hessian, np.arange(len(coordinates)))
        if forest is None:
            raise ValueError(
                "message passing needs blocks without a cycle, but this one of "
                f"{len(coordinates)} coordinates has one; use the partition 'tree', the selection "
                "'greedy_tree', or the update 'matrix'"
            )
        return forest_solver(forest)

    def block_lipschitz(self, block):
        """L_b, the largest eigenvalue of the bound of the block's Hessian."""
        return self._kept(
            self._lipschitz_of_block,
            block,
            "bound",
            lambda: largest_eigenvalue(self.hessian(block, "bound")),
        )

    def dense_hessian(self, block, kind):
        """Block of the Hessian as an array."""
        hessian = self.hessian(block, kind)
        return hessian.toarray() if issparse(hessian) else hessian


LOSSES = {LeastSquares: Quadratic(), Logistic: LogisticLoss(), Multinomial: MultinomialLoss()}


def start_run(problem, x0, keep_gradient, rng):
    """Check a problem and a start, and set up the run.

    Raises
    ------
    ValueError
        If the data, the penalty or the start do not fit.
    """
    penalty = L1(0.0) if problem.penalty is None else problem.penalty
    if isinstance(problem, GraphQuadratic):
        A, b = checked_quadratic(problem)
        n = len(b)
        if not separable(penalty):
            raise ValueError("GraphQuadratic takes no group penalty: use L1 or NonNegative")
        shell = make_problem(np.zeros((1, n)), np.zeros(1), Quadratic(), penalty, None, False)
        penalty = ready(penalty, shell)
        units, ids = _units(shell.blocks, 1, penalty)
        x = _checked_start(x0, penalty, units, ids)
        return Run(GraphState(A, b, x), penalty, problem, units, ids, rng)
    smooth = _smooth_problem(problem, penalty)
    penalty = ready(penalty, smooth)
    n_classes = len(smooth.target)
    units, ids = _units(smooth.blocks, n_classes, penalty)
    x = _checked_start(x0, penalty, units, ids)
    state = DesignState(smooth, x, keep_gradient)
    return Run(state, penalty, problem, units, ids, rng)


def _smooth_problem(problem, penalty):
    """The engine's `Problem`, with weights that are sums."""
    X, y, weight, loss = _loss_of_predictions(problem)
    design = as_design(X)
    if not np.all(np.isfinite(stored_numbers(design))) or not np.all(np.isfinite(y)):
        raise ValueError("X and y must be finite")
    if not isinstance(problem, Multinomial) and np.ndim(y) != 1:
        raise ValueError(f"y must have one dimension, its shape is {np.shape(y)}")
    if isinstance(problem, Logistic) and not np.all(np.isin(y, (-1, 1))):
        raise ValueError("y must hold the labels -1 and 1")
    smooth = make_problem(design, y, loss, penalty, weight, False)
    sums = np.ones(len(y)) if weight is None else np.asarray(weight, dtype=np.float64)
    return smooth._replace(weight=sums)


def _loss_of_predictions(problem):
    """(design, target, weights, loss) of a problem whose function is one of predictions."""
    if isinstance(problem, GraphHuber):
        if not problem.delta > 0.0:
            raise ValueError(f"delta must be positive, not {problem.delta!r}")
        return *incidence(problem), Huber(float(problem.delta))
    y = one_hot(problem.y) if isinstance(problem, Multinomial) else np.asarray(problem.y)
    return problem.X, y, problem.sample_weight, LOSSES[type(problem)]


def _units(blocks, n_classes, penalty):
    """Units of coordinates, and the index by which each knows its weight in the penalty."""
    n_features = len(blocks.members)
    if separable(penalty):
        n = n_features * n_classes
        return Blocks(np.arange(n + 1), np.arange(n)), np.arange(n) // n_classes
    members = blocks.members[:, None] * n_classes + np.arange(n_classes)
    return Blocks(blocks.starts * n_classes, members.reshape(-1)), np.arange(len(blocks.starts) - 1)


def _checked_start(x0, penalty, units, ids):
    """The start in an array of its own; excluded units are set to zero later.

    Raises ValueError where the penalty is infinite in another.
    """
    n = len(units.members)
    if x0 is None:
        return np.zeros(n)
    x = np.array(x0, dtype=np.float64).reshape(-1)
    if x.shape != (n,):
        raise ValueError(f"x0 must have {n} entries, not {len(x)}")
    if not np.all(np.isfinite(x)):
        raise ValueError("x0 must be finite")
    allowed, starts = members_of(units, np.flatnonzero(np.isfinite(penalty.weights)[ids]))
    ids = ids[np.isfinite(penalty.weights)[ids]]
    if not np.isfinite(total_value(penalty, starts, ids, x[allowed][None])):
        name = type(penalty).__name__
        raise ValueError(f"x0 must be a point that the penalty {name} allows; it is infinite there")
    return x
