"""Dask arrays: reduce blocks of rows to statistics."""

from skreg.moments import merge_over_classes
from skreg.rows._dask import rows_of_array


def block_statistics(X, y, sample_weight, state_of_block):
    """Classes and statistics of a dask array, merged pairwise where the blocks are.

    Parameters
    ----------
    X : dask array of shape (n_samples, n_features)
        Its blocks of rows are read one at a time.
    y, sample_weight : dask array or array-like of shape (n_samples,), or None
        Cut into the same blocks of rows.
    state_of_block : callable
        Maps (X, y, sample_weight) of one block to (classes, Moments).

    Returns
    -------
    classes : ndarray of shape (n_classes,)
        Labels that occur in any block.
    statistics : Moments
        The only numbers that leave the workers.

    Raises
    ------
    ValueError
        If X is not a dask array with known chunks, or y or sample_weight has another length.
    """
    import dask
    import dask.array as da

    X = rows_of_array(X)
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
