"""A table of the layers of a network: how many of their weights are left, and in which pattern."""

import contextlib
import functools
import math
from typing import Any

import torch
from torch import nn

from skreg._optional import require

from ._counting import flops_by_operation
from ._masks import LAYERS, PROJECTIONS, Layers, choose_layers

GROUPS = (4, 8, 16, 32, 64)
COLUMNS = ("layer", "kind", "shape", "weights", "nonzero", "density", "pattern")


def sparsity_report(
    module: nn.Module,
    *example: Any,
    layers: Layers = "all",
) -> Any:
    """Weights of each layer of a network that are not zero, and the operations that they need.

    Parameters
    ----------
    module : torch.nn.Module
        The network, masked or pruned or not.
    *example : Tensor
        Inputs of one call, to count operations. Without them there are no columns of operations.
    layers : {"all", "hidden"}, str, list of str or callable, default="all"
        The layers, as for `choose_weights`.

    Returns
    -------
    pandas.DataFrame
        A row for each layer, with the columns

        - ``layer``, its name; ``kind``, its class; ``shape`` of its weight;
        - ``weights``, their number; ``nonzero``, of those that are not zero; ``density``, the
          share of these;
        - ``pattern``: ``"dense"``; ``"3 of 8 outputs"`` if whole outputs are zero and all others
          dense; ``"2:4"`` if of each 4 successive inputs at most 2 are used, and nearly as many
          on average (``"2:4 outputs"`` along outputs); else ``"unstructured"``;
        - ``flops``, operations of the call as torch counts them, and ``kept_flops``, those of
          them that do not multiply by a weight that is zero.

    Raises
    ------
    ValueError
        If there is no such layer.
    ImportError
        If pandas is not installed.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import apply_masks, magnitude_masks, sparsity_report
    >>> net = torch.nn.Sequential(torch.nn.Linear(8, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    >>> pruned = apply_masks(net, magnitude_masks(net, 0.75, scope="layer"))
    >>> table = sparsity_report(pruned, torch.zeros(1, 8))
    >>> table[["layer", "nonzero", "flops", "kept_flops"]]
      layer  nonzero  flops  kept_flops
    0     0        8     64          16
    1     2        2     16           4
    """
    pd = require("pandas", "bench", "sparsity_report")
    chosen = _outermost(choose_layers(module, layers))
    with torch.no_grad():
        rows = [_row(name, layer) for name, layer in chosen]
    columns: tuple[str, ...] = COLUMNS
    if example:
        columns = (*COLUMNS, "flops", "kept_flops")
        for row, flops in zip(rows, _operations(module, chosen, example), strict=True):
            row.update(flops)
    return pd.DataFrame(rows, columns=list(columns))


def _outermost(chosen):
    """Layers without those inside of another, such as the output projection of attention."""
    inside = {id(part) for _, layer in chosen for part in layer.modules() if part is not layer}
    return [(name, layer) for name, layer in chosen if id(layer) not in inside]


def layer_weights(layer: nn.Module) -> list[torch.Tensor]:
    """Weights of a layer, those of attention with its output projection."""
    if not isinstance(layer, nn.MultiheadAttention):
        weight: Any = layer.weight
        return [weight]
    found = [getattr(layer, name) for name in PROJECTIONS]
    return [*(weight for weight in found if weight is not None), layer.out_proj.weight]


def _row(name, layer):
    weights = layer_weights(layer)
    total = sum(weight.numel() for weight in weights)
    nonzero = sum(int(torch.count_nonzero(weight)) for weight in weights)
    patterns = {pattern_of(weight) for weight in weights}
    kind = next((k for k in LAYERS if type(layer) is k), type(layer))
    if nn.utils.parametrize.is_parametrized(layer):
        kind = type(layer).__bases__[0]
    shapes = [tuple(weight.shape) for weight in weights]
    return {
        "layer": name,
        "kind": kind.__name__,
        "shape": shapes[0] if len(shapes) == 1 else shapes,
        "weights": total,
        "nonzero": nonzero,
        "density": nonzero / total if total else math.nan,
        "pattern": patterns.pop() if len(patterns) == 1 else "unstructured",
    }


def pattern_of(weight: torch.Tensor) -> str:
    """Pattern of the zeros of a weight, as `sparsity_report` names it."""
    used = weight != 0
    if used.all():
        return "dense"
    outputs = used.flatten(1)
    open_outputs = outputs.any(1)
    if outputs[open_outputs].all():
        return f"{int(open_outputs.sum())} of {len(outputs)} outputs"
    for dim, ending in ((1, ""), (0, " outputs")):
        for size in GROUPS:
            n = _most_in_a_group(used, size, dim)
            # at least half of what the pattern allows beyond the next tighter one
            if n is not None and n < size and used.float().mean() * size > n - 0.5:
                return f"{n}:{size}{ending}"
    return "unstructured"


def _most_in_a_group(used, size, dim):
    """Largest number of nonzeros in groups of successive entries; None if they do not fit."""
    if used.shape[dim] % size:
        return None
    groups = used.movedim(dim, -1).reshape(-1, size)
    return int(groups.sum(1).max())


def _operations(module, chosen, example):
    """Operations of layers in a call, and those that multiply by no weight that is zero."""
    skipped = {name: 0 for name, _ in chosen}
    with contextlib.ExitStack() as hooks:
        for name, layer in chosen:
            if isinstance(layer, nn.MultiheadAttention):
                count = functools.partial(_count_skipped, skipped, name)
                handle = layer.register_forward_pre_hook(count, with_kwargs=True)
                hooks.callback(handle.remove)
        counts = flops_by_operation(module, *example)
    root = type(module).__name__
    for name, layer in chosen:
        flops = sum(counts.get(f"{root}.{name}" if name else root, {}).values())
        if not isinstance(layer, nn.MultiheadAttention):  # all operations are by the weight
            used = torch.count_nonzero(layer.weight).item() / layer.weight.numel()
            skipped[name] = round(flops * (1 - used))
        yield {"flops": flops, "kept_flops": flops - skipped[name]}


def _count_skipped(skipped, name, layer, inputs, keywords):
    """Add up operations of the projections of attention that multiply by zeros."""
    given = dict(zip(("query", "key", "value"), inputs, strict=False)) | keywords
    query, key, value = given["query"], given["key"], given["value"]
    *inner, output = layer_weights(layer)
    projections = inner[0].chunk(3) if len(inner) == 1 else inner
    for x, weight in zip((query, key, value, query), (*projections, output), strict=True):
        n_zeros = weight.numel() - int(torch.count_nonzero(weight))
        skipped[name] += 2 * (x.numel() // x.shape[-1]) * n_zeros
