"""Checks on linear probes: growth of the samples they need, leads at some sizes, and crossings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skreg.bench import Evidence, by_seed
from skreg.bench.arena.checks import Check, all_of, gain, ratio, statistic
from skreg.bench.arena.probe_settings import LR, NB
from skreg.bench.arena.probe_views import crossings


def grows(method: str, setting: str, features: Sequence[int], **bound: float) -> Check:
    """Samples needed with the most features over those with the fewest."""
    fewest, most = features[0], features[-1]

    def growth(evidence: Evidence) -> np.ndarray:
        few, many = (
            evidence.values(setting, "sample_complexity", method, n) for n in (fewest, most)
        )
        return (many / few).to_numpy()

    label = f"m of {method} at n = {most} over that at {fewest}"
    return statistic(growth, label, log=True, **bound)


def lr_needs_more(setting: str, features: Sequence[int], times: float) -> Check:
    """Logistic regression needs so many times the samples that naive Bayes needs."""
    return all_of(
        *(
            ratio(LR, NB, "sample_complexity", setting=setting, at=n, at_least=times)
            for n in features
        )
    )


def nb_leads_at(setting: str, sizes: Sequence[int], margin: float, rival: str = LR) -> Check:
    """Lead of naive Bayes in the mean over some sizes."""

    def lead(evidence: Evidence) -> np.ndarray:
        ours, theirs = (
            np.mean([evidence.values(setting, "error", name, m) for m in sizes], axis=0)
            for name in (NB, rival)
        )
        return theirs - ours

    where = ", ".join(map(str, sizes))
    return statistic(lead, f"error of {rival} less that of NB at {where}", at_least=margin)


def lr_leads_at(setting: str, sizes: Sequence[int]) -> Check:
    """Logistic regression is ahead at each of some sizes."""
    return all_of(*(gain(LR, NB, "error", setting=setting, at=m) for m in sizes))


def nb_loses_at(setting: str, size: int, rivals: Sequence[str]) -> Check:
    """Each of several rivals is ahead of naive Bayes."""
    return all_of(
        *(gain(rival, NB, "error", setting=setting, at=size) for rival in rivals), names=rivals
    )


def crossing_of_seeds(evidence: Evidence, setting: str) -> np.ndarray:
    """Size at which the curves of naive Bayes and logistic regression cross, seed by seed."""
    return crossings(by_seed(evidence.results, setting, "error", ["method", "n_train"]), NB, LR)


def crosses_between(setting: str, low: float, high: float) -> Check:
    """The curves of naive Bayes and logistic regression cross between two sizes."""

    def crossing(evidence: Evidence) -> np.ndarray:
        return crossing_of_seeds(evidence, setting)

    return all_of(
        statistic(crossing, "crossing", at_least=low, log=True),
        statistic(crossing, "crossing", at_most=high, log=True),
    )
