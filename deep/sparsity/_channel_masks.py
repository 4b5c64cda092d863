"""Which channels are to go: masks from the scaling factors of normalisation layers."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm

from ..frame._batches import check_choice, check_number
from ..frame._frozen_copy import bare
from ._masks import Layers, choose_layers

NORMS = (_BatchNorm, _InstanceNorm, nn.GroupNorm)
METHODS = ("quantile", "threshold", "optimal_threshold")
SMALLEST_SQUARE = 1e-18
SCOPES = ("global", "layer")
DEAD = 1e-3  # below this largest factor a layer has nothing to keep

Groups = Sequence[Sequence[str]]
Masks = Mapping[str, Any]


def norm_layers(module: nn.Module) -> dict[str, Any]:
    """Batch, instance and group normalisations that have scaling factors, by name.

    Raises
    ------
    ValueError
        If there is none.
    """
    layers = {
        name: layer
        for name, layer in bare(module).named_modules()
        if isinstance(layer, NORMS) and layer.weight is not None
    }
    if not layers:
        raise ValueError(
            f"{type(bare(module)).__name__} has no normalisation layer with scaling factors: "
            "batch, instance or group normalisation with affine=True"
        )
    return layers


def checked_masks(prune_masks: Masks, layers: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """Masks as Boolean tensors on the layers' devices.

    Raises
    ------
    ValueError
        If a name or a shape is not that of a normalisation layer.
    """
    checked = {}
    for name, mask in prune_masks.items():
        layer = _named(name, layers, "prune_masks")
        mask = torch.as_tensor(mask)
        if mask.dtype != torch.bool or mask.shape != layer.weight.shape:
            raise ValueError(
                f"the mask of {name!r} must be Boolean, one for each of its {len(layer.weight)} "
                f"channels (True: prune), got {mask.dtype} of shape {tuple(mask.shape)}"
            )
        checked[name] = mask.to(layer.weight.device)
    return checked


def _named(name, layers, argument):
    if name not in layers:
        close = difflib.get_close_matches(name, layers, n=3) or list(layers)
        raise ValueError(
            f"{argument}: {name!r} is no normalisation layer with scaling factors; close to it are "
            f"{', '.join(map(repr, close))}"
        )
    return layers[name]


def optimal_threshold(factors: torch.Tensor, energy: float = 1e-4) -> float:
    r"""Threshold between the factors that carry a share of the energy and those that do not.

    With :math:`g_1 \le g_2 \le ...` the sorted absolute values and i the first index at which
    :math:`\sum_{j \le i} g_j^2` exceeds the share `energy` of the sum of all squares, it is the
    midpoint of :math:`g_{i - 1}` and :math:`g_i`, and zero for the first i. It is one, more than
    all factors, if none reaches 1e-3.

    Parameters
    ----------
    factors : Tensor of shape (n_channels,)
        Scaling factors of a layer.
    energy : float, default=1e-4
        The share, p in the authors' code.

    Returns
    -------
    float
        The threshold; factors of at most that size are to go.

    Raises
    ------
    ValueError
        If `energy` is not in [0, 1).

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import optimal_threshold
    >>> optimal_threshold(torch.tensor([1.0, 0.25, 2.0, -0.5]), energy=0.1)
    0.75
    """
    check_number("energy", energy, 0, 1, below=True)
    sizes = factors.detach().abs().double().sort().values
    if sizes[-1] < DEAD:
        return 1.0
    squares = sizes.square().clamp(min=SMALLEST_SQUARE).cumsum(0)
    first = int((squares / squares[-1] > energy).nonzero()[0])
    return float(sizes[first - 1] + sizes[first]) / 2 if first else 0.0


def merge_group_votes(masks: Sequence[torch.Tensor] | Iterable[Any]) -> torch.Tensor:
    """One mask for layers whose outputs are added: the channels that most of them would prune.

    Each layer has a vote for each channel that it would prune. Of the channels with at least i
    votes, those of the largest i are pruned that leaves as many as the layer that prunes least.

    Parameters
    ----------
    masks : sequence of Tensor of shape (n_channels,)
        The layers' masks, True where a channel is to be pruned.

    Returns
    -------
    Tensor of shape (n_channels,), bool
        The mask of all of them.

    Raises
    ------
    ValueError
        If there are no masks or their lengths differ.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import merge_group_votes
    >>> merge_group_votes(
    ...     [torch.tensor([True, True, False]), torch.tensor([False, True, True])]
    ... ).tolist()
    [True, True, True]
    """
    votes = [torch.as_tensor(mask) for mask in masks]
    widths = sorted({len(mask) for mask in votes})
    if len(widths) != 1:
        raise ValueError(f"the layers of a group must have one width, got widths {widths}")
    counts = torch.stack(votes).sum(0)
    fewest = min(int(mask.sum()) for mask in votes)
    needed = next(i for i in range(len(votes), 0, -1) if int((counts >= i).sum()) >= fewest)
    return counts >= needed


def channel_masks(
    module: nn.Module,
    method: Literal["quantile", "threshold", "optimal_threshold"] = "quantile",
    amount: float = 0.5,
    threshold: float = 0.01,
    energy: float = 1e-4,
    min_channels: int = 1,
    groups: Groups | None = None,
    layers: Layers = "all",
    scope: Literal["global", "layer"] = "global",
) -> dict[str, torch.Tensor]:
    """Choose the channels to prune by the sizes of their scaling factors.

    A channel that a normalisation layer multiplies by a small number says little. Factors tell
    something in a trained network only: they are all equal before.

    Parameters
    ----------
    module : torch.nn.Module
        The network, with batch, instance or group normalisation.
    method : {"quantile", "threshold", "optimal_threshold"}, default="quantile"
        The share `amount` of the channels with the smallest factors; those of at most `threshold`;
        or those of at most the layer's `optimal_threshold`.
    amount : float, default=0.5
        Share of the channels in [0, 1), for "quantile".
    threshold : float, default=0.01
        Largest factor to prune, for "threshold".
    energy : float, default=1e-4
        Share of the squares, for "optimal_threshold".
    min_channels : int, default=1
        Number of channels with the largest factors that each layer keeps in any case.
    groups : sequence of sequence of str, default=None
        Names of layers that must lose the same channels, because their outputs are added, as
        `channel_groups` finds them. They vote, see `merge_group_votes`; with ``scope="layer"`` they
        count as one layer that has the means of their factors.
    layers : {"all", "hidden"}, str, list of str or callable, default="all"
        The normalisation layers that may lose channels, as for `choose_weights`.
    scope : {"global", "layer"}, default="global"
        For "quantile", whether factors of all layers are compared, or those of one layer with one
        another. Without a penalty layers differ in the size of their factors for no good reason:
        globally, some would lose nearly all channels.

    Returns
    -------
    dict of str to Tensor of shape (n_channels,), bool
        For each of these layers, True where a channel is to be pruned. Layers of group
        normalisation lose whole groups, which count as large as the largest factor in them.

    Raises
    ------
    ValueError
        If there is no normalisation layer with factors, a number is out of range, a name is
        unknown, or layers of a group have different widths.

    See Also
    --------
    prune_channels : Remove them.

    References
    ----------
    .. [1] N. Jiang, X. Zhao, C. Zhao, Y. An, M. Tang, J. Wang, "Pruning-aware Sparse Regularization
       for Network Pruning", Machine Intelligence Research 20, 2023.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import channel_masks
    >>> net = torch.nn.Sequential(torch.nn.Conv2d(1, 3, 3), torch.nn.BatchNorm2d(3))
    >>> with torch.no_grad():
    ...     _ = net[1].weight.copy_(torch.tensor([0.001, 1.0, -2.0]))
    >>> channel_masks(net, amount=0.4)
    {'1': tensor([ True, False, False])}
    """
    check_choice("method", method, METHODS)
    check_number("amount", amount, 0, 1, below=True)
    check_number("threshold", threshold, 0)
    check_number("min_channels", min_channels, 1)
    check_choice("scope", scope, SCOPES)
    there = norm_layers(module)
    chosen = choose_layers(bare(module), layers, types=NORMS)
    sizes = {name: _sizes(layer) for name, layer in chosen if name in there}
    _check_groups(groups or (), sizes)
    if method == "quantile" and scope == "global":
        masks = _smallest(sizes, amount)
    elif method == "quantile":
        shared = _mean_sizes(sizes, groups or ())  # votes of halves would prune far more than half
        masks = {name: _smallest({name: size}, amount)[name] for name, size in shared.items()}
    elif method == "threshold":
        masks = {name: size <= threshold for name, size in sizes.items()}
    else:
        masks = {name: size <= optimal_threshold(size, energy) for name, size in sizes.items()}
    for group in groups or ():
        merged = merge_group_votes([masks[name] for name in group])
        masks |= dict.fromkeys(group, merged)
    least = _mean_sizes(sizes, groups or ())
    return {
        name: _in_whole_groups(there[name], _keeping(mask, least[name], int(min_channels)))
        for name, mask in masks.items()
    }


def _sizes(layer):
    """Sizes of the factors; a group of group normalisation has the largest of its channels."""
    size = layer.weight.detach().abs()
    if isinstance(layer, nn.GroupNorm):
        per_group = size.view(layer.num_groups, -1)
        size = per_group.amax(1, keepdim=True).expand_as(per_group).flatten()
    return size


def _smallest(sizes, amount):
    """Masks of the share of all channels whose factors are smallest."""
    together = torch.cat([*sizes.values()]) if sizes else torch.zeros(0)
    chosen = together.argsort(stable=True)[: int(amount * len(together) + 1e-9)]
    mask = torch.zeros_like(together, dtype=torch.bool)
    mask[chosen] = True
    parts = mask.split([len(size) for size in sizes.values()])
    return {name: part.clone() for name, part in zip(sizes, parts, strict=True)}


def _check_groups(groups, sizes):
    for group in groups:
        widths = sorted({len(_named(name, sizes, "groups")) for name in group})
        if len(widths) > 1:
            raise ValueError(
                f"groups: the layers {', '.join(map(repr, group))} must have one width, got widths "
                f"{widths}"
            )


def _mean_sizes(sizes, groups):
    """Sizes of which layers of a group share the mean."""
    shared = dict(sizes)
    for group in groups:
        mean = torch.stack([sizes[name] for name in group]).mean(0)
        shared |= dict.fromkeys(group, mean)
    return shared


def _keeping(mask, size, min_channels):
    """The mask without the channels of the largest factors, if too few were left."""
    kept = size.argsort(descending=True, stable=True)[:min_channels]
    if int((~mask).sum()) < min_channels:
        mask = mask.clone()
        mask[kept] = False
    return mask


def _in_whole_groups(layer, mask):
    """The mask of group normalisation without groups of which it would leave a part."""
    if not isinstance(layer, nn.GroupNorm):
        return mask
    per_group = mask.view(layer.num_groups, -1)
    return per_group.all(1, keepdim=True).expand_as(per_group).flatten()
