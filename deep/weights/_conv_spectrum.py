"""Singular values of a convolution as a linear map."""

import itertools
import math

import torch

from ._conv_geometry import kernel_geometry, per_axis

CHUNK_BYTES = 2**26


def conv_singular_values(
    weight: torch.Tensor,
    input_size: int | tuple[int, ...],
    *,
    stride: int | tuple[int, ...] = 1,
    dilation: int | tuple[int, ...] = 1,
    groups: int = 1,
) -> torch.Tensor:
    r"""All singular values of a convolution with circular padding.

    The map is block-diagonal in the Fourier basis: at each of the :math:`N^2` frequencies of the
    output, the :math:`S^2` frequencies of the input that alias to it meet in one
    :math:`M \times C S^2` matrix (for stride one: H. Sedghi, V. Gupta, P. M. Long, ICLR 2019).
    The cost is that of the singular values of :math:`N^2 / 2` such matrices.

    Parameters
    ----------
    weight : Tensor of shape `(M, C / groups, *kernel)` or (M, C)
        Kernel of a convolution in one to three dimensions, or a matrix. A transposed convolution
        has those of its transpose: pass its kernel as it is, and the size of its output.
    input_size : int or tuple of int
        Pixels of the input along each axis.
    stride : int or tuple of int, default=1
        The stride S; it must divide the input size.
    dilation : int or tuple of int, default=1
        The dilation.
    groups : int, default=1
        Number of groups.

    Returns
    -------
    Tensor of shape (groups * N * N * min(M / groups, C S^2 / groups),)
        The singular values, largest first.

    Raises
    ------
    ValueError
        If the stride does not divide the input size, or the arguments do not fit the weight.

    Notes
    -----
    A convolution with zero padding is a part of one with circular padding on an input that is
    larger by the kernel less one pixel: the largest value there bounds it from above. The smallest
    does not carry over.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import conv_singular_values
    >>> difference = torch.tensor([[[1.0, -1.0]]], dtype=torch.float64)
    >>> conv_singular_values(difference, 4).round(decimals=4) + 0.0  # 2 sin(pi j / 4)
    tensor([2.0000, 1.4142, 1.4142, 0.0000], dtype=torch.float64)
    """
    geometry = kernel_geometry(weight, stride, dilation, groups)
    n_axes = len(geometry.kernel)
    size = per_axis("input_size", input_size, n_axes)
    for n, s in zip(size, geometry.stride, strict=True):
        if n % s:
            raise ValueError(f"stride {s} must divide input_size, got {n}")
    with torch.no_grad():
        return _singular_values(geometry.split(weight), geometry, size)


def conv_spectral_norm(
    weight: torch.Tensor,
    input_size: int | tuple[int, ...],
    *,
    stride: int | tuple[int, ...] = 1,
    dilation: int | tuple[int, ...] = 1,
    groups: int = 1,
) -> torch.Tensor:
    """Largest singular value of a convolution with circular padding.

    Parameters
    ----------
    weight : Tensor of shape `(M, C / groups, *kernel)` or (M, C)
        The kernel.
    input_size : int or tuple of int
        Pixels of the input along each axis.
    stride : int or tuple of int, default=1
        The stride; it must divide the input size.
    dilation : int or tuple of int, default=1
        The dilation.
    groups : int, default=1
        Number of groups.

    Returns
    -------
    Tensor of shape ()
        The spectral norm.

    Raises
    ------
    ValueError
        If the stride does not divide the input size, or the arguments do not fit the weight.

    See Also
    --------
    conv_singular_values : All of them.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import conv_spectral_norm
    >>> conv_spectral_norm(torch.ones(1, 1, 3, 3), 8)
    tensor(9.)
    """
    return conv_singular_values(
        weight, input_size, stride=stride, dilation=dilation, groups=groups
    )[0]


def _singular_values(kernels, geometry, size):
    """Of kernels (g, M, C, *kernel), by chunks of output frequencies.

    Q(w)[m, (c, j)] = S^{-d/2} sum_a K[m, c, a] exp(-2 pi i <dilation a, w + N j> / n), with the
    input frequencies w + N j, j in {0, ..., S - 1}^d, that alias to w.
    """
    device = kernels.device
    outputs = [n // s for n, s in zip(size, geometry.stride, strict=True)]
    taps = torch.cartesian_prod(*(torch.arange(k) for k in geometry.kernel))
    taps = taps.reshape(-1, len(size)) * torch.tensor(geometry.dilation)
    aliases = torch.tensor(list(itertools.product(*map(range, geometry.stride))))
    frequencies = torch.tensor(list(itertools.product(*map(range, outputs))))
    # Q(-w) is the conjugate of Q(w): one of each such pair will do
    half = frequencies[:, -1] <= outputs[-1] // 2
    frequencies = frequencies[half]
    alone = (frequencies[:, -1] * 2) % outputs[-1] == 0
    wide = geometry.columns * len(aliases)
    item = 2 * kernels.element_size() * len(kernels) * geometry.rows * wide
    flat = kernels.flatten(3).to(torch.promote_types(kernels.dtype, torch.complex64))
    scale = math.prod(geometry.stride) ** -0.5
    values = []
    n_chunks = max(1, math.ceil(item * len(frequencies) / CHUNK_BYTES))
    for chunk in torch.tensor_split(frequencies, n_chunks):
        at = chunk[:, None, :] + torch.tensor(outputs) * aliases[None]  # (frequencies, aliases, d)
        turns = (taps[:, None, None, :] * at % torch.tensor(size)).double()
        angle = -2 * math.pi * (turns / torch.tensor(size)).sum(-1)
        wave = scale * torch.polar(torch.ones_like(angle), angle)
        Q = torch.einsum("gmct,tfj->fgmcj", flat, wave.to(device=device, dtype=flat.dtype))
        values.append(torch.linalg.svdvals(Q.flatten(3)).flatten(1))
    once = torch.cat(values)
    both = torch.cat([once, once[~alone.to(device)]])
    return both.flatten().sort(descending=True).values
