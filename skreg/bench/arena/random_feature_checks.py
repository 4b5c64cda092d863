"""Checks along the number of features or rows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from skreg.bench.arena.checks import Check, all_of, statistic


def falls_along(method: str, metric: str, setting: str, at: Sequence[float]) -> Check:
    """The metric falls from each place to the next."""
    return all_of(*(_over(method, method, metric, setting, after, before, at_most=1.0)
                    for before, after in pairwise(at)))  # fmt: skip


def place_over_place(
    method: str, metric: str, setting: str, at: float, to: float, **bound: float
) -> Check:
    """A method's value at one place over its value at another."""
    return _over(method, method, metric, setting, at, to, **bound)


def towers(peak: str, best: str, setting: str, at: float, beside: float, **bound: float) -> Check:
    """The value of one method at a peak over that of another one beside it."""
    return _over(peak, best, "test", setting, at, beside, **bound)


def close_to(method: str, other: str, metric: str, setting: str, at: float, *, to: float) -> Check:
    """Two methods agree on average, up to a share: the interval of the ratio is within it."""
    return all_of(
        _over(method, other, metric, setting, at, at, at_least=1.0 - to),
        _over(method, other, metric, setting, at, at, at_most=1.0 + to),
    )


def differs_by(
    method: str, other: str, metric: str, setting: str, at: float, *, to: float
) -> Check:
    """The mean difference of two methods lies within a bound, on both sides."""

    def differences(evidence: Any) -> np.ndarray:
        one, two = (evidence.values(setting, metric, name, at) for name in (method, other))
        return (one - two).to_numpy()

    label = f"{metric} of {method} less {other} (at {at:g})"
    return all_of(statistic(differences, label, at_most=to),
                  statistic(differences, label, at_least=-to))  # fmt: skip


def _over(method, other, metric, setting, at, to, **bound):
    def ratios(evidence: Any) -> np.ndarray:
        value = evidence.values(setting, metric, method, at)
        return (value / evidence.values(setting, metric, other, to)).to_numpy()

    what = f"{metric} of {method} at {at:g}"
    over = f"over that at {to:g}" if method == other else f"over {other} at {to:g}"
    return statistic(ratios, f"{what} {over}", log=True, **bound)
