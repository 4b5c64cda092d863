r"""The objective of CoLiDE in the symbols of the paper, as plain functions on arrays.

Rows follow :math:`x = W^\top x + z`: ``W[i, j] != 0`` is an edge from i to j. ``C`` is the
covariance matrix of the rows (divisor n) and :math:`q_j(W) = [(I - W)^\top C (I - W)]_{jj}` the
mean squared residual of node j. Three scores share the code:

    equal noise    S(W, sigma) = sum_j q_j / (2 sigma) + d sigma / 2         (CoLiDE-EV)
    unequal noise  S(W, sigma) = sum_j ( q_j / sigma_j + sigma_j ) / 2       (CoLiDE-NV)
    unit noise     S(W)        = sum_j q_j / 2                               (DAGMA)

all with gradient -C (I - W) diag(1 / sigma) in W. Each is a NamedTuple, whose `noise_scale` is the
minimiser of S over sigma above a floor.
"""

from typing import NamedTuple

import numpy as np

from skreg._jit import generic


class EqualNoise(NamedTuple):
    """One standard deviation for all nodes, at least `floor`."""

    floor: float


class UnequalNoise(NamedTuple):
    """One standard deviation for each node, at least `floor` (d,)."""

    floor: np.ndarray


class UnitNoise(NamedTuple):
    """All standard deviations are taken to be one: least squares."""

    start: float = 1.0


@generic
def set_noise_scale(noise, q, sigma):
    """Write the optimal standard deviations for mean squared residuals q (d,) into sigma (d,)."""


@set_noise_scale.register(EqualNoise)
def _(noise, q, sigma):
    # rounding can leave a residual of nothing slightly negative
    sigma[:] = max(np.sqrt(max(np.mean(q), 0.0)), noise.floor)


@set_noise_scale.register(UnequalNoise)
def _(noise, q, sigma):
    for j in range(len(q)):
        sigma[j] = max(np.sqrt(max(q[j], 0.0)), noise.floor[j])


@set_noise_scale.register(UnitNoise)
def _(noise, q, sigma):
    sigma[:] = noise.start


def residual_mean_squares(C, W):
    """q_j(W) (d,), the diagonal of (I - W)^T C (I - W)."""
    D = np.eye(len(C)) - W
    return np.maximum(np.einsum("ij,ij->j", D, C @ D), 0.0)


def score(noise, q, sigma):
    """S at mean squared residuals q (d,) and standard deviations sigma (d,)."""
    if isinstance(noise, UnitNoise):
        return 0.5 * q.sum()
    return 0.5 * (q / sigma + sigma).sum()


def score_gradient(C, W, sigma):
    """Gradient of S in W at fixed sigma (d,): -C (I - W) diag(1 / sigma)."""
    return -(C @ (np.eye(len(C)) - W)) / sigma


def logdet_acyclicity(W, s=1.0):
    r"""Log-determinant acyclicity function of DAGMA and its gradient.

    .. math::
        h_s(W) = d \log s - \log\det(s I - W \circ W), \qquad
        \nabla h_s(W) = 2 W \circ (s I - W \circ W)^{-\top}

    for W such that :math:`sI - W \circ W` is an M-matrix, that is, the spectral radius of
    :math:`W \circ W` is below s. There :math:`h_s \ge 0`, and it is 0 if and only if W is the
    weighted adjacency matrix of an acyclic graph.

    Parameters
    ----------
    W : array-like of shape (n_features, n_features)
        Weights of edges.
    s : float, default=1.0
        Bound of the spectral radius.

    Returns
    -------
    h : float
        Value of the function.
    gradient : ndarray of shape (n_features, n_features)
        Gradient in W.

    Raises
    ------
    ValueError
        If W is not square, s is not positive, or the spectral radius is not below s.

    References
    ----------
    .. [1] K. Bello, B. Aragam, P. Ravikumar, "DAGMA: Learning DAGs via M-matrices and a
       Log-Determinant Acyclicity Characterization", NeurIPS 2022.

    Examples
    --------
    >>> from skreg.causal import logdet_acyclicity
    >>> h, gradient = logdet_acyclicity([[0, 0.5], [0.4, 0]])
    >>> round(h, 7)
    0.040822
    >>> logdet_acyclicity([[0, 3], [0, 0]])[0]
    0.0
    """
    W = np.asarray(W, dtype=float)
    if W.ndim != 2 or W.shape[0] != W.shape[1]:
        raise ValueError(f"W must be a square matrix; it has shape {W.shape}")
    if not s > 0:
        raise ValueError(f"s={s!r} must be positive")
    square = W * W
    radius = np.abs(np.linalg.eigvals(square)).max()
    if not radius < s:
        raise ValueError(f"the spectral radius of W o W is {radius:g}, not below s={s:g}")
    M = s * np.eye(len(W)) - square
    h = len(W) * np.log(s) - np.linalg.slogdet(M)[1]
    return float(h) + 0.0, 2.0 * W * np.linalg.inv(M).T
