"""Chunks of rows with their columns (target, weights), one after another or where they lie."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np
from scipy import sparse

from skreg._progress import progress
from skreg.rows._slices import chunk_slices

T = TypeVar("T")


class Chunk(NamedTuple):
    """Consecutive rows in memory; `start` is the number of the first."""

    X: Any
    y: np.ndarray | None
    sample_weight: np.ndarray | None
    start: int


class SlicedRows(NamedTuple):
    """Rows of an array in memory or on disk, or of a CSR matrix, read by slices.

    Parameters
    ----------
    X, y, sample_weight : {array, memmap, CSR matrix}, y and sample_weight also None
        As `sliceable` returns them; of one length.
    chunk_size : int
        Rows that are read at once.
    verbose : int
        Whether to show a bar for each pass over the chunks.
    by : str
        Whose passes they are, the label of the bars.
    """

    X: Any
    y: Any
    sample_weight: Any
    chunk_size: int
    verbose: int = 0
    by: str = ""

    def read(self, rows: slice) -> Chunk:
        """One chunk of rows."""
        y = None if self.y is None else self.y[rows]
        weight = self.sample_weight
        weight = None if weight is None else weight[rows].astype(np.float64)
        return Chunk(self.X[rows], y, weight, rows.start)

    def reduce(self, function: Callable[[Chunk], T], merge: Callable[[T, T], T]) -> T:
        """Merge the function's values on all chunks, in one pass over them."""
        slices = chunk_slices(self.X.shape[0], self.chunk_size)
        chunks = progress(slices, total=len(slices), verbose=self.verbose, by=self.by, unit="chunk")
        values = (function(self.read(rows)) for rows in chunks)
        total = next(values)
        for value in values:
            total = merge(total, value)
        return total


def sliceable(array: Any) -> Any:
    """What slices of rows can be taken of: arrays on disk as they are, data frames as arrays."""
    if sparse.issparse(array):
        return array.tocsr()
    if array is None or (hasattr(array, "shape") and not hasattr(array, "to_numpy")):
        return array
    return np.asarray(array)


def stack_rows(parts: Any) -> Any:
    """The rows of all parts, dense or CSR, one part after another; None for parts of None."""
    if parts[0] is None:
        return None
    if sparse.issparse(parts[0]):
        return sparse.vstack(parts, format="csr")
    return np.concatenate(parts)


def merge_pairwise(values: list[T], merge: Callable[[T, T], T]) -> T:
    """Merge neighbours until one value is left, in a tree of logarithmic height."""
    while len(values) > 1:
        pairs = zip(values[::2], values[1::2], strict=False)
        values = [merge(a, b) for a, b in pairs] + values[len(values) & ~1 :]
    return values[0]
