"""Masks as bits."""

import math
from collections.abc import Sequence

import numpy as np
import torch


def pack_mask(mask: torch.Tensor) -> bytes:
    """Eight entries of a mask in a byte, the first in the highest bit.

    Parameters
    ----------
    mask : Tensor of bool
        The mask, of any shape.

    Returns
    -------
    bytes
        The bits in row-major order, the last byte filled up with zeros.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import pack_mask, unpack_mask
    >>> mask = torch.tensor([[True, False, True]])
    >>> pack_mask(mask)
    b'\\xa0'
    >>> unpack_mask(pack_mask(mask), (1, 3))
    tensor([[ True, False,  True]])
    """
    check_mask("mask", mask)
    return np.packbits(mask.detach().cpu().numpy()).tobytes()


def unpack_mask(packed: bytes, shape: Sequence[int]) -> torch.Tensor:
    """Mask of its bits.

    Parameters
    ----------
    packed : bytes
        Bits, as of `pack_mask`.
    shape : sequence of int
        Shape of the mask.

    Returns
    -------
    Tensor of bool
        The mask.

    Raises
    ------
    ValueError
        If the number of bytes is not that of the shape.
    """
    n = math.prod(shape)
    if len(packed) != math.ceil(n / 8):
        raise ValueError(
            f"a mask of shape {tuple(shape)} has {math.ceil(n / 8)} bytes, got {len(packed)}"
        )
    bits = np.unpackbits(np.frombuffer(packed, dtype=np.uint8), count=n)
    return torch.from_numpy(bits).view(tuple(shape)).bool()


def check_mask(name, mask, shape=None):
    """Raise ValueError unless a mask is a tensor of bool, of the shape if one is given."""
    if not isinstance(mask, torch.Tensor) or mask.dtype != torch.bool:
        kind = mask.dtype if isinstance(mask, torch.Tensor) else type(mask).__name__
        raise ValueError(f"{name} must be a Tensor of bool, got {kind}")
    if shape is not None and mask.shape != shape:
        raise ValueError(f"{name} must have the shape {tuple(shape)}, got {tuple(mask.shape)}")
