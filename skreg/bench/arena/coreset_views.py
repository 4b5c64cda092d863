"""Pictures of weighted samples: what they lose against the expected number of rows."""

from __future__ import annotations

from collections.abc import Sequence

from skreg.bench import Figure
from skreg.bench.arena.coreset_tasks import ROWS
from skreg.bench.arena.curve_views import curves_of_settings


def distortion_figure(kind: str, settings: Sequence[str], methods: Sequence[str]) -> Figure:
    """Distortion of samples of one kind of matrix, a panel for each power."""
    return Figure(
        f"{kind}: distortion of all p-th powers against the expected number of rows, "
        "geometric mean over samples with bands of one standard error.",
        curves_of_settings(
            settings, "distortion", ROWS, methods, "distortion", geometric=True, n_columns=4
        ),
        settings,
    )


def cost_figure(settings: Sequence[str], methods: Sequence[str]) -> Figure:
    """Excess cost of regressions on samples, a panel for each power."""
    return Figure(
        "Regression: excess cost of the fit on the sample, geometric mean over samples with "
        "bands of one standard error.",
        curves_of_settings(
            settings, "excess_cost", ROWS, methods, "excess cost", geometric=True, n_columns=4
        ),
        settings,
    )
