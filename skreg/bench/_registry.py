"""Benchmarks by name: listing the folders that hold them, and loading one."""

from __future__ import annotations

import ast
import difflib
import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from skreg.bench._benchmark import Benchmark, Paper
from skreg.bench._closure import closure_digest
from skreg.bench._environment import extras

ROOMS = tuple(Path(__file__).resolve().parent / room for room in ("papers", "races"))


class BenchmarkFile(NamedTuple):
    """A benchmark that was found but not yet imported."""

    name: str
    summary: str
    question: str
    path: Path
    extra: str = ""
    unreadable: str = ""

    @property
    def digest(self) -> str:
        """Digest of the sources that its outcomes depend on, in hexadecimal."""
        return closure_digest(self.path)

    @property
    def missing(self) -> list[str]:
        """Packages of the benchmark's extra that are not installed."""
        return extras().get(self.extra, []) if self.extra else []

    @property
    def problem(self) -> str:
        """Why it cannot be run before it was even imported, or an empty string."""
        if self.extra and self.extra not in (known := extras()):
            return f"skreg has no extra {self.extra!r}, but {', '.join(known)}"
        return self.unreadable


def find_benchmarks(folders: Iterable[Path] = ()) -> dict[str, BenchmarkFile]:
    """List the benchmarks of the package and of further folders, without importing them.

    Parameters
    ----------
    folders : iterable of Path
        Folders searched after the package's own; their benchmarks take precedence.

    Returns
    -------
    dict of str to BenchmarkFile
        The benchmarks by name, in alphabetical order.
    """
    found = {}
    for folder in (*ROOMS, *folders):
        for path in folder.glob("[!_]*.py"):
            file = _described(path.resolve())
            found[file.name] = file
    return dict(sorted(found.items()))


def _described(path: Path) -> BenchmarkFile:
    name = path.stem.replace("_", "-")
    try:
        source = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError) as error:
        return BenchmarkFile(name, "", "", path, unreadable=f"{type(error).__name__}: {error}")
    summary, _, question = (ast.get_docstring(source) or "").partition("\n")
    return BenchmarkFile(name, summary.strip(), question.strip(), path, _extra(source))


def load_benchmark(path: Path) -> Benchmark:
    """Import the file of a benchmark and return its ``benchmark``.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    Benchmark
        The declaration.

    Raises
    ------
    ValueError
        If the file defines no `Benchmark` named ``benchmark``.
    """
    benchmark = getattr(_module(path), "benchmark", None)
    if not isinstance(benchmark, Benchmark):
        raise ValueError(
            f"it must define `benchmark`, a skreg.bench.Benchmark; a helper is named _{path.name}"
        )
    return benchmark


def load_paper(path: Path) -> Paper | None:
    """Import the file of a benchmark and return its ``PAPER``, if it has one."""
    paper = getattr(_module(path), "PAPER", None)
    return paper if isinstance(paper, Paper) else None


def _module(path: Path) -> ModuleType:
    if path.parent in ROOMS:
        return importlib.import_module(f"skreg.bench.{path.parent.name}.{path.stem}")
    return _import_file(path)


def near_misses(name: str, known: Sequence[str]) -> list[str]:
    """Return the known names that `name` may be a misspelling of, the nearest first."""
    return difflib.get_close_matches(name, known, n=3, cutoff=0.5)


def _extra(source: ast.Module) -> str:
    """The value of ``EXTRA = "..."`` in a source, or an empty string."""
    for statement in source.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="EXTRA")], value=ast.Constant(value=str(extra))):
                return extra
    return ""


def _import_file(path: Path) -> ModuleType:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    name = f"skreg_benchmark_{path.stem}_{digest}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise ImportError(f"{path} is no Python source: its name must end in .py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        if str(path.parent) not in sys.path:
            sys.path.append(str(path.parent))  # helpers beside it, in worker processes too
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]
