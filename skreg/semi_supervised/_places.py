"""Places of samples about their centre and in their unit, and weights of the Gaussian kernel.

||x - s||^2 = ||x||^2 - 2 x^T s + ||s||^2 loses the digits that x and s share with an origin far
away, and overflows in a small unit. Samples are therefore divided by a power of two and moved by
their column medians, which half-integers survive exactly and single rows do not move.
"""

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.utils.extmath import row_norms, safe_sparse_dot

from skreg._summary import summary


class Places(NamedTuple):
    """Samples x as (x / unit) - centre.

    Attributes
    ----------
    points : ndarray or scipy.sparse.csr_array of shape (n_samples, n_features)
        Places of the samples of `fit`.
    centre : ndarray of shape (n_features,) or None
        Medians; None for sparse samples, which stay sparse, and about zero.
    unit : float
        A power of two.
    """

    points: np.ndarray | scipy.sparse.csr_array
    centre: np.ndarray | None
    unit: float

    def __repr__(self) -> str:
        return summary(self)

    def of(self, X: Any) -> Any:
        """Places of new samples."""
        return self._seen_from(X, self.unit)

    def weights(self, gamma: float) -> np.ndarray:
        """exp(-gamma ||s_i - s_j||^2) between the samples, zero on the diagonal."""
        distance = euclidean_distances(self.points, squared=True)
        with np.errstate(over="ignore"):
            W = np.exp(-gamma * (distance * self.unit * self.unit))
        np.fill_diagonal(W, 0.0)
        return W

    def relative_weights(self, X: Any, gamma: float) -> np.ndarray:
        """exp(-gamma ||x - s_i||^2) to the samples, divided by the largest weight of each row.

        ||x||^2 cancels in the ratio, so that it is not computed: it would overflow far away, and
        hide the differences long before.
        """
        unit = np.maximum(power_of_two(abs(X).max(axis=1)), self.unit)[:, None]
        half = 0.5 * row_norms(self.points, squared=True)
        nearness = safe_sparse_dot(self._seen_from(X, unit), self.points.T, dense_output=True)
        nearness -= half * (self.unit / unit)
        behind = nearness.max(axis=1, keepdims=True) - nearness
        with np.errstate(over="ignore"):
            return np.exp(-2.0 * gamma * (behind * unit * self.unit))

    def _seen_from(self, X, unit):
        """(x - c) / unit for the centre c, in double precision."""
        if self.centre is None:
            return _divided(X, unit)
        X = X.toarray() if scipy.sparse.issparse(X) else X
        return _divided(X, unit) - self.centre * (self.unit / unit)


def places(X: Any) -> Places:
    """`Places` of the samples X (n, d)."""
    unit = float(power_of_two(abs(X).max()))
    points = _divided(X, unit)
    if scipy.sparse.issparse(X):
        return Places(points, None, unit)
    centre = np.median(points, axis=0)
    return Places(points - centre, centre, unit)


def power_of_two(largest: Any) -> np.ndarray:
    """The powers of two at or below nonnegative numbers, at least the smallest normal number."""
    if scipy.sparse.issparse(largest):
        largest = largest.toarray().ravel()
    largest = np.maximum(np.asarray(largest, dtype=np.float64), np.finfo(np.float64).tiny)
    return np.ldexp(1.0, np.frexp(largest)[1] - 1)


def _divided(X, unit):
    if scipy.sparse.issparse(X):
        return scipy.sparse.csr_array(X.astype(np.float64).multiply(1.0 / unit))
    return X.astype(np.float64, copy=False) / unit
