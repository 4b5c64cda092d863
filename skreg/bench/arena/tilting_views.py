"""The picture of paths: errors against strength, from much regularization to little."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from skreg.bench._statistics import by_seed
from skreg.bench.arena.views import curve_style, new_figure, share_legend

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

ERRORS = {"test_error": "test error", "train_error": "training error"}


def draw_paths(results: pd.DataFrame, settings: Sequence[str], method: str) -> Figure:
    """Means over the seeds, a panel per setting; points from C = 1 on are named."""
    figure, panels = new_figure(len(settings))
    for panel, setting in zip(panels, settings, strict=True):
        strength = by_seed(results, setting, "strength", ["method", "C"]).mean()[method]
        for index, (metric, label) in enumerate(ERRORS.items()):
            error = 100 * by_seed(results, setting, metric, ["method", "C"]).mean()[method]
            panel.plot(strength, error, label=label, **curve_style(index))
            if metric == "test_error":
                for C, place in strength[strength.index >= 1.0].items():  # others are crowded
                    panel.annotate(
                        f"{C:g}", (place, error[C]), xytext=(0, 6), ha="center",
                        textcoords="offset points", fontsize="x-small",
                    )  # fmt: skip
        panel.set(title=setting, xlabel="strength (at each C)", ylabel="error, %", xscale="log")
        panel.set_xticks([1, 2, 3, 4, 5], labels=["1", "2", "3", "4", "5"])
        panel.minorticks_off()
    share_legend(figure, panels[0])
    return figure
