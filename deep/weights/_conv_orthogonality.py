r"""How far a convolution is from an orthogonal map, from its kernel alone.

A kernel K of shape (M, C, k, k) with stride S and circular padding is a linear map A from
C S^2 N^2 to M N^2 numbers. It is row-orthogonal if A A^T = I (M <= C S^2), column-orthogonal if
A^T A = I (M >= C S^2). The blocks of A A^T are the correlations of the kernel with itself,

    R_u = sum over taps a, b with a - b = S u of K_a K_b^T,

one M x M matrix for each lag u, and with delta = 1 at lag zero

    L_orth(K) = sum_u |R_u - delta_u I|_F^2 - max(0, M - C S^2).

E. M. Achour, F. Malgouyres, F. Mamalet, "Existence, Stability and Scalability of Orthogonal
Convolutional Neural Networks", JMLR 23, 2022.
"""

import functools
import itertools
import math
from typing import NamedTuple

import torch

from ._conv_geometry import KernelGeometry, kernel_geometry


def orthogonality_loss(
    weight: torch.Tensor,
    *,
    stride: int | tuple[int, ...] = 1,
    dilation: int | tuple[int, ...] = 1,
    groups: int = 1,
) -> torch.Tensor:
    r"""Squared distance of a convolution, or of a matrix, from orthogonality.

    .. math::
        L(K) = \sum_u \|R_u - \delta_u I\|_F^2 - \max(0, M - C S^2), \qquad
        R_u = \sum_{a - b = S u} K_a K_b^\top

    With circular padding and an input of at least 2k - 1 pixels a side, :math:`N^2 L` is
    :math:`\|A A^\top - I\|_F^2` if there are fewer outputs than inputs, and
    :math:`\|A^\top A - I\|_F^2` otherwise, for an output of N x N pixels; it is zero if and only
    if the convolution is orthogonal. It does not depend on the size of the input, nor on the
    padding; with zero padding the map is orthogonal away from the border only.

    Parameters
    ----------
    weight : Tensor of shape `(M, C / groups, *kernel)` or (M, C)
        Kernel of a convolution in one to three dimensions, or a matrix. The kernel of a
        transposed convolution has the same distance as that of its transpose: pass it as it is.
    stride : int or tuple of int, default=1
        The stride S.
    dilation : int or tuple of int, default=1
        The dilation.
    groups : int, default=1
        Number of groups; their distances add up.

    Returns
    -------
    Tensor of shape (), float32 or float64
        The distance, not negative up to rounding.

    Raises
    ------
    ValueError
        If the weight has fewer than two or more than five dimensions or is not floating-point, or
        the other arguments do not fit it.

    See Also
    --------
    orthogonality_penalty : Its sum over the layers of a network.
    orthogonality_bounds : What it implies for the singular values.

    Notes
    -----
    Correlations with "same" padding, as in the code published with OCNN (J. Wang, Y. Chen,
    R. Chakraborty, S. X. Yu, CVPR 2020), miss lags for stride one, and lag zero for stride two:
    that distance is not zero at orthogonal kernels, and zero at others.

    References
    ----------
    .. [1] E. M. Achour, F. Malgouyres, F. Mamalet, "Existence, Stability and Scalability of
       Orthogonal Convolutional Neural Networks", JMLR 23, 2022.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import orthogonality_loss
    >>> box = torch.ones(1, 1, 3, dtype=torch.float64) / 3**0.5
    >>> round(float(orthogonality_loss(box)), 6)  # lags -2..2 of (1, 2, 3, 2, 1) / 3: 10 / 9
    1.111111
    >>> round(float(orthogonality_loss(box, stride=3)), 6)
    0.0
    """
    geometry = kernel_geometry(weight, stride, dilation, groups)
    return loss_of_groups(geometry.split(weight), geometry).sum()


def loss_of_groups(kernels: torch.Tensor, geometry: KernelGeometry) -> torch.Tensor:
    """L_orth of each of a stack of kernels of one shape.

    Parameters
    ----------
    kernels : Tensor of shape `(g, M, C, *kernel)`
        The kernels.
    geometry : KernelGeometry
        Their common geometry.

    Returns
    -------
    Tensor of shape (g,)
        The distances.
    """
    with torch.autocast(kernels.device.type, enabled=False):
        taps = kernels.flatten(3).permute(3, 0, 1, 2).contiguous()
        excess = geometry.excess
        if excess > 0 and geometry.is_unstrided:  # |A A' - I|^2 - |A' A - I|^2 = rows - columns
            taps, excess = taps.mT, 0
        pairs = _tap_pairs(geometry.kernel, geometry.lag, kernels.device)
        products = taps[pairs.first] @ taps[pairs.second].mT
        shape = (pairs.n_lags, *products.shape[1:])
        R = products.new_zeros(shape).index_add(0, pairs.lag, products)
        at_zero = R[0] - torch.eye(shape[-1], dtype=R.dtype, device=R.device)
        beyond = R[1:].square().sum(dim=(0, 2, 3))  # R_{-u} = R_u'
        return at_zero.square().sum(dim=(1, 2)) + 2 * beyond - excess


def sampled_loss_of_groups(
    kernels: torch.Tensor, geometry: KernelGeometry, n_frequencies: int
) -> torch.Tensor:
    r"""Unbiased estimate of `loss_of_groups` from random frequencies.

    By Parseval's theorem L is the mean over frequencies :math:`\omega` of
    :math:`\|Q(\omega) Q(\omega)^* - I\|_F^2`, or of :math:`\|Q(\omega)^* Q(\omega) - I\|_F^2` where
    there are more rows than columns. Q is the M x C S^2 symbol: tap :math:`a = S q + \phi` adds
    :math:`K_a e^{-i \langle q, \omega \rangle}` to the columns of phase :math:`\phi`. Every term is
    zero for an orthogonal kernel, so that the noise of the estimate goes away with the distance.
    With Q = X + iY,

        |Q Q* - I|^2 = |X X' + Y Y' - I|^2 + |Y X' - X Y'|^2.

    Parameters
    ----------
    kernels : Tensor of shape `(g, M, C, *kernel)`
        The kernels.
    geometry : KernelGeometry
        Their common geometry.
    n_frequencies : int
        Number of random frequencies, common to all kernels.

    Returns
    -------
    Tensor of shape (g,)
        The estimates.
    """
    phases = _tap_phases(geometry.kernel, geometry.lag, kernels.device)
    with torch.autocast(kernels.device.type, enabled=False):
        shape = (n_frequencies, len(geometry.kernel))
        omega = 2 * math.pi * torch.rand(shape, dtype=kernels.dtype, device=kernels.device)
        angle = phases.block.to(kernels.dtype) @ omega.T  # (taps, frequencies)
        taps = kernels.flatten(3).permute(3, 0, 1, 2).flatten(1)  # (taps, g M C)

        def symbol(wave):
            """Real or imaginary part of Q, of shape (frequencies, g, M, C phases)."""
            weights = wave[:, :, None] * phases.one_hot.to(wave.dtype)[:, None, :]
            parts = torch.einsum("tn,tfp->fnp", taps, weights)
            return parts.reshape(n_frequencies, *kernels.shape[:2], -1)

        X, Y = symbol(angle.cos()), symbol(-angle.sin())
        missing = max(0, geometry.rows - X.shape[-1]) - geometry.excess  # columns that are zero
        if geometry.rows > X.shape[-1]:  # |Q Q* - I|^2 - |Q* Q - I|^2 = rows - columns
            X, Y = X.mT, -Y.mT
        both = torch.cat([X, Y], dim=-1)
        real = both @ both.mT - torch.eye(X.shape[-2], dtype=X.dtype, device=X.device)
        half = Y @ X.mT
        terms = real.square() + (half - half.mT).square()
        return terms.sum(dim=(2, 3)).mean(dim=0) + missing


def sampling_pays(geometry, n_frequencies):
    """Whether the estimate takes less than half the multiplications of the exact value."""
    n_pairs = len(_tap_pairs(geometry.kernel, geometry.lag, torch.device("cpu")).lag)
    exact = n_pairs * geometry.rows * geometry.columns
    if geometry.is_unstrided:
        exact *= min(geometry.rows, geometry.columns)
    else:
        exact *= geometry.rows
    wide = geometry.columns * math.prod(min(k, s) for k, s in geometry.axes)
    sampled = 3 * n_frequencies * geometry.rows * wide * min(geometry.rows, wide)
    return 2 * sampled < exact


def orthogonality_bounds(
    weight: torch.Tensor,
    *,
    stride: int | tuple[int, ...] = 1,
    dilation: int | tuple[int, ...] = 1,
    groups: int = 1,
) -> tuple[torch.Tensor, torch.Tensor]:
    r"""Bounds on the singular values of a convolution, from its orthogonality loss.

    .. math::
        \sqrt{1 - \varepsilon} \leq \sigma \leq \sqrt{1 + \varepsilon}, \qquad
        \varepsilon = \sqrt{\alpha L}

    for all singular values of the smaller side, whatever the size of the input. :math:`\alpha` is
    the number of lags of A A^T, :math:`(2 \lfloor (k - 1) / S \rfloor + 1)^2`, if there are fewer
    outputs than inputs, and of A^T A, :math:`(2 \lfloor (k + S - 2) / S \rfloor + 1)^2`,
    otherwise: a sum of :math:`\alpha` matrices has a squared norm of at most :math:`\alpha` times
    the sum of their squared norms.

    Parameters
    ----------
    weight : Tensor of shape `(M, C / groups, *kernel)` or (M, C)
        The kernel.
    stride : int or tuple of int, default=1
        The stride S.
    dilation : int or tuple of int, default=1
        The dilation.
    groups : int, default=1
        Number of groups.

    Returns
    -------
    lower, upper : Tensor of shape (), Tensor of shape ()
        The bounds; the lower one is zero where :math:`\varepsilon \geq 1`.

    Raises
    ------
    ValueError
        If the arguments do not fit the weight.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import orthogonality_bounds
    >>> lower, upper = orthogonality_bounds(1.1 * torch.eye(3, dtype=torch.float64))
    >>> round(float(lower), 3), round(float(upper), 3)
    (0.798, 1.168)
    """
    geometry = kernel_geometry(weight, stride, dilation, groups)
    with torch.no_grad():
        L = loss_of_groups(geometry.split(weight), geometry).amax().clamp(min=0)
        epsilon = (geometry.n_lags * L).sqrt()
        return (1 - epsilon).clamp(min=0).sqrt(), (1 + epsilon).sqrt()


class _Pairs(NamedTuple):
    """Pairs of taps a - b = S u, for lag zero and one of each two opposite lags."""

    first: torch.Tensor
    second: torch.Tensor
    lag: torch.Tensor
    n_lags: int


@functools.lru_cache(maxsize=256)
def _tap_pairs(kernel, stride, device):
    taps = list(itertools.product(*map(range, kernel)))
    numbers, pairs = {(0,) * len(kernel): 0}, []
    for (i, a), (j, b) in itertools.product(enumerate(taps), repeat=2):
        difference = tuple(x - y for x, y in zip(a, b, strict=True))
        on_lattice = all(x % s == 0 for x, s in zip(difference, stride, strict=True))
        if on_lattice and difference >= (0,) * len(kernel):
            pairs.append((i, j, numbers.setdefault(difference, len(numbers))))
    first, second, lag = (torch.tensor(c, device=device) for c in zip(*pairs, strict=True))
    return _Pairs(first, second, lag, n_lags=len(numbers))


class _Phases(NamedTuple):
    """Tap a = S q + phi: the block q, and the phase phi as one of the phases that occur."""

    block: torch.Tensor
    one_hot: torch.Tensor


@functools.lru_cache(maxsize=256)
def _tap_phases(kernel, stride, device):
    taps = torch.cartesian_prod(*map(torch.arange, kernel)).reshape(-1, len(kernel))
    steps = torch.tensor(stride)
    _, phase = torch.unique(taps % steps, dim=0, return_inverse=True)
    one_hot = torch.nn.functional.one_hot(phase)
    return _Phases((taps // steps).to(device), one_hot.to(device))
