"""Pictures of ordinal models: their errors next to those that a paper published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from skreg.bench import by_seed
from skreg.bench.arena.views import draw_intervals, new_figure, share_legend
from skreg.pictures import INK

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def draw_ratios(
    results: pd.DataFrame,
    methods: Sequence[str],
    rivals: Sequence[str],
    published: Mapping[str, Sequence[float]],
) -> Figure:
    """Ratios of errors, a row for each setting and a panel for each rival.

    Parameters
    ----------
    results : DataFrame
        The table of all results.
    methods : sequence of str
        Their errors are divided by those of the rivals.
    rivals : sequence of str
        The rivals.
    published : mapping of str to sequence of float
        For each setting the paper's ratios, in the order of the rivals. Settings without results
        are left out.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.
    """
    names = [name for name in published if name in set(results["setting"])]
    errors = [by_seed(results, name, "mse", ["method"]) for name in names]
    figure, panels = new_figure(len(rivals))
    figure.set_size_inches(9.2, 1.6 + 0.4 * len(names))
    for column, (panel, rival) in enumerate(zip(panels, rivals, strict=True)):
        ratios = {
            method: [np.asarray(error[method] / error[rival]) for error in errors]
            for method in methods
        }
        draw_intervals(panel, names if not column else [""] * len(names), ratios, geometric=True)
        medians = [published[name][column] for name in names]
        panel.plot(medians, range(len(names)), "D", color=INK, label="paper's median, Brier")
        panel.set(title=f"Against {rival.lower()}", xlabel="ratio of mean squared errors")
    share_legend(figure, panels[0])
    return figure
