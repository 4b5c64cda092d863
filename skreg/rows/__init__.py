"""Blocks of rows of whatever holds them: numpy, memory maps, CSR, dask, other namespaces."""

from skreg.rows._namespaces import (
    converter_to,
    dense_rows,
    device_keyword,
    in_main_memory,
    widen_bfloat16,
    working_dtype,
)
from skreg.rows._slices import chunk_slices, rows_per_chunk

__all__ = [
    "chunk_slices",
    "converter_to",
    "dense_rows",
    "device_keyword",
    "in_main_memory",
    "rows_per_chunk",
    "widen_bfloat16",
    "working_dtype",
]
