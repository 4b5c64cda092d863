r"""Diagonal quadratic discriminants: variances of each class, shrunk, and exact leave-one-out.

In columns divided by scales s_j, as in `_eigenframe`, class k of weight n_k has the mean m_k, the
scatter A_kj, the sum of w_i (x_ij - m_kj)^2 over its rows, and the variances

    v_kj = (A_kj + nu) / (n_k + nu),

its own pooled with those of nu rows whose variance is s_j^2: the pooled variance of the column
where columns are made alike (a = 1), the same for all columns where they are left as they are
(a = 0). This is Friedman's regularised discriminant [1] with diagonals in place of covariances and
nu = W lambda / (1 - lambda). The score of class k is

    log pi_k - (t/2) q_k,    q_k = sum_j [log v_kj + (x_j - m_kj)^2 / v_kj].

nu = 0 and t = 1 is Gaussian naive Bayes with a variance per class, nu to infinity the linear one.
A column that varies nowhere has no part in the sum.

One copy of row i of class c leaves, of weight w. For columns whose scale stays only class c
changes: with n = n_c / (n_c - w) and u_i = x_i - m_c,

    x_i - m_c^(-i) = n u_i,    A_c^(-i) = A_c - w n u_i^2.

[1] J. H. Friedman, "Regularized discriminant analysis", JASA 84, 1989, equations 14 to 18.
"""

from typing import Any, NamedTuple

import numpy as np

PRIOR_ROWS = (1.0, 4.0, 16.0, 64.0)  # nu


class Spread(NamedTuple):
    """What the classes leave behind, in scaled columns."""

    means: np.ndarray  # (K, d)
    scatter: np.ndarray  # (K, d)
    count: Any  # ndarray (K,); tuples have a method of this name
    scale: np.ndarray  # (d,), infinite for columns that vary nowhere


def class_spreads(rows, scales):
    """`Spread` of `ClassRows` for each of several scales (d,) by which columns are divided."""
    square = (rows.X - rows.means[rows.codes]) ** 2
    member = np.zeros((rows.count.size, len(rows.X)))
    member[rows.codes, np.arange(len(rows.X))] = rows.weights
    scatter, varies = member @ square, rows.X.any(axis=0)
    scales = [np.where(varies, scale, np.inf) for scale in scales]
    return [Spread(rows.means / s, scatter / s**2, rows.count, s) for s in scales]


def quadratic_form(spread, prior_rows):
    """B (K, d), P (K, d) and b (K,) of -q_k / 2 = B_k x - P_k x^2 / 2 + b_k in centred columns."""
    variance = (spread.scatter + prior_rows) / (spread.count[:, None] + prior_rows)
    coef, varies = spread.means / variance, np.isfinite(spread.scale)
    offset = -0.5 * ((coef * spread.means).sum(axis=1) + np.log(variance) @ varies)
    return coef / spread.scale, 1.0 / (variance * spread.scale**2), offset


def left_out_deviances(X, codes, spread, unit, prior_rows):
    """q (n, n_prior_rows, K) of every row and the classes without it.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Centred rows, of classes that weigh more than `unit`.
    codes : ndarray of shape (n,)
        Their classes.
    spread : Spread
        Of all rows.
    unit : float or ndarray of shape (n,)
        Weight w of the copy that is left out.
    prior_rows : sequence of float
        Values of nu.

    Returns
    -------
    ndarray of shape (n, n_prior_rows, K)
        The deviances.
    """
    i, out = np.arange(codes.size), np.empty((codes.size, len(prior_rows), spread.count.size))
    left = spread.count[codes] - unit
    grown = (spread.count[codes] / left)[:, None]
    square = (X / spread.scale - spread.means[codes]) ** 2
    varies = np.isfinite(spread.scale)
    lost = np.broadcast_to(unit, codes.shape)[:, None] * grown * square
    rest = np.maximum(spread.scatter[codes] - lost, 0.0)
    for g, nu in enumerate(prior_rows):
        coef, curvature, offset = quadratic_form(spread, nu)
        out[:, g] = X**2 @ curvature.T - 2.0 * (X @ coef.T + offset)
        variance = (rest + nu) / (left + nu)[:, None]
        distance = (grown**2 * square / variance).sum(axis=1)
        out[i, g, codes] = np.log(variance) @ varies + distance
    return out
