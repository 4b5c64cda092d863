"""Stages and steps of the central path, and what they are in either mode."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from skreg.causal._adam import Rates


class Schedule(NamedTuple):
    """Stages and steps.

    Attributes
    ----------
    mu : tuple of float
        Weight of the score in each stage.
    s : tuple of float
        Bound of the domain in each stage.
    n_iter : tuple of int
        Largest number of iterations of each stage.
    learning_rate : float
        Adam's learning rate at the start of every stage.
    rates : Rates
        Adam's decay rates.
    checkpoint : int
        A stage looks at its objective every so many iterations,
    tol : float
        and ends when that changed by at most this share.
    fast : bool
        Whether to take the fast iteration.
    """

    mu: tuple[float, ...]
    s: tuple[float, ...]
    n_iter: tuple[int, ...]
    learning_rate: float
    rates: Rates
    checkpoint: int
    tol: float
    fast: bool


class Steps(NamedTuple):
    """Learning rate, checkpoint and largest numbers of iterations."""

    learning_rate: float
    checkpoint: int
    warm_iter: int
    max_iter: int


STEPS = {
    "reference": Steps(3e-4, 1000, 20_000, 70_000),
    "fast": Steps(1e-3, 300, 20_000, 70_000),
}


def stage_bounds(s: ArrayLike, n_stages: int) -> tuple[float, ...]:
    """One bound for each stage; the last one given is repeated."""
    bounds = np.atleast_1d(np.asarray(s, dtype=float))
    if bounds.ndim != 1 or len(bounds) == 0 or not np.all(bounds > 0):
        raise ValueError(f"s={s!r} must be positive numbers")
    if np.any(np.diff(bounds) > 0):
        raise ValueError(f"s={s!r} must not increase")
    return tuple(float(bounds[min(k, len(bounds) - 1)]) for k in range(n_stages))
