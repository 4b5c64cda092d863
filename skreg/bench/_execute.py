"""Running the cells of a benchmark that are not finished yet, here or on a dask cluster."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from joblib import Parallel, delayed, parallel_config

from skreg.bench._cells import Cell, CellStore, Outcome, run_cell


def run_cells(
    path: Path,
    cells: list[Cell],
    store: CellStore,
    *,
    n_jobs: int = 1,
    dask: str | None = None,
    quiet: bool = False,
) -> tuple[list[Outcome], int]:
    """Run those cells that have no outcome yet, keeping each outcome as it arrives.

    Parameters
    ----------
    path : Path
        The file of the benchmark.
    cells : list of Cell
        All cells of the run.
    store : CellStore
        Finished cells are read from here, new outcomes are written here. Failed cells run again.
    n_jobs : int, default=1
        Number of processes, as in joblib.
    dask : str, optional
        Address of a running dask scheduler that takes the place of local processes.
    quiet : bool, default=False
        Show no progress. Progress is shown on a terminal only.

    Returns
    -------
    outcomes : list of Outcome
        In the order of `cells`.
    n_reused : int
        How many of them were there before.

    Raises
    ------
    ConnectionError
        If no dask scheduler answers at the address.
    """
    from tqdm import tqdm

    outcomes = {}
    for index, cell in enumerate(cells):
        outcome = store.read(cell)
        if outcome is not None and outcome.traceback is None:
            outcomes[index] = outcome
    n_reused = len(outcomes)
    open_cells = [(index, cell) for index, cell in enumerate(cells) if index not in outcomes]
    with (
        _backend(dask),
        tqdm(
            total=len(cells),
            initial=n_reused,
            desc=cells[0].benchmark if cells else None,
            unit="cell",
            disable=quiet or not sys.stderr.isatty(),
        ) as progress,
    ):
        for index, outcome in _as_they_finish(path, open_cells, -1 if dask else n_jobs):
            store.write(cells[index], outcome)
            outcomes[index] = outcome
            progress.update()
    return [outcomes[index] for index in range(len(cells))], n_reused


def _as_they_finish(
    path: Path, indexed_cells: Iterable[tuple[int, Cell]], n_jobs: int
) -> Iterator[tuple[int, Outcome]]:
    if n_jobs == 1:  # in this process
        yield from (_run_indexed(path, index, cell) for index, cell in indexed_cells)
        return
    parallel = Parallel(n_jobs=n_jobs, return_as="generator_unordered", batch_size=1)
    yield from parallel(delayed(_run_indexed)(path, index, cell) for index, cell in indexed_cells)


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
