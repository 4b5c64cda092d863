"""Which source files the machine code of a kernel depends on.

A kernel is compiled from the module that holds it, from the modules that this one imports, directly
or not, and from the bodies of the generic functions among them, which other modules may register.
Only *kernel sources* count, the files that import `skreg._jit` or register a body: plain Python
between them leads to others, but no kernel reads it. Files are read, not imported, so that the
answer is the same in every process.
"""

import functools
import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).resolve().parent
_MARKS = b"_jit import", b".register(", b"def kernel("
_IMPORT = re.compile(
    rb"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import[ \t]+(\([^)]*\)|[^\n]*)|import[ \t]+([^\n]+))",
    re.MULTILINE,
)
_NAME = re.compile(rb"[\w.]+")
_COMMENT = re.compile(rb"#[^\n]*")
_GENERIC = re.compile(rb"^@generic\s+def[ \t]+(\w+)", re.MULTILINE)
_REGISTERED = re.compile(rb"\b(\w+)\.register\(")


class _Source(NamedTuple):
    """What a file says: whether it is a kernel source, what it imports, declares and registers."""

    is_kernel_source: bool
    imported: list[Path]
    declared: set[bytes]
    registered: set[bytes]


def kernel_sources(path: Path) -> list[Path]:
    """Kernel sources that the kernels in the file `path` are compiled from, in a fixed order.

    All of the package are taken for a file outside of it, of whose imports nothing is known.
    """
    sources, bodies = _sources_of_package(), _bodies_by_name()
    reached = {path, PACKAGE / "_jit.py"} if path in sources else set(sources)
    waiting = list(reached)
    while waiting:
        source = sources[waiting.pop()]
        further = set(source.imported).union(*(bodies[name] for name in source.declared))
        waiting.extend(further - reached)
        reached |= further
    return sorted(path for path in reached if sources[path].is_kernel_source)


@functools.cache
def kernel_sources_stamp(path: Path) -> str:
    """Digest of the kernel sources that the kernels in the file `path` are compiled from.

    Parameters
    ----------
    path : Path
        A file of the package, resolved, or one outside of it.

    Returns
    -------
    str
        In hexadecimal. It does not depend on where the package lies.
    """
    digest = hashlib.sha256()
    for source in kernel_sources(path):
        digest.update(source.relative_to(PACKAGE).as_posix().encode())
        digest.update(source.read_bytes())
    return digest.hexdigest()


@functools.cache
def _files_by_module() -> dict[str, Path]:
    """Files of the package by the dotted names of their modules."""
    files = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return files


@functools.cache
def _sources_of_package() -> dict[Path, _Source]:
    return {path: _read(path) for path in _files_by_module().values()}


@functools.cache
def _bodies_by_name() -> defaultdict[bytes, set[Path]]:
    """Files that register a body, by the name of the generic function."""
    bodies: defaultdict[bytes, set[Path]] = defaultdict(set)
    for path, source in _sources_of_package().items():
        for name in source.registered:
            bodies[name].add(path)
    return bodies


def _read(path: Path) -> _Source:
    text, files = path.read_bytes(), _files_by_module()
    return _Source(
        is_kernel_source=any(mark in text for mark in _MARKS),
        imported=[files[name] for name in _imported_names(text) if name in files],
        # to search for a word is a hundred times cheaper than to try an expression everywhere
        declared=set(_GENERIC.findall(text)) if b"@generic" in text else set(),
        registered=set(_REGISTERED.findall(text)) if b".register(" in text else set(),
    )


def _imported_names(text: bytes) -> Iterator[str]:
    """Dotted names of modules, and of what is imported from them, which may be modules too."""
    for module, names, plain in _IMPORT.findall(text):
        prefix = module + b"." if module else b""
        if module:
            yield module.decode()
        for name in _NAME.findall(_COMMENT.sub(b"", names or plain)):
            yield (prefix + name).decode()
