"""Checks on classes that come one task at a time."""

from __future__ import annotations

from collections.abc import Sequence

from skreg.bench import Evidence, Verdict
from skreg.bench.arena.checks import Check


def ahead_on_every_seed(methods: Sequence[str], rival: str, metric: str, *, setting: str) -> Check:
    """Each method has more than the rival on each seed."""

    def check(evidence: Evidence) -> Verdict:
        theirs = evidence.values(setting, metric, rival)
        leads = [(evidence.values(setting, metric, name) - theirs).dropna() for name in methods]
        won = sum(int((lead > 0).sum()) for lead in leads)
        total = sum(len(lead) for lead in leads)
        return Verdict(
            "reproduced" if won == total else "contradicted",
            f"ahead of {rival} in {won} of {total} results",
            "all",
        )

    return check
