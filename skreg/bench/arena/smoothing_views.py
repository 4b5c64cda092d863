"""The picture of certified accuracy along the radius."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from skreg.bench.arena.views import draw_curves, new_figure, share_legend

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def draw_certified_accuracy(
    results: pd.DataFrame, settings: Sequence[str], methods: Sequence[str]
) -> Figure:
    """A panel for each setting that was run, a curve for each method."""
    there = [name for name in settings if (results["setting"] == name).any()]
    figure, panels = new_figure(len(there))
    for panel, setting in zip(panels, there, strict=True):
        draw_curves(panel, results, setting, "accuracy", "radius", methods)
        panel.set(title=setting, xlabel="L2 radius", ylabel="certified accuracy", ylim=(0, 1.02))
    share_legend(figure, panels[0])
    return figure
