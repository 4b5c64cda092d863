"""What a run has to do: the cells of a benchmark, finished ones, and how long the others take."""

from __future__ import annotations

import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from skreg.bench._benchmark import Benchmark
from skreg.bench._cells import Cell, CellStore, DamagedCellError, Outcome, plan_cells
from skreg.bench._output import cells_folder, results_folder
from skreg.bench._record import read_record
from skreg.bench._registry import BenchmarkFile, load_benchmark


@dataclass(frozen=True)
class RunOptions:
    """What the command line says about a run.

    Parameters
    ----------
    size : {"smallest", "quick", "full"}
        Which parameters and how many repeats.
    output : Path
        The output folder.
    repeats : int, optional
        Number of seeds in place of that of the size.
    n_jobs : int, default=1
        Number of processes.
    dask : str, optional
        Address of a dask scheduler.
    fresh : bool, default=False
        Forget the finished cells of this run first.
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
class Plan:
    """The cells of one benchmark at one size, finished ones with their outcomes.

    Attributes
    ----------
    file : BenchmarkFile
        The benchmark.
    benchmark : Benchmark
        Its declaration.
    options : RunOptions
        How to run it.
    cells : list of Cell
        All of them.
    store : CellStore
        Where outcomes are kept.
    finished : dict of int to Outcome
        Outcomes that were there before, by position; failed cells are not finished.
    damaged : list of str
        What is wrong with files that should hold an outcome; their cells are not finished.
    """

    file: BenchmarkFile
    benchmark: Benchmark
    options: RunOptions
    cells: list[Cell]
    store: CellStore
    finished: dict[int, Outcome]
    damaged: list[str]

    @property
    def folder(self) -> Path:
        """Where results and report go."""
        return results_folder(self.options.output, self.options.size, self.file.name)

    @property
    def open_cells(self) -> dict[int, Cell]:
        """The cells that are not finished, by position."""
        return {i: cell for i, cell in enumerate(self.cells) if i not in self.finished}

    @property
    def n_jobs(self) -> int:
        """Number of processes."""
        return 1 if self.benchmark.serial else self.options.n_jobs

    @property
    def dask(self) -> str | None:
        """Address of the dask scheduler."""
        return None if self.benchmark.serial else self.options.dask

    @property
    def expected_seconds(self) -> float | None:
        """Computing time of the open cells, from cells like them or as declared, or None."""
        if not self.open_cells:
            return 0.0
        alike = _earlier_seconds(self.folder) | mean_seconds(self.finished.values())
        declared = self.benchmark.seconds.get(self.options.size)
        of_any = None if declared is None else declared / len(self.cells)
        each = [alike.get(_kind(cell), of_any) for cell in self.open_cells.values()]
        return None if None in each else sum(filter(None, each))


def plan_run(file: BenchmarkFile, options: RunOptions) -> Plan:
    """Read what is finished of a benchmark.

    Parameters
    ----------
    file : BenchmarkFile
        The benchmark.
    options : RunOptions
        How to run it.

    Returns
    -------
    Plan
        What there is and what is to be done.
    """
    benchmark = load_benchmark(file.path)
    cells = plan_cells(file.name, benchmark, options.size, options.repeats)
    store = CellStore(cells_folder(options.output, file.name), file.digest)
    if options.fresh:
        store.forget(cells)
    finished, damaged = {}, []
    for index, cell in enumerate(cells):
        try:
            outcome = store.read(cell)
        except DamagedCellError as error:
            damaged.append(str(error))
            continue
        if outcome is not None and outcome.traceback is None:
            finished[index] = outcome
    return Plan(file, benchmark, options, cells, store, finished, damaged)


def mean_seconds(outcomes: Iterable[Outcome]) -> dict[str, float]:
    """Mean seconds of the cells of each kind: of one setting and the same methods."""
    seconds: defaultdict[str, float] = defaultdict(float)
    counts: Counter[str] = Counter()
    for outcome in outcomes:
        seconds[_kind(outcome)] += outcome.seconds
        counts[_kind(outcome)] += 1
    return {kind: seconds[kind] / counts[kind] for kind in seconds}


def _kind(cell: Cell | Outcome) -> str:
    return " / ".join([cell.setting, *cell.methods])


def _earlier_seconds(folder: Path) -> dict[str, float]:
    """Seconds by kind of cell in the last report of the same size, also of other sources."""
    record = read_record(folder)
    return {} if record is None else record["seconds_of_cells"]
