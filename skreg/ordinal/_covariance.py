"""Covariance of maximum likelihood estimates, in the increments of the solver.

With weights w_i that sum to one, the mean loss has the Hessian H and the rows have the gradients
w_i g_i. Let W be the sum of the weights as they were given.

    observed     H^-1 / W                                          a weight is a number of rows
    sandwich     H^-1 (sum_i w_i^2 g_i g_i^T) H^-1                 or says how much a row counts
    cluster      H^-1 (G / (G - 1) sum_c u_c u_c^T) H^-1,          u_c = sum_{i in c} w_i g_i

of G clusters. Only the first depends on the scale of the weights.
"""

import numpy as np
from scipy.linalg import inv

from skreg.ordinal._gram import ROWS_PER_CHUNK, row_block
from skreg.ordinal._newton import quadratic_model


def observed(problem, maximum, total_weight):
    """Inverse of the observed information."""
    return inv(maximum.hessian) / total_weight


def sandwich(problem, maximum, free):
    """Covariance that holds if the rows are independent, whether or not the model is right."""
    meat = np.zeros_like(maximum.hessian)
    for _, scores in _score_blocks(problem, maximum.point, free):
        meat += scores @ scores.T
    return _between(maximum.hessian, meat)


def clustered(problem, maximum, free, cluster):
    """The same if only clusters of rows are; `cluster` (n_samples,) numbers those of the rows."""
    n_clusters = cluster.max() + 1
    total = np.zeros((n_clusters, len(free)))
    for rows, scores in _score_blocks(problem, maximum.point, free):
        np.add.at(total, cluster[rows], scores.T)
    return _between(maximum.hessian, n_clusters / (n_clusters - 1) * (total.T @ total))


def _between(hessian, meat):
    bread = inv(hessian)
    return bread @ meat @ bread


def _score_blocks(problem, point, free):
    """Slices of rows, with their weighted gradients in the increments `free`, (n_free, n_rows).

    Increment l moves a and b of the classes beyond l, and a alone of class l.
    """
    rows = problem.rows
    model = quadratic_model(rows, point.a, point.b)
    boundary, column = np.divmod(free, point.theta.shape[1])
    features, position = np.unique(column, return_inverse=True)
    for c, (first, last) in enumerate(zip(rows.start[:-1], rows.start[1:], strict=True)):
        beyond, here = (boundary < c)[:, None], (boundary == c)[:, None]
        for low in range(first, last, ROWS_PER_CHUNK):
            some = slice(low, min(low + ROWS_PER_CHUNK, last))
            x = row_block(rows.design, features, some)[position]
            yield some, x * (beyond * model.q[some] + here * model.qa[some])
