"""Names of the nodes of a graph, the nodes that names mean, and the graph's size in words."""

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike


def default_names(n: int) -> list[str]:
    """Names x0, x1, ... of n columns."""
    return [f"x{j}" for j in range(n)]


def checked_names(feature_names: ArrayLike | None, n: int) -> list[str]:
    """Names of n nodes as strings, the default ones if None."""
    if feature_names is None:
        return default_names(n)
    names = [str(name) for name in np.asarray(feature_names, dtype=object)]
    if len(names) != n:
        raise ValueError(f"feature_names has {len(names)} names for {n} nodes")
    return names


def node_number(node: Any, names: Sequence[str], parameter: str) -> int:
    """Number of the column that a name or a number means.

    Raises
    ------
    ValueError
        If there is no such column.
    """
    if isinstance(node, str):
        if node not in names:
            raise ValueError(f"{parameter} names {node!r}, which is not a column")
        return names.index(node)
    if not isinstance(node, Real) or isinstance(node, bool):
        kind = type(node).__name__
        raise ValueError(f"{parameter} names a {kind}; columns are given by number or by name")
    if node not in range(len(names)):
        raise ValueError(f"{parameter} names column {node!r}; columns are 0 .. {len(names) - 1}")
    return int(float(node))


def in_numbers(W: ArrayLike) -> str:
    """How many nodes and edges a weight matrix has."""
    n_edges = np.count_nonzero(np.asarray(W))
    return f"{len(np.asarray(W))} nodes, {n_edges} edge{'' if n_edges == 1 else 's'}"
