"""Pictures of accuracies by learning rate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from skreg.bench.arena.views import draw_curves, new_figure, share_legend

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def curves_by_rate(
    settings: Sequence[str], methods: Sequence[str]
) -> Callable[[pd.DataFrame], Figure]:
    """Test accuracy against the encoder's learning rate, a panel for each setting."""

    def draw(results: pd.DataFrame) -> Figure:
        figure, panels = new_figure(len(settings))
        for panel, setting in zip(panels, settings, strict=True):
            draw_curves(panel, results, setting, "accuracy", "rate", methods)
            rates = sorted(results.loc[results["setting"] == setting, "rate"].dropna().unique())
            panel.set(title=setting, xlabel="Learning rate of the encoder", xscale="log")
            panel.set_ylabel("Test accuracy (%)")
            panel.set_xticks(rates, labels=[f"{rate:g}" for rate in rates])
            panel.minorticks_off()
        share_legend(figure, panels[0])
        return figure

    return draw
