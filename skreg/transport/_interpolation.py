"""Between the rows and where an optimal map moves them."""

from numbers import Real

import numpy as np

from skreg.transport._gaussian_map import GaussianMap, gaussian_map
from skreg.transport._spread import Spread


def checked_alpha(alpha: float) -> float:
    """Alpha as a float; a ValueError if it is not a finite number."""
    if not (isinstance(alpha, Real) and np.isfinite(alpha)):
        raise ValueError(f"alpha must be a finite number, 0 to 1 between both ends; got {alpha!r}")
    return float(alpha)


def between(moved: np.ndarray, X: np.ndarray, alpha: float) -> np.ndarray:
    """(1 - alpha) moved + alpha X, in the type of X, and X itself for alpha = 1."""
    if alpha == 1.0:
        return X.copy()
    return ((1.0 - alpha) * moved + alpha * X).astype(X.dtype, copy=False)


def inverse_map(forward: GaussianMap, source: Spread, alpha: float, rtol: float) -> GaussianMap:
    """The optimal map to the source from the distribution of what `between` returns.

    With A_alpha = (1 - alpha) A + alpha I that has the covariance
    A_alpha S A_alpha^T + (1 - alpha)^2 N. If A_alpha is symmetric and positive definite, the map
    is its inverse.
    """
    inside, outside, basis = forward.operator
    step = (1.0 - alpha) * inside + alpha * np.eye(len(inside))
    step_outside = (1.0 - alpha) * outside + alpha
    moved = step @ source.inside @ step.T
    moved_outside = step_outside**2 * source.outside
    if forward.noise is not None:
        moved += (1.0 - alpha) ** 2 * forward.noise.inside
        moved_outside += (1.0 - alpha) ** 2 * forward.noise.outside
    return gaussian_map(Spread(moved, moved_outside, basis), source, rtol)
