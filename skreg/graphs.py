"""Graphs as matrices: directed ones, whose ``B[i, j] != 0`` leads from i to j, and weights."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import ArrayLike
from scipy.sparse.csgraph import connected_components

MOST_SHOWN = 100  # entries of a matrix in a message


def as_square(name: str, W: ArrayLike) -> np.ndarray:
    """Float array of a square matrix.

    Parameters
    ----------
    name : str
        What to call it in messages.
    W : array-like of shape (n_nodes, n_nodes)
        Weights.

    Returns
    -------
    ndarray of shape (n_nodes, n_nodes)
        The weights as float64.

    Raises
    ------
    ValueError
        If W is not a square matrix of finite numbers.
    """
    W = np.asarray(W, dtype=float)
    if W.ndim != 2 or W.shape[0] != W.shape[1] or not np.all(np.isfinite(W)):
        shown = repr(W) if W.size <= MOST_SHOWN else f"an array of shape {W.shape}"
        raise ValueError(f"{name} must be a square matrix of finite numbers; it is {shown}")
    return W


def topological_order(B: np.ndarray, name: str = "the graph") -> np.ndarray:
    """Nodes of a directed graph, parents first.

    Among nodes whose parents are all placed, the one with the smallest index comes first.

    Parameters
    ----------
    B : ndarray of shape (n_nodes, n_nodes)
        Whether an edge leads from i to j.
    name : str, default="the graph"
        What to call it in messages.

    Returns
    -------
    ndarray of shape (n_nodes,)
        The nodes.

    Raises
    ------
    ValueError
        If the graph has a cycle.
    """
    n_parents = B.sum(axis=0)
    placed, order = np.zeros(len(B), dtype=bool), []
    for _ in range(len(B)):
        ready = np.flatnonzero(~placed & (n_parents == 0))
        if len(ready) == 0:
            raise ValueError(f"{name} has a cycle")
        node = ready[0]
        placed[node] = True
        order.append(node)
        n_parents = n_parents - B[node]
    return np.array(order)


def is_acyclic(B: ArrayLike) -> bool:
    """Whether a directed graph has no cycle.

    Parameters
    ----------
    B : array-like of shape (n_nodes, n_nodes)
        Nonzero where an edge leads from i to j.

    Returns
    -------
    bool
        Whether it is acyclic.
    """
    edges = np.asarray(B) != 0
    return not (np.diagonal(edges).any() or strong_components(edges))


def descendants(B: ArrayLike) -> np.ndarray:
    """Which nodes of an acyclic graph are reached from which, by one edge or more.

    Parameters
    ----------
    B : array-like of shape (n_nodes, n_nodes)
        Nonzero where an edge leads from i to j.

    Returns
    -------
    ndarray of shape (n_nodes, n_nodes)
        Whether a directed path leads from i to j.

    Raises
    ------
    ValueError
        If the graph has a cycle.
    """
    edges = np.asarray(B) != 0
    reach = np.zeros_like(edges)
    for i in topological_order(edges)[::-1]:
        reach[i] = edges[i] | reach[edges[i]].any(axis=0)
    return reach


def strong_components(B: np.ndarray) -> list[np.ndarray]:
    """Strongly connected components of more than one node.

    Parameters
    ----------
    B : ndarray of shape (n_nodes, n_nodes)
        Whether an edge leads from i to j.

    Returns
    -------
    list of ndarray
        The nodes of each.
    """
    _, label = connected_components(scipy.sparse.csr_array(B), connection="strong")
    order = np.argsort(label, kind="stable")
    groups = np.split(order, np.cumsum(np.bincount(label))[:-1])
    return [nodes for nodes in groups if len(nodes) > 1]


def propagate(Z: np.ndarray, W: np.ndarray, order: Iterable[int]) -> np.ndarray:
    """Rows x = W^T x + z of a linear acyclic model.

    Parameters
    ----------
    Z : ndarray of shape (n_rows, n_nodes)
        Noises z.
    W : ndarray of shape (n_nodes, n_nodes)
        Weights of an acyclic graph.
    order : iterable of int
        Its nodes, parents first.

    Returns
    -------
    ndarray of shape (n_rows, n_nodes)
        Rows x.
    """
    X = Z.copy()
    for j in order:
        parents = np.flatnonzero(W[:, j])
        X[:, j] += X[:, parents] @ W[parents, j]
    return X


def checked_weights(W: Any) -> scipy.sparse.csr_array:
    """Weights of an undirected graph, without diagonal and stored zeros.

    Parameters
    ----------
    W : array-like or sparse matrix of shape (n_nodes, n_nodes)
        Weights; the diagonal does not matter.

    Returns
    -------
    scipy.sparse.csr_array of shape (n_nodes, n_nodes)
        A copy, as float64.

    Raises
    ------
    ValueError
        If W is not square, finite, nonnegative and symmetric.
    """
    W = scipy.sparse.csr_array(W, dtype=np.float64, copy=True)
    if W.shape[0] != W.shape[1]:
        raise ValueError(f"W must be square, its shape is {W.shape}")
    if not np.all(np.isfinite(W.data)):
        raise ValueError("W must be finite")
    if np.any(W.data < 0.0):
        raise ValueError(f"W must be nonnegative, its smallest entry is {W.data.min():g}")
    asymmetry = abs(W - W.T).max() if W.nnz else 0.0
    if asymmetry > 1e-10 * abs(W).max():
        raise ValueError(f"W must be symmetric, |W - W^T| is up to {asymmetry:g}")
    W.setdiag(0.0)
    W.eliminate_zeros()
    W.sum_duplicates()
    return W


def connected_to(W: Any, marked: np.ndarray) -> np.ndarray:
    """Which nodes are connected to a marked one by edges of whatever positive weight.

    Parameters
    ----------
    W : ndarray or scipy.sparse array of shape (n_nodes, n_nodes)
        Symmetric nonnegative weights.
    marked : ndarray of shape (n_nodes,)
        Which nodes are marked.

    Returns
    -------
    ndarray of shape (n_nodes,)
        Whether a path leads to a marked node; it does from the marked ones.
    """
    # scipy takes entries of a dense graph below 1e-8 for missing edges
    edges = W if scipy.sparse.issparse(W) else scipy.sparse.csr_array(W > 0.0)
    n_components, component = connected_components(edges, directed=False)
    return (np.bincount(component[marked], minlength=n_components) > 0)[component]
