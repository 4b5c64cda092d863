"""Checks on networks: who gets there sooner, and how far the worst of several kernels is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from skreg.bench import Evidence, by_seed
from skreg.bench.arena.checks import Check, statistic

if TYPE_CHECKING:
    import pandas as pd


def sooner(method: str, rival: str, metric: str, *, setting: str, reached: float) -> Check:
    """A method reaches a value before a rival does, by the epochs that are looked at."""

    def epochs_needed(evidence: Evidence, name: str) -> pd.Series:
        values = by_seed(evidence.results, setting, metric, ["method", "epoch"])[name]
        there = values >= reached
        return there.idxmax(axis=1).where(there.any(axis=1), np.inf)

    def lead(evidence: Evidence) -> np.ndarray:
        return (epochs_needed(evidence, rival) - epochs_needed(evidence, method)).to_numpy()

    return statistic(lead, f"epochs before {rival}", at_least=1)


def over_kernels(
    settings: Iterable[str],
    name: str,
    metric: str,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
) -> Check:
    """The smallest or largest singular value of the kernels of several settings is bounded."""

    def extremes(evidence: Evidence) -> np.ndarray:
        values = np.array([evidence.values(setting, metric, name) for setting in settings])
        return values.min(axis=0) if metric == "sigma_min" else values.max(axis=0)

    label = f"{'smallest' if metric == 'sigma_min' else 'largest'} singular value of {name}"
    return statistic(extremes, label, at_least=at_least, at_most=at_most)
