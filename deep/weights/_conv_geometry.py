"""Shapes, strides and lags of a convolution's kernel."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch


class KernelGeometry(NamedTuple):
    """One group of a convolution as a linear map.

    Attributes
    ----------
    rows : int
        Outputs M of a group.
    columns : int
        Inputs C of a group.
    kernel, stride, dilation : tuple of int
        One number for each dimension.
    groups : int
        Number of groups.
    """

    rows: int
    columns: int
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int

    @property
    def lag(self) -> tuple[int, ...]:
        """Difference of taps that meets another output: S / gcd(S, dilation)."""
        return tuple(s // math.gcd(s, d) for s, d in zip(self.stride, self.dilation, strict=True))

    @property
    def axes(self) -> list[tuple[int, int]]:
        """Pairs of kernel size and `lag`."""
        return list(zip(self.kernel, self.lag, strict=True))

    @property
    def is_unstrided(self) -> bool:
        """Whether neighbouring taps meet neighbouring outputs."""
        return all(s == 1 for s in self.stride)

    @property
    def inputs(self) -> int:
        """Columns C S^2 of the symbol, the inputs for each output pixel."""
        return self.columns * math.prod(self.stride)

    @property
    def excess(self) -> int:
        """Outputs beyond the number of inputs, max(0, M - C S^2)."""
        return max(0, self.rows - self.inputs)

    @property
    def n_lags(self) -> int:
        """Block lags at which A A^T, or A^T A if there are more outputs, is not zero."""
        of_rows = math.prod(2 * ((k - 1) // s) + 1 for k, s in self.axes)
        of_columns = math.prod(2 * ((k + s - 2) // s) + 1 for k, s in self.axes)
        return of_rows if self.rows <= self.inputs else of_columns

    def split(self, weight: torch.Tensor) -> torch.Tensor:
        """Weight of shape (M, C, *kernel) as (groups, M / groups, C, *kernel), at least float32."""
        weight = weight.to(torch.promote_types(weight.dtype, torch.float32))
        return weight.reshape(self.groups, self.rows, self.columns, *self.kernel)


def kernel_geometry(
    weight: torch.Tensor,
    stride: int | tuple[int, ...] = 1,
    dilation: int | tuple[int, ...] = 1,
    groups: int = 1,
) -> KernelGeometry:
    """Check a kernel and the arguments that go with it.

    Parameters
    ----------
    weight : Tensor of shape (M, C / groups, *kernel) or (M, C)
        The kernel; a matrix is a kernel of size one.
    stride, dilation : int or tuple of int, default=1
        As in `torch.nn.Conv2d`.
    groups : int, default=1
        Number of groups.

    Returns
    -------
    KernelGeometry
        The geometry.

    Raises
    ------
    ValueError
        If they do not fit together.
    """
    if not isinstance(weight, torch.Tensor) or not weight.is_floating_point():
        raise ValueError(f"weight must be a floating-point tensor, got {_what(weight)}")
    if not 2 <= weight.ndim <= 5 or 0 in weight.shape:
        raise ValueError(
            "weight must have shape (M, C / groups, *kernel) with at most three kernel "
            f"dimensions and no empty one, got {tuple(weight.shape)}"
        )
    rows, columns, *axes = weight.shape
    kernel = tuple(axes) or (1,)
    groups = positive_integer("groups", groups)
    if rows % groups:
        raise ValueError(f"groups={groups} must divide the number of outputs {rows}")
    return KernelGeometry(
        rows // groups,
        columns,
        kernel,
        per_axis("stride", stride, len(kernel)),
        per_axis("dilation", dilation, len(kernel)),
        groups,
    )


def per_axis(name, value, n_axes):
    """Expand a positive integer, or check a tuple of them, one for each axis."""
    values = tuple(value) if isinstance(value, tuple | list) else (value,) * n_axes
    if len(values) != n_axes:
        raise ValueError(f"{name} must be one integer or {n_axes}, got {value!r}")
    return tuple(positive_integer(name, v) for v in values)


def positive_integer(name, value):
    """Return a positive integer, or raise ValueError."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} must be a positive integer, got {value!r}")
    return value


def _what(weight):
    return weight.dtype if isinstance(weight, torch.Tensor) else type(weight).__name__
