"""From outcomes of cells to a table of results, and to verdicts on the claims."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import TYPE_CHECKING, NamedTuple

from skreg._optional import install_hint
from skreg.bench._benchmark import (
    Benchmark,
    Claim,
    Evidence,
    NoValuesError,
    Verdict,
)
from skreg.bench._cells import Outcome, count_of_cells

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
        Why there is no verdict.
    decides : bool
        Whether the size that was run is one that decides the claim.
    n_missing : int
        How many cells of its settings have not been run; with any, nothing is decided.
    broken : bool
        Whether its check raised.
    in_size : bool
        Whether all of its settings are part of the size that was run.
    """

    statement: str
    verdict: Verdict | None
    reason: str = ""
    decides: bool = True
    n_missing: int = 0
    broken: bool = False
    in_size: bool = True

    @property
    def badge(self) -> str:
        """The verdict in words."""
        if not self.in_size:
            return "not in this size"
        if self.verdict is None:
            return "no verdict"
        if self.n_missing:
            return "so far"
        return self.verdict.outcome if self.decides else "at this size"

    @property
    def numbers(self) -> str:
        """What was measured and required, or why there is nothing."""
        if self.verdict is None:
            return self.reason
        numbers = f"{self.verdict.measured}; required: {self.verdict.required}"
        return (
            f"{numbers} ({count_of_cells(self.n_missing)} missing)" if self.n_missing else numbers
        )


class Finding(NamedTuple):
    """What is known of a benchmark: the table of results, and which cells are not in it.

    Attributes
    ----------
    benchmark : Benchmark
        The declaration.
    size : {"smallest", "quick", "full"}
        The size that was run.
    results : DataFrame
        The table of all results.
    failed : set of str
        Settings with failed cells.
    missing : mapping of str to int
        Number of cells that have not been run, for settings that have such.
    """

    benchmark: Benchmark
    size: str
    results: pd.DataFrame
    failed: Set[str] = frozenset()
    missing: Mapping[str, int] = {}


def judge_claims(finding: Finding) -> list[JudgedClaim]:
    """Check all claims of a benchmark, in their order."""
    return [judge_claim(claim, finding) for claim in finding.benchmark.claims]


def judge_claim(claim: Claim, finding: Finding) -> JudgedClaim:
    """Check a claim on the results of its settings.

    Parameters
    ----------
    claim : Claim
        One claim of the benchmark.
    finding : Finding
        What is known.

    Returns
    -------
    JudgedClaim
        The verdict, or why there is none.
    """
    benchmark, size = finding.benchmark, finding.size
    for name in claim.settings:
        if size not in benchmark.settings[name].parameters:
            elsewhere = f"{name!r} is not part of size {size}"
            return JudgedClaim(claim.statement, None, elsewhere, in_size=False)
    reasons = filter(None, (_without_results(name, finding) for name in claim.settings))
    if reason := next(reasons, None):
        return JudgedClaim(claim.statement, None, reason)
    rows = finding.results[finding.results["setting"].isin(claim.settings)]
    try:
        verdict = claim.check(Evidence(rows, benchmark.settings, benchmark.metrics))
    except NoValuesError as error:
        need = benchmark.absent.get(error.method)
        return JudgedClaim(claim.statement, None, _how_to_get(need) if need else str(error))
    except Exception as error:  # one broken check must not cost the report of a long run
        reason = f"its check failed: {type(error).__name__}: {error}"
        return JudgedClaim(claim.statement, None, reason, broken=True)
    n_missing = sum(finding.missing.get(name, 0) for name in claim.settings)
    return JudgedClaim(claim.statement, verdict, decides=size in claim.sizes, n_missing=n_missing)


def _without_results(name: str, finding: Finding) -> str:
    """Why a setting has no results to judge, or an empty string."""
    if name in finding.failed:
        return f"cells of {name!r} failed"
    if name in set(finding.results["setting"]):
        return ""
    setting, absent = finding.benchmark.settings[name], finding.benchmark.absent
    needs = [absent.get(method) for method in setting.methods or finding.benchmark.methods]
    if needs[0] is not None and None not in needs:
        return _how_to_get(needs[0])
    return f"{count_of_cells(finding.missing.get(name, 0))} missing of {name!r}"


def _how_to_get(need: str) -> str:
    """The command that brings a package, from the name of an extra or from the command itself."""
    return need if " " in need else install_hint(need)
