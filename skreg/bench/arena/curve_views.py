"""Pictures made of curves: each function makes the `draw` of a figure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from skreg.bench import Axis
from skreg.bench.arena.views import curve_panels, draw_curves, new_figure, share_legend

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    Draw = Callable[[pd.DataFrame], Figure]


def curves_of_settings(
    settings: Sequence[str],
    metric: str,
    axis: Axis,
    methods: Sequence[str],
    ylabel: str,
    *,
    geometric: bool = False,
    n_columns: int = 3,
) -> Draw:
    """A panel for each setting, on logarithmic axes; parameters as of `views.curve_panels`."""

    def draw(results: pd.DataFrame) -> Figure:
        figure, _ = curve_panels(
            results,
            settings,
            metric,
            axis,
            methods,
            ylabel,
            geometric=geometric,
            n_columns=n_columns,
        )
        return figure

    return draw


def curves_of_groups(
    groups: Mapping[str, Sequence[str]],
    metric: str,
    axis: Axis,
    ylabel: str,
    *,
    setting: str,
    ylim: tuple[float, float],
) -> Draw:
    """A panel with a legend for each group of methods, under the group's name."""

    def draw(results: pd.DataFrame) -> Figure:
        figure, panels = new_figure(len(groups))
        for panel, (title, names) in zip(panels, groups.items(), strict=True):
            draw_curves(panel, results, setting, metric, axis.column, names)
            panel.set(title=title, xlabel=axis.label, ylabel=ylabel, ylim=ylim)
            panel.set_xticks(results[axis.column].unique())
            panel.legend(loc="lower center", bbox_to_anchor=(0.5, 1.1), ncols=2, fontsize="small")
        return figure

    return draw


def curves_from_zero(
    methods: Sequence[str], metric: str, axis: Axis, ylabel: str, *, setting: str
) -> Draw:
    """One panel, its horizontal axis logarithmic, its vertical one from zero."""

    def draw(results: pd.DataFrame) -> Figure:
        figure, (panel,) = new_figure(1)
        figure.set_size_inches(6.5, 4.0)
        draw_curves(panel, results, setting, metric, axis.column, methods)
        places = sorted(results.loc[results["setting"] == setting, axis.column].unique())
        panel.set(xscale="log", xlabel=axis.label, ylabel=ylabel)
        panel.set_xticks(places, labels=[f"{place:g}" for place in places])
        panel.minorticks_off()
        panel.set_ylim(bottom=0)
        share_legend(figure, panel)
        return figure

    return draw
