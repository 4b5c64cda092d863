"""Directed graphs as matrices: ``B[i, j] != 0`` is an edge from i to j."""

import numpy as np

from skreg.datasets._linear_sem import topological_order


def is_acyclic(B):
    """Whether the graph of the nonzero entries of B has no directed cycle."""
    return topological_order(np.asarray(B) != 0) is not None


def threshold_to_dag(W, threshold=0.3):
    """Drop weak edges, then the weakest ones of those that remain until there is no cycle.

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
    return drop_until_acyclic(np.where(np.abs(W) > threshold, W, 0.0))


def drop_until_acyclic(W, keep=None):
    """Copy of W without its weakest edges, as many as must go for the rest to have no cycle.

    Edges at which `keep` (d, d) is True go last. Acyclicity is monotone in the number of dropped
    edges, so that bisection finds it.
    """
    magnitude = np.abs(W)
    if keep is not None:
        magnitude = np.where(keep & (W != 0), np.inf, magnitude)
    edges = np.flatnonzero(W)
    edges = edges[np.argsort(magnitude.ravel()[edges], kind="stable")]
    low, high = 0, len(edges)
    while low < high:
        middle = (low + high) // 2
        rest = np.zeros(W.size, dtype=bool)
        rest[edges[middle:]] = True
        if is_acyclic(rest.reshape(W.shape)):
            high = middle
        else:
            low = middle + 1
    dag = np.zeros(W.size)
    dag[edges[low:]] = W.ravel()[edges[low:]]
    return dag.reshape(W.shape)


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


def as_square(name, W):
    """Float array of a square matrix of finite numbers, or a ValueError."""
    W = np.asarray(W, dtype=float)
    if W.ndim != 2 or W.shape[0] != W.shape[1] or not np.all(np.isfinite(W)):
        raise ValueError(f"{name} must be a square matrix of finite numbers; it is {W!r}")
    return W
