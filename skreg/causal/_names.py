"""Names of the nodes of a graph, and its size in words."""

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


def in_numbers(W: ArrayLike) -> str:
    """How many nodes and edges a weight matrix has."""
    n_edges = np.count_nonzero(np.asarray(W))
    return f"{len(np.asarray(W))} nodes, {n_edges} edge{'' if n_edges == 1 else 's'}"
