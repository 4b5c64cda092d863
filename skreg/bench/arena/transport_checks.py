"""Checks of sparse plans along k, and their picture."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from skreg.bench import Figure
from skreg.bench.arena.checks import Check, statistic
from skreg.bench.arena.views import draw_curves, new_figure, share_legend

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as MatplotlibFigure


def along_k(evidence: Any, setting: str, metric: str, method: str) -> np.ndarray:
    """Values of one method, shape (n_ks, n_seeds); those k that it has an answer for."""
    rows = evidence.results
    rows = rows[(rows["setting"] == setting) & (rows["method"] == method)]
    ks = sorted(rows["k"].unique())
    return np.array([evidence.values(setting, metric, method, k) for k in ks])


def never_rises(method: str, metric: str, setting: str, *, slack: float) -> Check:
    """The largest step upwards along k is rounding; what falls on other seeds makes up for none."""

    def rises(evidence: Any) -> np.ndarray:
        return np.diff(along_k(evidence, setting, metric, method), axis=0).max(axis=0).clip(0.0)

    return statistic(rises, f"largest rise of {metric} along k", at_most=slack)


def largest_along_k(method: str, metric: str, setting: str, **bound: float) -> Check:
    """The largest value along k, seed by seed."""

    def largest(evidence: Any) -> np.ndarray:
        values = along_k(evidence, setting, metric, method)
        return values.max(axis=0) if len(values) else values

    return statistic(largest, f"largest {metric} of {method} along k", log=True, **bound)


def ratio_along_k(
    method: str, metric: str, setting: str, at: int, to: int, **bound: float
) -> Check:
    """Geometric mean over the seeds of one method's value at one k over that at another."""

    def ratios(evidence: Any) -> np.ndarray:
        value, base = (evidence.values(setting, metric, method, k) for k in (at, to))
        return (value / base).to_numpy()

    return statistic(ratios, f"{metric} at {at} over those at {to}", log=True, **bound)


def agrees(method: str, oracle: str, metric: str, setting: str, at: int, *, to: float) -> Check:
    """Two methods have one value, up to a difference on average over the seeds."""

    def differences(evidence: Any) -> np.ndarray:
        one, other = (evidence.values(setting, metric, name, at) for name in (method, oracle))
        return np.abs(one - other).to_numpy()

    return statistic(differences, f"distance to {oracle} (at {at})", at_most=to)


def figure_along_k(setting: str, methods: Sequence[str]) -> Figure:
    """Dual value and marginal error against k."""
    return Figure(
        "Dual value and marginal error against k: means over the seeds (geometric for the error) "
        "with bands of one standard error. The plain dual stalls below its maximum for small k, "
        "and its plans miss their marginals until k is large.",
        functools.partial(draw_along_k, setting=setting, methods=methods),
        [setting],
    )


def draw_along_k(results: pd.DataFrame, setting: str, methods: Sequence[str]) -> MatplotlibFigure:
    figure, (values, errors) = new_figure(2)
    draw_curves(values, results, setting, "dual_value", "k", methods)
    draw_curves(errors, results, setting, "error", "k", methods, geometric=True)
    values.set(title="Dual value", xlabel="k", xscale="log")
    errors.set(title="Marginal error", xlabel="k", xscale="log", yscale="log")
    ks = sorted(results.loc[results["setting"] == setting, "k"].unique())
    for panel in (values, errors):
        panel.set_xticks(ks, labels=[f"{k:g}" for k in ks])
        panel.minorticks_off()
    share_legend(figure, errors)
    return figure
