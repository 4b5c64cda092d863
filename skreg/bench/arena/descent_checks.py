"""Checks on block coordinate descent: leads at the last iteration, and iterations to the end."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence

import numpy as np

from skreg.bench import Evidence
from skreg.bench.arena.checks import Check, all_of, gain, level, ratio, statistic
from skreg.bench.arena.descent_runs import NEWTON, PROXIMAL_GRADIENT, TWO_METRIC


def ends_below(setting: str, better: str, worse: Sequence[str], decades: float = 0.0) -> Check:
    """Lead of one rule over others at the last iteration, in decades."""

    def lead_over(rival: str) -> Check:
        def lead(evidence: Evidence) -> np.ndarray:
            rows = evidence.results[evidence.results["setting"] == setting]
            values = functools.partial(evidence.values, setting, "log_gap")
            last = rows["iteration"].max()
            return values(rival, last) - values(better, last)

        return statistic(lead, f"decades before {rival}", at_least=decades)

    return all_of(*(lead_over(rival) for rival in worse))


def in_order(settings: Sequence[str], names: Sequence[str]) -> Check:
    """Every rule ends below the next one."""
    pairs = list(itertools.pairwise(names))
    return all_of(
        *(ends_below(setting, first, [second]) for setting in settings for first, second in pairs),
        names=[f"{setting}, {first}" for setting in settings for first, _ in pairs],
    )


def ends_early(setting: str, limit: int, times: float) -> Check:
    """Two updates need few iterations, and so many times fewer than proximal gradient."""
    quick = [f"{update}, variable" for update in (NEWTON, TWO_METRIC)]
    slow = f"{PROXIMAL_GRADIENT}, variable"
    return all_of(
        *(level(name, "iterations", setting=setting, at_most=limit) for name in quick),
        ratio(slow, quick, "iterations", setting=setting, at_least=times),
    )


def variable_beats_fixed(settings: Sequence[str]) -> Check:
    """Variable blocks need fewer iterations than sorted ones, for every update."""
    pairs = [*itertools.product(settings, (PROXIMAL_GRADIENT, NEWTON, TWO_METRIC))]
    checks = (
        gain(f"{update}, variable", f"{update}, sort", "iterations", setting=setting)
        for setting, update in pairs
    )
    return all_of(*checks, names=[f"{setting}, {update}" for setting, update in pairs])
