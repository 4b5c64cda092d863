"""Graphs as texts in the languages of Graphviz, DAGitty and GML."""

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

Edges: TypeAlias = Sequence[tuple[str, str, float]]


def dot_text(names: Sequence[str], edges: Edges) -> str:
    """A ``digraph`` in Graphviz's language, with rounded weights as labels."""
    lines = [f"  {_in_dot(name)};" for name in names]
    lines += [
        f'  {_in_dot(cause)} -> {_in_dot(effect)} [label="{weight:.3g}"];'
        for cause, effect, weight in edges
    ]
    return "digraph {\n" + "\n".join(lines) + "\n}\n"


def _in_dot(name):
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def dagitty_text(names: Sequence[str], edges: Edges, marks: Mapping[int, str]) -> str:
    """A ``dag`` in DAGitty's language, with weights as ``beta`` and marks of nodes by number."""
    lines = [
        _in_dagitty(name) + (f" [{marks[j]}]" if j in marks else "") for j, name in enumerate(names)
    ]
    lines += [
        f'{_in_dagitty(cause)} -> {_in_dagitty(effect)} [beta="{weight!r}"]'
        for cause, effect, weight in edges
    ]
    return "dag {\n" + "\n".join(lines) + "\n}\n"


def _in_dagitty(name):
    """A quoted name: only the quote is escaped, and a backslash means itself."""
    if re.search(r"[\x00-\x1f\x7f]|\\$", name) or not name:
        raise ValueError(
            f"DAGitty's language has no way to write the column name {name!r}: it is empty, ends "
            "with a backslash or has a control character; rename the column"
        )
    escaped = name.replace('"', '\\"')
    return f'"{escaped}"'


def gml_line(names: Sequence[str], edges: Edges) -> str:
    """A directed ``graph`` of GML in one line, without weights."""
    number = {name: j for j, name in enumerate(names)}
    parts = [f'node [ id {j} label "{_in_gml(name)}" ]' for j, name in enumerate(names)]
    parts += [f"edge [ source {number[i]} target {number[j]} ]" for i, j, _ in edges]
    return f"graph [ directed 1 {' '.join(parts)} ]"


def _in_gml(name):
    """All but letters, digits and a few signs as character references."""
    return re.sub("[^A-Za-z0-9_ -]", lambda match: f"&#{ord(match[0])};", name)
