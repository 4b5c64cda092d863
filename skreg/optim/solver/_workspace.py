"""What stays warm from one penalty of a path to the next."""

from typing import NamedTuple

import numpy as np

from skreg.optim.kernels._designs import correlate, summarise, units
from skreg.optim.losses import loss_gradient
from skreg.optim.solver._gradients import Gradients
from skreg.optim.solver._gram import BlockModels, GramStore
from skreg.optim.solver._problem import ROUNDING
from skreg.optim.solver._state import State, null_model


class Columns(NamedTuple):
    """Moments of the columns under the sample weights, which never change.

    Attributes
    ----------
    mean, square : ndarray of shape (n_features,)
        Means, and mean squares around them (around 0 without an intercept); 0 if but rounding.
    sizes : ndarray of shape (n_features,)
        Root mean squares around the user's origin, which say how much of a column is rounding.
    norm : ndarray of shape (n_blocks,)
        Root of the squares' sum of each block.
    """

    mean: np.ndarray
    square: np.ndarray
    sizes: np.ndarray
    norm: np.ndarray


class Workspace:
    """A problem with its current point, gradients and Gram matrices."""

    def __init__(self, problem, coef, intercept, memory_budget):
        self.problem = problem
        self.null = null_model(problem)
        self.state = State(problem, self.null, coef, intercept)
        self.columns, q = _first_pass(problem, self.state.dual)
        self.state.coef[:, self.columns.square == 0.0] = 0.0
        self.gradients = Gradients(problem, self.columns.norm, q)
        self.gram = GramStore(problem, self.columns.mean, memory_budget)
        self.block_models = BlockModels(problem, self.columns.mean)
        self._kkt_scale = None if self.state.coef.any() else self._above_rounding(q)

    def kkt_scale(self):
        """Largest entry of the gradient at w = 0, the scale of KKT residuals."""
        if self._kkt_scale is None:
            problem = self.problem
            dual = loss_gradient(problem.loss, self.null.prediction, problem.target)
            gradient = np.empty_like(self.gradients.q)
            everything = np.arange(problem.n_features)
            correlate(problem.design, everything, problem.weight * dual, gradient)
            self._kkt_scale = self._above_rounding(gradient[:, self.columns.square > 0.0])
        return self._kkt_scale

    def _above_rounding(self, null_gradient):
        """Largest entry of a null gradient; the size of the data's where it is but rounding."""
        largest = np.abs(null_gradient).max(initial=0.0)
        size = self.columns.sizes.max(initial=0.0) * self.problem.target_size
        return largest if largest > ROUNDING * size else size


@np.errstate(over="ignore", invalid="ignore")
def _first_pass(problem, dual):
    """(moments of the columns, minus the gradient at a dual point), in one pass over the design."""
    n_features = problem.n_features
    mean, square = np.empty(n_features), np.empty(n_features)
    q = np.zeros((len(problem.target), n_features))
    everything = np.arange(n_features)
    summarise(problem.design, everything, problem.weight, -problem.weight * dual, mean, square, q)
    raw = square + mean**2
    shift, scale = units(problem.design)
    given = square + (mean + shift * scale) ** 2
    if not problem.fit_intercept:
        square = raw
    square[square <= ROUNDING**2 * given] = 0.0
    starts, members = problem.blocks
    norm = np.sqrt(np.add.reduceat(square[members], starts[:-1]))
    return Columns(mean, square, np.sqrt(given), norm), q
