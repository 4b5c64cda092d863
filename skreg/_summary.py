"""Records that hold large arrays, in one line."""

from typing import Any

import numpy as np
import scipy.sparse


def summary(record: Any) -> str:
    """Text of a NamedTuple with the shapes of its arrays in place of their entries.

    Parameters
    ----------
    record : NamedTuple
        Any record.

    Returns
    -------
    str
        As its `repr`, short.
    """
    fields = ", ".join(
        f"{name}={_short(value)}" for name, value in zip(record._fields, record, strict=True)
    )
    return f"{type(record).__name__}({fields})"


def _short(value):
    if isinstance(value, np.ndarray):
        return f"<{value.dtype} array of shape {value.shape}>"
    if scipy.sparse.issparse(value):
        return f"<sparse {value.dtype} array of shape {value.shape}, {value.nnz} stored>"
    if isinstance(value, list) and value:
        return f"<list of {len(value)}>"
    return repr(value)
