"""Kinds of random features g(w, x), and the kernels E_w[g(w, x) g(w, y)] that they tend to.

Every kind is a function of a projection w.x with normal weights w ~ N(0, v I), so that its limit
kernel is one of the scaled inner products

    c = v x.y,    a = v x.x,    b = v y.y.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from scipy.linalg.blas import dtrsm
from scipy.linalg.lapack import dpstrf
from scipy.special import erf

Activation = Callable[[np.ndarray], np.ndarray]
LimitKernel = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


class Kind(NamedTuple):
    """What one kind of features is.

    Parameters
    ----------
    weight_variance : callable
        ``weight_variance(n_features, gamma)`` is v.
    activation : callable
        Maps projections to features, in place.
    limit : callable
        ``limit(c, a, b)`` is the kernel; c of shape (n, m), a (n, 1), b (m,).
    """

    weight_variance: Callable[[int, float], float]
    activation: Activation
    limit: LimitKernel


def relu(z: np.ndarray) -> np.ndarray:
    """max(0, z)."""
    return np.maximum(z, 0.0, out=z)


def relu_limit(c: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """sqrt(a b) (sin t + (pi - t) cos t) / (2 pi) with cos t = c / sqrt(a b).

    (Y. Cho and L. Saul, "Kernel Methods for Deep Learning", NeurIPS 2009, of degree one.)
    """
    norms = np.sqrt(a) * np.sqrt(b)
    cosine = np.divide(c, norms, out=np.zeros_like(c), where=norms > 0.0)
    np.clip(cosine, -1.0, 1.0, out=cosine)
    angle = np.arccos(cosine)
    return norms * (np.sin(angle) + (np.pi - angle) * cosine) / (2.0 * np.pi)


def wave(z: np.ndarray) -> np.ndarray:
    """sqrt(2) cos(z), of projections with a random phase."""
    np.cos(z, out=z)
    z *= np.sqrt(2.0)
    return z


def gaussian_limit(c: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """exp(-|x - y|^2 v / 2): with v = 2 gamma the kernel exp(-gamma |x - y|^2).

    (A. Rahimi and B. Recht, "Random Features for Large-Scale Kernel Machines", NeurIPS 2007.)
    """
    return np.exp(-np.maximum(0.5 * (a + b) - c, 0.0))


def error_function(z: np.ndarray) -> np.ndarray:
    """erf(z)."""
    return erf(z, out=z)


def error_function_limit(c: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(2 / pi) arcsin(2 c / sqrt((1 + 2 a)(1 + 2 b))).

    (C. Williams, "Computing with Infinite Networks", NeurIPS 1996.)
    """
    ratio = 2.0 * c / (np.sqrt(1.0 + 2.0 * a) * np.sqrt(1.0 + 2.0 * b))
    return (2.0 / np.pi) * np.arcsin(np.clip(ratio, -1.0, 1.0))


def same(z: np.ndarray) -> np.ndarray:
    """z itself: Gaussian projections, the model of the theory where X has covariance diag(lam)."""
    return z


def linear_limit(c: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:  # noqa: ARG001
    """c, the linear kernel."""
    return c


KINDS = {
    "relu": Kind(lambda d, _: 2.0 / d, relu, relu_limit),
    "fourier": Kind(lambda _, gamma: 2.0 * gamma, wave, gaussian_limit),
    "erf": Kind(lambda _, gamma: 2.0 * gamma, error_function, error_function_limit),
    "gaussian": Kind(lambda *_: 1.0, same, linear_limit),
}


def projections(X: Any, weights: np.ndarray, offset: np.ndarray | None) -> np.ndarray:
    """X W + offset, dense, of shape (n, k); X may be sparse."""
    z = np.asarray(X @ weights)
    if offset is not None:
        z += offset
    return z


def limit_kernel(X: Any, Y: Any, kind: Kind, variance: float, constant: float) -> np.ndarray:
    """Kernel between the rows of X (n, d) and Y (m, d); `constant` is 1 where a bias is a column.

    Parameters
    ----------
    X, Y : {ndarray, sparse matrix}
        Rows.
    kind : Kind
        Of features.
    variance : float
        The variance v of the weights.
    constant : float
        Added to all inner products.

    Returns
    -------
    ndarray of shape (n, m)
        In float64.
    """
    X, Y = (rows.astype(np.float64, copy=False) for rows in (X, Y))
    inner = X @ Y.T
    inner = inner.toarray() if sparse.issparse(inner) else np.asarray(inner)
    c = variance * (inner + constant)
    a, b = (variance * (squared_norms(rows) + constant) for rows in (X, Y))
    return kind.limit(c, a[:, None], b)


def squared_norms(X: Any) -> np.ndarray:
    """Squared norms of the rows, dense or sparse."""
    if sparse.issparse(X):
        return np.asarray(X.multiply(X).sum(axis=1)).reshape(-1)
    return np.einsum("ij,ij->i", X, X)


def independent_rows(K: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Landmarks among rows whose kernel is K, and the factor C of theirs, by pivoted Cholesky.

    Parameters
    ----------
    K : ndarray of shape (k, k)
        Kernel.

    Returns
    -------
    positions : ndarray of shape (r,)
        Rows on which all others depend, up to rounding.
    factor : ndarray of shape (r, r)
        Lower triangle: K = C C' of these rows.
    """
    factor, pivots, rank, _ = dpstrf(K, lower=1)
    if rank == 0:  # a kernel of zeros: one feature, which is zero as well
        return np.zeros(1, dtype=np.intp), np.ones((1, 1))
    return pivots[:rank] - 1, np.asfortranarray(factor[:rank, :rank])


def landmark_features(K: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Features C^-1 k(L, x) of rows x, in the place of their kernel with the landmarks.

    Inner products are k(x, L) K^-1 k(L, y): those of the kernel itself wherever x or y is a
    landmark, and elsewhere of its part that landmarks span.

    (C. Williams and M. Seeger, "Using the Nystroem Method to Speed Up Kernel Machines", NeurIPS
    2000.)

    Parameters
    ----------
    K : ndarray of shape (n, r)
        Kernel of the rows with the landmarks; overwritten.
    factor : ndarray of shape (r, r)
        That of `independent_rows`.

    Returns
    -------
    ndarray of shape (n, r)
        The features.
    """
    return dtrsm(1.0, factor, K.T, lower=1, overwrite_b=1).T
