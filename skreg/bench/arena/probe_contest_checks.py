"""Checks on probes over many sets of features: the mean over sets, size by size and in all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from skreg.bench import Evidence
from skreg.bench.arena.checks import Check, all_of, statistic

if TYPE_CHECKING:
    import pandas as pd


def mean_over_sets(evidence: Evidence, metric: str, settings: Sequence[str]) -> pd.DataFrame:
    """Means over the settings that have the size, by seed (rows) and by size and method.

    Seeds without the size, for want of rows in every setting, have NaN.
    """
    rows = evidence.results
    rows = rows[rows["setting"].isin(settings)]
    return rows.pivot_table(
        index="seed", columns=["per_class", "method"], values=metric, aggfunc="mean"
    )


def within_of_best(
    ours: str, rivals: Sequence[str], settings: Sequence[str], sizes: Sequence[int], most: float
) -> Check:
    """At every size the mean log-loss over the best mean of the rivals is at most a factor.

    The best rival of a size is the one with the least mean over all seeds.
    """

    def at(size: int) -> Check:
        def ratios(evidence: Evidence) -> np.ndarray:
            table = mean_over_sets(evidence, "log_loss", settings)
            if size not in table.columns.get_level_values(0):
                return np.empty(0)
            here = table[size].dropna()
            best = here[list(rivals)].mean().idxmin()
            return (here[ours] / here[best]).to_numpy()

        return statistic(ratios, f"ratio to the best rival (at {size})", at_most=most, log=True)

    return all_of(*(at(size) for size in sizes), names=[f"{size}" for size in sizes])


def better_on_average(
    ours: str, rivals: Sequence[str], settings: Sequence[str], sizes: Sequence[int]
) -> Check:
    """The mean log-loss over sets and sizes is below that of each rival."""

    def over(rival: str) -> Check:
        def gains(evidence: Evidence) -> np.ndarray:
            table = mean_over_sets(evidence, "log_loss", settings)
            means = table.T.groupby(level="method").mean().T
            return (means[rival] - means[ours]).to_numpy()

        return statistic(gains, f"gain over {rival}", at_least=0.0)

    return all_of(*(over(rival) for rival in rivals), names=rivals)


def costs_at_most(
    ours: str, rival: str, settings: Sequence[str], sizes: Sequence[int], most: float
) -> Check:
    """At every size the time of the fits of all sets is at most so many times a rival's."""

    def at(size: int) -> Check:
        def ratios(evidence: Evidence) -> np.ndarray:
            table = mean_over_sets(evidence, "fit", settings)
            if size not in table.columns.get_level_values(0):
                return np.empty(0)
            here = table[size].dropna()
            return (here[ours] / here[rival]).to_numpy()

        return statistic(ratios, f"time over that of {rival} (at {size})", at_most=most, log=True)

    return all_of(*(at(size) for size in sizes), names=[f"{size}" for size in sizes])
