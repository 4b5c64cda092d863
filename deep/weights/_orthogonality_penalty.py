"""Orthogonality of the layers of a network: a penalty, and a report."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
from torch import nn

from ..frame._batches import check_choice, check_number
from ._conv_existence import existence
from ._conv_geometry import kernel_geometry
from ._conv_orthogonality import (
    loss_of_groups,
    orthogonality_bounds,
    sampled_loss_of_groups,
    sampling_pays,
)
from ._conv_spectrum import conv_singular_values

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
EXACT_CHANNELS = 128


def orthogonality_penalty(
    module: nn.Module,
    layers: Literal["conv", "all"] | Callable[..., Any] = "conv",
    *,
    exclude_first: bool = False,
    frequencies: Literal["auto", "all"] = "auto",
) -> torch.Tensor:
    r"""Sum of `orthogonality_loss` over the layers of a network.

    Layers of one shape are computed together. The exact loss of a layer of c input and output
    channels takes about :math:`40 c^3` multiplications for 3 x 3 taps, as much as a forward pass
    over several images in wide layers; an unbiased estimate from one random frequency takes
    :math:`3 c^3`, and its noise goes away as the layer becomes orthogonal.

    Parameters
    ----------
    module : torch.nn.Module
        The network.
    layers : {"conv", "all"} or callable, default="conv"
        Convolutions, transposed ones included; also linear layers; or those of them for which
        ``layers(name, layer)`` is true.
    exclude_first : bool, default=False
        Leave the first of these layers out.
    frequencies : {"auto", "all"} or int, default="auto"
        Number of random frequencies from which the loss is estimated, in layers where this takes
        less than half the time; "all" is the exact loss; "auto" is one frequency in layers of more
        than 128 channels on both sides, and exact in others.

    Returns
    -------
    Tensor of shape ()
        The penalty.

    Raises
    ------
    ValueError
        If no layer is chosen, or an argument has another value.

    See Also
    --------
    orthogonality_report : The loss layer by layer, and what it implies.

    Notes
    -----
    Weight decay pulls singular values below one: switch it off for these layers. Batch
    normalisation after a layer undoes the meaning of its Lipschitz constant.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import orthogonality_penalty
    >>> net = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU())
    >>> orthogonality_penalty(net).backward()
    >>> net[0].weight.grad.shape
    torch.Size([8, 3, 3, 3])
    """
    if frequencies not in ("auto", "all"):
        if isinstance(frequencies, str):
            check_choice("frequencies", frequencies, ("auto", "all"))
        check_number("frequencies", frequencies, 1)
    stacks: dict[Any, list[torch.Tensor]] = {}
    for _, layer in orthogonal_layers(module, layers, exclude_first=exclude_first):
        weight = layer.weight
        geometry = layer_geometry(layer, weight)
        key = geometry._replace(groups=1), weight.device, weight.dtype
        stacks.setdefault(key, []).append(geometry.split(weight))
    terms: list[torch.Tensor] = []
    for (geometry, device, _), kernels in stacks.items():
        stack = kernels[0] if len(kernels) == 1 else torch.cat(kernels)
        n_frequencies = _n_frequencies(geometry, frequencies)
        if n_frequencies is None:
            losses = loss_of_groups(stack, geometry)
        else:
            losses = sampled_loss_of_groups(stack, geometry, n_frequencies)
        terms.append(losses.sum().to(terms[0] if terms else device))
    return torch.stack(terms).sum()


class LayerOrthogonality(NamedTuple):
    """How orthogonal one layer is.

    Attributes
    ----------
    name : str
        Its name in the network.
    case : {"rows", "columns", "square"}
        Whether A A^T = I (fewer outputs than inputs), A^T A = I or both is wanted, for the
        convolution A (for the transpose of a transposed one).
    exists : bool
        Whether there is an orthogonal layer of this shape, with circular padding.
    loss : float
        Its `orthogonality_loss`.
    lower, upper : float
        Bounds of its singular values for any input size, from the loss.
    sigma_min, sigma_max : float
        Its smallest and largest singular value with circular padding on an input of `kernel` times
        `stride` pixels.
    """

    name: str
    case: str
    exists: bool
    loss: float
    lower: float
    upper: float
    sigma_min: float
    sigma_max: float


def orthogonality_report(
    module: nn.Module,
    layers: Literal["conv", "all"] | Callable[..., Any] = "conv",
    *,
    exclude_first: bool = False,
) -> list[LayerOrthogonality]:
    """Orthogonality of each layer of a network.

    Parameters
    ----------
    module : torch.nn.Module
        The network.
    layers : {"conv", "all"} or callable, default="conv"
        The layers, as in `orthogonality_penalty`.
    exclude_first : bool, default=False
        Leave the first of these layers out.

    Returns
    -------
    list of LayerOrthogonality
        One for each layer.

    Raises
    ------
    ValueError
        If no layer is chosen.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import orthogonal_conv_init_, orthogonality_report
    >>> layer = torch.nn.Conv2d(3, 8, 3, stride=2)
    >>> _ = orthogonal_conv_init_(layer.weight, stride=2)
    >>> (report,) = orthogonality_report(layer)
    >>> report.case, round(report.sigma_min, 4), round(report.sigma_max, 4)
    ('rows', 1.0, 1.0)
    """
    report = []
    with torch.no_grad():
        for name, layer in orthogonal_layers(module, layers, exclude_first=exclude_first):
            weight = layer.weight
            geometry = layer_geometry(layer, weight)
            found = existence(geometry)
            options = {
                "stride": geometry.stride,
                "dilation": geometry.dilation,
                "groups": geometry.groups,
            }
            size = tuple(k * s for k, s in zip(geometry.kernel, geometry.stride, strict=True))
            sigma = conv_singular_values(weight, size, **options)
            numbers = (
                loss_of_groups(geometry.split(weight), geometry).sum(),
                *orthogonality_bounds(weight, **options),
                sigma[-1],
                sigma[0],
            )
            report.append(LayerOrthogonality(name, found.case, found.exists, *map(float, numbers)))
    return report


def orthogonal_layers(module, layers="conv", *, exclude_first=False):
    """Choose layers of a network; see `orthogonality_penalty`.

    Returns
    -------
    list of (str, torch.nn.Module)
        Names and layers.
    """
    kinds: tuple[type, ...] = (*CONVOLUTIONS, *TRANSPOSED)
    if not callable(layers):
        check_choice("layers", layers, ("conv", "all"))
    if layers != "conv":
        kinds = (*kinds, nn.Linear)
    found = [(name, layer) for name, layer in module.named_modules() if isinstance(layer, kinds)]
    if callable(layers):
        found = [(name, layer) for name, layer in found if layers(name, layer)]
    found = found[int(exclude_first) :]
    if not found:
        raise ValueError(
            f"{type(module).__name__} has no layers to make orthogonal "
            f"(layers={layers!r}, exclude_first={exclude_first!r})"
        )
    return found


def layer_geometry(layer, weight):
    """Geometry of a layer, that of its transpose for a transposed convolution."""
    if isinstance(layer, nn.Linear):
        return kernel_geometry(weight)
    return kernel_geometry(weight, layer.stride, layer.dilation, layer.groups)


def _n_frequencies(geometry, frequencies):
    """Number of random frequencies for a layer, or None for the exact loss."""
    if frequencies == "all":
        return None
    if frequencies == "auto":
        if min(geometry.rows, geometry.columns) <= EXACT_CHANNELS:
            return None
        frequencies = 1
    return frequencies if sampling_pays(geometry, frequencies) else None
