"""Pictures of results: panels, curves with error bands, a legend for a whole figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from skreg.bench._statistics import by_seed, mean_and_standard_error
from skreg.pictures import MARKERS, PALETTE

if TYPE_CHECKING:
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
    """
    summary = mean_and_standard_error(by_seed(results, setting, metric, ["method", axis]))
    for index, method in enumerate(methods):
        if method not in summary.index.get_level_values("method"):
            continue
        curve = summary.loc[method].sort_index()
        mean, standard_error = curve["mean"], curve["standard_error"].fillna(0)
        colour = PALETTE[index % len(PALETTE)]
        panel.plot(
            curve.index,
            mean,
            color=colour,
            marker=MARKERS[index % len(MARKERS)],
            markeredgewidth=0,
            label=method,
        )
        panel.fill_between(
            curve.index,
            mean - standard_error,
            mean + standard_error,
            color=colour,
            alpha=0.15,
            linewidth=0,
        )


def share_legend(figure: Figure, panel: Any, n_columns: int = 3) -> None:
    """Put the legend of one panel above the whole figure."""
    handles, labels = panel.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=n_columns, frameon=False)
