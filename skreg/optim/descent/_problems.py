"""Problems: a smooth convex function and, where there is one, a penalty.

Every problem is an immutable record of the user's arrays; `minimize` checks them when it starts.
Losses are sums over samples, as in Nutini et al. (2022), not means.
"""

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse

from skreg.graphs import checked_weights, connected_to


class LeastSquares(NamedTuple):
    """f(x) = sum_i s_i (a_i^T x - b_i)^2 / 2.

    Attributes
    ----------
    X : ndarray or scipy sparse matrix of shape (n_samples, n_features)
        Rows a_i.
    y : ndarray of shape (n_samples,)
        Responses b_i.
    penalty : L1 or another record of `skreg.optim.penalties`, default=None
        Penalty of `skreg.optim`; nothing is penalised if None.
    sample_weight : ndarray of shape (n_samples,), default=None
        Weights s_i >= 0; 1 if None.
    """

    X: Any
    y: Any
    penalty: Any = None
    sample_weight: Any = None


class Logistic(NamedTuple):
    """f(x) = sum_i s_i log(1 + exp(-b_i a_i^T x)).

    Attributes
    ----------
    X : ndarray or scipy sparse matrix of shape (n_samples, n_features)
        Rows a_i.
    y : ndarray of shape (n_samples,)
        Labels b_i, -1 or 1.
    penalty : L1 or another record of `skreg.optim.penalties`, default=None
        Penalty of `skreg.optim`; nothing is penalised if None.
    sample_weight : ndarray of shape (n_samples,), default=None
        Weights s_i >= 0; 1 if None.
    """

    X: Any
    y: Any
    penalty: Any = None
    sample_weight: Any = None


class Multinomial(NamedTuple):
    """f(W) = sum_i s_i (log sum_c exp(a_i^T w_c) - a_i^T w_{y_i}).

    The variable is W of shape (n_features, n_classes), flattened row by row: coordinate
    ``feature * n_classes + class``.

    Attributes
    ----------
    X : ndarray or scipy sparse matrix of shape (n_samples, n_features)
        Rows a_i.
    y : ndarray of shape (n_samples,) or (n_samples, n_classes)
        Classes 0, 1, .., or one-hot rows.
    penalty : L1 or another record of `skreg.optim.penalties`, default=None
        Penalty of `skreg.optim`, its weights and groups by feature; `GroupL2` without groups
        penalises the rows of W.
    sample_weight : ndarray of shape (n_samples,), default=None
        Weights s_i >= 0; 1 if None.
    """

    X: Any
    y: Any
    penalty: Any = None
    sample_weight: Any = None


class GraphQuadratic(NamedTuple):
    """f(x) = x^T A x / 2 - b^T x with a sparse, positive definite A.

    Attributes
    ----------
    A : scipy sparse matrix of shape (n, n)
        Symmetric and positive definite; its off-diagonal entries are the edges of the graph.
    b : ndarray of shape (n,)
        Linear part.
    penalty : L1 or another without groups, default=None
        Penalty of `skreg.optim`; nothing is penalised if None.
    """

    A: Any
    b: Any
    penalty: Any = None

    @classmethod
    def from_labels(cls, W: Any, values: Any, penalty: Any = None) -> "GraphQuadratic":
        """Label propagation: harmonic values of the unlabelled nodes of a graph.

        With x on the unlabelled nodes and the given values elsewhere, f is
        sum_{i < j} w_ij (x_i - x_j)^2 / 2 up to a constant, thus A = diag(W 1) - W on the
        unlabelled nodes, the degrees counting all neighbours, and b_i = sum_{j labelled} w_ij y_j.

        Parameters
        ----------
        W : ndarray or scipy sparse matrix of shape (n_nodes, n_nodes)
            Symmetric nonnegative weights; the diagonal does not matter.
        values : ndarray of shape (n_nodes,)
            Values of the labelled nodes, nan at the unlabelled ones.
        penalty : L1 or another without groups, default=None
            Penalty on the unlabelled values.

        Returns
        -------
        GraphQuadratic
            Its variable holds the unlabelled nodes in their order.

        Raises
        ------
        ValueError
            If W is no such matrix, or a component of the graph has no labelled node (A would be
            singular).
        """
        W, values, unlabelled = checked_propagation(W, values)
        rows = W[unlabelled]
        A = scipy.sparse.diags_array(rows.sum(axis=1)) - rows[:, unlabelled]
        b = rows[:, ~unlabelled] @ values[~unlabelled]
        return cls(A.tocsr(), b, penalty)


class GraphHuber(NamedTuple):
    """Label propagation whose couplings grow linearly beyond `delta`, so that no edge dominates.

    f(x) = sum_{i < j} w_ij h(x_i - x_j) over the unlabelled nodes' values x, with Huber's h.

    Attributes
    ----------
    W : ndarray or scipy sparse matrix of shape (n_nodes, n_nodes)
        Symmetric nonnegative weights; the diagonal does not matter.
    values : ndarray of shape (n_nodes,)
        Values of the labelled nodes, nan at the unlabelled ones. The variable holds the
        unlabelled nodes in their order.
    delta : float, default=1.0
        Difference of values beyond which a coupling is linear.
    penalty : L1 or another without groups, default=None
        Penalty on the unlabelled values.
    """

    W: Any
    values: Any
    delta: float = 1.0
    penalty: Any = None


def checked_propagation(W, values):
    """(W, values, mask of the unlabelled nodes), checked for label propagation."""
    W = checked_weights(W)
    values = np.asarray(values, dtype=np.float64)
    if values.shape != (W.shape[0],):
        raise ValueError(f"values must have shape ({W.shape[0]},), not {values.shape}")
    if np.any(np.isinf(values)):
        raise ValueError("values must be finite, or nan at unlabelled nodes")
    unlabelled = np.isnan(values)
    if not unlabelled.any():
        raise ValueError("every node is labelled: there is nothing to propagate")
    check_every_component_is_labelled(W, ~unlabelled)
    return W, values, unlabelled


def check_every_component_is_labelled(W, labelled):
    """Raise ValueError if a connected component of the graph has no labelled node."""
    reached = connected_to(W, labelled)
    if not reached.all():
        lonely = np.flatnonzero(~reached)
        raise ValueError(
            f"{len(lonely)} nodes are connected to no labelled node (the first is node "
            f"{lonely[0]}): their values are undetermined"
        )


def incidence(problem):
    """(B, t, w) with f(x) = sum_e w_e h((B x)_e - t_e): one row per edge of a `GraphHuber`."""
    W, values, unlabelled = checked_propagation(problem.W, problem.values)
    number = np.cumsum(unlabelled) - 1
    edges = scipy.sparse.triu(W, k=1).tocoo()
    i, j = edges.coords
    inner = unlabelled[i] & unlabelled[j]
    outer = unlabelled[i] != unlabelled[j]
    near = np.where(unlabelled[i], i, j)[outer]
    far = np.where(unlabelled[i], j, i)[outer]
    n_inner, n_outer = int(inner.sum()), len(near)
    rows = np.concatenate([np.arange(n_inner), np.arange(n_inner), n_inner + np.arange(n_outer)])
    columns = number[np.concatenate([i[inner], j[inner], near])]
    entries = np.concatenate([np.ones(n_inner), -np.ones(n_inner), np.ones(n_outer)])
    shape = (n_inner + n_outer, int(unlabelled.sum()))
    B = scipy.sparse.csc_array((entries, (rows, columns)), shape=shape)
    target = np.concatenate([np.zeros(n_inner), values[far]])
    return B, target, np.concatenate([edges.data[inner], edges.data[outer]])


def checked_quadratic(problem):
    """(A as a canonical CSR array, b) of a `GraphQuadratic`."""
    A = scipy.sparse.csr_array(problem.A, dtype=np.float64, copy=True)
    if A.shape[0] != A.shape[1]:
        raise ValueError(f"A must be square, its shape is {A.shape}")
    if not np.all(np.isfinite(A.data)):
        raise ValueError("A must be finite")
    if A.nnz and abs(A - A.T).max() > 1e-10 * abs(A).max():
        raise ValueError("A must be symmetric")
    if not np.all(A.diagonal() > 0.0):
        node = int(np.argmin(A.diagonal()))
        raise ValueError(
            f"A must be positive definite, but A[{node}, {node}] = {A.diagonal()[node]:g}"
        )
    A.sum_duplicates()
    A.eliminate_zeros()
    b = np.asarray(problem.b, dtype=np.float64)
    if b.shape != (A.shape[0],):
        raise ValueError(f"b must have shape ({A.shape[0]},), not {b.shape}")
    if not np.all(np.isfinite(b)):
        raise ValueError("b must be finite")
    return A, b


def one_hot(y):
    """One-hot rows of the classes 0, 1, ..; one-hot rows pass."""
    y = np.asarray(y)
    if y.ndim == 2:
        if y.shape[1] < 2 or np.any(y < 0) or not np.allclose(y.sum(axis=1), 1.0):
            raise ValueError("y must have one-hot rows (or frequencies) of at least two classes")
        return y.astype(np.float64)
    if y.ndim != 1 or not np.all(y == np.floor(y)) or np.any(y < 0):
        raise ValueError("y must hold the classes 0, 1, ..")
    return np.eye(max(int(y.max(initial=0)) + 1, 2))[y.astype(np.int64)]
