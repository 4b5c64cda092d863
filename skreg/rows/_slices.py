"""Consecutive slices of rows, as many at once as memory allows."""

CHUNK_BYTES = 2**24  # 16 MiB: work arrays beside the data
CACHE_BYTES = 2**20  # a block and its products stay in cache
READ_BYTES = 2**26  # 64 MiB of rows that are read from disk at once


def rows_per_chunk(
    n_columns: int, itemsize: int = 8, arrays: int = 1, n_bytes: int = CHUNK_BYTES
) -> int:
    """Number of rows for which `arrays` arrays of `n_columns` columns fit in `n_bytes` bytes."""
    return max(1, n_bytes // max(1, n_columns * itemsize * arrays))


def chunk_slices(n_rows: int, chunk_size: int) -> list[slice]:
    """Consecutive slices of at most `chunk_size` rows."""
    return [slice(i, min(i + chunk_size, n_rows)) for i in range(0, n_rows, chunk_size)]
