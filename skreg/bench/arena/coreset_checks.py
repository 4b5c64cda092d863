"""Checks on ratios of weighted samples over several numbers of rows, or several settings.

Each takes the geometric mean of a ratio over all of them, one number for each seed.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from skreg.bench import Evidence, by_seed
from skreg.bench.arena.checks import Check, all_of, statistic


def ratio_at_twice_the_rows(
    method: str, rival: str, metric: str, *, setting: str, rows: Sequence[int], at_least: float
) -> Check:
    """Metric of a method at 2 m over that of a rival at m, mean over some m."""

    def ratios(evidence: Evidence) -> np.ndarray:
        values = functools.partial(evidence.values, setting, metric)
        logs = [np.log(values(method, 2 * m) / values(rival, m)) for m in rows]
        return np.exp(np.mean(logs, axis=0))

    return statistic(ratios, "ratio", at_least=at_least, log=True)


def agree_where_above(
    floor: float, method: str, rival: str, metric: str, *, settings: Sequence[str], factor: float
) -> Check:
    """Their ratio, wherever both have a mean above the floor, is between 1 / factor and factor."""

    def ratios(evidence: Evidence) -> np.ndarray:
        logs = []
        for setting in settings:
            values = by_seed(evidence.results, setting, metric, ["method", "n_samples"])
            ours, theirs = np.log(values[method]), np.log(values[rival])
            large = (ours.mean() > np.log(floor)) & (theirs.mean() > np.log(floor))
            logs.append((ours - theirs).loc[:, large])
        return np.exp(np.concatenate(logs, axis=1).mean(axis=1))

    return all_of(
        statistic(ratios, "ratio", at_most=factor, log=True),
        statistic(ratios, "ratio", at_least=1 / factor, log=True),
    )


def mean_ratio(method: str, rival: str, metric: str, *, setting: str, at_least: float) -> Check:
    """Ratio of a method to a rival, mean over all numbers of rows."""

    def ratios(evidence: Evidence) -> np.ndarray:
        values = by_seed(evidence.results, setting, metric, ["method", "n_samples"])
        return np.exp(np.log(values[method] / values[rival]).mean(axis=1))

    return statistic(ratios, f"ratio of {method} to {rival}", at_least=at_least, log=True)
