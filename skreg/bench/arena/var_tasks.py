"""Structural autoregressions to recover, and how far both graphs are from the true ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from skreg.bench import Axis, Metric, Setting
from skreg.bench.arena.var_methods import Graphs
from skreg.causal.metrics import structural_hamming_distance
from skreg.datasets import StructuralSeries, make_structural_var

ROWS = Axis("rows", "rows of the series")
METRICS = {
    "shd": Metric("SHD, instantaneous", digits=1),
    "f1": Metric("F1, instantaneous", better="higher"),
    "f1_lagged": Metric("F1, lagged", better="higher"),
}


def recovery(description: str, variance: float | tuple[float, float]) -> Setting:
    """Ten variables with two lags, at several numbers of rows."""
    process = {"n_variables": 10, "order": 2, "noise_variance": variance}
    return Setting(
        description,
        draw,
        measure,
        list(METRICS),
        axis=ROWS,
        parameters={
            "smallest": {**process, "n_variables": 4, "rows": [60]},
            "full": {**process, "rows": [60, 120, 250, 500, 1000]},
        },
    )


def draw(
    seed: int, *, rows: Sequence[int], **process: Any
) -> tuple[StructuralSeries, Sequence[int]]:
    """One series of the largest number of rows, and the numbers."""
    return make_structural_var(max(rows), random_state=seed, **process), rows


def measure(
    task: tuple[StructuralSeries, Sequence[int]], methods: Mapping[str, Any], _seed: int
) -> Iterator[dict[str, Any]]:
    """The first rows of the series are given to every method."""
    series, rows = task
    order = len(series.lagged_adjacency)
    with threadpool_limits(1):
        for n in rows:
            for name, method in methods.items():
                found = method(series.X[:n], order)
                yield {"method": name, "rows": n} | accuracy(series, found)


def accuracy(series: StructuralSeries, found: Graphs) -> dict[str, float]:
    """All metrics; edges of different lags are different edges."""
    return {
        "shd": structural_hamming_distance(series.adjacency, found.adjacency),
        "f1": f1(series.adjacency, found.adjacency),
        "f1_lagged": f1(series.lagged_adjacency, found.lagged),
    }


def f1(truth: np.ndarray, found: np.ndarray) -> float:
    """Harmonic mean of precision and recall of edges, 1 where there are none in either."""
    both = np.count_nonzero((truth != 0) & (found != 0))
    total = np.count_nonzero(truth) + np.count_nonzero(found)
    return 2 * both / total if total else 1.0
