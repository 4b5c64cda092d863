"""Pictures of results: panels, curves with error bands, a legend for a whole figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from skreg.bench._benchmark import Axis
from skreg.bench._statistics import by_seed, mean_and_standard_error
from skreg.bench.arena.checks import Interval
from skreg.pictures import INK, PALETTE, series_style

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure


def new_figure(n_panels: int) -> tuple[Figure, list[Any]]:
    """Make a figure with panels side by side, two in a row.

    Parameters
    ----------
    n_panels : int
        Number of panels.

    Returns
    -------
    figure : matplotlib.figure.Figure
        The figure, not registered with pyplot.
    panels : list of matplotlib.axes.Axes
        Its axes.
    """
    from matplotlib.figure import Figure

    n_columns = min(n_panels, 2)
    n_rows = -(-n_panels // n_columns)
    figure = Figure(figsize=(4.6 * n_columns, 3.3 * n_rows + 0.4), layout="constrained")
    grid = figure.subplots(n_rows, n_columns, squeeze=False)
    panels = list(grid.flat)
    for unused in panels[n_panels:]:
        unused.remove()
    return figure, panels[:n_panels]


def draw_curves(
    panel: Any,
    results: pd.DataFrame,
    setting: str,
    metric: str,
    axis: str,
    methods: Sequence[str],
    *,
    geometric: bool = False,
) -> None:
    """Draw one curve per method, mean over seeds with a band of one standard error.

    Parameters
    ----------
    panel : matplotlib.axes.Axes
        Drawn into; both of its scales are left to the caller.
    results : DataFrame
        The table of all results.
    setting : str
        The setting.
    metric : str
        Column on the vertical axis.
    axis : str
        Column on the horizontal axis.
    methods : sequence of str
        The methods in the benchmark's order, which fixes colours and markers.
    geometric : bool, default=False
        Take geometric means, of positive numbers.
    """
    import numpy as np

    values = by_seed(results, setting, metric, ["method", axis])
    summary = mean_and_standard_error(np.log(values) if geometric else values)
    for index, method in enumerate(methods):
        if method not in summary.index.get_level_values("method"):
            continue
        curve = summary.loc[method].sort_index()
        mean, standard_error = curve["mean"], curve["standard_error"].fillna(0)
        lines = mean, mean - standard_error, mean + standard_error
        middle, low, high = map(np.exp, lines) if geometric else lines
        style = curve_style(index)
        panel.plot(curve.index, middle, markeredgewidth=0, label=method, **style)
        panel.fill_between(curve.index, low, high, color=style["color"], alpha=0.15, linewidth=0)


def curve_style(index: int) -> dict[str, Any]:
    """Colour and marker of the i-th of several curves; beyond the palette, dashes."""
    again = index >= len(PALETTE)
    return series_style(index) | {"linestyle": (0, (3, 2)) if again else "-"}


def curve_panels(
    results: pd.DataFrame,
    settings: Sequence[str],
    metric: str,
    axis: Axis,
    methods: Sequence[str],
    ylabel: str,
    *,
    geometric: bool = False,
    n_columns: int = 3,
) -> tuple[Figure, list[Any]]:
    """Draw the curves of several settings side by side, on logarithmic axes.

    Parameters
    ----------
    results : DataFrame
        The table of all results.
    settings : sequence of str
        One panel for each.
    metric : str
        Column on the vertical axis.
    axis : Axis
        The horizontal one; its ticks are where values were measured.
    methods : sequence of str
        The methods in the benchmark's order.
    ylabel : str
        What the vertical axis shows, with its unit.
    geometric : bool, default=False
        Take geometric means.
    n_columns : int, default=3
        Columns of the legend.

    Returns
    -------
    figure : matplotlib.figure.Figure
        The figure, with one legend above the panels.
    panels : list of matplotlib.axes.Axes
        Its axes.
    """
    figure, panels = new_figure(len(settings))
    for panel, setting in zip(panels, settings, strict=True):
        draw_curves(panel, results, setting, metric, axis.column, methods, geometric=geometric)
        rows = results[(results["setting"] == setting) & results[metric].notna()]
        places = sorted(rows[axis.column].unique())
        panel.set(title=setting, xlabel=axis.label, ylabel=ylabel, xscale="log", yscale="log")
        panel.set_xticks(places, labels=[f"{place:,g}" for place in places])
        panel.yaxis.set_major_formatter("{x:g}")
        panel.yaxis.get_major_locator().set_params(subs=(1, 2, 5))
        panel.minorticks_off()
    share_legend(figure, panels[0], n_columns)
    return figure, panels


def draw_intervals(
    panel: Any,
    rows: Sequence[str],
    series: Mapping[str, Sequence[np.ndarray]],
    *,
    first: int = 0,
    geometric: bool = False,
) -> None:
    """Draw dots with intervals of the mean at 95 %, one line of dots for each row.

    Parameters
    ----------
    panel : matplotlib.axes.Axes
        Drawn into.
    rows : sequence of str
        Names of the rows, from above.
    series : mapping of str to sequence of ndarray
        For each series the values over seeds, row by row; an empty array where there are none.
    first : int, default=0
        Colour and marker of the first series.
    geometric : bool, default=False
        Take geometric means, and a logarithmic axis.
    """
    import numpy as np

    for index, (label, values) in enumerate(series.items()):
        shift = 0.26 * (index - (len(series) - 1) / 2)
        found = [Interval.of(np.log(v) if geometric else v) if len(v) else None for v in values]
        places = [place + shift for place, interval in enumerate(found) if interval is not None]
        ends = np.array([interval[:3] for interval in found if interval is not None])
        ends = np.where(np.isfinite(ends), ends, ends[:, :1])  # one seed has no interval
        middle, low, high = (np.exp(ends) if geometric else ends).T
        style = curve_style(first + index) | {"linestyle": "none"}
        panel.errorbar(
            middle, places, xerr=[middle - low, high - middle], label=label, elinewidth=1.4, **style
        )
    panel.set_yticks(range(len(rows)), labels=rows)
    panel.set_ylim(len(rows) - 0.5, -0.5)
    if geometric:
        from matplotlib.ticker import LogLocator

        panel.set_xscale("log")
        panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7)))
        panel.xaxis.set_major_formatter("{x:g}")
        panel.minorticks_off()
        panel.axvline(1, color=INK, linewidth=0.8)


def share_legend(figure: Figure, panel: Any, n_columns: int = 3) -> None:
    """Put the legend of one panel above the whole figure."""
    handles, labels = panel.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=n_columns, frameon=False)
