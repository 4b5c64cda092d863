"""Dask arrays: reduce blocks of rows to statistics, and map prediction over blocks."""

import numpy as np

from skreg.moments._by_class import merge_over_classes


def is_dask_collection(X):
    """Whether X is a dask collection; dask is not imported to find out."""
    return type(X).__module__.partition(".")[0] in ("dask", "dask_expr")


def block_statistics(X, y, sample_weight, state_of_block):
    """Classes and statistics of a dask array, merged pairwise where the blocks are.

    Parameters
    ----------
    X : dask array of shape (n_samples, n_features)
        Its blocks of rows are read one at a time.
    y, sample_weight : dask array or array-like of shape (n_samples,), or None
        Cut into the same blocks of rows.
    state_of_block : callable
        Maps (X, y, sample_weight) of one block to (classes, ClassStatistics).

    Returns
    -------
    classes : ndarray of shape (n_classes,)
        Labels that occur in any block.
    statistics : ClassStatistics
        The only numbers that leave the workers.

    Raises
    ------
    ValueError
        If X is not a dask array with known chunks, or y or sample_weight has another length.
    """
    import dask
    import dask.array as da

    X = _rows_of(X)
    columns = []
    for name, values in (("y", y), ("sample_weight", sample_weight)):
        if values is None:
            columns.append([None] * X.numblocks[0])
            continue
        values = da.asarray(values)
        if values.shape != (X.shape[0],):
            raise ValueError(f"{name} has shape {values.shape}, but X has {X.shape[0]} samples")
        columns.append(values.rechunk((X.chunks[0],)).to_delayed())
    blocks = X.to_delayed().ravel()
    states = [dask.delayed(state_of_block)(*block) for block in zip(blocks, *columns, strict=True)]
    merge = dask.delayed(merge_over_classes)
    while len(states) > 1:
        pairs = zip(states[::2], states[1::2], strict=False)
        states = [merge(a, b) for a, b in pairs] + states[len(states) & ~1 :]
    return dask.compute(states[0])[0]


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
    X = _rows_of(X)
    if width is None:
        return X.map_blocks(method, drop_axis=1, dtype=dtype, meta=np.empty(0, dtype))
    return X.map_blocks(
        method, chunks=(X.chunks[0], (width,)), dtype=dtype, meta=np.empty((0, 0), dtype)
    )


def _rows_of(X):
    import dask.array as da

    if not isinstance(X, da.Array) or X.ndim != 2 or np.isnan(X.shape[0]):
        raise ValueError(
            "X must be a two-dimensional dask array with known chunk sizes; "
            "for a dask dataframe give X.to_dask_array(lengths=True)"
        )
    return X.rechunk({1: -1})
