"""Label propagation with Huber's function h in place of half the square.

No single edge then counts for more than delta times its weight.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse
from scipy.sparse.csgraph import connected_components

from skreg.optim.descent import BlockCoordinateDescent, GraphHuber
from skreg.semi_supervised._values import Values

WEAKEST = 1e-12  # weight, relative to the largest


def huber_values(
    W: Any,
    Y: np.ndarray,
    labelled: np.ndarray,
    delta: float,
    tol: float,
    max_iter: int,
    count: Callable[..., None],
) -> Values:
    """Values of the unlabelled nodes with Huber couplings, as `Values`.

    Two classes are one problem: the function is even, so that F_0 = 1 - F_1. The descent needs
    pivots that stay positive in double precision, so that it gets weak edges as `WEAKEST`; where
    that matters, the forces on clusters tell. `count` is called after every iteration.
    """
    W = scipy.sparse.csr_array(W)
    solved = scipy.sparse.csr_array(
        (np.maximum(W.data, WEAKEST), W.indices, W.indptr), shape=W.shape
    )
    method = BlockCoordinateDescent(tol=tol, max_iter=max_iter, callback=count)
    F, n_iter, residual = Y.copy(), 1, 0.0
    for k in range(1 if Y.shape[1] == 2 else 0, Y.shape[1]):
        values = np.where(labelled, Y[:, k], np.nan)
        result = method.minimize(GraphHuber(solved, values, delta))
        F[~labelled, k] = result.x
        n_iter = max(n_iter, result.nit)
        force = largest_force(W, F[:, k], labelled, delta)
        residual = np.max([residual, result.certificate, force])  # nan if one is
    if Y.shape[1] == 2:
        F[:, 0] = 1.0 - F[:, 1]
    return Values(F[~labelled], n_iter, float(residual))


def largest_force(
    W: scipy.sparse.csr_array, values: np.ndarray, labelled: np.ndarray, delta: float
) -> float:
    """Largest force on a cluster without labels, relative to what its outer edges can bear.

    At the solution the forces w_ij h'(f_i - f_j) on the nodes of any cluster add up to zero. Those
    inside cancel exactly, so that the outer ones are left, however weak they are. Clusters are the
    components by edges above 1e-3, 1e-6, 1e-9, .. of the largest weight.
    """
    edges = scipy.sparse.triu(W, k=1).tocoo()
    i, j = edges.coords
    force = edges.data * np.clip(values[i] - values[j], -delta, delta)
    worst, level, weakest = 0.0, 1e-3, edges.data.min(initial=1.0)
    while level >= weakest:
        strong = edges.data > level
        graph = scipy.sparse.csr_array((strong[strong], (i[strong], j[strong])), shape=W.shape)
        n_clusters, cluster = connected_components(graph, directed=False)
        outer = cluster[i] != cluster[j]
        ends = np.concatenate([cluster[i][outer], cluster[j][outer]])
        pull = np.bincount(ends, np.concatenate([force[outer], -force[outer]]), n_clusters)
        strength = np.bincount(ends, np.tile(edges.data[outer], 2), n_clusters) * min(delta, 1.0)
        free = np.bincount(cluster[labelled], minlength=n_clusters) == 0
        worst = max(worst, np.max(np.abs(pull[free]) / strength[free], initial=0.0))
        level *= 1e-3
    return float(worst)
