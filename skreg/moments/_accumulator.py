"""The sums that weighted rows leave behind, and how those of two sets of rows become one."""

from typing import Any, NamedTuple, Self

import numpy as np


class Moments(NamedTuple):
    """Weight, mean and scatter of rows, of one group or of several classes.

    The scatter is the sum of w_i (x_i - mu)(x_i - mu)^T, or its diagonal, about the mean of the
    row's own class, over all rows. So one record serves covariances and variances, of all rows or
    within classes. Of one group, `weight` is a number and `mean` a vector.

    Parameters
    ----------
    weight : float or ndarray of shape (n_classes,)
        Sums of the weights.
    mean : ndarray of shape (d,) or (n_classes, d)
        Weighted means; 0 for a class without weight.
    scatter : ndarray of shape (d,) or (d, d)
        Scatter, diagonal or full, summed over the classes.
    """

    weight: Any  # ndarray, or a number without classes
    mean: np.ndarray
    scatter: np.ndarray

    @classmethod
    def of_no_rows(cls, n_features: int, n_classes: int) -> Self:
        """Moments of no rows: diagonal, with classes."""
        return cls(np.zeros(n_classes), np.zeros((n_classes, n_features)), np.zeros(n_features))

    def __repr__(self) -> str:
        classes = "" if np.ndim(self.weight) == 0 else f"{len(self.weight)} classes, "
        kind = "full" if self.scatter.ndim == 2 else "diagonal"
        columns = self.mean.shape[-1]
        return f"Moments(weight={self.total:g}, {classes}{columns} columns, {kind} scatter)"

    @property
    def total(self) -> float:
        """Sum of all weights."""
        return float(np.sum(self.weight))

    @property
    def covariance(self) -> np.ndarray:
        """Scatter over the sum of the weights: within classes, if there are several."""
        return self.scatter / self.total

    @property
    def constant(self) -> np.ndarray:
        """Columns that do not vary (within classes), shape (d,)."""
        diagonal = self.scatter if self.scatter.ndim == 1 else np.diagonal(self.scatter)
        return diagonal == 0.0

    @property
    def grand_mean(self) -> np.ndarray:
        """Mean of the rows of all classes; exact where a column has the same mean in each."""
        reference = self.mean[np.argmax(self.weight)]
        return reference + (self.weight / self.total) @ (
            np.where(self.weight[:, None] > 0, self.mean, reference) - reference
        )

    @property
    def total_scatter(self) -> np.ndarray:
        """Diagonal scatter about the grand mean: within classes plus between classes."""
        return self.scatter + self.weight @ (self.mean - self.grand_mean) ** 2

    def merge(self, other: Self) -> Self:
        """Moments of the union of two disjoint sets of rows (Chan, Golub and LeVeque 1983).

        With r = w_b / (w_a + w_b) and d = mu_b - mu_a, for each class,

            mu = mu_a + r d,     S = S_a + S_b + sum over classes of w_a r d d^T.

        Parameters
        ----------
        other : Moments
            Of other rows, with the same columns and classes.

        Returns
        -------
        Moments
            Of the rows of both.
        """
        weight = np.add(self.weight, other.weight)
        share = np.divide(other.weight, weight, out=np.zeros_like(weight), where=weight > 0)
        difference = other.mean - self.mean
        between, apart = np.atleast_1d(self.weight * share), np.atleast_2d(difference)
        if self.scatter.ndim == 1:
            moved = between @ apart**2
        else:
            moved = (between[:, None] * apart).T @ apart
        return self._replace(
            weight=weight,
            mean=self.mean + share[..., None] * difference,
            scatter=self.scatter + other.scatter + moved,
        )
