"""The stories by name, in the order in which the page tells them."""

from __future__ import annotations

import importlib.util

STORIES = {
    name: f"skreg.demo.stories.{name.replace('-', '_')}"
    for name in (
        "many-classes",
        "rare-event",
        "sparse-certificate",
        "causal-graph",
        "coreset",
        "few-labels",
        "wrong-labels",
    )
}
# the longest wait for compilers begin early; the first result is one that needs none
START_ORDER = ("many-classes", "rare-event", "wrong-labels", "sparse-certificate", "causal-graph")
NEEDS = {"wrong-labels": ("deep", ("torch", "skorch"))}


def missing_package(name: str) -> tuple[str, str] | None:
    """The first package that a story lacks and the extra that brings it; None if there is none."""
    extra, packages = NEEDS.get(name, ("", ()))
    lacks = [package for package in packages if importlib.util.find_spec(package) is None]
    return (lacks[0], extra) if lacks else None


def in_start_order(names: list[str]) -> list[str]:
    """Names in the order in which their stories begin."""
    first = [name for name in START_ORDER if name in names]
    return first + [name for name in names if name not in first]
