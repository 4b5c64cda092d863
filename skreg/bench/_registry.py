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

from skreg.bench._benchmark import Benchmark
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

    @property
    def digest(self) -> str:
        """Digest of the sources that its outcomes depend on, in hexadecimal."""
        return closure_digest(self.path)

    @property
    def missing(self) -> list[str]:
        """Packages of the benchmark's extra that are not installed."""
        return extras()[self.extra] if self.extra else []


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
            source = ast.parse(path.read_text(encoding="utf-8"))
            summary, _, question = (ast.get_docstring(source) or "").partition("\n")
            name = path.stem.replace("_", "-")
            found[name] = BenchmarkFile(
                name, summary.strip(), question.strip(), path.resolve(), _extra(source)
            )
    return dict(sorted(found.items()))


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
    if path.parent in ROOMS:
        module = importlib.import_module(f"skreg.bench.{path.parent.name}.{path.stem}")
    else:
        module = _import_file(path)
    benchmark = getattr(module, "benchmark", None)
    if not isinstance(benchmark, Benchmark):
        raise ValueError(f"{path} must define `benchmark`, a skreg.bench.Benchmark")
    return benchmark


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
