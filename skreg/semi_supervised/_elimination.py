"""Values on a graph by elimination without subtraction.

The values F of the nodes are means of those of their neighbours and of what is given to them:

    s_i F_i = sum_j w_ij F_j + b_i,     s_i = sum_j w_ij + g_i,     w, g, b >= 0.

Eliminating node k joins its neighbours by new edges (the star-mesh transform of networks),

    w_ij <- w_ij + w_ik w_kj / s_k,   g_i <- g_i + w_ik g_k / s_k,   b_i <- b_i + w_ik b_k / s_k,

where s_k is added up anew from the edges that are left. An LU decomposition would instead subtract
w_ik^2 / s_k from s_i, and lose every digit where a cluster hangs on edges 1e-16 times as heavy as
those within. Here only nonnegative numbers are added, multiplied and divided, so that each value
has a relative error of about the number of nodes times the rounding error, whatever the weights
(Grassmann, Taksar and Heyman 1985; O'Cinneide 1993).
"""

import numpy as np
import scipy.sparse
from scipy.sparse.linalg import splu

from skreg._jit import kernel

BLOCK = 64


def values_by_elimination(W, ground, B):
    """F of shape (n, n_classes).

    Parameters
    ----------
    W : ndarray or scipy.sparse.csr_array of shape (n, n)
        Symmetric weights w, without diagonal.
    ground : ndarray of shape (n,)
        The g; every component of the graph must have a positive one.
    B : ndarray of shape (n, n_classes)
        The b.

    Returns
    -------
    ndarray of shape (n, n_classes)
        Values.
    """
    if not scipy.sparse.issparse(W):
        return _dense_elimination(W, ground, B)
    order = _fill_reducing_order(W)
    upper = scipy.sparse.csr_array(scipy.sparse.triu(W[order][:, order], k=1))
    F = np.empty(B.shape)
    F[order] = _sparse_elimination(
        upper.indptr.astype(np.int64),
        upper.indices.astype(np.int64),
        upper.data,
        ground[order],
        np.ascontiguousarray(B[order]),
    )
    return F


def _dense_elimination(W, ground, B):
    """Blocks of rows: inside a block node by node, below it one matrix product per later block."""
    n = len(W)
    M = np.column_stack([W, ground, B])  # only what is right of the diagonal is kept up to date
    s = np.empty(n)
    edges = range(0, n, BLOCK)
    for start in edges:
        rows = M[start : start + BLOCK]
        for i, row in enumerate(rows):
            k = start + i
            s[k] = row[k + 1 : n + 1].sum()
            ratios = row[k + 1 : start + len(rows)] / s[k]
            rows[i + 1 :, k + 1 :] += ratios[:, None] * row[k + 1 :]
        ratios = rows[:, start + len(rows) : n] / s[start : start + len(rows), None]
        for below in range(start + BLOCK, n, BLOCK):
            here = slice(below - start - BLOCK, below - start)
            M[below : below + BLOCK, below:] += ratios[:, here].T @ rows[:, below:]
    F = M[:, n + 1 :]
    for k in range(n - 1, -1, -1):
        F[k] = (F[k] + M[k, k + 1 : n] @ F[k + 1 :]) / s[k]
    return F


def _fill_reducing_order(W):
    """Nodes in SuperLU's order of least degree."""
    n = W.shape[0]
    pattern = scipy.sparse.csc_array((np.full(W.nnz, -1.0), W.indices, W.indptr), shape=W.shape)
    dominant = scipy.sparse.csc_array(pattern + scipy.sparse.diags_array(np.full(n, n + 1.0)))
    factor = splu(
        dominant,
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
    return np.argsort(factor.perm_c)


@kernel
def _sparse_elimination(indptr, indices, data, ground, B):  # noqa: C901  one compiled loop
    """As `_dense_elimination`, row by row from those before; `ground` and `B` are used up.

    Row k gets its share of every earlier row i in which k is the first column not yet used up;
    these rows hang in a list for each k (`head`, `following`).
    """
    n, n_classes = B.shape
    starts, total = np.zeros(n + 1, dtype=np.int64), np.empty(n)
    columns, values = np.empty(4 * len(data) + n, dtype=np.int64), np.empty(4 * len(data) + n)
    head, following = np.full(n, -1, dtype=np.int64), np.full(n, -1, dtype=np.int64)
    position = np.zeros(n, dtype=np.int64)
    row, seen = np.zeros(n), np.full(n, -1, dtype=np.int64)
    pattern = np.empty(n, dtype=np.int64)
    for k in range(n):
        count = 0
        for p in range(indptr[k], indptr[k + 1]):
            j = indices[p]
            seen[j] = k
            pattern[count] = j
            count += 1
            row[j] = data[p]
        i = head[k]
        while i >= 0:
            after, p = following[i], position[i]
            ratio = values[p] / total[i]
            ground[k] += ratio * ground[i]
            for c in range(n_classes):
                B[k, c] += ratio * B[i, c]
            for q in range(p + 1, starts[i + 1]):
                j = columns[q]
                if seen[j] != k:
                    seen[j] = k
                    pattern[count] = j
                    count += 1
                    row[j] = 0.0
                row[j] += ratio * values[q]
            position[i] = p + 1
            if p + 1 < starts[i + 1]:
                j = columns[p + 1]
                following[i] = head[j]
                head[j] = i
            i = after
        first = starts[k]
        starts[k + 1] = first + count
        if starts[k + 1] > len(columns):
            more = len(columns) + n
            columns = np.concatenate((columns, np.empty(more, dtype=np.int64)))
            values = np.concatenate((values, np.empty(more)))
        reached = np.sort(pattern[:count])
        for p in range(count):
            columns[first + p] = reached[p]
        total[k] = ground[k]
        for p in range(first, first + count):
            values[p] = row[columns[p]]
            total[k] += values[p]
        position[k] = first
        if count > 0:
            j = columns[first]
            following[k] = head[j]
            head[j] = k
    for k in range(n - 1, -1, -1):
        for c in range(n_classes):
            mean = B[k, c]
            for p in range(starts[k], starts[k + 1]):
                mean += values[p] * B[columns[p], c]
            B[k, c] = mean / total[k]
    return B
