"""What a run of benchmarks prints."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import joblib

from skreg.bench._cells import count_of_cells
from skreg.bench._plan import Plan
from skreg.bench._report import count_verdicts
from skreg.bench._results import JudgedClaim
from skreg.bench._run import Run


class Voice:
    """Lines on standard output.

    Parameters
    ----------
    quiet : bool
        Only the last line.
    claims : bool
        A line for each claim, instead of one for each benchmark.
    """

    def __init__(self, quiet: bool, claims: bool) -> None:
        self.quiet = quiet
        self.claims = claims
        self.width = 0

    def _say(self, line: str) -> None:
        if not self.quiet:
            from tqdm import tqdm

            tqdm.write(line)  # above the bar, if one is drawn
            sys.stdout.flush()

    def lines(self, lines: Iterable[str]) -> None:
        """Some lines."""
        for line in lines:
            self._say(line)

    def announce(self, plans: Sequence[Plan]) -> None:
        """What will run, and how long it takes."""
        if not plans:
            return
        self.width = max(len(plan.file.name) for plan in plans)
        n_cells = sum(len(plan.cells) for plan in plans)
        n_finished = sum(len(plan.finished) for plan in plans)
        several = f"{len(plans)} benchmarks" if len(plans) > 1 else plans[0].file.name
        self._say(
            f"{several}, size {plans[0].options.size}: {count_of_cells(n_cells)}, "
            f"{n_finished} of them from before; {_how_long(plans)}"
        )

    def begin(self, plan: Plan) -> None:
        """Of which benchmark the next claims are."""
        if self.claims:
            self._say(f"{plan.file.name}, size {plan.options.size}")

    def claim(self, claim: JudgedClaim) -> None:
        """One claim that was decided."""
        if self.claims:
            self._say(f"  [{claim.badge}] {claim.statement} – {claim.numbers}")

    def run(self, run: Run, seconds: float, tables: bool) -> None:
        """What came out of one benchmark."""
        for setting, of_setting in run.tables().items() if tables else ():
            self._say("\n\n".join([f"\n{setting}", *map(str, of_setting)]) + "\n")
        name = run.plan.file.name
        if not self.claims:
            missing = f"; {run.n_missing} of {len(run.plan.cells)} cells missing"
            self._say(
                f"{name:<{self.width}}  {_counted(run.claims)}{missing if run.n_missing else ''}; "
                f"{seconds:.0f} s"
            )
        n_told = len(run.faults) if self.claims else 1
        for fault in run.faults[:n_told]:
            print(f"skreg bench: {name} failed: {fault}", file=sys.stderr)
        if n_more := len(run.faults[n_told:]):
            print(f"skreg bench: {name} failed in {n_more} more places", file=sys.stderr)

    def end(self, runs: Sequence[Run], seconds: float, page: Path | None) -> None:
        """The sum of all, and where the report lies."""
        claims = [claim for run in runs for claim in run.claims]
        n_failed = sum(len(run.failures) for run in runs)
        failed = f", {count_of_cells(n_failed)} failed" if n_failed else ""
        if page is not None:
            print(f"{_counted(claims)}{failed}; {seconds:.0f} s. Report: {page.resolve()}")


def _counted(claims: Sequence[JudgedClaim]) -> str:
    counts = count_verdicts(claims)
    return ", ".join(f"{count} {badge}" for badge, count in counts.items()) or "no claims"


def _how_long(plans: Sequence[Plan]) -> str:
    """Expected time of what is open, as far as it is known."""
    if not any(plan.open_cells for plan in plans):
        return "nothing left to run"
    if any(plan.dask for plan in plans):
        return "how long depends on the cluster"
    known = [plan for plan in plans if plan.expected_seconds is not None]
    seconds = sum((plan.expected_seconds or 0.0) / _n_processes(plan) for plan in known)
    unknown = [plan.file.name for plan in plans if plan not in known]
    if not known:
        return "how long is not known before a first run"
    if not unknown:
        return f"about {_rounded(seconds)}"
    return f"about {_rounded(seconds)}, and more for {', '.join(unknown)}"


def _n_processes(plan: Plan) -> int:
    n_jobs = joblib.cpu_count() if plan.n_jobs == -1 else plan.n_jobs
    return max(1, min(n_jobs, len(plan.open_cells)))


def _rounded(seconds: float) -> str:
    if seconds < 90:
        n = max(1, round(seconds / 5) * 5) if seconds > 5 else max(1, round(seconds))
        return f"{n} second{'' if n == 1 else 's'}"
    return f"{round(seconds / 60)} minutes"
