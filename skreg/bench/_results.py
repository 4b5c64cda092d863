"""From outcomes of cells to a table of results, and to verdicts on the claims."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from skreg._optional import install_hint
from skreg.bench._benchmark import Benchmark, Claim, Evidence, NoValuesError, Verdict
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


class JudgedClaim(NamedTuple):
    """A claim with what was found of it.

    Attributes
    ----------
    statement : str
        The claim.
    verdict : Verdict or None
        What its check says.
    reason : str
        Why there is no verdict, or why it does not decide.
    decides : bool
        Whether the size that was run is one that decides the claim.
    broken : bool
        Whether its check raised.
    """

    statement: str
    verdict: Verdict | None
    reason: str = ""
    decides: bool = True
    broken: bool = False

    @property
    def badge(self) -> str:
        """The verdict in words."""
        if self.verdict is None:
            return "no verdict"
        return self.verdict.outcome if self.decides else "at this size"

    @property
    def numbers(self) -> str:
        """What was measured and required, or why there is nothing."""
        if self.verdict is None:
            return self.reason
        return f"{self.verdict.measured}; required: {self.verdict.required}"


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
    evidence = Evidence(results, benchmark.settings, benchmark.metrics)
    return [_judge(claim, size, evidence, failed, benchmark.absent) for claim in benchmark.claims]


def _judge(
    claim: Claim, size: str, evidence: Evidence, failed: set[str], absent: Mapping[str, str]
) -> JudgedClaim:
    measured = set(evidence.results["setting"])
    for name in claim.settings:
        if name in failed:
            return JudgedClaim(claim.statement, None, f"cells of {name!r} failed")
        if name not in measured:
            return JudgedClaim(claim.statement, None, f"{name!r} is not part of size {size}")
    try:
        verdict = claim.check(evidence)
    except NoValuesError as error:
        need = absent.get(error.method)
        reason = str(error)
        if need is not None:
            reason = need if " " in need else install_hint(need)  # a command, or an extra
        return JudgedClaim(claim.statement, None, reason)
    except Exception as error:  # one broken check must not cost the report of a long run
        reason = f"its check failed: {type(error).__name__}: {error}"
        return JudgedClaim(claim.statement, None, reason, broken=True)
    return JudgedClaim(claim.statement, verdict, decides=size in claim.sizes)
