"""Graphs as matrices: directed ones, whose ``B[i, j] != 0`` leads from i to j, and weights."""

import numpy as np
import scipy.sparse
from scipy.sparse.csgraph import connected_components


def as_square(name, W):
    """Float array of a square matrix of finite numbers, or a ValueError."""
    W = np.asarray(W, dtype=float)
    if W.ndim != 2 or W.shape[0] != W.shape[1] or not np.all(np.isfinite(W)):
        raise ValueError(f"{name} must be a square matrix of finite numbers; it is {W!r}")
    return W


def topological_order(B):
    """Nodes of the graph B, (n_nodes, n_nodes) bool, parents first; None if there is a cycle.

    Among nodes whose parents are all placed, the one with the smallest index comes first.
    """
    n_parents = B.sum(axis=0)
    placed, order = np.zeros(len(B), dtype=bool), []
    for _ in range(len(B)):
        ready = np.flatnonzero(~placed & (n_parents == 0))
        if len(ready) == 0:
            return None
        node = ready[0]
        placed[node] = True
        order.append(node)
        n_parents = n_parents - B[node]
    return np.array(order)


def is_acyclic(B):
    """Whether the graph of the nonzero entries of B has no directed cycle."""
    return topological_order(np.asarray(B) != 0) is not None


def descendants(B):
    """Reachability (d, d) bool: [i, j] if a directed path of length >= 1 leads from i to j.

    B must be acyclic.
    """
    B = np.asarray(B) != 0
    reach = np.zeros_like(B)
    for i in topological_order(B)[::-1]:
        children = np.flatnonzero(B[i])
        reach[i] = B[i] | reach[children].any(axis=0)
    return reach


def strong_components(B):
    """Strongly connected components of more than one node, a list of arrays of nodes."""
    _, label = connected_components(scipy.sparse.csr_array(B), connection="strong")
    order = np.argsort(label, kind="stable")
    groups = np.split(order, np.cumsum(np.bincount(label))[:-1])
    return [nodes for nodes in groups if len(nodes) > 1]


def propagate(Z, W, order):
    """Rows x = W^T x + z, column by column in topological order."""
    X = Z.copy()
    for j in order:
        parents = np.flatnonzero(W[:, j])
        X[:, j] += X[:, parents] @ W[parents, j]
    return X


def checked_weights(W):
    """W as a CSR array without diagonal and stored zeros.

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


def connected_to(W, marked):
    """Which nodes are connected to a marked one by edges of whatever positive weight."""
    # scipy takes entries of a dense graph below 1e-8 for missing edges
    edges = W if scipy.sparse.issparse(W) else scipy.sparse.csr_array(W > 0.0)
    n_components, component = connected_components(edges, directed=False)
    return (np.bincount(component[marked], minlength=n_components) > 0)[component]
