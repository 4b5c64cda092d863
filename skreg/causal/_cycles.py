"""Acyclic parts of weights: which edges go where a graph has cycles."""

import numpy as np
from numpy.typing import ArrayLike

from skreg.graphs import as_square, strong_components


def threshold_to_dag(W: ArrayLike, threshold: float = 0.3) -> np.ndarray:
    """Drop weak edges, then break the cycles that remain.

    Only edges on cycles go: in every strongly connected component the weakest ones, until it falls
    apart. What lies between the components stays.

    Parameters
    ----------
    W : array-like of shape (n_features, n_features)
        Weights; an entry on the diagonal is a cycle.
    threshold : float, default=0.3
        Edges of at most this magnitude are dropped.

    Returns
    -------
    ndarray of shape (n_features, n_features)
        Weights of an acyclic graph.

    Raises
    ------
    ValueError
        If W is not a square matrix of finite numbers, or the threshold is negative.

    Examples
    --------
    >>> from skreg.causal import threshold_to_dag
    >>> threshold_to_dag([[0, 1, 0], [0.35, 0, 2], [0.31, 0, 0.1]])
    array([[0., 1., 0.],
           [0., 0., 2.],
           [0., 0., 0.]])
    """
    W = as_square("W", W)
    if not threshold >= 0:
        raise ValueError(f"threshold={threshold!r} must not be negative")
    W = np.where(np.abs(W) > threshold, W, 0.0)
    return np.where(break_cycles(W != 0, np.abs(W)), W, 0.0)


def break_cycles(
    B: np.ndarray, strength: np.ndarray, required: np.ndarray | None = None
) -> np.ndarray:
    """Acyclic part of the graph B (d, d) bool that keeps all edges outside cycles.

    Loops go first. Then every strongly connected component loses its weakest edge, and what is left
    of it is looked at again. Edges at which `required` (d, d) is True, which must have no cycle
    themselves, are never removed.

    Parameters
    ----------
    B : ndarray of shape (d, d)
        Edges.
    strength : ndarray of shape (d, d)
        Strengths of the edges; of equal ones, the first in row order goes first.
    required : ndarray of shape (d, d), default=None
        Edges to keep.

    Returns
    -------
    ndarray of shape (d, d)
        Edges of the acyclic graph.
    """
    dag = B & ~np.eye(len(B), dtype=bool)
    removable = dag if required is None else dag & ~required
    components = strong_components(dag)
    while components:
        nodes = components.pop()
        block = np.ix_(nodes, nodes)
        dag[block], parts = _without_weakest(dag[block], strength[block], removable[block])
        components += [nodes[part] for part in parts]
    return dag


def _without_weakest(B, strength, removable):
    """Remove edges of a strongly connected graph, weakest first, until it is so no more.

    That is monotone in the number of removed edges, so that bisection finds it. Also returns the
    strongly connected components of what is left.
    """
    edges = np.flatnonzero(B & removable)
    edges = edges[np.argsort(strength.ravel()[edges], kind="stable")]

    def without(n_removed):
        rest = B.copy()
        rest.ravel()[edges[:n_removed]] = False
        return rest, strong_components(rest)

    low, high = 1, len(edges)
    while low < high:
        middle = (low + high) // 2
        _, parts = without(middle)
        if any(len(part) == len(B) for part in parts):
            low = middle + 1
        else:
            high = middle
    return without(low)


def acyclic_part(W: np.ndarray, threshold: float, included: np.ndarray) -> np.ndarray:
    """Weights above the threshold and required ones, without the weakest of each cycle."""
    present = (np.abs(W) > threshold) | (included & (W != 0))
    return np.where(break_cycles(present, np.abs(W), included), W, 0.0)
