"""The picture of errors along the number of features and of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from skreg.bench.arena.views import draw_curves, new_figure, share_legend

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def draw_growth(
    results: pd.DataFrame, panels: Sequence[tuple[str, str, str]], methods: Sequence[str]
) -> Figure:
    """A panel for each (setting, axis, label), on logarithmic scales."""
    figure, axes = new_figure(len(panels))
    for ax, (setting, axis, label) in zip(axes, panels, strict=True):
        draw_curves(ax, results, setting, "test", axis, methods, geometric=True)
        ax.set(title=setting, xlabel=label, ylabel="test error", xscale="log", yscale="log")
    share_legend(figure, axes[0])
    return figure
