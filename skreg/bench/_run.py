"""One run of one benchmark, from its name to its results, tables and verdicts."""

from __future__ import annotations

import datetime
import shlex
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from skreg.bench._benchmark import Benchmark
from skreg.bench._cells import CellStore, Outcome, plan_cells
from skreg.bench._execute import run_cells
from skreg.bench._registry import BenchmarkFile, load_benchmark
from skreg.bench._results import JudgedClaim, judge_claims, results_table
from skreg.bench._tables import Table, setting_tables, settings_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class RunOptions:
    """What the command line says about a run.

    Parameters
    ----------
    size : {"smallest", "quick", "full"}
        Which parameters and how many repeats.
    output : Path
        Folder that gets one folder per benchmark.
    repeats : int, optional
        Number of seeds in place of that of the size.
    n_jobs : int, default=1
        Number of processes.
    dask : str, optional
        Address of a dask scheduler.
    fresh : bool, default=False
        Forget finished cells first.
    quiet : bool, default=False
        Show no progress.
    folders : tuple of Path, default=()
        Further folders with benchmarks.
    """

    size: str
    output: Path
    repeats: int | None = None
    n_jobs: int = 1
    dask: str | None = None
    fresh: bool = False
    quiet: bool = False
    folders: tuple[Path, ...] = ()

    def command(self, names: list[str]) -> str:
        """The command line that repeats the run from the start."""
        words = ["skreg", "bench"]
        for folder in self.folders:
            words += ["--benchmarks", str(folder)]
        words += ["run", *names, "--size", self.size]
        if self.repeats is not None:
            words += ["--repeats", str(self.repeats)]
        words += ["--dask", self.dask] if self.dask else ["--n-jobs", str(self.n_jobs)]
        return shlex.join([*words, "--fresh"])


@dataclass(frozen=True)
class Run:
    """A finished run of one benchmark."""

    file: BenchmarkFile
    benchmark: Benchmark
    size: str
    command: str
    date: datetime.datetime
    results: pd.DataFrame
    outcomes: list[Outcome]
    n_reused: int
    claims: list[JudgedClaim]

    @property
    def failures(self) -> list[Outcome]:
        """The cells that raised."""
        return [outcome for outcome in self.outcomes if outcome.traceback is not None]

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

    @property
    def n_reproduced(self) -> int:
        """How many claims were reproduced."""
        return sum(claim.badge == "reproduced" for claim in self.claims)

    @property
    def n_judged(self) -> int:
        """How many claims have a verdict."""
        return sum(claim.verdict is not None for claim in self.claims)

    def tables(self) -> dict[str, list[Table]]:
        """Tables of every setting that has results."""
        return {
            name: setting_tables(self.benchmark, name, self.results)
            for name in settings_of(self.benchmark, self.results)
        }


def run_benchmark(file: BenchmarkFile, options: RunOptions) -> Run:
    """Run what is missing of a benchmark and write ``results.csv`` and ``results.parquet``.

    Parameters
    ----------
    file : BenchmarkFile
        The benchmark.
    options : RunOptions
        How to run it.

    Returns
    -------
    Run
        Results, tables and verdicts.
    """
    benchmark = load_benchmark(file.path)
    folder = options.output / file.name
    folder.mkdir(parents=True, exist_ok=True)
    store = CellStore(folder / "cells", file.digest)
    if options.fresh:
        store.clear()
    outcomes, n_reused = run_cells(
        file.path,
        plan_cells(file.name, benchmark, options.size, options.repeats),
        store,
        n_jobs=1 if benchmark.serial else options.n_jobs,
        dask=None if benchmark.serial else options.dask,
        quiet=options.quiet,
    )
    results = results_table(benchmark, outcomes)
    results.to_csv(folder / "results.csv", index=False)
    results.to_parquet(folder / "results.parquet", index=False)
    return Run(
        file=file,
        benchmark=benchmark,
        size=options.size,
        command=options.command([file.name]),
        date=datetime.datetime.now().astimezone(),
        results=results,
        outcomes=outcomes,
        n_reused=n_reused,
        claims=judge_claims(benchmark, options.size, results, outcomes),
    )
