"""Blocks of rows of whatever holds them: numpy, memory maps, CSR, dask, other namespaces.

`SlicedRows` and `DaskRows` map a function over chunks and merge its values; the function does not
see which of them it is.
"""

from skreg.rows._chunks import Chunk, SlicedRows, merge_pairwise, sliceable, stack_rows
from skreg.rows._dask import DaskRows, as_dask_array, dask_rows, is_dask_collection, map_rows
from skreg.rows._namespaces import (
    converter_to,
    dense_rows,
    device_keyword,
    in_main_memory,
    widen_bfloat16,
    working_dtype,
)
from skreg.rows._slices import CACHE_BYTES, READ_BYTES, chunk_slices, rows_per_chunk
from skreg.rows._weights import checked_weights

__all__ = [
    "CACHE_BYTES",
    "READ_BYTES",
    "Chunk",
    "DaskRows",
    "SlicedRows",
    "as_dask_array",
    "checked_weights",
    "chunk_slices",
    "converter_to",
    "dask_rows",
    "dense_rows",
    "device_keyword",
    "in_main_memory",
    "is_dask_collection",
    "map_rows",
    "merge_pairwise",
    "rows_per_chunk",
    "sliceable",
    "stack_rows",
    "widen_bfloat16",
    "working_dtype",
]
