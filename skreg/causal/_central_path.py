"""The central path: a sequence of problems in which acyclicity takes over from the score.

For stages k = 1 .. K, each from the solution of the one before,

    min over (W, sigma) of  mu_k [ S(W, sigma) + sum_ij penalty_ij |W_ij| ] + h_{s_k}(W),

with mu_k = mu_1 factor^(k - 1). The stages are solved inexactly by Adam, and how far matters for
the graph that comes out: which edges turn round is decided on the way.

Rows of W beyond its d columns are nodes that can only be causes; h is that of the first d rows.
"""

from typing import Any, NamedTuple

import numpy as np

from skreg._progress import progress
from skreg._summary import summary
from skreg.causal._acyclicity import acyclicity
from skreg.causal._adam import (
    DONE,
    EXCLUDED,
    LEFT_DOMAIN,
    RATE_VANISHED,
    SMALLEST_RATE,
    fast_state,
    fast_steps,
    reference_state,
    reference_steps,
)
from skreg.causal._equations import Noise, residual_mean_squares, score, set_noise_scale
from skreg.causal._schedule import Schedule

# Between two calls of a kernel, which cannot be interrupted, lie at most so many operations.
OPERATIONS_PER_CALL = 2e10


class Checkpoint(NamedTuple):
    """What a stage saw at a checkpoint.

    Attributes
    ----------
    stage : int
        Number of the stage, from 0.
    n_iter : int
        Iterations since the start of the path.
    objective : float
        mu (S + penalty) + h.
    score : float
        S alone.
    h : float
        Acyclicity.
    noise_scale : float
        Root of the mean of sigma^2.
    """

    stage: int
    n_iter: int
    objective: float
    score: float
    h: float
    noise_scale: float


class PathSolution(NamedTuple):
    """End of the path: weights (n, d), noise scale (d,), and how it went."""

    W: np.ndarray
    sigma: np.ndarray
    n_iter: list[int]
    s: list[float]
    converged: bool
    rate_vanished: bool
    checkpoints: list[Checkpoint]

    def __repr__(self) -> str:
        return summary(self)


class _Stage(NamedTuple):
    W: np.ndarray
    sigma: np.ndarray
    n_iter: int
    feasible: bool
    converged: bool
    rate_vanished: bool


def follow_central_path(
    C: np.ndarray,
    noise: Noise,
    penalty: np.ndarray,
    W: np.ndarray,
    sigma: np.ndarray,
    schedule: Schedule,
    verbose: int = 0,
) -> PathSolution:
    """Solve all stages.

    Parameters
    ----------
    C : ndarray of shape (n, n)
        Covariance matrix.
    noise : EqualNoise, UnequalNoise or UnitNoise
        Kind of the score.
    penalty : ndarray of shape (n, d)
        Weights of the absolute values; -1 keeps an entry of W at zero.
    W : ndarray of shape (n, d)
        Start, d <= n.
    sigma : ndarray of shape (d,)
        Noise scale for the first step.
    schedule : Schedule
        Stages and steps.
    verbose : int, default=0
        Whether to show a bar of the stages.

    Returns
    -------
    PathSolution
        Weights, noise scale and history.

    Raises
    ------
    ValueError
        If W is so far outside the domain that repeating the first stage does not help.
    """
    stages = progress(
        range(len(schedule.mu)), total=len(schedule.mu), verbose=verbose, by="CoLiDE", unit="stage"
    )
    path = PathSolution(W, sigma, [], [], False, False, [])
    for k in stages:
        path = _extended(path, k, C, noise, penalty, schedule)
    return path


def _extended(path, k, C, noise, penalty, schedule):
    """The path with stage k at its end; attempts that leave the domain are repeated in a larger."""
    s, rate, spent = schedule.s[k], schedule.learning_rate, 0
    while True:
        observe = _Observer(k, sum(path.n_iter) + spent, penalty, noise, schedule.mu[k], s)
        stage = _solve_stage(
            C, noise, path.W, path.sigma, s, rate, schedule, schedule.n_iter[k], observe
        )
        spent += stage.n_iter
        if stage.feasible:
            break
        rate, s = rate / 2, s + 0.1
        if rate <= SMALLEST_RATE:
            raise ValueError(
                "init is too far outside the domain of the acyclicity function: the spectral "
                f"radius of its squared weights is above {s:.1f}"
            )
    return PathSolution(
        stage.W,
        stage.sigma,
        [*path.n_iter, spent],
        [*path.s, s],
        stage.converged,
        stage.rate_vanished,
        path.checkpoints + observe.checkpoints,
    )


class _Observer:
    """Evaluates the objective of one attempt at a stage in double precision."""

    def __init__(
        self, stage: int, before: int, penalty: np.ndarray, noise: Any, mu: float, s: float
    ) -> None:
        self.stage, self.before, self.noise, self.mu, self.s = stage, before, noise, mu, s
        self.penalty = penalty
        self.checkpoints: list[Checkpoint] = []

    def __call__(self, C, W, n_iter):
        q = residual_mean_squares(C, W)
        sigma = np.empty(len(q))
        set_noise_scale(self.noise, q, sigma)
        value = score(self.noise, q, sigma)
        h = acyclicity(W[: len(q)], self.s)
        l1 = np.abs(W * np.where(self.penalty == EXCLUDED, 0.0, self.penalty)).sum()
        objective = float(self.mu * (value + l1) + h)
        numbers = (objective, float(value), float(h), float(np.sqrt(np.mean(q))))
        self.checkpoints.append(Checkpoint(self.stage, self.before + n_iter, *numbers))
        return objective


def _solve_stage(C, noise, W, sigma, s, rate, schedule, max_iter, observe):
    """Run Adam from (W, sigma) until the objective stands still."""
    penalty, mu = observe.penalty, observe.mu
    if schedule.fast:
        state = fast_state(C, W, sigma)
        C_single, penalty = C.astype(np.float32), penalty.astype(np.float32)
    else:
        state = reference_state(C, W, sigma)
    per_call = max(1, min(schedule.checkpoint, int(OPERATIONS_PER_CALL / len(C) ** 3)))
    before, done, converged, outcome = np.inf, 0, False, DONE
    while done < max_iter and not converged and outcome == DONE:
        stop = min((done // schedule.checkpoint + 1) * schedule.checkpoint, max_iter)
        n_steps = min(per_call, stop - done)
        terms = (noise, state, penalty, schedule.rates, mu, s, rate, done + 1, n_steps)
        if schedule.fast:
            outcome, rate, n_done = fast_steps(C, C_single, *terms)
        else:
            outcome, rate, n_done = reference_steps(C, *terms)
        done += n_done
        if outcome == LEFT_DOMAIN:
            return _Stage(W, sigma, done, False, False, False)
        if outcome == RATE_VANISHED or done == stop:
            objective = observe(C, state.W.astype(np.float64), done)
            converged = outcome == DONE and abs(before - objective) <= schedule.tol * abs(before)
            converged &= np.isfinite(before)
            before = objective
    return _Stage(
        state.W.astype(np.float64),
        state.sigma.astype(np.float64),
        done,
        True,
        bool(converged),
        outcome == RATE_VANISHED,
    )
