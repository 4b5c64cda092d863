"""The current point of a problem: coefficients, intercepts, predictions, dual point."""

from typing import NamedTuple

import numpy as np

from skreg.optim.kernels._designs import combine
from skreg.optim.losses import couples_outputs, is_half_square, loss_gradient
from skreg.optim.solver._free_directions import (
    FreeDirections,
    free_directions,
    minimise_free,
    null_point,
    project_dual,
    too_many,
)
from skreg.optim.solver._problem import smooth_value

FEW_DIGITS = 1e-3  # share of rounding in the spread of predictions from which they mean nothing
NO_SHORTER = 1 + 1e-12  # rounding of a sum of squares must not shorten the way of the dual point


class NullModel(NamedTuple):
    """The model without features: best intercepts, predictions and loss."""

    intercept: np.ndarray
    prediction: np.ndarray
    value: float


def null_model(problem):
    """The model without features."""
    intercept, prediction = null_point(problem)
    return NullModel(intercept, prediction, smooth_value(problem, prediction))


class State:
    """Current point, in arrays that are updated in place.

    `dual` is the gradient of the loss at the predictions, moved to be orthogonal to what no penalty
    holds back; `feasible` says whether it is. `free` are the directions of those columns, next to
    the intercept's.
    """

    @np.errstate(over="ignore", invalid="ignore")
    def __init__(self, problem, null, coef, intercept):
        """A start that is worse than no features at all (data in another unit) is dropped."""
        self.problem = problem
        self.half_square = is_half_square(problem.loss)
        shape = len(problem.target), problem.n_features
        self.coef = np.zeros(shape) if coef is None else coef
        self.intercept = null.intercept.copy()
        if intercept is not None and problem.fit_intercept:
            self.intercept = intercept
        self.free = _intercept_alone(problem)
        if self.coef.any() and not smooth_value(problem, self._predict()) <= null.value:
            self.coef[:] = 0.0
            self.intercept = null.intercept.copy()
        self.place_prediction()
        self.dual = loss_gradient(problem.loss, self.prediction, problem.target)
        self.feasible = False

    def set_free(self, features, columns):
        """Let `features` be the unpenalised columns, unless their basis costs too much."""
        if too_many(self.problem, features):
            features = features[:0]
        if np.array_equal(features, self.free.features):
            return
        self.free = _intercept_alone(self.problem)
        if len(features):
            self.free = free_directions(self.problem, features, columns.mean, columns.sizes)

    def place_prediction(self):
        """Predictions, with the intercept and the free coefficients at their optimum.

        Intercepts that matter up to a common shift are centred.
        """
        problem, free = self.problem, self.free
        if problem.fit_intercept and couples_outputs(problem.loss):
            self.intercept = self.intercept - self.intercept.mean()
        self.prediction = self._predict()
        if self.half_square and len(free.features) == 0:
            return
        amounts, prediction = minimise_free(problem, self.prediction, free.basis)
        self.intercept = self.intercept + amounts @ free.intercept
        if len(free.features):
            self.coef[:, free.features] += amounts @ free.coef
            prediction = self._predict()
        self.prediction = prediction

    def _predict(self):
        """X w + b; for a half square with the best b."""
        problem = self.problem
        prediction = np.zeros(problem.target.shape)
        support = np.flatnonzero(self.coef.any(axis=0))
        combine(problem.design, support, self.coef, prediction)
        if problem.fit_intercept and self.half_square:
            self.intercept = (problem.target - prediction) @ problem.weight
        prediction += self.intercept[:, None]
        return prediction

    def move_dual(self):
        """Dual point of the current prediction; returns the length of the way that it went."""
        problem = self.problem
        dual = loss_gradient(problem.loss, self.prediction, problem.target)
        dual, self.feasible = project_dual(problem, self.prediction, dual, self.free.basis)
        change = dual - self.dual
        self.dual = dual
        return np.sqrt(np.sum(problem.weight * change * change)) * NO_SHORTER

    def dual_size(self):
        """Root mean square of the dual point."""
        return float(np.sqrt(np.sum(self.problem.weight * self.dual**2)))

    def has_digits(self, sizes):
        """Whether the predictions are more than the rounding of large terms that cancel.

        `sizes` are the root mean squares of the columns around the user's origin.
        """
        problem = self.problem
        used = np.flatnonzero(self.coef.any(axis=0))
        rounding = np.finfo(float).eps * (np.abs(self.coef[:, used]) @ sizes[used])
        centred = self.prediction - (self.prediction @ problem.weight)[:, None]
        spread = np.sqrt(np.sum(problem.weight * centred**2, axis=1))
        return bool(np.all(rounding <= FEW_DIGITS * spread))

    def nonzero_blocks(self):
        """Flags of the blocks that have a nonzero coefficient."""
        starts, members = self.problem.blocks
        nonzero = np.asarray(self.coef.any(axis=0))[members]
        if len(starts) == len(members) + 1:
            return nonzero
        return np.logical_or.reduceat(nonzero, starts[:-1])


def _intercept_alone(problem):
    """Free directions of a problem in which every column is penalised."""
    constant = np.ones((int(problem.fit_intercept), 1))
    nothing = np.empty(0, dtype=np.int64)
    return FreeDirections(constant, nothing, np.zeros((len(constant), 0)), np.ones(len(constant)))
