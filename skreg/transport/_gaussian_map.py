"""The optimal transport of one normal distribution to another: an affine map, and noise.

With covariances S of the source and R of the target, and the singular value decomposition
R^1/2 S^1/2 = U diag(s) V^T cut to its rank, the cross-covariance of the optimal coupling is
R^1/2 U V^T S^1/2, so that

    A = R^1/2 U V^T (S^1/2)^+,      N = R^1/2 (I - U U^T) R^1/2,      A S A^T + N = R,

and z -> mu_t + A (z - mu_s) + noise of covariance N has the target's mean and covariance, at

    W2^2 = |mu_s - mu_t|^2 + |S^1/2 - V U^T R^1/2|_F^2.

For S of full rank that is the symmetric map S^-1/2 (S^1/2 R S^1/2)^1/2 S^-1/2, and N = 0
(Gelbrich 1990). The singular values of the product are those of a root without ever squaring it:
the eigenvalues of S^1/2 R S^1/2 lose half of the digits. So does the cost as
tr S + tr R - 2 sum(s), where it is small.

Where both are multiples of the identity, f_s I and f_t I, the map is (f_t / f_s)^1/2.
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg import svd

from skreg.transport._spread import Spread

SMALLEST = np.finfo(float).tiny


class GaussianMap(NamedTuple):
    """The map between two centred normal distributions.

    Parameters
    ----------
    operator : Spread
        A; its inside is symmetric only if the source has full rank.
    noise : Spread or None
        N, None where it is 0.
    cost : float
        W2^2.
    """

    operator: Spread
    noise: Spread | None
    cost: float


def gaussian_map(source: Spread, target: Spread, rtol: float) -> GaussianMap:
    """The optimal map between normal distributions with two covariances of one basis.

    Parameters
    ----------
    source, target : Spread
        S and R, in the same basis.
    rtol : float
        Eigenvalues of the source and of the noise below this share of the largest count as 0.

    Returns
    -------
    GaussianMap
        A, N and W2^2.
    """
    values_s, vectors_s = source.spectrum()
    values_t, vectors_t = target.spectrum()
    floor = rtol * max(values_s.max(initial=source.outside), SMALLEST)
    largest = max(values_t.max(initial=target.outside), SMALLEST)
    used = values_s > floor
    root_t, root_s = vectors_t * np.sqrt(values_t), vectors_s[:, used] * np.sqrt(values_s[used])
    inverse = vectors_s[:, used] / np.sqrt(values_s[used])
    U, s, Vt = svd(root_t.T @ root_s, full_matrices=False)
    cost = np.sum((root_s.T - (Vt.T @ U.T) @ root_t.T) ** 2)
    if used.all():
        half = inverse @ (Vt.T * np.sqrt(s))
        operator, noise = half @ half.T, np.zeros_like(half)
    else:
        # the part of the target that the source cannot reach costs what it is
        cost += np.sum(root_t**2) - np.sum((U.T @ root_t.T) ** 2)
        coupled = s > rtol * s.max(initial=SMALLEST)
        left = root_t @ U[:, coupled]
        operator = left @ (Vt[coupled] @ inverse.T)
        noise = root_t @ root_t.T - left @ left.T
    outside, noise_outside = _between_multiples(source.outside, target.outside, floor)
    n_outside = source.n_outside
    cost += n_outside * (np.sqrt(source.outside) - np.sqrt(target.outside)) ** 2
    rest = np.linalg.eigvalsh(noise).max(initial=n_outside and noise_outside)
    return GaussianMap(
        Spread(operator, outside, source.basis),
        Spread(noise, noise_outside, source.basis) if rest > rtol * largest else None,
        float(cost),
    )


def _between_multiples(source, target, floor):
    """(A, N) between f_s I and f_t I, as numbers."""
    return (np.sqrt(target / source), 0.0) if source > floor else (0.0, target)
