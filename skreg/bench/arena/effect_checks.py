"""The check of the benchmark on causal effects that compares two places of an axis."""

from __future__ import annotations

import numpy as np

from skreg.bench import Evidence
from skreg.bench.arena.checks import Check, statistic


def ratio_of_places(
    setting: str, metric: str, method: str, place: float, other: float, *, at_most: float
) -> Check:
    """The geometric mean over the seeds of a value at one place over that at another is bounded."""

    def ratios(evidence: Evidence) -> np.ndarray:
        here, there = (evidence.values(setting, metric, method, at) for at in (place, other))
        return (here / there).to_numpy(dtype=float)

    label = f"ratio of {method} (at {place:g}) to itself (at {other:g})"
    return statistic(ratios, label, at_most=at_most, log=True)
