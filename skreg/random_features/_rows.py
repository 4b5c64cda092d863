"""What is done with each chunk of rows, wherever it lies: moments, errors, predictions."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np
from sklearn.utils import check_array

from skreg.random_features._criteria import left_out_squares
from skreg.random_features._features import FLOATS, RandomFeatures
from skreg.random_features._spectrum import Gathered, GramSide, gather
from skreg.rows import (
    READ_BYTES,
    Chunk,
    DaskRows,
    SlicedRows,
    checked_weights,
    chunk_slices,
    rows_per_chunk,
)

T = TypeVar("T")
KEPT_BYTES = 2**30  # left vectors up to this size are kept, larger ones computed for each pass


class CheckedRows(NamedTuple):
    """Rows on dask's workers, of which each chunk is checked before it is used."""

    rows: DaskRows

    def reduce(self, function: Callable[[Chunk], T], merge: Callable[[T, T], T]) -> T:
        """As `DaskRows.reduce`."""
        return self.rows.reduce(partial(_on_checked, function=function), merge)


def _on_checked(chunk, *, function):
    X = check_array(chunk.X, accept_sparse="csr", dtype=FLOATS, input_name="X")
    weight = chunk.sample_weight
    if weight is None or np.any(weight):
        weight = checked_weights(weight, X)
    y = None if chunk.y is None else np.asarray(chunk.y)
    used = weight > 0.0
    if not used.all():
        X, weight, y = X[used], weight[used], None if y is None else y[used]
    return function(chunk._replace(X=X, y=y, sample_weight=weight))


def rows_in_memory(
    X: Any, y: np.ndarray, sample_weight: np.ndarray, n_components: int, verbose: int, by: str
) -> SlicedRows:
    """Rows of an array, a memory map or a CSR matrix, so many at once as their features allow."""
    step = rows_per_chunk(max(X.shape[1], n_components), n_bytes=READ_BYTES)
    return SlicedRows(X, y, sample_weight, step, verbose, by)


Targets = Callable[[np.ndarray], np.ndarray]


def gathered_from(
    chunk: Chunk, *, features: RandomFeatures, targets: Targets, centre: bool
) -> Gathered:
    """Moments of a chunk; `targets` makes columns of numbers of its y."""
    y: Any = chunk.y
    weight: Any = chunk.sample_weight
    return gather(features._features(chunk.X), targets(y), weight, centre=centre)


def left_out_from(
    chunk: Chunk, *, features: RandomFeatures, targets: Targets, side: GramSide, alphas: np.ndarray
) -> np.ndarray:
    """Sums of squared leave-one-out residuals of a chunk, (n_alphas, n_outputs)."""
    given: Any = chunk.y
    weight: Any = chunk.sample_weight
    root = np.sqrt(weight)
    left = side.left(features._features(chunk.X), root)
    y = (targets(given) - side.target_mean) * root[:, None]
    return left_out_squares(left, y, root, side.spectrum, alphas)


def left_vectors(rows: SlicedRows, features: RandomFeatures, side: GramSide) -> np.ndarray:
    """U of all rows, (n, r)."""
    n = rows.X.shape[0]
    left = np.empty((n, len(side.spectrum.eigenvalues)))
    for part in chunk_slices(n, rows.chunk_size):
        chunk = rows.read(part)
        weight: Any = chunk.sample_weight
        left[part] = side.left(features._features(chunk.X), np.sqrt(weight))
    return left


def as_columns(y: Any) -> np.ndarray:
    """Targets as columns of float64."""
    y = np.asarray(y, dtype=np.float64)
    return y[:, None] if y.ndim == 1 else y


def indicators(y: Any, classes: np.ndarray) -> np.ndarray:
    """A column of zeros and ones for each class; of two classes one of minus and plus one."""
    codes = np.searchsorted(classes, np.asarray(y))
    if len(classes) == 2:
        return np.where(codes == 1, 1.0, -1.0)[:, None]
    return (codes[:, None] == np.arange(len(classes))).astype(np.float64)
