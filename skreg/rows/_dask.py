"""Dask collections: chunks of rows with their columns, and methods mapped over blocks."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np

from skreg._optional import require
from skreg.rows._chunks import Chunk, merge_pairwise

T = TypeVar("T")


class DaskRows(NamedTuple):
    """Rows of a dask array, reduced where they lie.

    Parameters
    ----------
    chunks : list of dask Delayed
        A `Chunk` each.
    """

    chunks: list[Any]

    def reduce(self, function: Callable[[Chunk], T], merge: Callable[[T, T], T]) -> T:
        """Merge the function's values on all chunks pairwise; only values leave the workers."""
        import dask

        values = [dask.delayed(function)(chunk) for chunk in self.chunks]
        return dask.compute(merge_pairwise(values, dask.delayed(merge)))[0]


def is_dask_collection(X: Any) -> bool:
    """Whether X is a dask collection; dask is not imported to find out."""
    return type(X).__module__.partition(".")[0] in ("dask", "dask_expr")


def dask_rows(X: Any, y: Any = None, sample_weight: Any = None, *, by: str) -> DaskRows:
    """Chunks of a dask collection and of its columns, cut as the rows of X are.

    Parameters
    ----------
    X : dask array or dask dataframe of shape (n, n_features)
        Rows, of any number of blocks; lengths that dask does not know are computed.
    y, sample_weight : dask array, dask series or array-like of shape (n,), or None
        Those in memory are cut and sent.
    by : str
        Who asks, the subject of messages.

    Returns
    -------
    DaskRows
        The chunks.

    Raises
    ------
    ImportError
        If dask is not installed.
    ValueError
        If X is no dask collection or no matrix, or y or sample_weight has another length.
    """
    delayed = require("dask", "dask", by).delayed(Chunk)
    X = _with_lengths(_matrix(X, by))
    columns = (
        _column_blocks(*column, X, by) for column in (("y", y), ("sample_weight", sample_weight))
    )
    starts = np.concatenate([[0], np.cumsum(X.chunks[0])[:-1]]).astype(int).tolist()
    blocks = zip(X.to_delayed().ravel(), *columns, starts, strict=True)
    return DaskRows([delayed(*block) for block in blocks])


def as_dask_array(collection: Any, by: str) -> Any:
    """A dask collection as a dask array, lazily: lengths of blocks may be unknown."""
    if hasattr(collection, "to_dask_array"):
        return collection.to_dask_array()
    if not isinstance(collection, require("dask.array", "dask", by).Array):
        raise ValueError(f"{by} takes dask collections; got {type(collection).__name__}")
    return collection


def _matrix(X, by):
    """A two-dimensional dask array whose blocks are whole rows."""
    X = as_dask_array(X, by)
    if X.ndim != 2:
        raise ValueError(f"{by} takes a matrix; got X with {X.ndim} dimensions")
    return X.rechunk({1: -1})


def _with_lengths(array):
    """The array with known lengths of its blocks; data frames do not know those of theirs."""
    return array.copy().compute_chunk_sizes() if np.isnan(array.shape[0]) else array


def _column_blocks(name, column, X, by):
    """Delayed blocks of a target or of weights, cut as the rows of X are."""
    if column is None:
        return [None] * X.numblocks[0]
    if is_dask_collection(column):
        column = _with_lengths(as_dask_array(column, by))
    else:
        column = require("dask.array", "dask", by).asarray(np.asarray(column))
    if column.shape != X.shape[:1]:
        raise ValueError(f"{name} has shape {column.shape}, but X has {X.shape[0]} rows")
    return column.rechunk((X.chunks[0],)).to_delayed()


def map_rows(
    method: Callable[[Any], Any], X: Any, dtype: Any, width: int | None = None, *, by: str
) -> Any:
    """Lazy dask array of the method's results on every block of rows of X.

    Parameters
    ----------
    method : callable
        Maps an array of shape (n, n_features) to one of shape (n,), or (n, width).
    X : dask array of shape (n_samples, n_features)
        Rows.
    dtype : dtype
        Of the result.
    width : int or None
        Columns of the result; None for a one-dimensional result.
    by : str
        Who asks, the subject of messages.

    Returns
    -------
    dask array of shape (n_samples,) or (n_samples, width)
    """
    X = _matrix(X, by)
    if width is None:
        return X.map_blocks(method, drop_axis=1, dtype=dtype, meta=np.empty(0, dtype))
    return X.map_blocks(
        method, chunks=(X.chunks[0], (width,)), dtype=dtype, meta=np.empty((0, 0), dtype)
    )
