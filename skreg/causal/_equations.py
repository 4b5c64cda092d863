r"""The objective of CoLiDE in the symbols of the paper, as plain functions on arrays.

Rows follow :math:`x = W^\top x + z`: ``W[i, j] != 0`` is an edge from i to j. ``C`` is the
covariance matrix of the rows (divisor n) and :math:`q_j(W) = [(I - W)^\top C (I - W)]_{jj}` the
mean squared residual of node j. Three scores share the code:

    equal noise    S(W, sigma) = sum_j q_j / (2 sigma) + d sigma / 2         (CoLiDE-EV)
    unequal noise  S(W, sigma) = sum_j ( q_j / sigma_j + sigma_j ) / 2       (CoLiDE-NV)
    unit noise     S(W)        = sum_j q_j / 2                               (DAGMA)

all with gradient -C (I - W) diag(1 / sigma) in W. Each is a NamedTuple, whose `noise_scale` is the
minimiser of S over sigma above a floor.

Nodes that can only be causes have rows of W, beyond the first d, but no columns: W is (n, d), C is
(n, n), and I stands for its first d columns.
"""

from typing import NamedTuple, TypeAlias

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


Noise: TypeAlias = EqualNoise | UnequalNoise | UnitNoise


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


def residual_mean_squares(C: np.ndarray, W: np.ndarray) -> np.ndarray:
    """q_j(W) (d,), the diagonal of (I - W)^T C (I - W)."""
    D = np.eye(*W.shape) - W
    return np.maximum(np.einsum("ij,ij->j", D, C @ D), 0.0)


def score(noise: Noise, q: np.ndarray, sigma: np.ndarray) -> float:
    """S at mean squared residuals q (d,) and standard deviations sigma (d,)."""
    if isinstance(noise, UnitNoise):
        return 0.5 * q.sum()
    return 0.5 * (q / sigma + sigma).sum()


def score_gradient(C: np.ndarray, W: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Gradient of S in W at fixed sigma (d,): -C (I - W) diag(1 / sigma)."""
    return -(C @ (np.eye(*W.shape) - W)) / sigma
