"""Which source files the outcome of a benchmark depends on: what its file imports, and so on.

Files are read, not imported. A name that comes through the front of a package is followed to the
file that defines it, so that an edit of one method does not touch the benchmarks of its neighbours.
The harness, the verdicts and the pictures do not count: they read outcomes and change none.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path

from skreg._kernel_sources import kernel_sources

BENCH = Path(__file__).resolve().parent
PACKAGE = BENCH.parent
ARENA = BENCH / "arena"


def closure_digest(path: Path) -> str:
    """Digest of a benchmark's file and of all sources that it reaches by imports.

    Parameters
    ----------
    path : Path
        The file, of the package or of any other folder; helpers beside it count as well.

    Returns
    -------
    str
        In hexadecimal. It depends on names and contents of the files, not on where they lie.
    """
    digest = hashlib.sha256()
    for source in import_closure(path):
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.hexdigest()


def import_closure(path: Path) -> list[Path]:
    """Files of skreg, and beside `path`, that the file `path` reaches by imports, itself first."""
    path = path.resolve()
    reached, waiting = {path}, [path]
    while waiting:
        source = waiting.pop()
        for found in (*_imported(source, path.parent), *_bodies(source)):
            if found not in reached and not _only_reads(found):
                reached.add(found)
                waiting.append(found)
    return [path, *sorted(reached - {path}, key=_module_name)]


def _only_reads(path: Path) -> bool:
    """Whether a file judges, draws or names: its edits change no outcome of a cell."""
    name = path.stem
    is_reader = name.endswith(("views", "checks")) or name in ("dots", "rivals")
    return path.parent == BENCH or (path.parent == ARENA and is_reader)


def _bodies(path: Path) -> list[Path]:
    """Other sources that kernels of a file are compiled from, bodies of generic functions too."""
    sources = kernel_sources(path) if PACKAGE in path.parents else []
    return sources if path in sources else []


def _imported(path: Path, beside: Path) -> Iterator[Path]:
    module = _module_name(path)
    for node in _runtime_imports(_parsed(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _files_of(alias.name, None, beside)
            continue
        base = _absolute(node, module, path.name == "__init__.py")
        for alias in node.names:
            yield from _files_of(base, alias.name, beside)


def _files_of(module: str, name: str | None, beside: Path) -> list[Path]:
    """Files behind ``import module`` or ``from module import name``."""
    if name is not None:
        submodule = _file_of_module(f"{module}.{name}", beside)
        if submodule is not None:
            return [submodule]
    file = _file_of_module(module, beside)
    if file is None:
        return []
    if file.name != "__init__.py" or name is None:
        return [file]
    for node in ast.walk(_parsed(file)):  # the front of a package: where does the name come from?
        if isinstance(node, ast.ImportFrom) and name in {a.asname or a.name for a in node.names}:
            inner = next(a.name for a in node.names if (a.asname or a.name) == name)
            origin = _absolute(node, module, is_package=True)
            if origin != module or inner != name:
                return _files_of(origin, inner, beside)
    return [file, *sorted(file.parent.glob("[!_]*.py")), *sorted(file.parent.glob("_[!_]*.py"))]


def _absolute(node: ast.ImportFrom, module: str, is_package: bool) -> str:
    """Name of the module that ``from ... import`` reads."""
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    parts = parts[: len(parts) - node.level + (1 if is_package else 0)]
    return ".".join([*parts, *([node.module] if node.module else [])])


def _runtime_imports(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """Imports anywhere in a file, but those that only checkers of types see."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and _is_type_checking(node.test):
            for other in node.orelse:
                yield from _runtime_imports(ast.Module([other], []))
        else:
            yield from _runtime_imports(node)


def _is_type_checking(test: ast.expr) -> bool:
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


@functools.cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@functools.cache
def _roots() -> dict[str, Path]:
    """Folders of the import packages; that of skreg.deep lies elsewhere in an editable install."""
    spec = importlib.util.find_spec("skreg.deep")
    deep = {} if spec is None or spec.origin is None else {"skreg.deep": Path(spec.origin).parent}
    return deep | {"skreg": PACKAGE}


def _module_name(path: Path) -> str:
    for name, root in _roots().items():
        if root in path.parents:
            parts = path.relative_to(root).with_suffix("").parts
            return ".".join([name, *(parts[:-1] if parts[-1] == "__init__" else parts)])
    return path.stem


def _file_of_module(name: str, beside: Path) -> Path | None:
    for root_name, root in _roots().items():
        if name == root_name or name.startswith(root_name + "."):
            return _file(root.joinpath(*name.removeprefix(root_name).strip(".").split(".")))
    return _file(beside.joinpath(*name.split(".")))


def _file(stem: Path) -> Path | None:
    for candidate in (stem.with_name(stem.name + ".py"), stem / "__init__.py"):
        if candidate.is_file():
            return candidate.resolve()
    return None
