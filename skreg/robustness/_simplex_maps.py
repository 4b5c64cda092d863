"""Maps from scores of classes to the simplex, at several inverse temperatures at once.

Scores have shape (n_classes, n_draws): classes along the first axis, so that every operation runs
along the draws.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

ARGMAX = "argmax"


class Candidate(NamedTuple):
    """A map to the simplex, with the inverse temperature t that multiplies the scores."""

    name: str
    temperature: float


def candidates_of(maps: Sequence[str], temperatures: Sequence[float]) -> list[Candidate]:
    """All pairs of a soft map and a temperature, and argmax, which needs none."""
    return [
        Candidate(name, t) for name in maps for t in ((np.inf,) if name == ARGMAX else temperatures)
    ]


def sparsemax(z: ArrayLike, axis: int = -1) -> np.ndarray:
    """Euclidean projection of scores on the simplex.

        k = max{k : 1 + k z_(k) > sum_{l<=k} z_(l)},  tau = (sum_{l<=k} z_(l) - 1) / k,
        out = max(z - tau, 0),   z_(1) >= z_(2) >= ...

    Parameters
    ----------
    z : array-like
        Scores.
    axis : int, default=-1
        Axis of the classes.

    Returns
    -------
    ndarray
        Probabilities, some of which are zero.

    Raises
    ------
    ValueError
        If a score is not finite.

    References
    ----------
    A. F. T. Martins and R. F. Astudillo, "From Softmax to Sparsemax", ICML 2016, algorithm 1.

    Examples
    --------
    >>> from skreg.robustness import sparsemax
    >>> sparsemax([[0.3, 0.0], [1.0, 0.0]])
    array([[0.65, 0.35],
           [1.  , 0.  ]])
    """
    z = np.asarray(z)
    z = z if z.dtype.kind == "f" else z.astype(float)
    if z.ndim == 0 or not np.isfinite(z).all():
        raise ValueError("z must be an array of finite scores, with an axis of classes")
    scores = np.moveaxis(z, axis, 0)
    flat = scores.reshape(len(scores), -1)
    out = sparsemax_at(flat, np.ones(1, dtype=z.dtype))[0]
    return np.moveaxis(out.reshape(scores.shape), 0, axis)


def sparsemax_at(z: np.ndarray, temperatures: np.ndarray) -> np.ndarray:
    """sparsemax(t z) for each t, shape (n_temperatures, n_classes, n_draws)."""
    t = temperatures[:, None, None]
    z = z - z.max(axis=0)
    ordered = -np.sort(-z, axis=0)
    sums = np.cumsum(ordered, axis=0)
    k = np.arange(1, len(z) + 1, dtype=z.dtype)[:, None]
    # scores fall, so that the condition holds for the first k places and for no other
    size = np.count_nonzero(1.0 + t * (k * ordered - sums) > 0.0, axis=1)
    last = np.take_along_axis(sums, size - 1, axis=0)
    tau = (temperatures[:, None] * last - 1.0) / size.astype(z.dtype)
    return np.maximum(t * z - tau[:, None, :], 0.0)


def softmax_at(z: np.ndarray, temperatures: np.ndarray) -> np.ndarray:
    """softmax(t z) for each t, shape (n_temperatures, n_classes, n_draws)."""
    p = temperatures[:, None, None] * (z - z.max(axis=0))
    np.exp(p, out=p)
    p /= p.sum(axis=1, keepdims=True)
    return p


SOFT: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "softmax": softmax_at,
    "sparsemax": sparsemax_at,
}
MAPS = (ARGMAX, *SOFT)
# Lipschitz constants in L2 at t = 1
SLOPES = {ARGMAX: np.inf, "softmax": 0.5, "sparsemax": 1.0}
