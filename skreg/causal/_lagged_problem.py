"""The problem of `CoLiDE` for variables and their lags, in the unit in which it is solved."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from skreg.causal._adam import EXCLUDED
from skreg.causal._autoregression import innovation_covariance
from skreg.causal._constraints import constraint_masks, edge_mask
from skreg.causal._problem import (
    NOISE_IN_UNITS,
    Problem,
    check_single_precision,
    noise_at_start,
    noise_level,
)
from skreg.causal._regressions import SMALLEST_SHARE
from skreg.moments import Moments

FLOOR = 1e-4  # of noise levels, as a share of where they start, as in `CoLiDE`


def lagged_problem(data: Moments, d: int, model: Any, names: Sequence[str]) -> Problem:
    """What to solve for `Moments` of d variables and, after them, of all their lags.

    `penalty` is (n, d) with a row for every column of the moments: the first d are instantaneous
    causes, the others lagged ones.

    Raises
    ------
    ValueError
        If edges are named that cannot be, the past determines a variable, or variances are too
        large or small for single precision.
    """
    excluded, included = constraint_masks(
        model.exclude_edges, model.include_edges, model.tiers, names
    )
    excluded_lags = edge_mask(model.exclude_lagged_edges, names, "exclude_lagged_edges")
    instantaneous = np.full((d, d), float(model.alpha))
    instantaneous[included] = 0.0
    instantaneous[excluded] = EXCLUDED
    strength = model.alpha if model.alpha_lagged is None else model.alpha_lagged
    lagged = np.where(excluded_lags, EXCLUDED, float(strength))
    penalty = np.vstack([instantaneous, *[lagged] * model.order])
    C = data.covariance
    unit = NOISE_IN_UNITS * _common_noise_level(data, d, names)
    C = C / unit / unit
    if model.mode == "fast":
        check_single_precision(C[:d, :d])
    noise, sigma = noise_at_start(model.noise, np.sqrt(np.diagonal(C)[:d]), FLOOR)
    return Problem(C, noise, penalty, sigma, included, unit, np.arange(d), data.mean[:d])


def _common_noise_level(data, d, names):
    """Geometric mean of the noise levels of every acyclic W, of the columns if rows are few."""
    C = data.covariance
    if data.total <= len(C):
        return noise_level(C[:d, :d])
    left = innovation_covariance(C, d)
    determined = np.diagonal(left) <= SMALLEST_SHARE**2 * np.diagonal(C)[:d]
    if determined.any():
        raise ValueError(
            f"column {names[int(np.argmax(determined))]!r} is determined by past values, as a "
            "trend, a calendar or a cumulated column is; leave it out or take differences"
        )
    return noise_level(left)
