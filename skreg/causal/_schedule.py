"""Stages and steps of the central path, and what they are in either mode."""

from typing import Literal, NamedTuple

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


def make_schedule(
    mode: Literal["reference", "fast"],
    *,
    n_stages: int = 4,
    mu_init: float = 1.0,
    mu_factor: float = 0.1,
    s: ArrayLike = (1.0, 0.9, 0.8, 0.7),
    warm_iter: int | None = None,
    max_iter: int | None = None,
    learning_rate: float | None = None,
    rates: Rates | None = None,
    checkpoint: int | None = None,
    tol: float = 1e-6,
) -> Schedule:
    """Stages and steps by the parameters of `CoLiDE`; what is None is as `mode` has it."""
    steps = STEPS[mode]
    warm_iter = steps.warm_iter if warm_iter is None else warm_iter
    max_iter = steps.max_iter if max_iter is None else max_iter
    return Schedule(
        mu=tuple(mu_init * mu_factor**k for k in np.arange(n_stages)),
        s=stage_bounds(s, n_stages),
        n_iter=(warm_iter,) * (n_stages - 1) + (max_iter,),
        learning_rate=float(steps.learning_rate if learning_rate is None else learning_rate),
        rates=Rates() if rates is None else rates,
        checkpoint=steps.checkpoint if checkpoint is None else checkpoint,
        tol=tol,
        fast=mode == "fast",
    )
