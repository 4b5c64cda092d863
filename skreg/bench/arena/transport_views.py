"""The picture of restored images: error against distance, along alpha."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from skreg.bench._statistics import by_seed
from skreg.bench.arena.views import curve_style, new_figure, share_legend

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

FARTHEST = 3.0  # times the distance and the error of what is not moved: the rest is cut off


def draw_tradeoffs(
    results: pd.DataFrame, settings: Sequence[str], methods: Sequence[str]
) -> Figure:
    """A curve per method in a panel per setting, means over the seeds."""
    figure, panels = new_figure(len(settings))
    for panel, setting in zip(panels, settings, strict=True):
        error, distance = (
            by_seed(results, setting, metric, ["method", "alpha"]).mean()
            for metric in ("mse", "distance")
        )
        for index, method in enumerate(methods):
            if method in error.index.get_level_values("method"):
                panel.plot(distance[method], error[method], label=method, **curve_style(index))
        own = distance[methods[0], 1.0], error[methods[0], 1.0]
        right, top = (
            1.05 * min(found.max(), FARTHEST * end)
            for found, end in zip((distance, error), own, strict=True)
        )
        panel.set(title=setting, xlabel="Fréchet distance", ylabel="squared error")
        panel.set(xlim=(0.0, right), ylim=(0.9 * error.min(), top))
    share_legend(figure, panels[0])
    return figure
