"""Checks along a path of regularization, seed by seed."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from skreg.bench import Evidence
from skreg.bench.arena.checks import Check, all_of, statistic
from skreg.bench.arena.tilting_digits import GRID


def curves(evidence: Evidence, method: str, metric: str, setting: str) -> np.ndarray:
    """Values of a metric, (n_seeds, n_places)."""
    return np.column_stack([evidence.values(setting, metric, method, C) for C in GRID])


def monotone(method: str, metric: str, setting: str, *, falls: bool = False) -> Check:
    """The mean of the metric does not fall (or rise) from any C to the next."""
    sign = -1.0 if falls else 1.0

    def step(start: float, end: float) -> Check:
        def change(evidence: Evidence) -> np.ndarray:
            before, after = (evidence.values(setting, metric, method, C) for C in (start, end))
            return sign * (after - before).to_numpy()

        way = "fall" if falls else "rise"
        return statistic(change, f"{way} of {metric} from C = {start:g} to {end:g}", at_least=0.0)

    return all_of(*(step(*ends) for ends in pairwise(GRID)))


def least_inside(method: str, setting: str, *, inside: tuple[float, ...]) -> Check:
    """The least test error is that of some C, and not of those smaller or larger."""
    within = np.isin(GRID, inside)

    def leads(evidence: Evidence) -> np.ndarray:
        errors = curves(evidence, method, "test_error", setting)
        return errors[:, ~within].min(axis=1) - errors[:, within].min(axis=1)

    return statistic(leads, "least test error outside less that inside", at_least=0.0)


def end_over_best(method: str, setting: str, *, at_least: float) -> Check:
    """Strength at the last C over that at the least test error, of the smallest C among ties."""

    def ratios(evidence: Evidence) -> np.ndarray:
        strength = curves(evidence, method, "strength", setting)
        best = curves(evidence, method, "test_error", setting).argmin(axis=1)
        return strength[:, -1] / strength[np.arange(len(best)), best]

    label = "strength at the last C over that of the least test error"
    return statistic(ratios, label, at_least=at_least, log=True)


def end_over_start(method: str, metric: str, setting: str, *, at_most: float) -> Check:
    """A metric at the last C over that at the first."""

    def ratios(evidence: Evidence) -> np.ndarray:
        values = curves(evidence, method, metric, setting)
        return values[:, -1] / values[:, 0]

    return statistic(ratios, f"{metric} at the last C over the first", at_most=at_most, log=True)


def start_above_best(method: str, setting: str, *, at_least: float) -> Check:
    """Test error at the first C less the least one."""

    def excess(evidence: Evidence) -> np.ndarray:
        errors = curves(evidence, method, "test_error", setting)
        return errors[:, 0] - errors.min(axis=1)

    return statistic(excess, "test error at the first C less the least", at_least=at_least)
