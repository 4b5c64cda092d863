"""One run of one benchmark, from its plan to results, tables, figures and verdicts."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from skreg.bench._cells import Outcome
from skreg.bench._execute import run_open_cells
from skreg.bench._figures import Picture, draw_pictures
from skreg.bench._output import open_for_writing, write_whole
from skreg.bench._plan import Plan
from skreg.bench._results import Finding, JudgedClaim, judge_claim, results_table
from skreg.bench._tables import Table, setting_tables, settings_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Run:
    """What is known of one benchmark at one size, after a run or an interrupted one."""

    plan: Plan
    date: datetime.datetime
    results: pd.DataFrame
    outcomes: list[Outcome]
    claims: list[JudgedClaim]
    pictures: list[Picture]

    @property
    def failures(self) -> list[Outcome]:
        """The cells that raised."""
        return [outcome for outcome in self.outcomes if outcome.traceback is not None]

    @property
    def faults(self) -> list[str]:
        """What went wrong, a line each: failed cells, broken checks, figures that raised."""
        cells = [
            f"{failure.setting}, {', '.join(failure.methods)}, seed {failure.seed}: "
            + (failure.traceback or "").strip().splitlines()[-1]
            for failure in self.failures
        ]
        checks = [f"{c.statement} {c.reason}" for c in self.claims if c.broken]
        return cells + checks + [f"figure: {p.problem}" for p in self.pictures if p.problem]

    @property
    def n_missing(self) -> int:
        """How many cells have not been run."""
        return len(self.plan.cells) - len(self.outcomes)

    @property
    def warnings(self) -> dict[str, int]:
        """How often each warning occurred, the most frequent first."""
        total: Counter[str] = Counter()
        for outcome in self.outcomes:
            total.update(outcome.warnings)
        return dict(total.most_common())

    @property
    def seeds(self) -> list[int]:
        """The seeds of all cells."""
        return sorted({outcome.seed for outcome in self.outcomes})

    @property
    def cell_seconds(self) -> float:
        """Computing time of all cells, those of earlier runs included."""
        return sum(outcome.seconds for outcome in self.outcomes)

    def tables(self) -> dict[str, list[Table]]:
        """Tables of every setting that has results."""
        benchmark = self.plan.benchmark
        return {
            name: setting_tables(benchmark, name, self.results)
            for name in settings_of(benchmark, self.results)
        }


def carry_out(plan: Plan, decided: Callable[[JudgedClaim], None]) -> Run:
    """Run what is missing of a benchmark.

    Parameters
    ----------
    plan : Plan
        What is to be done.
    decided : callable
        Gets each claim as soon as all cells of its settings are there.

    Returns
    -------
    Run
        Results, figures and verdicts.
    """
    open_for_writing(plan.folder)
    outcomes = dict(plan.finished)
    claims: dict[int, JudgedClaim] = {}

    def judge_what_is_complete() -> None:
        finding = _finding(plan, outcomes)
        for i, claim in enumerate(plan.benchmark.claims):
            if i not in claims and not finding.missing.keys() & set(claim.settings):
                claims[i] = judge_claim(claim, finding)
                decided(claims[i])

    n_open = _open_by_setting(plan, outcomes)
    judge_what_is_complete()
    for index, outcome in run_open_cells(plan):
        outcomes[index] = outcome
        n_open[outcome.setting] -= 1
        if not n_open[outcome.setting]:
            judge_what_is_complete()
    return _run(plan, outcomes, [claims[i] for i in sorted(claims)])


def take_stock(plan: Plan) -> Run:
    """The run as far as it has come, without running anything."""
    finding = _finding(plan, plan.finished)
    claims = [judge_claim(claim, finding) for claim in plan.benchmark.claims]
    return _run(plan, plan.finished, claims)


def _finding(plan: Plan, outcomes: Mapping[int, Outcome]) -> Finding:
    there = [outcomes[i] for i in sorted(outcomes)]
    return Finding(
        benchmark=plan.benchmark,
        size=plan.options.size,
        results=results_table(plan.benchmark, there),
        failed={outcome.setting for outcome in there if outcome.traceback is not None},
        missing=+_open_by_setting(plan, outcomes),
    )


def _open_by_setting(plan: Plan, outcomes: Mapping[int, Outcome]) -> Counter[str]:
    return Counter(cell.setting for i, cell in enumerate(plan.cells) if i not in outcomes)


def _run(plan: Plan, outcomes: Mapping[int, Outcome], claims: list[JudgedClaim]) -> Run:
    in_order = [outcomes[i] for i in sorted(outcomes)]
    results = results_table(plan.benchmark, in_order)
    return Run(
        plan=plan,
        date=datetime.datetime.now().astimezone(),
        results=results,
        outcomes=in_order,
        claims=claims,
        pictures=draw_pictures(plan.benchmark, results),
    )


def write_results(run: Run) -> None:
    """Write the table of all results as ``results.csv`` and ``results.parquet``."""
    write_whole(run.plan.folder / "results.csv", run.results.to_csv(index=False))
    write_whole(run.plan.folder / "results.parquet", run.results.to_parquet(index=False))
