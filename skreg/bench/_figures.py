"""Figures of the report: a common look, curves with error bands, and inline SVG."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from skreg.bench._results import by_seed, mean_and_standard_error
from skreg.pictures import MARKERS, PALETTE

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": "#55595f",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e8eb",
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
    "svg.hashsalt": "skreg",
    "svg.fonttype": "path",
}
_NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))


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


def draw_as_svg(draw: Callable[[pd.DataFrame], Figure], results: pd.DataFrame) -> str:
    """Draw a figure in the report's look, as an SVG element for the inside of an HTML page.

    Parameters
    ----------
    draw : callable
        ``draw(results)`` returns a matplotlib figure.
    results : DataFrame
        The table of all results.

    Returns
    -------
    str
        From ``<svg`` to ``</svg>``: no XML declaration, no document type, no metadata.
    """
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context(_STYLE):
        draw(results).savefig(buffer, format="svg", metadata=_NO_METADATA)
    document = buffer.getvalue()
    return document[document.index("<svg") :].strip()
