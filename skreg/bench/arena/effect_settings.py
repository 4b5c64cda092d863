"""Settings of the benchmark on causal effects: which graphs, how many rows, how many gaps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from skreg.bench import Axis, Setting
from skreg.bench.arena import effect_tasks as tasks

FEWEST: dict[str, Any] = {"n_features": 5, "edges_per_node": 1}
TEN: dict[str, Any] = {"n_features": 10, "edges_per_node": 2}


def by_rows(methods: Sequence[str]) -> Setting:
    """Effects and graphs from few and from many rows."""
    return effect_errors(
        "Ten nodes; the first rows of one sample for each seed.",
        tasks.first_rows,
        tasks.ROWS,
        methods,
        {**FEWEST, "rows": [60]},
        {**TEN, "rows": [60, 100, 300, 1000, 3000]},
    )


def more_nodes(methods: Sequence[str]) -> Setting:
    """Graphs with more possible edges."""
    return effect_errors(
        "Fifteen nodes; the first rows of one sample for each seed.",
        tasks.first_rows,
        tasks.ROWS,
        methods,
        {**FEWEST, "rows": [60]},
        {**TEN, "n_features": 15, "rows": [60, 250, 1000]},
    )


def by_gaps(methods: Sequence[str]) -> Setting:
    """Several shares of missing values."""
    return effect_errors(
        "Ten nodes, 500 rows, values missing completely at random.",
        tasks.with_holes,
        tasks.MISSING,
        methods,
        {**FEWEST, "n_samples": 100, "missing": [0.1]},
        {**TEN, "n_samples": 500, "missing": [0.0, 0.1, 0.3]},
    )


def effect_errors(
    description: str,
    draw: Any,
    axis: Axis,
    methods: Sequence[str],
    smallest: dict[str, Any],
    full: dict[str, Any],
) -> Setting:
    """Errors of the total effects, and distances of the graphs."""
    return Setting(
        description,
        draw,
        tasks.measure_along(axis),
        ["effects", "shd"],
        axis,
        methods,
        {"smallest": smallest, "full": full},
    )


def intervals(methods: Sequence[str], rows: list[int], n_questions: int) -> Setting:
    """How many effects are covered."""
    numbers = " or ".join(map(str, rows))
    return Setting(
        f"Ten nodes, {numbers} rows; {n_questions} effects for each seed, each in a graph of its "
        "own.",
        tasks.ask,
        tasks.measure_coverage,
        ["coverage", "without"],
        tasks.ROWS,
        methods,
        {
            "smallest": {**FEWEST, "rows": [60], "n_questions": 1},
            "full": {**TEN, "rows": rows, "n_questions": n_questions},
        },
    )
