"""What is claimed of the results of ``block-coordinate-descent``, and how they are drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from skreg.bench import Figure, Verdict
from skreg.bench._statistics import by_seed
from skreg.bench.arena.views import new_figure, share_legend
from skreg.pictures import PALETTE

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as MatplotlibFigure


def final(results: pd.DataFrame, setting: str) -> pd.DataFrame:
    """Last value of every method, seeds down, methods across."""
    rows = results[results["setting"] == setting]
    last = rows[rows["iteration"] == rows["iteration"].max()]
    return last.pivot_table(index="seed", columns="method", values="log_gap")


def lower_by(
    setting: str, better: str, worse: Sequence[str], margin: float
) -> Callable[[pd.DataFrame], Verdict]:
    """Claim: the median of `better` is below those of all of `worse` by a margin."""

    def check(results: pd.DataFrame) -> Verdict:
        medians = final(results, setting).median()
        gaps = {name: medians[name] - medians[better] for name in worse}
        nearest = min(gaps, key=lambda name: gaps[name])
        return Verdict(
            bool(gaps[nearest] >= margin),
            f"{gaps[nearest]:.2f} decades (against {nearest})",
            f"≥ {margin:g} decades",
        )

    return check


def in_order(setting: str, names: Sequence[str], share: float) -> Callable[[pd.DataFrame], Verdict]:
    """Claim: in a share of the seeds, every method ends below the next one."""

    def check(results: pd.DataFrame) -> Verdict:
        values = final(results, setting)[names]
        right = (values.diff(axis=1).iloc[:, 1:] > 0).all(axis=1).mean()
        medians = ", ".join(f"{values[name].median():.2f}" for name in names)
        return Verdict(
            bool(right >= share), f"{right:.0%} of seeds; medians {medians}", f"≥ {share:.0%}"
        )

    return check


def medians_in_order(
    settings: Sequence[str], names: Sequence[str]
) -> Callable[[pd.DataFrame], Verdict]:
    """Claim: the medians of methods decrease in the order of the names, in every setting."""

    def check(results: pd.DataFrame) -> Verdict:
        parts, right = [], True
        for setting in settings:
            medians = final(results, setting).median()
            values = [medians[name] for name in names]
            right &= bool(np.all(np.diff(values) < 0))
            parts.append(f"{setting}: " + " > ".join(f"{value:.2f}" for value in values))
        return Verdict(right, "; ".join(parts), "decreasing medians")

    return check


def all_lower(
    settings: Sequence[str], better: str, worse: str
) -> Callable[[pd.DataFrame], Verdict]:
    """Claim: the median of `better` is below that of `worse` in every setting."""

    def check(results: pd.DataFrame) -> Verdict:
        verdicts = [lower_by(name, better, [worse], 0.0)(results) for name in settings]
        measured = "; ".join(verdict.measured for verdict in verdicts)
        return Verdict(all(verdict.reproduced for verdict in verdicts), measured, "≥ 0 decades")

    return check


def iterations(results: pd.DataFrame, setting: str) -> pd.Series:
    return by_seed(results, setting, "iterations", ["method"]).median()


def lasso_ends_at_once(
    setting: str, limit: int, factor: float
) -> Callable[[pd.DataFrame], Verdict]:
    def check(results: pd.DataFrame) -> Verdict:
        median = iterations(results, setting)
        newton = max(median["projected Newton, variable"], median["two-metric, variable"])
        ratio = median["proximal gradient, variable"] / newton
        return Verdict(
            bool(newton <= limit and ratio >= factor),
            f"{newton:g} iterations, proximal gradient {ratio:.1f} times more",
            f"≤ {limit} iterations, ≥ {factor:g} times",
        )

    return check


def variable_beats_fixed(settings: Sequence[str]) -> Callable[[pd.DataFrame], Verdict]:
    def check(results: pd.DataFrame) -> Verdict:
        parts, right = [], True
        for setting in settings:
            median = iterations(results, setting)
            for update in ("proximal gradient", "projected Newton", "two-metric"):
                pair = median[f"{update}, variable"], median[f"{update}, sort"]
                right &= bool(pair[0] < pair[1])
                parts.append(f"{pair[0]:g} < {pair[1]:g}")
        return Verdict(right, ", ".join(parts), "fewer iterations in all")

    return check


# Figures


def draw_curves(
    settings: Sequence[str],
    methods: Sequence[str],
    column: str = "iteration",
    label: str = "iterations",
) -> Callable[[pd.DataFrame], MatplotlibFigure]:
    """Median suboptimality against iterations, operations or seconds."""

    def draw(results: pd.DataFrame) -> MatplotlibFigure:
        figure, panels = new_figure(len(settings))
        for panel, setting in zip(panels, settings, strict=True):
            rows = results[results["setting"] == setting]
            for index, name in enumerate(methods):
                mine = rows[rows["method"] == name].groupby("iteration")
                x = mine[column].median() if column != "iteration" else mine["seed"].first().index
                panel.plot(
                    np.maximum(x, 1 if column == "iteration" else 0),
                    mine["log_gap"].median(),
                    color=PALETTE[index % len(PALETTE)],
                    linestyle="-" if index < len(PALETTE) else "--",
                    label=name,
                )
            panel.set_title(setting)
            panel.set_xlabel(label)
            panel.set_ylabel("log10 (f − f*) / (f(0) − f*)")
            if column != "iteration":
                panel.set_xscale("log")
        share_legend(figure, panels[0])
        return figure

    return draw


def curve_figures(title: str, settings: Sequence[str], methods: Sequence[str]) -> list[Figure]:
    return [
        Figure(
            f"{title}: median suboptimality against {label}.",
            draw_curves(settings, methods, column, label),
            settings,
        )
        for column, label in [
            ("iteration", "iterations"),
            ("operations", "entries of the data touched"),
            ("seconds", "seconds"),
        ]
    ]


def draw_iterations(
    sizes: Mapping[str, int], methods: Sequence[str]
) -> Callable[[pd.DataFrame], MatplotlibFigure]:
    """Median iterations against the size of blocks; `sizes` by setting."""

    def draw(results: pd.DataFrame) -> MatplotlibFigure:
        figure, (panel,) = new_figure(1)
        for index, name in enumerate(methods):
            values = [iterations(results, setting)[name] for setting in sizes]
            panel.plot(
                list(sizes.values()),
                values,
                color=PALETTE[index // 2],
                linestyle="-" if name.endswith("variable") else "--",
                marker="o",
                label=name,
            )
        panel.set(xscale="log", yscale="log", xlabel="block size", ylabel="iterations to 1e-8")
        panel.set_xticks(list(sizes.values()), [str(size) for size in sizes.values()])
        panel.minorticks_off()
        share_legend(figure, panel, 2)
        return figure

    return draw
