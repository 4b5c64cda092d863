"""Rows in the eigenbasis of their scaled within-class scatter, in as few coordinates as they span.

With class means m_k, residuals u_i = x_i - m_{y_i}, the pooled variances S_jj = (1/W) sum_i w_i
u_ij^2 and the total ones T_jj about the grand mean, columns are divided by

    s_j = v_j^{a/2},    v_j = (W S_jj + T_jj) / (W + 1),    a in [0, 1],

so that a = 0 leaves them as they are and a = 1 makes them alike. T acts as one row more: a column
that does not vary within the few rows of a class must not get an infinite weight. The common scale
is then set so that the scaled variances within classes of the columns that vary have the mean 1,
and

    C = D_s^-1 S D_s^-1 = R diag(lambda) R^T,    Sigma = (1 - rho) C + rho I.

Of n rows only n - 1 directions matter. With fewer rows than columns all of this happens in the
eigenbasis of the Gram matrix of the centred rows, and no matrix of columns by columns is formed.
"""

from typing import Any, NamedTuple

import numpy as np
from scipy import linalg

RANK_TOLERANCE = 1e-12  # of the largest eigenvalue of a Gram matrix
MEAN_TOLERANCE = 1e-7  # of the largest coordinate of a class mean, which rounding may leave


class ClassRows(NamedTuple):
    """Rows about the grand mean, with what their classes leave behind."""

    X: np.ndarray  # (n, d), centred
    codes: np.ndarray  # (n,)
    weights: np.ndarray  # (n,)
    count: Any  # ndarray (K,); tuples have a method of this name
    means: np.ndarray  # (K, d), centred
    centre: np.ndarray  # (d,)


class Eigenframe(NamedTuple):
    """Coordinates in which the within-class scatter is diagonal."""

    means: np.ndarray  # (K, r)
    eigenvalues: np.ndarray  # (r,)
    back: np.ndarray  # (d, r): x - centre to its coordinates

    @property
    def singular(self):
        """Directions (r,) in which what varies within classes is rounding."""
        r = self.eigenvalues.size
        return self.eigenvalues <= r * np.finfo(float).eps * self.eigenvalues.max(initial=0.0)

    def precision(self, shrinkages, growth=1.0):
        """Diagonals of Sigma^-1 (G, r), C being multiplied by `growth`.

        Without shrinkage it is the pseudo-inverse: columns that repeat others change nothing.
        """
        rho = np.asarray(shrinkages)[:, None]
        spectrum = (1.0 - rho) * growth * self.eigenvalues + rho
        regular = (rho > 0) | ~self.singular
        return np.divide(1.0, spectrum, out=np.zeros_like(spectrum), where=regular)

    def require_regular(self):
        """Raise if classes differ where their rows do not vary, and nothing is shrunk."""
        along, largest = np.abs(self.means[:, self.singular]), np.abs(self.means).max(initial=0.0)
        if along.max(initial=0.0) > MEAN_TOLERANCE * largest:
            raise ValueError(
                "with shrinkage=0 the covariance within classes must be regular wherever class "
                "means differ; here rows are too few for so many columns, or columns are constant "
                "within classes: give shrinkage > 0"
            )


def class_rows(X, codes, weights, n_classes):
    """`ClassRows` of rows of positive weight; a class without rows has the grand mean."""
    count = np.bincount(codes, weights, minlength=n_classes)
    centre = weights @ X / weights.sum()
    X = X - centre
    X[:, np.ptp(X, axis=0) == 0.0] = 0.0  # what a constant column keeps is rounding
    one_hot = np.zeros((n_classes, codes.size))
    one_hot[codes, np.arange(codes.size)] = weights
    means = one_hot @ X / np.where(count > 0, count, 1.0)[:, None]
    return ClassRows(X, codes, weights, count, means, centre)


def within_scatter(rows):
    """Pooled within-class covariance S (d, d)."""
    residual = rows.means[rows.codes]
    np.subtract(rows.X, residual, out=residual)  # without copies, which take as long as the product
    residual *= np.sqrt(rows.weights)[:, None]
    return residual.T @ residual / rows.weights.sum()


def column_scale(within, total, mass, power):
    """s (d,) from variances within classes and in total; 1 for columns that do not vary."""
    variance = (mass * within + total) / (mass + 1.0)
    varies = variance > 0
    scale = np.where(varies, variance, 1.0) ** (power / 2)
    mean = float((within / scale**2).sum() / max(np.count_nonzero(varies), 1))
    return scale * np.sqrt(mean) if mean > 0 else scale


def frame_of_scatter(means, scatter, scale):
    """`Eigenframe` of class means (K, d) and a within-class covariance (d, d)."""
    eigenvalues, vectors = linalg.eigh(scatter / np.outer(scale, scale), driver="evd")
    back = vectors / scale[:, None]
    return Eigenframe(means @ back, np.maximum(eigenvalues, 0.0), back)


def frame_of_rows(rows, scale):
    """`Eigenframe` of fewer rows than columns, by the Gram matrix of the rows."""
    scaled = rows.X / scale
    values, vectors = linalg.eigh(scaled @ scaled.T, driver="evd")
    used = values > RANK_TOLERANCE * max(values[-1], 0.0)
    basis = scaled.T @ (vectors[:, used] / np.sqrt(values[used]))
    reduced = rows._replace(X=scaled @ basis, means=(rows.means / scale) @ basis)
    frame = frame_of_scatter(reduced.means, within_scatter(reduced), np.ones(basis.shape[1]))
    return frame._replace(back=(basis @ frame.back) / scale[:, None])
