"""The strength of a penalty chosen among several, by a criterion or by the stability of graphs."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from skreg._warnings import warn
from skreg.causal._equations import UnequalNoise
from skreg.causal._problem import Problem
from skreg.causal._regressions import regress_on_parents, residual_scale
from skreg.causal._resamples import Fit, draw_counts, fit_sample, with_alpha
from skreg.causal._stability import edge_frequency, instability, most_permissive_stable
from skreg.moments import resampled_moments
from skreg.strengths import warn_at_edge

N_BOOTSTRAPS = 20
MAX_INSTABILITY = 0.05
MIN_FREQUENCY = 0.5


def checked_alphas(alphas: ArrayLike) -> np.ndarray:
    """Strengths (n_alphas,), decreasing; raises if one is negative."""
    values = np.sort(np.asarray(alphas, dtype=float))[::-1]
    if values.ndim != 1 or len(values) == 0 or not np.all(values >= 0):
        raise ValueError(f"alphas={alphas!r} must be nonnegative numbers")
    return values


def information_criterion(problem: Problem, graph: np.ndarray, n: float) -> float:
    r"""Bayesian information criterion of a graph, with weights of least squares on n rows.

    With q_j the mean squared residuals and K edges, up to a constant

        n sum_j log q_j + K log n       for unequal noises,
        n d log( sum_j q_j / d ) + K log n      else    (Peters and Buehlmann 2014, eq. 3).
    """
    C, B = problem.covariance, graph != 0
    q = residual_scale(C, regress_on_parents(C, B))[0] ** 2
    unequal = isinstance(problem.noise, UnequalNoise)
    fit = np.log(q).sum() if unequal else len(q) * np.log(q.mean())
    return float(n * fit + np.log(n) * B.sum())


def stability_of(
    model: Any,
    alphas: np.ndarray,
    X: np.ndarray,
    sample_weight: np.ndarray,
    names: Sequence[str],
    random_state: Any,
) -> tuple[int, np.ndarray]:
    """Which strength is the smallest with stable graphs, and the instability (n_alphas,) of all.

    Rows of positive weight are drawn with equal chances, and keep their weights.
    """
    used = sample_weight > 0
    X, sample_weight = X[used], sample_weight[used]
    counts = draw_counts(len(X), N_BOOTSTRAPS, random_state)
    samples = resampled_moments(X, counts * sample_weight)
    fits: list[list[Fit]] = []
    with warnings.catch_warnings(), threadpool_limits(1, user_api="blas"):
        warnings.simplefilter("ignore", ConvergenceWarning)  # the fit to all rows warns
        for alpha in alphas:
            at_alpha = with_alpha(model, alpha)
            fits.append(
                [
                    fit_sample(at_alpha, X, count, sample, names)
                    for count, sample in zip(counts, samples, strict=True)
                ]
            )
    frequencies = np.array([edge_frequency(of_alpha, X.shape[1]) for of_alpha in fits])
    unstable = instability(frequencies)
    chosen = most_permissive_stable(unstable, MAX_INSTABILITY)
    by = type(model).__name__
    warn_of_stability(by, alphas, frequencies, unstable, chosen, MAX_INSTABILITY, MIN_FREQUENCY)
    return chosen, unstable


def warn_of_stability(
    by: str,
    alphas: np.ndarray,
    frequencies: np.ndarray,
    unstable: np.ndarray,
    chosen: int,
    max_instability: float,
    min_frequency: float,
) -> None:
    """Warn if no strength is stable, or the graph changed up to the smallest and that is chosen."""
    if unstable[0] > max_instability:
        warn(
            f"no alpha reaches an instability of {max_instability:g}; the largest one has "
            f"{unstable[0]:.3f}. Add larger alphas."
        )
    elif np.diff(frequencies[-2:] >= min_frequency, axis=0).any():
        # the smallest stable one is wanted: nothing better lies above the largest
        warn_at_edge(by, alphas, chosen, from_null=True)
