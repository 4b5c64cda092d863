"""Consecutive slices of rows, as many at once as memory allows."""

CHUNK_BYTES = 16 * 2**20


def rows_per_chunk(n_columns, itemsize=8, arrays=1):
    """Number of rows for which `arrays` arrays of `n_columns` columns fit in the chunk memory."""
    return max(1, CHUNK_BYTES // max(1, n_columns * itemsize * arrays))


def chunk_slices(n_rows, chunk_size):
    """Consecutive slices of at most `chunk_size` rows."""
    return [slice(i, min(i + chunk_size, n_rows)) for i in range(0, n_rows, chunk_size)]
