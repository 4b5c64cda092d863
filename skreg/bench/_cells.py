"""Cells, the units of work of a benchmark, and their outcomes on disk."""

from __future__ import annotations

import hashlib
import json
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

import skreg
from skreg.bench._benchmark import Benchmark, Setting
from skreg.bench._output import OutputError, write_whole
from skreg.bench._registry import load_benchmark


@dataclass(frozen=True)
class Cell:
    """One setting, one seed, and the methods that are measured on it."""

    benchmark: str
    setting: str
    methods: tuple[str, ...]
    seed: int
    parameters: dict[str, Any]

    @property
    def identity(self) -> tuple[str, tuple[str, ...], int]:
        """Setting, methods and seed."""
        return self.setting, self.methods, self.seed

    def key(self, source_digest: str) -> str:
        """Digest of all that the outcome depends on: the cell, the benchmark's source, skreg."""
        content = json.dumps([asdict(self), source_digest, skreg.__version__], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Outcome:
    """What a cell left behind: rows of results, or the traceback of its failure."""

    setting: str
    methods: list[str]
    seed: int
    rows: list[dict[str, Any]]
    seconds: float
    warnings: dict[str, int]
    traceback: str | None = None

    @classmethod
    def of(cls, cell: Cell, content: Any) -> Outcome:
        """The outcome of a cell from what its file holds.

        Raises
        ------
        ValueError
            If it holds something else.
        """
        if not isinstance(content, dict) or set(content) != {f.name for f in fields(cls)}:
            raise ValueError("it does not hold the fields of an outcome")
        outcome = cls(**content)
        if (outcome.setting, tuple(outcome.methods), outcome.seed) != cell.identity:
            raise ValueError("it holds the outcome of another cell")
        if not _has_numbers(outcome):
            raise ValueError("its rows, seconds or warnings are not those of an outcome")
        return outcome


def count_of_cells(n: int) -> str:
    """A number of cells in words."""
    return f"{n} cell{'' if n == 1 else 's'}"


def _has_numbers(outcome: Outcome) -> bool:
    return (
        isinstance(outcome.rows, list)
        and all(isinstance(row, dict) and {"setting", "seed"} <= row.keys() for row in outcome.rows)
        and isinstance(outcome.seconds, int | float)
        and isinstance(outcome.warnings, dict)
        and isinstance(outcome.traceback, str | None)
    )


class DamagedCellError(Exception):
    """The file of a finished cell does not hold its outcome."""


def plan_cells(name: str, benchmark: Benchmark, size: str, repeats: int | None) -> list[Cell]:
    """Split a benchmark into cells.

    Parameters
    ----------
    name : str
        Name of the benchmark.
    benchmark : Benchmark
        Its declaration.
    size : {"smallest", "quick", "full"}
        Which parameters and how many repeats.
    repeats : int or None
        Number of seeds; None takes that of the size.

    Returns
    -------
    list of Cell
        Seed by seed, so that an interrupted run has whole repeats.
    """
    return [
        Cell(name, setting_name, group, seed, dict(setting.parameters[size]))
        for seed in range(benchmark.repeats[size] if repeats is None else repeats)
        for setting_name, setting in benchmark.settings.items()
        if size in setting.parameters
        for group in _method_groups(benchmark, setting)
    ]


def _method_groups(benchmark: Benchmark, setting: Setting) -> list[tuple[str, ...]]:
    named, absent = setting.methods or benchmark.methods, benchmark.absent
    methods = tuple(method for method in named if method not in absent)
    if benchmark.together and methods:
        return [methods]
    return [(method,) for method in methods]


def run_cell(path: Path, cell: Cell) -> Outcome:
    """Measure one cell; a failure is recorded, so that it does not stop the others.

    Parameters
    ----------
    path : Path
        The file of the benchmark, which the process that runs the cell imports.
    cell : Cell
        What to measure.

    Returns
    -------
    Outcome
        Its rows, or its traceback.
    """
    rows: list[dict[str, Any]] = []
    failure = None
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            benchmark = load_benchmark(path)
            with threadpool_limits(None if benchmark.serial else 1):  # cells are the parallel part
                rows = _measure(benchmark, cell)
        except Exception:
            failure = traceback.format_exc()
    return Outcome(
        setting=cell.setting,
        methods=list(cell.methods),
        seed=cell.seed,
        rows=rows,
        seconds=time.perf_counter() - start,
        warnings=dict(Counter(_one_line(warning) for warning in caught)),
        traceback=failure,
    )


def _measure(benchmark: Benchmark, cell: Cell) -> list[dict[str, Any]]:
    setting = benchmark.settings[cell.setting]
    methods = {name: benchmark.methods[name] for name in cell.methods}
    data = setting.data(cell.seed, **cell.parameters)
    identity = {"setting": cell.setting, "seed": cell.seed}
    rows = [identity | dict(row) for row in setting.measure(data, methods, cell.seed)]
    return json.loads(json.dumps(rows, default=_plain_number))


def _plain_number(value: Any) -> Any:
    return value.item()


def _one_line(warning: warnings.WarningMessage) -> str:
    first_line = str(warning.message).strip().partition("\n")[0]
    return f"{warning.category.__name__}: {first_line}"


class CellStore:
    """Outcomes in a folder, one file per cell, written whole or not at all.

    Parameters
    ----------
    folder : Path
        Where the files lie; made at the first write.
    source_digest : str
        Digest of the benchmark's source: outcomes of another source are not found.
    """

    def __init__(self, folder: Path, source_digest: str) -> None:
        self.folder = folder
        self.source_digest = source_digest

    def _path(self, cell: Cell) -> Path:
        return self.folder / f"{cell.key(self.source_digest)}.json"

    def read(self, cell: Cell) -> Outcome | None:
        """Return the outcome of a cell that has finished, and None for any other.

        Raises
        ------
        DamagedCellError
            If its file does not hold it.
        """
        path = self._path(cell)
        try:
            return Outcome.of(cell, json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OutputError.of("read", path, error) from error
        except (TypeError, ValueError) as error:  # among them those of JSON and UTF-8
            raise DamagedCellError(f"{path}: {error}") from error

    def write(self, cell: Cell, outcome: Outcome) -> None:
        """Keep an outcome, whole or not at all."""
        write_whole(self._path(cell), json.dumps(asdict(outcome)))

    def forget(self, cells: Iterable[Cell]) -> None:
        """Forget the outcomes of some cells."""
        for cell in cells:
            self._path(cell).unlink(missing_ok=True)
