"""Learning curves of linear probes, with the place where two of them cross."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from skreg.bench import Axis, by_seed
from skreg.bench.arena.views import curve_panels
from skreg.pictures import INK
from skreg.probe import crossover_size

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

LABELS = Axis("n_train", "training samples m")


def draw_learning_curves(
    results: pd.DataFrame, settings: Sequence[str], methods: Sequence[str], early: str, late: str
) -> Figure:
    """Errors by the number of labels; `early` is ahead at few of them, `late` at many."""
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
