"""For which shapes orthogonal convolutions exist, and how to make one."""

import math
from typing import Literal, NamedTuple

import torch

from ._conv_geometry import (
    KernelGeometry,
    kernel_geometry,
    per_axis,
    positive_integer,
)

PADDING_MODES = ("circular", "zeros", "valid")
ROWS, COLUMNS, SQUARE = "rows", "columns", "square"


class Existence(NamedTuple):
    """Whether an orthogonal convolution of a shape exists.

    Attributes
    ----------
    exists : bool
        Whether it does.
    case : {"rows", "columns", "square"}
        Which of A A^T = I (fewer outputs than inputs) and A^T A = I is wanted; both in the square
        case, where the orthogonal kernels fall into separate pieces and are harder to reach.
    reason : str
        The inequality that decides.
    """

    exists: bool
    case: str
    reason: str


def orthogonal_conv_exists(
    out_channels: int,
    in_channels: int,
    kernel_size: int | tuple[int, ...],
    *,
    stride: int | tuple[int, ...] = 1,
    dilation: int | tuple[int, ...] = 1,
    groups: int = 1,
    padding: Literal["circular", "zeros", "valid"] = "circular",
) -> Existence:
    r"""Whether a convolution of this shape can be orthogonal.

    With circular padding of an input of at least k pixels, and without dilation,

    .. math::
        A A^\top = I \text{ is possible iff } M \leq C \min(k, S)^2, \qquad
        A^\top A = I \text{ iff } S \leq k,

    where the first is wanted if :math:`M \leq C S^2` and the second otherwise. Zero padding to an
    output of n / S pixels ("same") cuts the kernel at the border: the taps
    that are cut must be zero, which for stride one leaves the centre.

    Parameters
    ----------
    out_channels : int
        Outputs M.
    in_channels : int
        Inputs C.
    kernel_size : int or tuple of int
        The kernel size k along each axis; an integer stands for two axes.
    stride : int or tuple of int, default=1
        The stride S.
    dilation : int or tuple of int, default=1
        The dilation.
    groups : int, default=1
        Number of groups, each of which must be orthogonal.
    padding : {"circular", "zeros", "valid"}, default="circular"
        Circular; zeros, half of them (rounded down) before the first pixel; or none.

    Returns
    -------
    Existence
        ``exists``, ``case`` and ``reason``.

    Raises
    ------
    ValueError
        If an argument is not positive, groups do not divide the channels, or `padding` is unknown.

    Notes
    -----
    A transposed convolution is orthogonal if its transpose is: exchange the channels.

    References
    ----------
    .. [1] E. M. Achour, F. Malgouyres, F. Mamalet, "Existence, Stability and Scalability of
       Orthogonal Convolutional Neural Networks", JMLR 23, 2022.

    Examples
    --------
    >>> from skreg.deep.torch import orthogonal_conv_exists
    >>> orthogonal_conv_exists(64, 32, 3)
    Existence(exists=True, case='columns', reason='stride (1, 1) <= (1, 1) usable taps')
    >>> orthogonal_conv_exists(289, 32, 3, stride=4).exists
    False
    """
    if padding not in PADDING_MODES:
        allowed = ", ".join(map(repr, PADDING_MODES))
        raise ValueError(f"padding must be one of {allowed}, got {padding!r}")
    groups = positive_integer("groups", groups)
    for name, channels in (("out_channels", out_channels), ("in_channels", in_channels)):
        if positive_integer(name, channels) % groups:
            raise ValueError(f"groups={groups} must divide {name}={channels}")
    n_axes = len(kernel_size) if isinstance(kernel_size, tuple | list) else 2
    geometry = KernelGeometry(
        out_channels // groups,
        in_channels // groups,
        per_axis("kernel_size", kernel_size, n_axes),
        per_axis("stride", stride, n_axes),
        per_axis("dilation", dilation, n_axes),
        groups,
    )
    return existence(geometry, padding)


def existence(geometry, padding="circular"):
    """See `orthogonal_conv_exists`."""
    rows, inputs = geometry.rows, geometry.inputs
    case = SQUARE if rows == inputs else ROWS if rows < inputs else COLUMNS
    axes = list(zip(geometry.kernel, geometry.stride, geometry.dilation, strict=True))
    usable = tuple(_usable_taps(*axis, padding) for axis in axes)
    if case == COLUMNS and padding == "valid":
        gapless = all(k == 1 or d == 1 for k, _, d in axes)
        exists = geometry.kernel == geometry.stride and gapless
        what = f"kernel {geometry.kernel} and stride {geometry.stride}"
        return Existence(exists, case, f"{what} {'agree' if exists else 'differ: border pixels'}")
    if case == ROWS:
        most = geometry.columns * math.prod(usable)
        sign = "<=" if rows <= most else ">"
        reason = f"{rows} outputs {sign} {most} = {geometry.columns} inputs x {usable} usable taps"
        return Existence(rows <= most, case, reason)
    exists = all(n == s for n, s in zip(usable, geometry.stride, strict=True))
    sign = "<=" if exists else ">"
    reason = f"stride {geometry.stride} {sign} {usable} usable taps"
    return Existence(exists, case, reason)


def _usable_taps(kernel, stride, dilation, padding):
    """Most taps of an axis of which no two meet at different outputs, and none is ever cut.

    Two taps meet where their distance is a multiple of S: there are at most S / gcd(S, dilation).
    Zeros before the first pixel and after the last cut those that reach out of the first or the
    last block of S pixels.
    """
    if padding != "zeros":
        return min(kernel, stride // math.gcd(stride, dilation))
    before = dilation * (kernel - 1) // 2
    first, last = -(-before // dilation), min(kernel - 1, (before + stride - 1) // dilation)
    return max(0, last - first + 1)


def orthogonal_conv_init_(
    weight: torch.Tensor,
    *,
    stride: int | tuple[int, ...] = 1,
    dilation: int | tuple[int, ...] = 1,
    groups: int = 1,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    r"""Fill a kernel with a random orthogonal convolution.

    A random matrix with orthonormal rows or columns, of shape (M, C b^2) with b = min(k, S), fills
    b x b taps in the middle of the kernel; no two of them meet at different outputs.

    Parameters
    ----------
    weight : Tensor of shape `(M, C / groups, *kernel)` or (M, C)
        The kernel, changed in place.
    stride : int or tuple of int, default=1
        The stride S.
    dilation : int or tuple of int, default=1
        The dilation.
    groups : int, default=1
        Number of groups.
    generator : torch.Generator, optional
        Source of the random numbers.

    Returns
    -------
    Tensor
        The weight.

    Raises
    ------
    ValueError
        If there is no orthogonal convolution of this shape.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import conv_singular_values, orthogonal_conv_init_
    >>> layer = torch.nn.Conv2d(3, 8, 3, stride=2, padding_mode="circular", padding=1)
    >>> _ = orthogonal_conv_init_(layer.weight, stride=2)
    >>> sigma = conv_singular_values(layer.weight, 8, stride=2)
    >>> bool(torch.allclose(sigma, torch.ones_like(sigma), atol=1e-5))
    True
    """
    geometry = kernel_geometry(weight, stride, dilation, groups)
    found = existence(geometry)
    if not found.exists:
        raise ValueError(
            f"no orthogonal convolution has shape {tuple(weight.shape)} with stride {stride}, "
            f"dilation {dilation} and {groups} groups: {found.reason}"
        )
    taps = [min(k, s) for k, s in geometry.axes]
    window = tuple(
        slice(start, start + b)
        for b, start in (
            (b, min((k - 1) // 2, k - b)) for b, k in zip(taps, geometry.kernel, strict=True)
        )
    )
    with torch.no_grad():
        filled = torch.zeros_like(geometry.split(weight))
        for group in filled:
            Q = torch.empty(geometry.rows, geometry.columns * math.prod(taps), dtype=filled.dtype)
            torch.nn.init.orthogonal_(Q, generator=generator)
            group[(slice(None), slice(None), *window)] = Q.view(
                geometry.rows, geometry.columns, *taps
            ).to(weight.device)
        weight.copy_(filled.reshape(weight.shape))
    return weight
