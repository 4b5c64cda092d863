"""Checks of learners on streams, and their picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from skreg.bench.arena.checks import Check, statistic
from skreg.bench.arena.views import draw_intervals, new_figure, share_legend

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def near_the_best(
    method: str, others: Sequence[str], metric: str, setting: str, *, at_most: float
) -> Check:
    """A method's value over the least of several others', seed by seed."""

    def ratios(evidence: Any) -> np.ndarray:
        values = [evidence.values(setting, metric, name, None).to_numpy() for name in others]
        own = evidence.values(setting, metric, method, None).to_numpy()
        return own / np.min(values, axis=0)

    label = f"{setting}: ratio to the best of {len(others)}"
    return statistic(ratios, label, at_most=at_most, log=True)


def draw_excess(
    results: pd.DataFrame, settings: Sequence[str], metric: str, methods: Sequence[str]
) -> Figure:
    """Geometric means with intervals: a row for each method, a series for each setting."""
    figure, panels = new_figure(1)
    series = {}
    for setting in settings:
        rows = results[results["setting"] == setting]
        series[setting] = [rows.loc[rows["method"] == name, metric].to_numpy() for name in methods]
    draw_intervals(panels[0], list(methods), series, geometric=True)
    panels[0].set_xlabel("excess cumulative loss")
    share_legend(figure, panels[0])
    figure.set_size_inches(7.0, 1.2 + 0.45 * len(methods))
    return figure
