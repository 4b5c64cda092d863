"""Pictures of linear probes: learning curves with the place where two cross, samples needed."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from skreg.bench import Figure, by_seed
from skreg.bench.arena.curve_views import curves_of_settings
from skreg.bench.arena.probe_settings import LABELS, SIZE
from skreg.bench.arena.views import curve_panels
from skreg.pictures import INK
from skreg.probe import crossover_size

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as MatplotlibFigure


def learning_curve_figure(
    settings: Sequence[str], methods: Sequence[str], early: str, late: str
) -> Figure:
    """Errors by the number of labels; `early` is ahead at few of them, `late` at many."""
    return Figure(
        "Test error against the number of labels: mean over seeds, with bands of one standard "
        "error. The dashed line is the size at which linear naive Bayes and logistic "
        "regression cross, the grey band its 95 % bootstrap interval over seeds. Both axes are "
        "logarithmic.",
        functools.partial(
            draw_learning_curves, settings=settings, methods=methods, early=early, late=late
        ),
        settings,
    )


def sample_complexity_figure(setting: str, methods: Sequence[str]) -> Figure:
    """Samples that methods need on a mixture of two classes, by the number of features."""
    return Figure(
        "Simulation with two classes: the samples that each method needs to come within 0.01 "
        "of the Bayes error, against the number of features; both axes are logarithmic, so a "
        "straight line of slope one is linear growth.",
        curves_of_settings(
            [setting],
            "sample_complexity",
            SIZE,
            methods,
            "samples to Bayes error + 0.01",
            n_columns=2,
        ),
        [setting],
    )


def draw_learning_curves(
    results: pd.DataFrame, settings: Sequence[str], methods: Sequence[str], early: str, late: str
) -> MatplotlibFigure:
    figure, panels = curve_panels(results, settings, "error", LABELS, methods, "test error")
    for panel, setting in zip(panels, settings, strict=True):
        errors = by_seed(results, setting, "error", ["method", LABELS.column])
        mark_crossover(panel, errors[early], errors[late])
    return figure


def mark_crossover(panel: Any, early: pd.DataFrame, late: pd.DataFrame) -> None:
    """Dashed line where the curves cross, with a band of its bootstrap interval at 95 %."""
    early, late = (errors.sort_index(axis=1) for errors in (early, late))
    sizes = early.columns.to_numpy(int)
    found = crossover_size(sizes, early.to_numpy(), late.to_numpy(), random_state=0)
    lower, upper = panel.get_xlim()
    text = "NB ahead throughout" if np.isinf(found.size) else "LR ahead throughout"
    if np.isfinite(found.size) and found.censored is None:
        text = f"NB = LR at m = {found.size:.0f}"
        panel.axvline(found.size, color=INK, linestyle=(0, (4, 2)), linewidth=1)
        band = np.clip(found.confidence_interval, lower, upper)
        panel.axvspan(*band, color=INK, alpha=0.1, linewidth=0)
    panel.text(0.98, 0.98, text, transform=panel.transAxes, ha="right", va="top", color=INK)
    panel.set_xlim(lower, upper)


def crossings(errors: pd.DataFrame, early: str, late: str) -> np.ndarray:
    """Where the curves of each seed cross."""
    first, second = (errors[name].sort_index(axis=1) for name in (early, late))
    sizes = first.columns.to_numpy(int)
    pairs = zip(first.to_numpy(), second.to_numpy(), strict=True)
    return np.array([crossover_size(sizes, *pair).size for pair in pairs])
