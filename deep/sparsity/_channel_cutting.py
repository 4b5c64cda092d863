"""A smaller network without some channels of a trained one."""

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..frame._frozen_copy import bare
from ._channel_graph import ChannelGraph, described
from ._channel_masks import NORMS, checked_masks, norm_layers
from ._counting import evaluating


def prune_channels(
    module: nn.Module,
    prune_masks: Mapping[str, Any],
    example_input: Any,
    absorb_bias: bool = True,
) -> nn.Module:
    r"""Remove channels of normalisation layers, and all that makes or reads them.

    The network is followed from layer to layer by torch.fx. Convolutions (grouped and depthwise
    ones, too), linear layers, normalisation, activations, pooling, flattening, sums and products of
    tensors (shortcuts, gates) and concatenation are known. Where the factor of a channel is zero,
    it says the same for all inputs: an activation of the bias :math:`\beta`. This constant goes
    into the next layers: into their biases, or the running means of normalisations after them.
    Outputs in evaluation mode are then those of the network with factors set to zero; exactly
    for linear layers, and for convolutions away from borders that are padded with zeros.

    Parameters
    ----------
    module : torch.nn.Module
        The network; it stays as it is.
    prune_masks : dict of str to array of bool
        For normalisation layers, True where a channel is to go, as of `channel_masks`.
    example_input : Tensor, array, tuple or dict of them
        An input, for the shapes; a batch of one will do.
    absorb_bias : bool, default=True
        Whether constants of removed channels go into the next layers; otherwise they are dropped,
        as if biases of the removed channels were zero as well, under an activation that is zero
        there.

    Returns
    -------
    torch.nn.Module
        A copy of the network with smaller layers, under the same names.

    Raises
    ------
    ValueError
        If a name or shape of a mask is not that of a normalisation layer, a layer would have no
        channels left, or channels cannot be removed: because the network's output or an operation
        that is not known needs them, because they are added to others that stay, because a group
        of group normalisation or of a convolution would lose a part of its channels, or because a
        weight is shared or parametrized.

    See Also
    --------
    channel_groups : Layers that must have one mask.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from skreg.deep.torch import prune_channels
    >>> net = nn.Sequential(
    ...     nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2)
    ... ).eval()
    >>> mask = torch.arange(8) < 6
    >>> small = prune_channels(net, {"1": mask}, torch.zeros(1, 4))
    >>> small[0], small[3]
    (Linear(in_features=4, out_features=2, bias=True), Linear(in_features=2, out_features=2, bias=True))
    >>> with torch.no_grad():
    ...     _ = net[1].weight.masked_fill_(mask, 0.0)
    >>> x = torch.randn(5, 4)
    >>> bool(torch.allclose(small(x), net(x), atol=1e-6))
    True
    """  # noqa: E501
    small = copy.deepcopy(bare(module))
    masks = checked_masks(prune_masks, norm_layers(small))
    for name, mask in masks.items():
        if mask.all():
            raise ValueError(f"all {len(mask)} channels of {name!r} are to be pruned: keep one")
    graph = ChannelGraph(small, example_input)
    shape = _output_shape(graph)
    gone = _removed_channels(graph, masks)
    _check_needs(graph, gone)
    for node, x in graph.inputs_without(masks, biases=absorb_bias).items():
        removed = _is_gone(graph, gone, graph.ends[str(node.target)].taken, x.device)
        if removed.any():
            axis = graph.channels[node.all_input_nodes[0]].axis
            _check_constant(node, x, axis, removed, masks)
            if absorb_bias:
                _absorb(graph, node, x, axis, removed)
    _check_owners(graph, gone)
    for name, ends in graph.ends.items():
        keep = [~_is_gone(graph, gone, end, "cpu") for end in ends]
        if not all(part.all() for part in keep):
            _cut(name, small.get_submodule(name), *keep)
    if _output_shape(graph) != shape:
        raise ValueError(
            f"the output of the smaller network has shape {_output_shape(graph)} instead of "
            f"{shape}: its forward pass depends on numbers of channels"
        )
    return small


def _output_shape(graph):
    """Shapes of what the network puts out."""
    with evaluating(graph.module), torch.no_grad():
        output = graph.module(*graph.inputs)
    parts = output if isinstance(output, tuple | list) else (output,)
    return [tuple(part.shape) for part in parts if isinstance(part, torch.Tensor)]


def _removed_channels(graph, masks):
    """Numbers of the channels that are to go."""
    gone: set[int] = set()
    for name, mask in masks.items():
        if name not in graph.ends:
            raise ValueError(
                f"channels of {name!r} cannot be removed: it takes no part in the forward pass, or "
                "in a way that is not known"
            )
        gone |= set(graph.roots(graph.ends[name].made[mask.cpu().numpy()]).tolist())
    return gone


def _is_gone(graph, gone, numbers, device):
    found = np.isin(graph.roots(numbers), list(gone))
    return torch.as_tensor(found, device=device)


def _check_needs(graph, gone):
    """Raise ValueError if something needs channels that are to go."""
    for numbers, reason in graph.fixed:
        needed = gone & set(graph.roots(numbers).tolist())
        if needed:
            names = [n for n in norm_layers(graph.module) if _has(graph, n, needed)]
            raise ValueError(
                f"channels of {', '.join(map(repr, names))} cannot be removed because of {reason}: "
                "choose masks without these layers"
            )


def _has(graph, name, roots):
    return name in graph.ends and bool(roots & set(graph.roots(graph.ends[name].made).tolist()))


def _check_constant(node, x, axis, removed, masks):
    """Raise ValueError if a layer would miss more of a removed channel than a constant."""
    varying = torch.isnan(x.movedim(axis, 0).flatten(1)).any(1)
    if (varying & removed).any():
        raise ValueError(
            f"{described(node)} reads more than a constant of channels that are to be removed. If "
            f"they are added to channels that stay, the layers {', '.join(map(repr, masks))} need "
            "masks that agree, see channel_groups; if they are multiplied by a gate, take "
            "absorb_bias=False, and penalise their biases in training"
        )


def _absorb(graph, node, x, axis, removed):
    """Add what a layer makes of the constants of removed channels to what follows it."""
    layer = graph.module.get_submodule(node.target)
    shape = [-1 if i == axis else 1 for i in range(x.ndim)]
    constant = torch.where(removed.view(shape), x, 0.0)
    with torch.no_grad():
        change = (layer(constant) - layer(torch.zeros_like(constant))).movedim(axis, 0)
        change = change[(slice(None), *(size // 2 for size in change.shape[1:]))]
        if not change.any():
            return
        if _n_calls(graph, node.target) > 1:
            raise ValueError(
                f"{described(node)} is called several times, and could absorb the constants of "
                "removed channels only if they were the same: use absorb_bias=False"
            )
        follower = _norm_behind(graph, node)
        if layer.bias is not None:
            layer.bias += change
        elif follower is not None:
            follower.running_mean -= change
        else:
            layer.bias = nn.Parameter(change.clone())


def _n_calls(graph, target):
    return sum(node.target == target for node in graph.traced.graph.nodes)


def _norm_behind(graph, node):
    """The batch normalisation that alone reads the output of a node, if there is one."""
    users = list(node.users)
    if len(users) != 1 or users[0].op != "call_module" or _n_calls(graph, users[0].target) > 1:
        return None
    layer = graph.module.get_submodule(users[0].target)
    return layer if isinstance(layer, _BatchNorm) and layer.running_mean is not None else None


def _check_owners(graph, gone):
    """Raise ValueError if a parameter of a layer that is cut belongs to another layer as well."""
    owners: dict[int, list[str]] = {}
    for name, parameter in graph.module.named_parameters(remove_duplicate=False):
        owners.setdefault(id(parameter), []).append(name)
    for name, ends in graph.ends.items():
        if any(_is_gone(graph, gone, end, "cpu").any() for end in ends):
            for parameter in graph.module.get_submodule(name).parameters():
                if len(owners[id(parameter)]) > 1:
                    raise ValueError(
                        f"{' and '.join(owners[id(parameter)])} are one parameter, of which only a "
                        f"part would be removed: choose masks that leave {name!r} alone"
                    )


# smaller layers, in place


def _cut(name, layer, taken, made):
    """Make a layer smaller; `taken` and `made` are the channels that stay."""
    if isinstance(layer, nn.Linear):
        _replace(layer, "weight", layer.weight[made][:, taken])
        _replace_bias(layer, made)
        layer.in_features, layer.out_features = int(taken.sum()), int(made.sum())
    elif isinstance(layer, NORMS):
        _cut_norm(name, layer, made)
    elif isinstance(layer, nn.PReLU):
        _replace(layer, "weight", layer.weight[made])
        layer.num_parameters = int(made.sum())
    else:
        _cut_convolution(name, layer, taken, made)


def _cut_convolution(name, layer, taken, made):
    per_group_taken, per_group_made = taken.view(layer.groups, -1), made.view(layer.groups, -1)
    n_taken, n_made = per_group_taken.sum(1), per_group_made.sum(1)
    stays = n_made > 0
    if not (
        torch.equal(stays, n_taken > 0)
        and len(n_taken[stays].unique()) == len(n_made[stays].unique()) == 1
    ):
        raise ValueError(
            f"the groups of convolution {name!r} would keep {n_taken.tolist()} inputs and "
            f"{n_made.tolist()} outputs: they must all keep as many, or none"
        )
    weight = layer.weight.view(layer.groups, -1, *layer.weight.shape[1:])
    parts = [weight[i][per_group_made[i]][:, per_group_taken[i]] for i in stays.nonzero().flatten()]
    _replace(layer, "weight", torch.cat(parts))
    _replace_bias(layer, made)
    layer.in_channels, layer.out_channels = int(taken.sum()), int(made.sum())
    layer.groups = int(stays.sum())


def _cut_norm(name, layer, kept):
    if isinstance(layer, nn.GroupNorm):
        per_group = kept.view(layer.num_groups, -1)
        whole = per_group.all(1)
        if not torch.equal(whole, per_group.any(1)):
            raise ValueError(
                f"group normalisation {name!r} would lose parts of its {layer.num_groups} groups, "
                "which changes the mean and variance of the others: prune whole groups"
            )
        layer.num_groups, layer.num_channels = int(whole.sum()), int(kept.sum())
    else:
        layer.num_features = int(kept.sum())
        for statistic in ("running_mean", "running_var"):
            value = getattr(layer, statistic, None)
            if value is not None:
                setattr(layer, statistic, value[kept].clone())
    if layer.weight is not None:
        _replace(layer, "weight", layer.weight[kept])
    _replace_bias(layer, kept)


def _replace_bias(layer, made):
    if layer.bias is not None:
        _replace(layer, "bias", layer.bias[made])


def _replace(layer, name, value):
    trains = getattr(layer, name).requires_grad
    setattr(layer, name, nn.Parameter(value.detach().clone(), requires_grad=trains))
