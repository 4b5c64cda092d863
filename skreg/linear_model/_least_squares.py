"""What least squares with separable penalties share."""

import numpy as np

from skreg.linear_model._base import SparseRegressor, check_penalty_weights
from skreg.optim import L1, ElasticNet, NonNegative, Quadratic


def separable_penalty(l1_ratio, positive, weights):
    """L1 or elastic net at strength one, on signed or on nonnegative coefficients."""
    if positive:
        return NonNegative(1.0, l1_ratio, weights)
    if l1_ratio == 1.0:
        return L1(1.0, weights)
    return ElasticNet(1.0, l1_ratio, weights)


class SeparableLeastSquares(SparseRegressor):
    """Half mean squared error plus a penalty of each coefficient."""

    def _loss(self):
        return Quadratic()

    def _penalty(self, n_features):
        weights = check_penalty_weights(self.penalty_weights, n_features)
        return separable_penalty(getattr(self, "l1_ratio", 1.0), self.positive, weights)

    def _held_out_error(self, prediction, target):
        return squared_error(prediction, target)


class SquaredErrorPath:
    """Mixin of cross-validated least squares: the mean squared errors under their usual name."""

    @property
    def mse_path_(self):
        """Mean squared errors on the folds, minus `score_path_`; only with ``scoring=None``."""
        if self.scoring is not None:
            raise AttributeError(f"no mse_path_ with scoring={self.scoring!r}; see score_path_")
        return -self.score_path_


def squared_error(prediction, target):
    """Squared error of each sample, averaged over the outputs."""
    return np.mean((prediction - target) ** 2, axis=0)
