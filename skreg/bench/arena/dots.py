"""Pictures of what methods reach: a row for each method, dots with intervals over the seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from skreg.bench._statistics import by_seed
from skreg.bench.arena.views import draw_intervals, new_figure
from skreg.pictures import INK

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

CAPTION = "Means over the seeds with intervals at 95 %; verdicts rest on differences seed by seed."


class Dots(NamedTuple):
    """A panel of `dots_of_methods`.

    Attributes
    ----------
    setting : str
        The setting.
    metrics : str or mapping of str to str
        Column of the results; or several, a series of dots each, and what the legend calls them.
    title : str
        What is shown, in words.
    xlabel : str
        What the axis shows, with its unit.
    geometric : bool, default=False
        Take geometric means, and a logarithmic axis.
    """

    setting: str
    metrics: str | Mapping[str, str]
    title: str
    xlabel: str
    geometric: bool = False


def dots_of_methods(
    *panels: Dots, methods: Sequence[str], against: str = ""
) -> Callable[[pd.DataFrame], Figure]:
    """Make the `draw` of a figure: a row for each method, dots with intervals at 95 %.

    Parameters
    ----------
    *panels : Dots
        The panels, two in a row; those to the right share the names of the rows.
    methods : sequence of str
        The methods, from above; those without results have empty rows.
    against : str, default=""
        A method whose values at the same seed are subtracted; the line at zero is then drawn.

    Returns
    -------
    callable
        ``draw(results)``.
    """

    def draw(results: pd.DataFrame) -> Figure:
        figure, axes = new_figure(len(panels))
        figure.set_figheight(max(1, 0.06 * len(methods)) * figure.get_figheight())
        for index, (panel, dots) in enumerate(zip(axes, panels, strict=True)):
            named = {dots.metrics: ""} if isinstance(dots.metrics, str) else dots.metrics
            series = {}
            for metric, label in named.items():
                values = by_seed(results, dots.setting, metric, ["method"])
                if against:
                    values = values.sub(values[against], axis=0)
                    panel.axvline(0, color=INK, linewidth=0.8)
                values = values.reindex(columns=methods)
                series[label] = [values[name].dropna().to_numpy() for name in methods]
            rows = [""] * len(methods) if index % 2 else methods
            draw_intervals(panel, rows, series, geometric=dots.geometric)
            if not dots.geometric:
                panel.locator_params(axis="x", nbins=5)
            panel.set(title=dots.title, xlabel=dots.xlabel)
            if len(series) > 1:
                panel.legend(loc="upper left", bbox_to_anchor=(0, -0.2), ncols=len(series))
        return figure

    return draw
