"""Crossing between array namespaces, devices and precisions."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse

from skreg._sklearn import (
    _convert_to_numpy,
    _max_precision_float_dtype,
    get_namespace,
    get_namespace_and_device,
)


def in_main_memory(array: Any) -> np.ndarray:
    """The array as a numpy array."""
    xp, is_array_api = get_namespace(array)
    return _convert_to_numpy(array, xp) if is_array_api else np.asarray(array)


def widen_bfloat16(X: Any) -> Any:
    """numpy has no bfloat16: outside array API dispatch, torch features of it become float32."""
    _, is_array_api = get_namespace(X)
    if str(getattr(X, "dtype", "")) == "torch.bfloat16" and not is_array_api:
        return X.float()
    return X


def working_dtype(X: Any, xp: Any) -> Any:
    """float32 for half and single precision, else the widest float of the device of X."""
    if str(X.dtype).rpartition(".")[2] in {"float16", "bfloat16", "float32"}:
        return xp.float32
    return np.float64 if xp is np else _max_precision_float_dtype(xp, X.device)


def dense_rows(X: Any, rows: slice) -> np.ndarray:
    """Slice of the rows of X as a dense float64 numpy array."""
    if sparse.issparse(X):
        return X[rows].toarray().astype(np.float64, copy=False)
    xp, is_array_api = get_namespace(X)
    if not is_array_api:
        return X[rows].astype(np.float64)
    chunk = xp.astype(X[rows, ...], working_dtype(X, xp))
    return _convert_to_numpy(chunk, xp).astype(np.float64)


def device_keyword(X: Any, xp: Any) -> dict[str, Any]:
    """Keyword argument that creates an array on the device of X."""
    return {} if xp is np else {"device": X.device}


def converter_to(like: Any) -> Callable[[np.ndarray], Any]:
    """Function that moves float64 results to the namespace, device and precision of `like`."""
    if like is None:
        return lambda array: array
    xp, is_array_api, device = get_namespace_and_device(like)
    if not is_array_api:
        dtype = working_dtype(like, np)
        return lambda array: array.astype(dtype)
    dtype = working_dtype(like, xp)
    return lambda array: xp.asarray(array, dtype=dtype, device=device)
