"""Running the open cells of a plan, here or on a dask cluster."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed, parallel_config

from skreg.bench._cells import Cell, Outcome, plan_cells, run_cell
from skreg.bench._plan import Plan


def run_open_cells(plan: Plan) -> Iterator[tuple[int, Outcome]]:
    """Run the cells that have no outcome yet, keeping each outcome as it arrives.

    Parameters
    ----------
    plan : Plan
        What is to be done.

    Yields
    ------
    index : int
        Position of a cell in the plan.
    outcome : Outcome
        What it left behind.

    Raises
    ------
    ConnectionError
        If no dask scheduler answers at the plan's address.
    OutputError
        If an outcome cannot be kept.
    """
    from tqdm import tqdm

    if not plan.open_cells:
        return
    _warm_up(plan)
    n_jobs = -1 if plan.dask else plan.n_jobs
    with (
        _backend(plan.dask),
        tqdm(
            total=len(plan.cells),
            initial=len(plan.finished),
            desc=plan.file.name,
            unit="cell",
            leave=False,
            disable=plan.options.quiet or not sys.stderr.isatty(),
        ) as progress,
        _stopped_quietly(_as_they_finish(plan.file.path, plan.open_cells, n_jobs)) as finished,
    ):
        for index, outcome in finished:
            plan.store.write(plan.cells[index], outcome)
            progress.update()
            yield index, outcome


def _warm_up(plan: Plan) -> None:
    """Run what will be timed once at its smallest, for nothing but its side effects."""
    if plan.benchmark.serial and plan.options.size != "smallest":
        for cell in plan_cells(plan.file.name, plan.benchmark, "smallest", 1):
            run_cell(plan.file.path, cell)


def _as_they_finish(
    path: Path, cells: Mapping[int, Cell], n_jobs: int
) -> Generator[tuple[int, Outcome], None, None]:
    if n_jobs == 1:  # in this process
        yield from (_run_indexed(path, index, cell) for index, cell in cells.items())
        return
    # loky replaces a worker that has grown, as loading compiled kernels makes it; no cell is lost
    warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)
    parallel = Parallel(n_jobs=n_jobs, return_as="generator_unordered", batch_size=1)
    yield from parallel(delayed(_run_indexed)(path, *indexed) for indexed in cells.items())


@contextlib.contextmanager
def _stopped_quietly(running: Generator[Any, None, None]) -> Iterator[Iterator[Any]]:
    """Close a generator of parallel tasks; why it stops early, if it does, is said elsewhere."""
    try:
        yield running
    finally:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*tasks which were still being processed")
            running.close()


def _run_indexed(path: Path, index: int, cell: Cell) -> tuple[int, Outcome]:
    return index, run_cell(path, cell)


@contextlib.contextmanager
def _backend(dask: str | None) -> Iterator[None]:
    if dask is None:
        yield
        return
    from distributed import Client

    try:
        client = Client(dask, timeout="10s")
    except (OSError, ValueError) as error:
        raise ConnectionError(f"no dask scheduler answers at {dask}: {error}") from error
    with client, parallel_config(backend="dask"):
        yield
