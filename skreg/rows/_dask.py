"""Dask collections: blocks of rows with their columns, and methods mapped over blocks."""

import numpy as np


def is_dask_collection(X):
    """Whether X is a dask collection; dask is not imported to find out."""
    return type(X).__module__.partition(".")[0] in ("dask", "dask_expr")


def map_rows(method, X, dtype, width=None):
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

    Returns
    -------
    dask array of shape (n_samples,) or (n_samples, width)
    """
    X = rows_of_array(X)
    if width is None:
        return X.map_blocks(method, drop_axis=1, dtype=dtype, meta=np.empty(0, dtype))
    return X.map_blocks(
        method, chunks=(X.chunks[0], (width,)), dtype=dtype, meta=np.empty((0, 0), dtype)
    )


def rows_of_array(X):
    import dask.array as da

    if not isinstance(X, da.Array) or X.ndim != 2 or np.isnan(X.shape[0]):
        raise ValueError(
            "X must be a two-dimensional dask array with known chunk sizes; "
            "for a dask dataframe give X.to_dask_array(lengths=True)"
        )
    return X.rechunk({1: -1})


def dask_array(collection, da):
    if hasattr(collection, "to_dask_array"):
        return collection.to_dask_array(lengths=True)
    if not isinstance(collection, da.Array):
        raise ValueError(f"dask_coreset takes dask collections; got {type(collection).__name__}")
    if np.isnan(collection.shape[0]):  # blocks of a data frame, whose lengths dask does not know
        collection = collection.copy().compute_chunk_sizes()
    return collection


def column_blocks(name, column, X, da):
    """Delayed blocks of a target or of weights, cut as the rows of X are."""
    if column is None:
        return [None] * X.numblocks[0]
    lazy = isinstance(column, da.Array) or hasattr(column, "to_dask_array")
    column = dask_array(column, da) if lazy else da.asarray(np.asarray(column))
    if column.shape != X.shape[:1]:
        raise ValueError(f"{name} has shape {column.shape}, but X has {X.shape[0]} rows")
    return column.rechunk((X.chunks[0],)).to_delayed()
