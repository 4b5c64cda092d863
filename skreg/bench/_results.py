"""From outcomes of cells to statistics over seeds, and to verdicts on the claims."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from skreg.bench._benchmark import Benchmark, Claim, Verdict
from skreg.bench._cells import Outcome

if TYPE_CHECKING:
    import pandas as pd


def results_table(benchmark: Benchmark, outcomes: Iterable[Outcome]) -> pd.DataFrame:
    """All rows of all cells as one table.

    Parameters
    ----------
    benchmark : Benchmark
        Gives the columns and their order.
    outcomes : iterable of Outcome
        Finished and failed cells; a failed one has no rows.

    Returns
    -------
    DataFrame
        Columns ``setting``, ``method``, ``seed``, the axes, the metrics, then whatever else the
        benchmark recorded.
    """
    import pandas as pd

    rows = [row for outcome in outcomes for row in outcome.rows]
    axes = [setting.axis.column for setting in benchmark.settings.values() if setting.axis]
    declared = dict.fromkeys(["setting", "method", "seed", *axes, *benchmark.metrics])
    recorded = dict.fromkeys(column for row in rows for column in row)
    return pd.DataFrame(rows, columns=[*declared, *(c for c in recorded if c not in declared)])


def mean_and_standard_error(values: pd.DataFrame) -> pd.DataFrame:
    """Mean over seeds and its standard error, s / sqrt(n) with n - 1 degrees of freedom.

    Parameters
    ----------
    values : DataFrame of shape (n_seeds, n_groups)
        One row per seed.

    Returns
    -------
    DataFrame of shape (n_groups, 2)
        Columns ``mean`` and ``standard_error``; the latter is NaN where there is one seed or
        the mean is infinite.
    """
    import numpy as np
    import pandas as pd

    finite = values.where(np.isfinite(values))  # an infinite mean has no standard error
    return pd.DataFrame(
        {
            "mean": values.mean(),
            "standard_error": finite.sem(ddof=1).where(np.isfinite(values.mean())),
        }
    )


def by_seed(
    results: pd.DataFrame, setting: str, metric: str, groups: Sequence[str]
) -> pd.DataFrame:
    """One metric in one setting, seeds down, groups across.

    Parameters
    ----------
    results : DataFrame
        The table of all results.
    setting : str
        The setting.
    metric : str
        The metric's column.
    groups : sequence of str
        Columns that make up the groups, e.g. ``["method", "n_train"]``.

    Returns
    -------
    DataFrame of shape (n_seeds, n_groups)
        The values; NaN where there is none.
    """
    rows = results[results["setting"] == setting]
    return rows.pivot(index="seed", columns=list(groups), values=metric)


def paired_differences(values: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Difference of every method from the reference at the same seed.

    Parameters
    ----------
    values : DataFrame of shape (n_seeds, n_groups)
        From `by_seed`, with ``method`` as the first or only level of its columns.
    reference : str
        The method that is subtracted.

    Returns
    -------
    DataFrame
        As `values`, without the reference.
    """
    import pandas as pd

    methods = values.columns.get_level_values("method").unique()
    differences = {
        method: values[method] - values[reference] for method in methods if method != reference
    }
    if values.columns.nlevels == 1:
        return pd.DataFrame(differences).rename_axis(columns="method")
    return pd.concat(differences, axis=1, names=["method"])


class JudgedClaim(NamedTuple):
    """A claim with its verdict, or with the reason why there is none."""

    statement: str
    verdict: Verdict | None
    reason: str

    @property
    def badge(self) -> str:
        """The verdict in words."""
        if self.verdict is None:
            return "not tested"
        return "reproduced" if self.verdict.reproduced else "not reproduced"


def judge_claims(
    benchmark: Benchmark, size: str, results: pd.DataFrame, outcomes: Iterable[Outcome]
) -> list[JudgedClaim]:
    """Check the claims of a benchmark on its results.

    Parameters
    ----------
    benchmark : Benchmark
        Its claims are checked in order.
    size : {"smallest", "quick", "full"}
        The size that was run.
    results : DataFrame
        The table of all results.
    outcomes : iterable of Outcome
        Tells which settings have failed cells.

    Returns
    -------
    list of JudgedClaim
        One for each claim.
    """
    failed = {outcome.setting for outcome in outcomes if outcome.traceback is not None}
    return [_judge(claim, size, results, failed) for claim in benchmark.claims]


def _judge(
    claim: Claim, size: str, results: pd.DataFrame, failed_settings: set[str]
) -> JudgedClaim:
    measured = set(results["setting"])
    failed = [name for name in claim.settings if name in failed_settings]
    if failed:
        return JudgedClaim(claim.statement, None, f"cells of {failed[0]!r} failed")
    if size not in claim.sizes:
        return JudgedClaim(claim.statement, None, f"tested at size {' or '.join(claim.sizes)}")
    missing = [name for name in claim.settings if name not in measured]
    if missing:
        return JudgedClaim(claim.statement, None, f"{missing[0]!r} is not part of size {size}")
    return JudgedClaim(claim.statement, claim.check(results), "")
