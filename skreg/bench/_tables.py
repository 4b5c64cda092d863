"""Layout of the tables of a benchmark, shared by the terminal and the report."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from skreg.bench._benchmark import Axis, Benchmark, Metric, Setting
from skreg.bench._statistics import by_seed, mean_and_standard_error, paired_differences

if TYPE_CHECKING:
    import pandas as pd


_LEAST_FOR_MEDIANS = 3  # of two numbers the median is the mean


class Entry(NamedTuple):
    """One entry of a table: texts of a mean, its standard error and the median; its emphasis."""

    mean: str
    standard_error: str = ""
    median: str = ""
    strong: bool = False

    def __str__(self) -> str:
        error = f" ±{self.standard_error}" if self.standard_error else ""
        return f"{self.mean}{error}" + (f" [{self.median}]" if self.median else "")


class Mean(NamedTuple):
    """A mean with its standard error, the means of all methods in its column, and the metric."""

    value: float
    standard_error: float
    of_all: pd.Series
    metric: Metric


class Quantity(NamedTuple):
    """How numbers of a metric are written: as they are, or in a power of ten if all are tiny."""

    metric: Metric
    power: int = 0

    @classmethod
    def of(cls, metric: Metric, means: pd.Series) -> Quantity:
        """One in which the largest of some means keeps a digit."""
        sizes = [abs(mean) for mean in means if 0 < abs(mean) < math.inf]
        if metric.digits == 0 or not sizes or max(sizes) >= 10.0**-metric.digits:
            return cls(metric)
        return cls(metric, math.floor(math.log10(max(sizes))))

    @property
    def title(self) -> str:
        """Label and unit."""
        if not self.power:
            return self.metric.title
        unit = f"10{str(self.power).translate(_RAISED)} {self.metric.unit}".strip()
        return f"{self.metric.label} ({unit})"

    def text(self, value: float, sign: str = "") -> str:
        """A number with the metric's digits."""
        return number_text(value / 10.0**self.power, self.metric.digits, sign)


_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_NARROW_SPACE = "\u202f"


def number_text(value: float, digits: int, sign: str = "") -> str:
    """A number as tables show it."""
    text = f"{value:{sign},.{digits}f}".replace("inf", "∞").replace("-", "−")
    return text.replace(",", _NARROW_SPACE)


def place_text(place: float) -> str:
    """A place on an axis as heads of tables show it: integers in full, others with four digits."""
    if float(place).is_integer() and abs(place) < 1e9:
        return number_text(place, 0)
    return f"{place:.4g}".replace("-", "−")


class Table(NamedTuple):
    """A table of one setting: methods down; axis values or metrics across."""

    title: str
    caption: str
    corner: str
    head: list[str]
    rows: list[tuple[str, list[Entry]]]

    @property
    def widths(self) -> list[tuple[int, int]]:
        """Characters of the longest standard error and median of each column."""
        columns = zip(*(entries for _, entries in self.rows), strict=True)
        return [
            (max(len(e.standard_error) for e in column), max(len(e.median) for e in column))
            for column in columns
        ]

    def __str__(self) -> str:
        lines = [[self.corner, *self.head]]
        lines += [[name, *map(str, entries)] for name, entries in self.rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.head) + 1)]
        aligned = [
            "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])])
            for line in lines
        ]
        rule = "-" * len(aligned[0])
        return "\n".join([self.title, rule, aligned[0], rule, *aligned[1:], rule])


def setting_tables(benchmark: Benchmark, name: str, results: pd.DataFrame) -> list[Table]:
    """Tables of means and of paired differences for one setting.

    Parameters
    ----------
    benchmark : Benchmark
        The declaration.
    name : str
        The setting.
    results : DataFrame
        The table of all results.

    Returns
    -------
    list of Table
        Two tables for each metric along an axis; without an axis two tables for the setting. There
        are no differences from a single seed.
    """
    setting = benchmark.settings[name]
    groups = [list(setting.metrics)] if setting.axis is None else [[m] for m in setting.metrics]
    return [
        table
        for metrics in groups
        for table in _mean_and_difference(benchmark, name, setting, metrics, results)
    ]


def _mean_and_difference(
    benchmark: Benchmark, name: str, setting: Setting, metrics: list[str], results: pd.DataFrame
) -> Iterator[Table]:
    values = _values(name, setting, metrics, results)
    methods = [m for m in benchmark.methods if m in values.columns.get_level_values("method")]
    n_seeds = len(values)
    statistics = f"mean over {n_seeds} seeds ± standard error"
    statistics += " [median]" if n_seeds >= _LEAST_FOR_MEDIANS else ""
    measured = {metric: benchmark.metrics[metric] for metric in metrics}
    yield _layout(
        setting.axis,
        measured,
        of_what="",
        caption=(statistics[0].upper() + statistics[1:] if n_seeds > 1 else "One seed")
        + "; the best of each column is bold.",
        methods=methods,
        values=values,
        strong=_is_best,
        sign="",
    )
    if benchmark.reference not in methods or len(methods) == 1 or n_seeds == 1:
        return
    yield _layout(
        setting.axis,
        measured,
        of_what=f", difference from {benchmark.reference}",
        caption=(
            f"Method minus {benchmark.reference} on the same seed: {statistics} of the paired "
            "differences; bold where the mean is more than two standard errors from zero."
        ),
        methods=[method for method in methods if method != benchmark.reference],
        values=paired_differences(values, benchmark.reference),
        strong=_is_significant,
        sign="+",
    )


def _values(name: str, setting: Setting, metrics: list[str], results: pd.DataFrame) -> pd.DataFrame:
    """Seeds down; methods, and places on the axis or metrics, across."""
    import pandas as pd

    if setting.axis is not None:
        return by_seed(results, name, metrics[0], ["method", setting.axis.column])
    of_metrics = {m: by_seed(results, name, m, ["method"]) for m in metrics}
    return pd.concat(of_metrics, axis=1, names=["metric"]).swaplevel(axis=1)


def _layout(
    axis: Axis | None,
    metrics: dict[str, Metric],
    *,
    of_what: str,
    caption: str,
    methods: list[str],
    values: pd.DataFrame,
    strong: Callable[[Mean], bool],
    sign: str,
) -> Table:
    summary = mean_and_standard_error(values)
    if len(values) >= _LEAST_FOR_MEDIANS:
        summary["median"] = values.median()
    means = summary["mean"]
    quantities: dict[Any, Quantity]
    if axis is None:
        quantities = {m: Quantity.of(metrics[m], means.xs(m, level=1)) for m in metrics}
        heads = [quantity.title for quantity in quantities.values()]
        title, corner = "Results", ""
    else:
        (metric,) = metrics.values()
        quantity = Quantity.of(metric, means)
        quantities = dict.fromkeys(sorted(values.columns.unique(level=1)), quantity)
        heads = [place_text(place) for place in quantities]
        title, corner = quantity.title, axis.label
    rows = [
        (method, [_entry(summary, (method, key), q, strong, sign) for key, q in quantities.items()])
        for method in methods
    ]
    return Table(title + of_what, caption, corner, heads, rows)


def _entry(
    summary: pd.DataFrame,
    key: tuple[str, Any],
    quantity: Quantity,
    strong: Callable[[Mean], bool],
    sign: str,
) -> Entry:
    import pandas as pd

    if key not in summary.index or pd.isna(summary.loc[key, "mean"]):
        return Entry("–")
    mean, standard_error, *median = summary.loc[key]
    of_all = summary["mean"].xs(key[1], level=1)
    return Entry(
        quantity.text(mean, sign),
        "" if pd.isna(standard_error) else quantity.text(standard_error),
        quantity.text(median[0], sign) if median else "",
        strong(Mean(mean, standard_error, of_all, quantity.metric)),
    )


def _is_best(entry: Mean) -> bool:
    best = entry.of_all.min() if entry.metric.better == "lower" else entry.of_all.max()
    return bool(entry.value == best)


def _is_significant(entry: Mean) -> bool:
    return bool(abs(entry.value) > 2 * entry.standard_error)


def settings_of(benchmark: Benchmark, results: pd.DataFrame) -> dict[str, Setting]:
    """The settings that have results, in the order of the benchmark."""
    measured = set(results["setting"])
    return {name: setting for name, setting in benchmark.settings.items() if name in measured}
