"""Pictures of accuracies on held-out domains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from skreg.bench._statistics import by_seed
from skreg.bench.arena.views import draw_curves, draw_intervals, new_figure, share_legend

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def draw_domains(
    results: pd.DataFrame,
    setting: str,
    methods: Sequence[str],
    along: str,
    curves: Sequence[str],
) -> Figure:
    """Accuracies of all methods in one setting, and of some along the angle held out."""
    figure, (left, right) = new_figure(2)
    values = by_seed(results, setting, "accuracy", ["method"]).reindex(columns=list(methods))
    draw_intervals(left, methods, {"": [values[name].dropna().to_numpy() for name in methods]})
    left.set(title=setting, xlabel="accuracy on the target")
    draw_curves(right, results, along, "accuracy", "angle", curves)
    angles = sorted(results.loc[results["setting"] == along, "angle"].unique())
    right.set(title=along, xlabel="angle held out", ylabel="accuracy", xticks=angles)
    share_legend(figure, right, 3)
    return figure
