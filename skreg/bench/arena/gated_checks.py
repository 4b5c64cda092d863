"""Checks of the benchmark of gates that open channels for each digit."""

from __future__ import annotations

import itertools

from skreg.bench.arena.checks import Check, all_of, gain, level
from skreg.bench.arena.gated_digits import Closing
from skreg.bench.arena.gated_settings import DENSE


def falls_with_mass(methods: dict[str, Closing], setting: str) -> Check:
    """Methods of smaller mass save more operations, pair by pair."""
    return all_of(
        *(
            gain(smaller, larger, "saved", setting=setting)
            for larger, smaller in itertools.pairwise(methods)
        )
    )


def saves_half(method: str, setting: str) -> Check:
    """A method saves 45 % of the operations at a cost of 2.5 points at most."""
    return all_of(
        level(method, "saved", setting=setting, at_least=45.0),
        gain(method, DENSE, "accuracy", setting=setting, at_least=-2.5),
        names=["operations saved", "accuracy"],
    )
