"""Masks that keep the largest weights, and the schedule of how many."""

from typing import Literal

import numpy as np
import torch
from torch import nn

from ..frame._batches import check_choice, check_number
from ._masks import Layers, choose_weights


def magnitude_masks(
    module: nn.Module,
    sparsity: float,
    *,
    scope: Literal["global", "layer"] = "global",
    layers: Layers = "all",
) -> dict[str, torch.Tensor]:
    """Masks that keep the weights of largest absolute value.

    Parameters
    ----------
    module : torch.nn.Module
        The network.
    sparsity : float
        Share of the weights to mask, in [0, 1).
    scope : {"global", "layer"}, default="global"
        Whether weights of all layers are compared, or those of one layer with one another.
    layers : {"all", "hidden"}, str, list of str or callable, default="all"
        The layers, as for `choose_weights`.

    Returns
    -------
    dict of str to Tensor of bool
        Masks by the name of the weight. Of equal values those that come first are kept.

    Raises
    ------
    ValueError
        If an argument has another value, or nothing would be left of a layer.
    """
    check_number("sparsity", sparsity, 0, 1, below=True)
    check_choice("scope", scope, ("global", "layer"))
    with torch.no_grad():
        sizes = {weight.name: weight.value.abs() for weight in choose_weights(module, layers)}
    if scope == "global":
        masks = _largest(sizes, sparsity)
    else:
        masks = {name: _largest({name: size}, sparsity)[name] for name, size in sizes.items()}
    empty = [name for name, mask in masks.items() if not mask.any()]
    if empty:
        raise ValueError(
            f"sparsity={sparsity!r} with scope={scope!r} masks all of {', '.join(empty)}: lower "
            'it, leave the layer out, or take scope="layer"'
        )
    return masks


def _largest(sizes, sparsity):
    """Masks of the largest of several tensors' values."""
    flat = torch.cat([size.flatten().float() for size in sizes.values()])
    n_masked = round(sparsity * flat.numel())
    kept = torch.ones_like(flat, dtype=torch.bool)
    if n_masked:
        threshold = _smallest(flat, n_masked)
        kept = flat > threshold
        equal = (flat == threshold).nonzero().squeeze(1)
        kept[equal[: flat.numel() - n_masked - int(kept.count_nonzero())]] = True
    parts = kept.split([size.numel() for size in sizes.values()])
    return {n: part.view(s.shape) for (n, s), part in zip(sizes.items(), parts, strict=True)}


def _smallest(flat, k):
    """The k-th smallest value, by NumPy where it can: it takes a tenth of torch's time."""
    if flat.device.type == "cpu":
        return float(np.partition(flat.numpy(), k - 1)[k - 1])
    return flat.kthvalue(k).values


def sparsity_at(
    progress: float,
    final: float,
    *,
    initial: float = 0.0,
    begin: float = 0.0,
    end: float = 0.75,
    power: float = 3.0,
) -> float:
    r"""Sparsity at some progress of the training, by a schedule that slows down.

    .. math::
        s(p) = s_1 + (s_0 - s_1) \Big(1 - \frac{p - b}{e - b}\Big)^k, \qquad b \le p \le e

    Parameters
    ----------
    progress : float
        Share p of the training done, in [0, 1].
    final : float
        Sparsity :math:`s_1` at the end, in [0, 1).
    initial : float, default=0.0
        Sparsity :math:`s_0` at the beginning.
    begin, end : float, default=0.0, 0.75
        Where the schedule begins and ends; before and after, the sparsity is constant.
    power : float, default=3.0
        Exponent k: 1 is linear.

    Returns
    -------
    float
        The sparsity.

    Raises
    ------
    ValueError
        If a number is out of its range.

    References
    ----------
    .. [1] M. Zhu, S. Gupta, "To Prune, or Not to Prune: Exploring the Efficacy of Pruning for Model
       Compression", ICLR workshop 2018, equation 1.

    Examples
    --------
    >>> from skreg.deep.torch import sparsity_at
    >>> [round(sparsity_at(p, 0.8), 3) for p in (0.0, 0.375, 0.75, 1.0)]
    [0.0, 0.7, 0.8, 0.8]
    """
    check_number("progress", progress, 0, 1)
    check_number("final", final, 0, 1, below=True)
    check_number("initial", initial, 0, final)
    check_number("begin", begin, 0, 1)
    check_number("end", end, begin, 1)
    check_number("power", power, 0, above=True)
    if progress >= end:
        return final
    left = 1 - max(progress - begin, 0) / (end - begin)
    return final + (initial - final) * left**power
