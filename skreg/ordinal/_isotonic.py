"""Isotonic reliability: the rate of an event as a rising function of its predicted probability.

Pooling adjacent violators estimates it without bins (Dimitriadis, Gneiting and Jordan 2021): the
non-decreasing function of the prediction that is closest to the events in squares, and has the
largest likelihood too.
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import isotonic_regression

BANDS = {"consistency", "confidence"}
MAX_POINTS = 2000


class Pooled(NamedTuple):
    """Distinct predictions in increasing order, with the numbers of samples and of events."""

    predicted: np.ndarray
    n_samples: np.ndarray
    n_events: np.ndarray


def pool(event, probability):
    """Samples with equal predictions together."""
    predicted, position = np.unique(probability, return_inverse=True)
    n_samples = np.bincount(position)
    return Pooled(predicted, n_samples, np.bincount(position, weights=event))


def isotonic_rate(pooled):
    """Rate at each distinct prediction; where there are no samples, on the line between others."""
    some = np.flatnonzero(pooled.n_samples > 0)
    n_samples = pooled.n_samples[some]
    fit = isotonic_regression(pooled.n_events[some] / n_samples, weights=n_samples)
    return np.interp(pooled.predicted, pooled.predicted[some], fit.x)


def points_of(rate):
    """Positions of a curve that draw it: all, or if these are many, its steps and some between."""
    if len(rate) <= MAX_POINTS:
        return np.arange(len(rate))
    steps = np.flatnonzero(np.diff(rate) > 0.0)
    spread = np.linspace(0, len(rate) - 1, MAX_POINTS).astype(np.intp)
    return np.unique(np.concatenate([steps, steps + 1, spread]))


def bootstrap_band(pooled, points, kind, level, n_bootstraps, rng):
    """Pointwise quantiles of the curves of bootstrap samples.

    Parameters
    ----------
    pooled : Pooled
        The data.
    points : ndarray of shape (n_points,)
        Positions of the distinct predictions at which the band is wanted.
    kind : {"consistency", "confidence"}
        Events drawn anew with the predicted probabilities, as if these were right; or samples drawn
        again with their events.
    level : float
        Share of the curves between both ends.
    n_bootstraps : int
        Number of curves.
    rng : RandomState
        Draws them.

    Returns
    -------
    ndarray of shape (2, n_points)
        Lower and upper end.
    """
    draw = {"consistency": _draw_events, "confidence": _draw_samples}[kind]
    curves = [isotonic_rate(draw(pooled, rng))[points] for _ in range(n_bootstraps)]
    return np.quantile(curves, [0.5 - 0.5 * level, 0.5 + 0.5 * level], axis=0)


def _draw_events(pooled, rng):
    return pooled._replace(n_events=rng.binomial(pooled.n_samples, pooled.predicted))


def _draw_samples(pooled, rng):
    cells = np.concatenate([pooled.n_events, pooled.n_samples - pooled.n_events])
    n = int(cells.sum())
    with_event, without = rng.multinomial(n, cells / n).reshape(2, -1)
    return pooled._replace(n_samples=with_event + without, n_events=with_event)
