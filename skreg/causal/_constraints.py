"""What is known about edges beforehand: forbidden ones, required ones, tiers."""

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from skreg.causal._names import node_number
from skreg.graphs import descendants, is_acyclic


def edge_mask(edges: Any, names: Sequence[str], parameter: str) -> np.ndarray:
    """Boolean matrix (d, d) of edges.

    Parameters
    ----------
    edges : array-like
        A boolean matrix of shape (d, d), or pairs (from, to) of column numbers or names. None is no
        edge.
    names : sequence of str
        Column names.
    parameter : str
        What to call it in messages.
    """
    d = len(names)
    mask = np.zeros((d, d), dtype=bool)
    if edges is None or len(edges) == 0:
        return mask
    given = np.asarray(edges, dtype=object)
    if all(isinstance(entry, bool | np.bool_) for entry in given.flat):
        if given.shape != (d, d):
            raise ValueError(f"{parameter} has shape {given.shape}; a mask must be ({d}, {d})")
        return given.astype(bool)
    if given.ndim != 2 or given.shape[1] != 2:
        raise ValueError(
            f"{parameter} must be pairs (from, to) of shape (n_edges, 2) or a boolean mask of "
            f"shape ({d}, {d}); it has shape {given.shape}"
        )
    for pair in given:
        mask[tuple(node_number(node, names, parameter) for node in pair)] = True
    return mask


def constraint_masks(
    exclude_edges: Any, include_edges: Any, tiers: ArrayLike | None, names: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Forbidden and required edges, two boolean matrices (d, d).

    Forbidden are also the edges that would close a cycle with the required ones: from any node to
    one from which required edges lead to it.

    Raises
    ------
    ValueError
        If the required edges have a cycle, or one of them is forbidden.
    """
    excluded = edge_mask(exclude_edges, names, "exclude_edges")
    included = edge_mask(include_edges, names, "include_edges")
    if tiers is not None:
        levels = np.asarray(tiers, dtype=object)
        finite = all(isinstance(level, Real) and math.isfinite(level) for level in levels.flat)
        if levels.shape != (len(names),) or not finite:
            raise ValueError(f"tiers={tiers!r} must be {len(names)} numbers, one for each column")
        excluded |= (levels[:, None] > levels[None, :]).astype(bool)
    if not is_acyclic(included):
        raise ValueError("include_edges has a cycle")
    both = np.argwhere(excluded & included)
    if len(both):
        i, j = both[0]
        raise ValueError(
            f"the edge from {names[i]!r} to {names[j]!r} is required by include_edges and "
            "forbidden by exclude_edges or tiers"
        )
    return excluded | descendants(included).T, included
