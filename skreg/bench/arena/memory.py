"""Peak memory of a call."""

import gc
import tracemalloc
from collections.abc import Callable
from typing import Any


def peak_megabytes(action: Callable[..., Any], *arguments: Any) -> float:
    """Peak of the memory that Python and numpy allocate during the call, in 10^6 bytes."""
    gc.collect()
    tracemalloc.start()
    action(*arguments)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 1e6
