"""Blocks of rows of whatever holds them: numpy, memory maps, CSR, dask, other namespaces."""

from skreg.rows._chunks import Chunk, sliceable
from skreg.rows._dask import column_blocks, dask_array
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
    "Chunk",
    "chunk_slices",
    "column_blocks",
    "converter_to",
    "dask_array",
    "dense_rows",
    "device_keyword",
    "in_main_memory",
    "rows_per_chunk",
    "sliceable",
    "widen_bfloat16",
    "working_dtype",
]
