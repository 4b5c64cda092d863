"""Chunks of rows in memory, and what they can be sliced from."""

from typing import NamedTuple

import numpy as np
from scipy import sparse


class Chunk(NamedTuple):
    """Consecutive rows in memory; `start` is the number of the first."""

    X: np.ndarray
    y: np.ndarray | None
    sample_weight: np.ndarray | None
    start: int


def sliceable(array):
    """What slices of rows can be taken of: arrays on disk as they are, data frames as arrays."""
    if sparse.issparse(array):
        return array.tocsr()
    if array is None or (hasattr(array, "shape") and not hasattr(array, "iloc")):
        return array
    return np.asarray(array)
