"""What least squares with separable penalties share."""

from typing import Any

import numpy as np

from skreg.linear_model._base import SparseRegressor
from skreg.linear_model._input import check_penalty_weights
from skreg.optim import ElasticNet, NonNegative, Quadratic


def separable_penalty(
    l1_ratio: float, positive: bool, weights: np.ndarray | None
) -> ElasticNet | NonNegative:
    """The elastic net at strength one, on signed or on nonnegative coefficients.

    The L1 norm is the one with ``l1_ratio=1``: with a class of its own, every kernel would be
    compiled once more.
    """
    kind = NonNegative if positive else ElasticNet
    return kind(1.0, l1_ratio, weights)


class SeparableLeastSquares(SparseRegressor):
    """Half mean squared error plus a penalty of each coefficient."""

    positive: bool
    penalty_weights: Any

    def _loss(self) -> Quadratic:
        return Quadratic()

    def _penalty(self) -> ElasticNet | NonNegative:
        weights = check_penalty_weights(self.penalty_weights, self)
        return separable_penalty(getattr(self, "l1_ratio", 1.0), self.positive, weights)

    def _held_out_error(self, prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
        return squared_error(prediction, target)


def mean_squared_errors(model: Any) -> np.ndarray:
    """Mean squared errors on the folds, minus `score_path_`; only with ``scoring=None``."""
    if model.scoring is not None:
        raise AttributeError(f"no mse_path_ with scoring={model.scoring!r}; see score_path_")
    return -model.score_path_


def squared_error(prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Squared error of each sample, averaged over the outputs."""
    return np.mean((prediction - target) ** 2, axis=0)
