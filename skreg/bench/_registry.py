"""Benchmarks by name: listing the folders that hold them, and loading one."""

from __future__ import annotations

import ast
import difflib
import functools
import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from skreg.bench._benchmark import Benchmark

PACKAGED = Path(__file__).resolve().parent / "benchmarks"


class BenchmarkFile(NamedTuple):
    """A benchmark that was found but not yet imported."""

    name: str
    summary: str
    question: str
    path: Path

    @property
    def digest(self) -> str:
        """Digest of the benchmark's source and of the methods of skreg, in hexadecimal."""
        return hashlib.sha256(self.path.read_bytes() + _methods_digest()).hexdigest()


@functools.cache
def _methods_digest() -> bytes:
    """Digest of all sources of skreg but the harness itself, whose edits change no outcome."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGED.parent.parent.rglob("*.py")):
        if PACKAGED.parent not in path.parents:
            digest.update(path.read_bytes())
    return digest.digest()


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
    for folder in (PACKAGED, *folders):
        for path in folder.glob("[!_]*.py"):
            summary, _, question = _docstring(path).partition("\n")
            name = path.stem.replace("_", "-")
            found[name] = BenchmarkFile(name, summary.strip(), question.strip(), path.resolve())
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
    if path.parent == PACKAGED:
        module = importlib.import_module(f"skreg.bench.benchmarks.{path.stem}")
    else:
        module = _import_file(path)
    benchmark = getattr(module, "benchmark", None)
    if not isinstance(benchmark, Benchmark):
        raise ValueError(f"{path} must define `benchmark`, a skreg.bench.Benchmark")
    return benchmark


def near_misses(name: str, known: Sequence[str]) -> list[str]:
    """Return the known names that `name` may be a misspelling of, the nearest first."""
    return difflib.get_close_matches(name, known, n=3, cutoff=0.5)


def _docstring(path):
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


def _import_file(path):
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    name = f"skreg_benchmark_{path.stem}_{digest}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]
