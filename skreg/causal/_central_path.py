"""The central path: a sequence of problems in which acyclicity takes over from the score.

For stages k = 1 .. K, each from the solution of the one before,

    min over (W, sigma) of  mu_k [ S(W, sigma) + sum_ij penalty_ij |W_ij| ] + h_{s_k}(W),

with mu_k = mu_1 factor^(k - 1). The stages are solved inexactly by Adam, and how far matters for
the graph that comes out: which edges turn round is decided on the way.
"""

from typing import NamedTuple

import numpy as np

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
from skreg.causal._equations import residual_mean_squares, score, set_noise_scale

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
    """End of the path: weights (d, d), noise scale (d,), and how it went."""

    W: np.ndarray
    sigma: np.ndarray
    n_iter: list
    s: list
    converged: bool
    rate_vanished: bool
    checkpoints: list


class _Stage(NamedTuple):
    W: np.ndarray
    sigma: np.ndarray
    n_iter: int
    feasible: bool
    converged: bool
    rate_vanished: bool


def acyclicity(W, s):
    """h_s(W) = d log s - log det(s I - W o W)."""
    d = len(W)
    return d * np.log(s) - np.linalg.slogdet(s * np.eye(d) - W * W)[1]


def follow_central_path(C, noise, penalty, W, sigma, schedule, report=None):
    """Solve all stages.

    Parameters
    ----------
    C : ndarray of shape (d, d)
        Covariance matrix.
    noise : EqualNoise, UnequalNoise or UnitNoise
        Kind of the score.
    penalty : ndarray of shape (d, d)
        Weights of the absolute values; -1 keeps an entry of W at zero.
    W : ndarray of shape (d, d)
        Start.
    sigma : ndarray of shape (d,)
        Noise scale for the first step.
    schedule : Schedule
        Stages and steps.
    report : callable, default=None
        Called with every `Checkpoint`.

    Returns
    -------
    PathSolution
        Weights, noise scale and history.

    Raises
    ------
    ValueError
        If W is so far outside the domain that repeating the first stage does not help.
    """
    n_iter, reached_s, checkpoints = [], [], []
    stage = None
    for k, mu in enumerate(schedule.mu):
        s, rate, spent = schedule.s[k], schedule.learning_rate, 0
        while True:
            seen = _Observer(k, sum(n_iter) + spent, penalty, noise, mu, s, report)
            stage = _solve_stage(C, noise, W, sigma, s, rate, schedule, schedule.n_iter[k], seen)
            spent += stage.n_iter
            if stage.feasible:
                break
            rate, s = rate / 2, s + 0.1
            if rate <= SMALLEST_RATE:
                raise ValueError(
                    "init is too far outside the domain of the acyclicity function: the spectral "
                    f"radius of its squared weights is above {s:.1f}"
                )
        W, sigma = stage.W, stage.sigma
        n_iter.append(spent)
        reached_s.append(s)
        checkpoints += seen.checkpoints
    return PathSolution(
        W, sigma, n_iter, reached_s, stage.converged, stage.rate_vanished, checkpoints
    )


class _Observer:
    """Evaluates the objective of one attempt at a stage in double precision."""

    def __init__(self, stage, before, penalty, noise, mu, s, report):
        self.stage, self.before, self.noise, self.mu, self.s = stage, before, noise, mu, s
        self.penalty, self.report = penalty, report
        self.checkpoints = []

    def __call__(self, C, W, n_iter):
        q, sigma = residual_mean_squares(C, W), np.empty(len(W))
        set_noise_scale(self.noise, q, sigma)
        value = score(self.noise, q, sigma)
        h = acyclicity(W, self.s)
        l1 = np.abs(W * np.where(self.penalty == EXCLUDED, 0.0, self.penalty)).sum()
        scale = np.sqrt(np.mean(q))
        objective = self.mu * (value + l1) + h
        point = Checkpoint(self.stage, self.before + n_iter, objective, value, h, scale)
        self.checkpoints.append(point)
        if self.report is not None:
            self.report(point)
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
