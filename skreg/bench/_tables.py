"""Layout of the tables of a benchmark, shared by the terminal and the report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from skreg.bench._benchmark import Benchmark, Metric, Setting
from skreg.bench._statistics import by_seed, mean_and_standard_error, paired_differences

if TYPE_CHECKING:
    import pandas as pd


class Entry(NamedTuple):
    """One entry of a table: text of the mean, text of its standard error, whether it stands out."""

    mean: str
    standard_error: str
    strong: bool

    def __str__(self) -> str:
        return f"{self.mean} ±{self.standard_error}" if self.standard_error else self.mean


class Mean(NamedTuple):
    """A mean with its standard error, the means of all methods in its column, and the metric."""

    value: float
    standard_error: float
    of_all: pd.Series
    metric: Metric


class Table(NamedTuple):
    """A table of one setting: methods down; axis values or metrics across."""

    title: str
    caption: str
    corner: str
    head: list[str]
    rows: list[tuple[str, list[Entry]]]

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
    import pandas as pd

    if setting.axis is None:
        corner, label = "", "Results"
        values = pd.concat(
            {m: by_seed(results, name, m, ["method"]) for m in metrics}, axis=1, names=["metric"]
        ).swaplevel(axis=1)
        metric_of = benchmark.metrics
        heads = {m: benchmark.metrics[m].title for m in metrics}
    else:
        metric = benchmark.metrics[metrics[0]]
        corner, label = setting.axis.label, metric.title
        values = by_seed(results, name, metrics[0], ["method", setting.axis.column])
        columns = sorted(values.columns.unique(level=1))
        metric_of = dict.fromkeys(columns, metric)
        heads = {column: f"{column:g}" for column in columns}
    methods = [m for m in benchmark.methods if m in values.columns.get_level_values("method")]
    n_seeds = len(values)
    seeds = f"{n_seeds} seed{'s' if n_seeds > 1 else ''}"
    yield _layout(
        title=label,
        caption=(f"Mean over {seeds} ± standard error" if n_seeds > 1 else "One seed")
        + "; the best of each column is bold.",
        corner=corner,
        heads=heads,
        methods=methods,
        summary=mean_and_standard_error(values),
        metric_of=metric_of,
        strong=_is_best,
        sign="",
    )
    if benchmark.reference not in methods or len(methods) == 1 or n_seeds == 1:
        return
    yield _layout(
        title=f"{label}, difference from {benchmark.reference}",
        caption=(
            f"Method minus {benchmark.reference} on the same seed: mean over {seeds} ± standard "
            "error of the paired differences; bold where the mean is more than two standard "
            "errors from zero."
        ),
        corner=corner,
        heads=heads,
        methods=[method for method in methods if method != benchmark.reference],
        summary=mean_and_standard_error(paired_differences(values, benchmark.reference)),
        metric_of=metric_of,
        strong=_is_significant,
        sign="+",
    )


def _layout(
    *,
    title: str,
    caption: str,
    corner: str,
    heads: dict[Any, str],
    methods: list[str],
    summary: pd.DataFrame,
    metric_of: Mapping[Any, Metric],
    strong: Callable[[Mean], bool],
    sign: str,
) -> Table:
    rows = [
        (
            method,
            [_entry(summary, method, column, metric_of[column], strong, sign) for column in heads],
        )
        for method in methods
    ]
    return Table(title, caption, corner, list(heads.values()), rows)


def _entry(
    summary: pd.DataFrame,
    method: str,
    column: Any,
    metric: Metric,
    strong: Callable[[Mean], bool],
    sign: str,
) -> Entry:
    import pandas as pd

    if (method, column) not in summary.index:
        return Entry("–", "", False)
    mean, standard_error = summary.loc[(method, column)]
    if pd.isna(mean):
        return Entry("–", "", False)
    error_text = "" if pd.isna(standard_error) else f"{standard_error:.{metric.digits}f}"
    mean_text = f"{mean:{sign}.{metric.digits}f}".replace("inf", "∞").replace("-", "−")
    of_all = summary["mean"].xs(column, level=1)
    return Entry(mean_text, error_text, strong(Mean(mean, standard_error, of_all, metric)))


def _is_best(entry: Mean) -> bool:
    best = entry.of_all.min() if entry.metric.better == "lower" else entry.of_all.max()
    return bool(entry.value == best)


def _is_significant(entry: Mean) -> bool:
    return bool(abs(entry.value) > 2 * entry.standard_error)


def settings_of(benchmark: Benchmark, results: pd.DataFrame) -> dict[str, Setting]:
    """The settings that have results, in the order of the benchmark."""
    measured = set(results["setting"])
    return {name: setting for name, setting in benchmark.settings.items() if name in measured}
