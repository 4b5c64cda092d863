"""Pictures of block coordinate descent: suboptimality against what it cost, and iterations."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from skreg.bench import Axis, Figure, by_seed
from skreg.bench.arena.views import curve_style, new_figure, share_legend

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as MatplotlibFigure

COSTS = (Axis("iteration", "iterations"), Axis("operations", "entries of the data touched"))


def curve_figure(title: str, settings: Sequence[str], methods: Sequence[str]) -> Figure:
    """Suboptimality against iterations and operations."""
    return Figure(
        f"{title}: suboptimality relative to the start against iterations and against the entries "
        "of the data touched, geometric mean over seeds with bands of one standard error.",
        functools.partial(draw_curves, settings=settings, methods=methods),
        settings,
    )


def iterations_figure(title: str, sizes: Mapping[str, int], methods: Sequence[str]) -> Figure:
    """Iterations against the size of the blocks; `sizes` by setting."""
    return Figure(
        f"{title}: iterations to 1e-8, geometric mean over seeds; solid lines are "
        "variable blocks, dashed ones sorted blocks.",
        functools.partial(draw_iterations, sizes=sizes, methods=methods),
        [*sizes],
    )


def draw_curves(
    results: pd.DataFrame, settings: Sequence[str], methods: Sequence[str]
) -> MatplotlibFigure:
    figure, panels = new_figure(len(settings) * len(COSTS))
    places = itertools.product(settings, COSTS)
    for panel, (setting, cost) in zip(panels, places, strict=True):
        rows = results[(results["setting"] == setting) & (results["iteration"] > 0)]
        for index, name in enumerate(methods):
            steps = rows[rows["method"] == name].groupby("iteration")
            x = steps["seed"].first().index if cost is COSTS[0] else steps[cost.column].mean()
            mean, error = steps["log_gap"].mean(), steps["log_gap"].sem().fillna(0.0)
            style = curve_style(index)
            panel.plot(x, 10**mean, label=name, markevery=(index % 3, 3), **style)
            low, high = 10 ** (mean - error), 10 ** (mean + error)
            panel.fill_between(x, low, high, color=style["color"], alpha=0.15, linewidth=0)
        panel.set(title=setting, xlabel=cost.label, xscale="log", yscale="log")
        panel.set_ylabel("suboptimality / that of the start")
    share_legend(figure, panels[0], 4)
    return figure


def draw_iterations(
    results: pd.DataFrame, sizes: Mapping[str, int], methods: Sequence[str]
) -> MatplotlibFigure:
    """Geometric mean of the iterations against the size of the blocks; `sizes` by setting."""
    figure, (panel,) = new_figure(1)
    figure.set_size_inches(6.5, 4.2)
    means = {
        setting: np.exp(np.log(by_seed(results, setting, "iterations", ["method"])).mean())
        for setting in sizes
    }
    for index, name in enumerate(methods):
        style = curve_style(index // 2) | {"linestyle": "-" if index % 2 == 0 else (0, (3, 2))}
        values = [means[setting][name] for setting in sizes]
        panel.plot(list(sizes.values()), values, label=name, **style)
    panel.set(xscale="log", yscale="log", xlabel="block size", ylabel="iterations to 1e-8")
    panel.set_xticks(list(sizes.values()), [str(size) for size in sizes.values()])
    panel.yaxis.set_major_formatter("{x:g}")
    panel.minorticks_off()
    share_legend(figure, panel, 2)
    return figure
