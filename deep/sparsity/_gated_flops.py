"""What dynamic gates would save: operations on channels that are open, sample by sample."""

import contextlib
import copy
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import torch
from torch import nn

from ..frame._batches import check_number
from ..frame._frozen_copy import bare
from ._counting import flops_by_operation
from ._dynamic_gates import (
    GateDecision,
    add_dynamic_gates,
    channel_gatings,
    check_rows,
    gates,
    gatings_of,
)
from ._gate_places import Layer, channel_graph

N_HALVINGS = 8  # of the range of masses: known to 1/256


class GatedFlops(NamedTuple):
    """Floating-point operations of a network with dynamic gates.

    Attributes
    ----------
    per_sample : Tensor of shape (n,)
        Operations of each sample if closed channels were not computed. Those of the gates are not
        among them.
    dense : float
        Operations of one sample with all channels open.
    of_gates : float
        Operations of the gates for one sample.
    active : dict of str to Tensor of shape (n,), int64
        Number of open channels of each sample, by layer.
    """

    per_sample: torch.Tensor
    dense: float
    of_gates: float
    active: dict[str, torch.Tensor]

    @property
    def reduction(self) -> float:
        """Share of the operations that is saved, one minus mean over dense."""
        return 1.0 - self.per_sample.mean().item() / self.dense

    def __repr__(self):
        return (
            f"<GatedFlops of {len(self.per_sample)} samples: {self.dense:.4g} dense, "
            f"{self.reduction:.1%} saved, {self.of_gates:.4g} for gates>"
        )


class Look(NamedTuple):
    """What gates decided in a forward pass in evaluation mode, and what that costs."""

    flops: GatedFlops
    decisions: dict[str, GateDecision]


def gated_flops(module: nn.Module, X: torch.Tensor) -> GatedFlops:
    """Operations that each sample would need if closed channels were not computed.

    A multiplication and its addition count two, as ``torch.utils.flop_counter`` counts, thus twice
    the number of the paper. A layer saves what closed channels of its own output and of its input
    would cost; the input has closed channels if it comes from a layer with a gate, through
    activation functions, pooling and the like, but not from the sum of a residual block. Of a
    depthwise convolution each open channel counts. The measured time does not fall: all channels
    are computed.

    Parameters
    ----------
    module : torch.nn.Module
        A network with dynamic gates.
    X : Tensor of shape (n, ...)
        Inputs. The network is called in evaluation mode, and left as it was.

    Returns
    -------
    GatedFlops
        The operations.

    Raises
    ------
    ValueError
        If the network has no gates, `X` no rows, or a layer sees several rows for each sample.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from skreg.deep.torch import add_dynamic_gates, gated_flops
    >>> net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    >>> flops = gated_flops(add_dynamic_gates(net), torch.randn(3, 4))
    >>> flops.dense, flops.per_sample.tolist()
    (96.0, [96.0, 96.0, 96.0])
    """
    return look(bare(module), channel_graph(bare(module)), lambda: module(X), len(X)).flops


def look(module: nn.Module, graph: list[Layer], forward: Callable[[], Any], n: int) -> Look:
    """Call a network with gates, whose graph is known, on n samples in evaluation mode."""
    if not n:
        raise ValueError("there are no samples to count the operations of")
    gatings = gatings_of(module)
    layers = {layer.name: layer for layer in graph}
    outputs: dict[str, int] = {}
    with _watched(gatings.values()), _noting_outputs(module, layers, outputs):
        counted = sum(flops_by_operation(_Call(module, forward))["Global"].values())
        decisions = {name: gating.latest for name, gating in gatings.items()}
    check_rows(decisions, n)
    of_gates = 2.0 * sum(gating.gate.weight.numel() for gating in gatings.values())
    dense = counted / n - of_gates
    flops = next(iter(decisions.values())).logits.new_full((n,), dense, dtype=torch.float64)
    for name, layer in layers.items():
        own, before = (decisions[one].mask if one in decisions else None
                       for one in (name, layer.source))  # fmt: skip
        if own is not None or before is not None:
            flops -= _saved(module.get_submodule(name), own, before, outputs[name] // n)
    active = {name: made.mask.sum(1) for name, made in decisions.items()}
    return Look(GatedFlops(flops, dense, of_gates, active), decisions)


class _Call(nn.Module):
    """A call of a network as a module."""

    def __init__(self, module: nn.Module, forward: Callable[[], Any]) -> None:
        super().__init__()
        self.module, self.call = module, forward

    def forward(self) -> Any:
        """Call it."""
        return self.call()


@contextlib.contextmanager
def _noting_outputs(module: nn.Module, layers: Iterable[str], sizes: dict[str, int]) -> Iterator:
    """Note how many numbers layers put out."""
    with contextlib.ExitStack() as stack:
        for name in layers:

            def note(_layer: Any, _inputs: Any, out: torch.Tensor, name: str = name) -> None:
                sizes[name] = out.numel()

            handle = module.get_submodule(name).register_forward_hook(note)
            stack.callback(handle.remove)
        yield


@contextlib.contextmanager
def _watched(gatings):
    """Let gatings keep what they decide in evaluation mode, for a while."""
    before = [gating.latest for gating in gatings]
    for gating in gatings:
        gating.is_watched = True
    try:
        yield
    finally:
        for gating, earlier in zip(gatings, before, strict=True):
            gating.is_watched, gating.latest = False, earlier


def _saved(layer, own, before, n_outputs):
    """Operations of a layer that masks of its output and of its input save, by sample."""
    weight, groups = layer.weight, getattr(layer, "groups", 1)
    n_out, n_in = weight.shape[0], weight.shape[1] * groups
    n = len(own if own is not None else before)
    own = weight.new_ones(n, n_out) if own is None else own
    if before is None or n_in % before.shape[1]:
        before = weight.new_ones(n, n_in)
    before = before.repeat_interleave(n_in // before.shape[1], 1)  # positions that are flattened
    k_out, k_in = (mask.double().view(n, groups, -1).sum(2) for mask in (own, before))
    if groups > 1:
        k_in = k_in.clamp(min=1.0)
    # a product for each weight between open channels and each position of the output
    products = n_outputs // n_out * weight[0, 0].numel()
    return 2.0 * products * (n_out * weight.shape[1] - (k_out * k_in).sum(1))


def estimate_flops_reduction(
    module: nn.Module, X: torch.Tensor, mass: float = 0.9, **options: Any
) -> float:
    """Share of the operations that masks of activations save, before anything is trained.

    The masks are those that gates would learn to predict. What gates save differs, as they are not
    always right.

    Parameters
    ----------
    module : torch.nn.Module
        A network, with dynamic gates or without; it is not changed.
    X : Tensor of shape (n, ...)
        Inputs.
    mass : float, default=0.9
        Share of the activations to keep.
    **options
        Other arguments of `add_dynamic_gates`, if the network has no gates.

    Returns
    -------
    float
        The share, see `GatedFlops`.

    Raises
    ------
    ValueError
        If an argument is out of its range, or no channels can be closed.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from skreg.deep.torch import estimate_flops_reduction
    >>> net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 2))
    >>> X = torch.randn(10, 1, 8, 8)
    >>> low, high = (estimate_flops_reduction(net, X, mass) for mass in (0.9, 0.5))
    >>> 0 < low < high
    True
    """
    check_number("mass", mass, 0.0, 1.0, above=True)
    twin = copy.deepcopy(bare(module))
    if not channel_gatings(twin):
        add_dynamic_gates(twin, mass, **options)
    set_mass(twin, mass)
    return reduction_by_targets(twin, lambda: [(lambda: twin(X), len(X))])


Batches = Callable[[], Iterable[tuple[Callable[[], Any], int]]]


def set_mass(module: nn.Module, mass: float) -> None:
    """Set the mass of all gates."""
    for gating in gatings_of(module).values():
        gating.mass.fill_(mass)


def reduction_by_targets(module: nn.Module, batches: Batches) -> float:
    """Share of operations that masks of activations save."""
    total = used = 0.0
    graph = channel_graph(module)
    with gates(module, "target"):
        for forward, n in batches():
            flops = look(module, graph, forward, n).flops
            total += flops.dense * n
            used += flops.per_sample.sum().item()
    return 1.0 - used / total


def set_mass_for_flops(module: nn.Module, flops_target: float, batches: Batches) -> None:
    """Set the largest mass whose masks of activations save a share of operations, by bisection.

    Raises
    ------
    ValueError
        If no mass does.
    """

    def saved_at(mass: float) -> float:
        set_mass(module, mass)
        return reduction_by_targets(module, batches)

    low, high = 0.0, 1.0
    if saved_at(high) >= flops_target:
        return
    for _ in range(N_HALVINGS):
        middle = (low + high) / 2
        saved = saved_at(middle)
        low, high = (middle, high) if saved >= flops_target else (low, middle)
    if low == 0.0:
        raise ValueError(
            f"flops_target={flops_target!r} cannot be reached: with min_channels open in each "
            f"layer, masks save {saved:.1%} of the operations. Lower it"
        )
    set_mass(module, low)
