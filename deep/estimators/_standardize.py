"""Mean zero and variance one for the columns of tables and the channels of images."""

import numpy as np
from sklearn.utils import gen_batches

CHUNK = 2**22  # numbers that are widened to double precision at a time


class Standardization:
    """Shift and scale each column, or channel of images, to weighted mean zero and variance one.

    Constant columns are only shifted. Values are divided by their largest magnitude before they
    are squared, so that no finite input overflows.

    Parameters
    ----------
    values : ndarray of shape (n, n_columns, ...)
        The training values.
    sample_weight : ndarray of shape (n,)
        Weights, not all zero.
    """

    def __init__(self, values: np.ndarray, sample_weight: np.ndarray) -> None:
        axes = (0, *range(2, values.ndim))
        column = (-1, *[1] * (values.ndim - 2))
        largest = np.maximum(values.max(axis=axes), -values.min(axis=axes).astype(np.float64))
        self.unit = np.where(largest > 0, largest, 1.0).reshape(column)
        self.mean: float | np.ndarray = 0.0
        self.deviation: float | np.ndarray = 1.0
        weight = sample_weight.reshape(-1, *[1] * (values.ndim - 1))
        total = sample_weight.sum() * np.prod(values.shape[2:], dtype=float)

        def weighted_mean(power):
            sums = sum(
                (weight[c] * self(values[c]) ** power).sum(axis=axes) for c in chunks(values)
            )
            return sums.reshape(column) / total

        self.mean = weighted_mean(1)
        variance = weighted_mean(2)
        varies = variance > np.finfo(np.float64).eps ** 2
        self.deviation = np.sqrt(np.where(varies, variance, 1.0))

    def __call__(self, values):
        """Standardize, in double precision."""
        return (values / self.unit - self.mean) / self.deviation

    def transform(self, values: np.ndarray, dtype: str) -> np.ndarray:
        """Standardize into a new array of the given type."""
        result = np.empty(values.shape, dtype=dtype)
        for chunk in chunks(values):
            result[chunk] = self(values[chunk])
        return result

    def inverse_transform(self, values: np.ndarray) -> np.ndarray:
        """Undo it, in double precision."""
        return (values * self.deviation + self.mean) * self.unit


def chunks(values):
    """Slices of rows that hold about `CHUNK` numbers each."""
    rows = max(1, CHUNK // max(1, int(np.prod(values.shape[1:]))))
    return gen_batches(len(values), rows)
