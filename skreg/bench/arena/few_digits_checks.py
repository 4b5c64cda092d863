"""Checks on accuracies at several learning rates: at the best of them, and between two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from skreg.bench import Evidence
from skreg.bench.arena.checks import Check, statistic

if TYPE_CHECKING:
    import pandas as pd


def at_best_rate(evidence: Evidence, setting: str, methods: Sequence[str]) -> pd.Series:
    """Test accuracy by seed of the method and rate that are best on held-out digits."""
    rows = evidence.results
    rows = rows[(rows["setting"] == setting) & rows["method"].isin(methods)]
    best = rows.groupby("seed")["held_out"].idxmax()
    return rows.loc[best].set_index("seed")["accuracy"].sort_index()


def gain_of_best_rate(
    methods: Sequence[str],
    rival: Sequence[str],
    *,
    setting: str,
    at: float | None = None,
    at_least: float = 0.0,
) -> Check:
    """Methods at their best rate are better than a rival at its best one, or at a given one.

    Parameters
    ----------
    methods, rival : sequence of str
        Each may be one method in several forms, among which held-out digits choose as well.
    setting : str
        Where.
    at : float, optional
        Rate of the rival, which then is a single method; its own best one if left out.
    at_least : float, default=0.0
        The margin.

    Returns
    -------
    callable
        The check.
    """

    def gains(evidence: Evidence) -> np.ndarray:
        if at is None:
            theirs = at_best_rate(evidence, setting, rival)
        else:
            theirs = evidence.values(setting, "accuracy", rival[0], at)
        return (at_best_rate(evidence, setting, methods) - theirs).to_numpy()

    place = "at its best rate" if at is None else f"at rate {at:g}"
    return statistic(gains, f"gain over {rival[0]} {place}", at_least=at_least)


def loses_less(
    method: str, rival: str, *, setting: str, rates: tuple[float, float], at_least: float
) -> Check:
    """From one rate to a larger one, a method loses less accuracy than a rival."""

    def kept(evidence: Evidence) -> np.ndarray:
        low, high = (
            evidence.values(setting, "accuracy", method, rate)
            - evidence.values(setting, "accuracy", rival, rate)
            for rate in rates
        )
        return (high - low).to_numpy()

    label = f"loss of {rival} less that of {method}, from rate {rates[0]:g} to {rates[1]:g}"
    return statistic(kept, label, at_least=at_least)


def closes_the_gap(
    method: str, ahead: str, behind: str, *, setting: str, at: float, at_least: float
) -> Check:
    """A method makes up for a share of the difference between two others."""

    def left(evidence: Evidence) -> np.ndarray:
        own, high, low = (
            evidence.values(setting, "accuracy", name, at) for name in (method, ahead, behind)
        )
        return ((own - low) - at_least * (high - low)).to_numpy()

    label = f"points of {method} beyond {at_least:g} of the gap"
    return statistic(left, label, at_least=0.0)
