"""The papers behind skreg, read from their claim files without importing these."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from skreg.bench._benchmark import Paper

ROOM = Path(__file__).resolve().parent / "papers"


class PaperFile(NamedTuple):
    """A paper with the name of its benchmark, empty for one whose claims are not measured."""

    paper: Paper
    benchmark: str


def read_papers(room: Path = ROOM) -> list[PaperFile]:
    """Papers of all claim files, then those that are only cited, each in the order of its name.

    Parameters
    ----------
    room : Path, optional
        The folder of the claim files.

    Returns
    -------
    list of PaperFile
        One for each ``PAPER`` and for each item of ``CITED``.

    Raises
    ------
    ValueError
        If a claim file has no record, or one that is not made of literals.
    """
    files = sorted(room.glob("[!_]*.py"))
    papers = [PaperFile(_record(path), path.stem.replace("_", "-")) for path in files]
    return papers + [PaperFile(paper, "") for paper in _cited(room / "_cited.py")]


def _record(path: Path) -> Paper:
    value = _assigned(path, "PAPER")
    if value is None:
        raise ValueError(f"{path.name} defines no PAPER, the record of its paper")
    return _paper(value, path)


def _cited(path: Path) -> Iterator[Paper]:
    value = _assigned(path, "CITED") if path.exists() else None
    for element in getattr(value, "elts", []):
        yield _paper(element, path)


def _assigned(path: Path, name: str) -> ast.expr | None:
    for statement in ast.parse(path.read_text(encoding="utf-8")).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=found)], value=value) if found == name:
                return value
    return None


def _paper(call: ast.expr, path: Path) -> Paper:
    try:
        if not isinstance(call, ast.Call) or call.args:
            raise ValueError("it is no call of Paper with named arguments")
        return Paper(**{str(word.arg): ast.literal_eval(word.value) for word in call.keywords})
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path.name}: its record of a paper cannot be read: {error}") from error
