"""Stable numbers of samples over several calls."""

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch.utils.data import Dataset

from ._inputs import inputs_of, n_rows


class Numbering(NamedTuple):
    """What was numbered so far.

    Attributes
    ----------
    index : ndarray of shape (n,), int64
        Numbers of the rows of the last call.
    following : int
        One more than the largest number so far.
    fingerprint : bytes
        Of the rows of the last call.
    """

    index: np.ndarray  # type: ignore[assignment]  # hides tuple.index, which it does not need
    following: int
    fingerprint: bytes


def numbered(
    X: Any, y: Any, sample_index: ArrayLike | None, former: Numbering | None, *, may_repeat: bool
) -> Numbering:
    """Numbers for the rows of a call.

    Parameters
    ----------
    X, y : array, dict or Dataset; array or None
        The rows.
    sample_index : array-like of int or None
        Numbers that the caller gave.
    former : Numbering or None
        The last call's.
    may_repeat : bool
        Whether the very rows of the last call are the same samples again.

    Returns
    -------
    Numbering
        This call's.
    """
    n, print_ = n_rows(X), fingerprint(X, y)
    start = 0 if former is None else former.following
    if sample_index is not None:
        index = checked_index(sample_index, n)
    elif may_repeat and former is not None and former.fingerprint == print_:
        index = former.index
    else:
        index = np.arange(start, start + n)
    return Numbering(index, max(start, int(index.max(initial=-1)) + 1), print_)


def checked_index(sample_index, n):
    """The caller's numbers, if they are different and not negative, one for each row."""
    index = np.asarray(sample_index)
    if index.shape != (n,):
        raise ValueError(f"sample_index must have shape ({n},), got {index.shape}")
    if index.dtype.kind not in "iu":
        raise ValueError(f"sample_index must be integers, got {index.dtype}")
    if n and index.min() < 0:
        raise ValueError(f"sample_index must not be negative, got {index.min()}")
    if len(np.unique(index)) < n:
        raise ValueError(
            f"sample_index must be different numbers, but {n - len(np.unique(index))} of {n} "
            "repeat another one"
        )
    return index.astype(np.int64)


def fingerprint(X, y):
    """A hash of all numbers; of a data set of the targets and of the first sample."""
    digest = hashlib.blake2b()
    for part in _parts(X, y):
        values = np.ascontiguousarray(part)
        digest.update(f"{values.dtype}{values.shape}".encode())
        digest.update(repr(values.tolist()).encode() if values.dtype.hasobject else values.data)
    return digest.digest()


def _parts(X, y):
    if isinstance(X, Dataset):
        X = inputs_of(X[0])
    for part in (*X.values(), y) if isinstance(X, Mapping) else (X, y):
        if part is not None:
            yield part.detach().cpu().numpy() if isinstance(part, torch.Tensor) else part
