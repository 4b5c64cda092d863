"""Covariances that are a multiple of the identity outside of the span of a few rows."""

from typing import NamedTuple, Self

import numpy as np

from skreg._summary import summary


class Spread(NamedTuple):
    """The symmetric matrix Q inside Q^T + outside (I - Q Q^T), of d rows and columns.

    Shrunk covariances of n < d rows have this form, and the maps between them too: everything
    happens within the span of the rows, and memory holds d n numbers instead of d^2.

    Parameters
    ----------
    inside : ndarray of shape (k, k)
        The matrix within the span.
    outside : float
        What vectors orthogonal to the span are multiplied by.
    basis : ndarray of shape (d, k) or None
        Q, with orthonormal columns; None if the span is everything, k = d.
    """

    inside: np.ndarray
    outside: float = 0.0
    basis: np.ndarray | None = None

    def __repr__(self) -> str:
        return summary(self)

    @property
    def n_outside(self) -> int:
        """Dimension of what is orthogonal to the span."""
        return 0 if self.basis is None else self.basis.shape[0] - self.basis.shape[1]

    def dense(self) -> np.ndarray:
        """All entries, shape (d, d)."""
        if self.basis is None:
            return self.inside
        d, k = self.basis.shape
        change = self.inside - self.outside * np.eye(k)
        return self.outside * np.eye(d) + self.basis @ change @ self.basis.T

    def rows_times(self, rows: np.ndarray) -> np.ndarray:
        """The product with every row, shape (n, d); `inside` need not be symmetric."""
        if self.basis is None:
            return rows @ self.inside.T
        within = rows @ self.basis
        moved = within @ self.inside.T - self.outside * within
        return self.outside * rows + moved @ self.basis.T

    def spectrum(self) -> tuple[np.ndarray, np.ndarray]:
        """Eigenvalues and eigenvectors of `inside`; what is zero but for rounding is zero.

        A root would make it half as many digits large: 1e-8 of 1e-16.
        """
        values, vectors = np.linalg.eigh(0.5 * (self.inside + self.inside.T))
        rounding = np.finfo(float).eps * len(values) * values.max(initial=self.outside)
        return np.where(values > rounding, values, 0.0), vectors

    def root(self) -> Self:
        """The symmetric square root; eigenvalues below zero count as zero."""
        values, vectors = self.spectrum()
        inside = (vectors * np.sqrt(values)) @ vectors.T
        return self._replace(inside=inside, outside=np.sqrt(self.outside))
