"""Targets, weights of samples and weights of the penalty, as arrays."""

from numbers import Number, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_array

from skreg._sklearn import _check_sample_weight

PenaltyWeights = ArrayLike | None


def plain_numbers(y: np.ndarray) -> np.ndarray:
    """Numbers in an array of objects in their own dtype; other arrays as they are.

    scikit-learn does not take numbers of dtype object for labels.
    """
    if y.dtype == object and all(isinstance(entry, Real) for entry in y.flat):
        return np.array(y.tolist())
    return y


def check_numbers(y: Any) -> np.ndarray:
    """Target of a regression."""
    return check_array(y, dtype=np.float64, ensure_2d=False, input_name="y")


def check_sample_weight(weight: Any, X: Any) -> np.ndarray | None:
    """Weights of the samples as an array, None where all are equal."""
    if weight is None:
        return None
    if isinstance(weight, Number):
        if not (isinstance(weight, Real) and 0.0 < weight < np.inf):
            raise ValueError(
                f"sample_weight={weight!r} must be positive and finite if it is a number; "
                "give nonnegative weights of the samples as an array"
            )
        return None
    weight = _check_sample_weight(weight, X, dtype=np.float64, ensure_non_negative=True)
    with np.errstate(over="ignore"):
        return weight if np.isfinite(weight.sum()) else weight / weight.max()


def check_penalty_weights(weights: Any, n_features: int) -> np.ndarray | None:
    """Weights of the penalty as an array, None for ones."""
    return None if weights is None else check_weights(weights, n_features)


def check_weights(weights: Any, size: int) -> np.ndarray:
    """Nonnegative weights of the penalty, infinite ones included."""
    weights = check_array(
        weights,
        dtype=np.float64,
        ensure_2d=False,
        ensure_all_finite=False,
        input_name="penalty_weights",
    )
    if weights.shape != (size,):
        raise ValueError(f"penalty_weights must have shape ({size},), not {weights.shape}")
    if not np.all(weights >= 0.0):
        raise ValueError(
            f"penalty_weights must be nonnegative (0 frees, inf excludes), not {weights.min():.3g}"
        )
    return weights
