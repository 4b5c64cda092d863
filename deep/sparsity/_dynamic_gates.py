"""Dynamic channel gates: which channels of a layer a sample needs is predicted from its input.

S. Elkerdawy, M. Elhoushi, H. Zhang, N. Ray, "Fire Together Wire Together: A Dynamic Pruning
Approach with Self-Supervised Mask Prediction", CVPR 2022. What channels cost is simulated: all of
them are computed, and those that are closed are set to zero.
"""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.parameter import UninitializedParameter

from ..frame._batches import check_choice, check_number, in_full_precision
from ..frame._frozen_copy import bare
from ..frame._settings import settings
from ._gate_masks import (
    activation_score,
    check_whole,
    extremes,
    gate_loss_of,
    mask_of_mass,
    mask_of_ratio,
    over_positions,
    pooled,
    strongest,
)
from ._gate_places import LAYERS, VALLEYS, channel_graph
from ._masks import Layers, choose_layers

OPEN_AT_START = 3.0  # initial bias: sigmoid(3) = 0.95
GATING = "gating"  # name of the gating among the parts of its layer
POOLINGS = ("avg", "max")
MODES = ("decoupled", "joint")
SOURCES = ("predicted", "target", "off")


class _AbsentInPlainStates(nn.Module):
    """A part that keeps its tensors when a state of the network without it is loaded."""

    def _load_from_state_dict(self, state_dict, prefix, *args, **kwargs):
        if any(key.startswith(prefix) for key in state_dict):
            super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


class DynamicChannelGate(_AbsentInPlainStates):
    """Logits of the channels that a layer's output needs, from the layer's input.

    A linear function of the input averaged over positions. Its initial bias opens all channels.

    Parameters
    ----------
    in_channels : int
        Number of channels of the input.
    out_channels : int
        Number of channels of the output.
    softmax : bool, default=True
        Whether the averages go through a softmax over the channels, as in the authors' code. It
        makes them small and alike, so that gates learn slowly; without it they fit better on small
        networks.
    pooling : {"avg", "max"}, default="avg"
        Mean or maximum over positions.
    channels_last : bool, default=False
        Whether the channels are the last axis of the input, as those of linear layers are.

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import DynamicChannelGate
    >>> DynamicChannelGate(3, 16)(torch.randn(5, 3, 8, 8)).shape
    torch.Size([5, 16])
    """

    extra_repr = settings

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        softmax: bool = True,
        pooling: Literal["avg", "max"] = "avg",
        *,
        channels_last: bool = False,
    ) -> None:
        super().__init__()
        check_whole("in_channels", in_channels, 1)
        check_whole("out_channels", out_channels, 1)
        check_choice("pooling", pooling, POOLINGS)
        self.in_channels, self.out_channels = in_channels, out_channels
        self.softmax, self.pooling, self.channels_last = softmax, pooling, channels_last
        bound = in_channels**-0.5
        # plain parameters: what changes all linear layers of a network is not to change gates
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.full((out_channels,), OPEN_AT_START))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits, in full precision.

        Parameters
        ----------
        x : Tensor of shape (n, in_channels, ...), or (n, ..., in_channels)
            Input of the layer.

        Returns
        -------
        Tensor of shape (n, out_channels)
            Positive for channels to open.
        """
        z = pooled(x, self.pooling, channels_last=self.channels_last)
        with torch.autocast(x.device.type, enabled=False):
            z = in_full_precision(z).to(self.weight.dtype)
            return F.linear(z.softmax(1) if self.softmax else z, self.weight, self.bias)


class GateDecision(NamedTuple):
    """What a gate says of a batch.

    Attributes
    ----------
    logits : Tensor of shape (n, n_channels)
        Predictions, with their graph.
    mask : Tensor of shape (n, n_channels), bool
        Channels that are open.
    target : Tensor of shape (n, n_channels), bool, or None
        Channels that should be, by the activations of the layer; None where nobody asks.
    """

    logits: torch.Tensor
    mask: Any
    target: Any

    def __repr__(self):
        n, n_channels = self.mask.shape
        share = self.mask.float().mean().item()
        return f"<GateDecision of {n} samples, {share:.1%} of {n_channels} channels open>"


class ChannelGating(_AbsentInPlainStates):
    """The gate of one layer with the rule by which it learns. `add_dynamic_gates` makes it.

    It is a part of the layer, under the name ``gating``, and acts through two forward hooks, so
    that all names in the network stay as they are.
    """

    mass: torch.Tensor
    prune_ratio: float | None
    min_channels: int
    mode: str

    def __init__(self, gate: DynamicChannelGate, activation: nn.Module) -> None:
        super().__init__()
        self.gate, self.activation = gate, activation
        self.register_buffer("mass", torch.tensor(1.0))
        self.source = "predicted"
        self.is_watched = False
        self.latest: GateDecision | None = None
        self.waiting: dict[int, torch.Tensor] = {}  # inputs of the layer, by thread

    def extra_repr(self) -> str:
        rule = f"mass={self.mass.item():.4g}"
        if self.prune_ratio is not None:
            rule = f"prune_ratio={self.prune_ratio}"
        return f"{rule}, mode={self.mode!r}, min_channels={self.min_channels}"

    def __getstate__(self):
        return vars(self) | {"latest": None, "waiting": {}}

    def learn_by(
        self, mass: float, prune_ratio: float | None, mode: str, min_channels: int
    ) -> None:
        """Set the rule; arguments are those of `add_dynamic_gates`."""
        self.mass.fill_(mass)
        self.prune_ratio, self.mode, self.min_channels = prune_ratio, mode, min_channels

    def forward(self, x: torch.Tensor, out: torch.Tensor) -> GateDecision:
        """Decide on the channels of an output by the input of the layer."""
        logits = self.gate(x if self.mode == "joint" else x.detach())
        with torch.no_grad():
            asked = self.training or self.is_watched or self.source == "target"
            target = self.target(out) if asked else None
            if self.source == "target":
                return GateDecision(logits, target, target)
            mask = logits > 0
            if self.min_channels:
                mask = mask | strongest(logits, self.min_channels)
            return GateDecision(logits, mask, target)

    def target(self, out: torch.Tensor) -> torch.Tensor:
        """Channels that the rule keeps of an output before its activation function."""
        scores = in_full_precision(self.scores(out.detach()))
        if self.prune_ratio is not None:
            return mask_of_ratio(scores, self.prune_ratio, self.min_channels)
        return mask_of_mass(scores, self.mass, self.min_channels)

    def scores(self, out: torch.Tensor) -> torch.Tensor:
        """Scores of channels of an output before its activation function."""
        last = self.gate.channels_last
        if not isinstance(self.activation, VALLEYS):
            return activation_score(self.activation(out), channels_last=last)
        # the activations of largest size are those of the extremes
        low, high = extremes(out, channels_last=last)
        return torch.maximum(self.activation(low).abs(), self.activation(high).abs())

    def hold(self, _layer: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        """Hook before the layer: keep its input."""
        if self.source != "off":
            self.waiting[_thread()] = inputs[0]

    def close(self, _module: nn.Module, _inputs: Any, out: torch.Tensor) -> torch.Tensor | None:
        """Hook where the channels come out: set those to zero that are not needed."""
        x = self.waiting.pop(_thread(), None)
        if x is None:
            return None
        decision = self(x, out)
        if self.is_watched or (self.training and torch.is_grad_enabled()):
            self.latest = decision
        return out * over_positions(decision.mask, out, channels_last=self.gate.channels_last)


def _thread():
    """Number of the thread; a compiler sees one."""
    return 0 if torch.compiler.is_compiling() else threading.get_ident()


def add_dynamic_gates(
    module: nn.Module,
    mass: float = 0.9,
    *,
    prune_ratio: float | None = None,
    mode: Literal["decoupled", "joint"] = "decoupled",
    softmax: bool = True,
    pooling: Literal["avg", "max"] = "avg",
    min_channels: int = 1,
    layers: Layers = "all",
) -> nn.Module:
    """Let a network decide for each sample which channels it needs (FTWT), in place.

    Each convolution or linear layer that an activation function follows, directly or after a batch
    normalization, gets a gate; in a residual block so does the last one, before the addition. The
    layers are found by tracing the network with torch.fx, in whatever way it calls its activation
    functions, of which those are meant that leave zero at zero. A layer is left alone if it is
    called more than once, if others take its output, or if the output of the network is next.

    A gate looks at the input of the layer and predicts which channels will be strongly active;
    those that it does not open are set to zero. Gates learn by `gate_loss` from the activations of
    their own layers, and the rest of the network learns around them. Start from trained weights.

    **Closed channels are computed and then set to zero**: what that would save is a matter of
    counting, see `gated_flops`, and takes a runtime that computes the open channels only. A gate
    of a linear layer on vectors costs as much as the layer.

    Names of all parameters stay as they are: states of the network without gates can be loaded,
    before and after. Those of gates are ``LAYER.gating.gate.weight`` and ``.bias``.

    Parameters
    ----------
    module : torch.nn.Module
        The network, changed in place.
    mass : float, default=0.9
        Share of the activations that each layer should keep, in (0, 1], see `mass_mask`.
    prune_ratio : float, default=None
        Share of the channels that each layer should close instead, in [0, 1), see `topk_mask`.
    mode : {"decoupled", "joint"}, default="decoupled"
        Whether only the gates learn from the loss of the gates, or the layers before them too.
    softmax : bool, default=True
        As for `DynamicChannelGate`.
    pooling : {"avg", "max"}, default="avg"
        As for `DynamicChannelGate`.
    min_channels : int, default=1
        Number of channels that stay open in each layer.
    layers : {"all", "hidden"}, str, list of str or callable, default="all"
        Layers that may get gates, as for `choose_weights`.

    Returns
    -------
    torch.nn.Module
        The network.

    Raises
    ------
    ValueError
        If an argument is out of its range, the network cannot be traced or has gates already, or
        there is no layer whose channels can be closed.

    References
    ----------
    .. [1] S. Elkerdawy, M. Elhoushi, H. Zhang, N. Ray, "Fire Together Wire Together: A Dynamic
       Pruning Approach with Self-Supervised Mask Prediction", CVPR 2022.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from skreg.deep.torch import add_dynamic_gates, gate_loss, gated_flops
    >>> net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 2))
    >>> net = add_dynamic_gates(net, mass=0.8)
    >>> x, y = torch.randn(4, 1, 8, 8), torch.tensor([0, 1, 0, 1])
    >>> loss = nn.functional.cross_entropy(net(x), y) + gate_loss(net)
    >>> gated_flops(net, x).per_sample.shape
    torch.Size([4])
    """
    check_rule(mass, prune_ratio, mode, min_channels)
    check_choice("pooling", pooling, POOLINGS)
    if channel_gatings(module):
        raise ValueError(f"{type(module).__name__} has dynamic gates already: remove them first")
    graph = channel_graph(module)
    wanted = {name for name, _ in choose_layers(module, layers, types=LAYERS)}
    chosen = [layer for layer in graph if layer.exit is not None and layer.name in wanted]
    if not chosen:
        there = [layer.name for layer in graph if layer.exit is not None]
        raise ValueError(
            f"layers={layers!r} chooses no layer of {type(module).__name__} whose channels can be "
            "closed: a convolution or linear layer, perhaps with batch normalization, whose "
            f"output goes to an activation function only; such are {there}"
        )
    for layer in chosen:
        gating = _gating_for(module, layer, softmax, pooling)
        gating.learn_by(mass, prune_ratio, mode, min_channels)
        _attach(gating, module.get_submodule(layer.name), module.get_submodule(str(layer.exit)))
    return module


def check_rule(mass, prune_ratio, mode, min_channels):
    """Raise ValueError unless these describe how gates learn."""
    check_number("mass", mass, 0.0, 1.0, above=True)
    if prune_ratio is not None:
        check_number("prune_ratio", prune_ratio, 0.0, 1.0, below=True)
    check_choice("mode", mode, MODES)
    check_whole("min_channels", min_channels, 0)


def _gating_for(module, found, softmax, pooling):
    layer = module.get_submodule(found.name)
    if isinstance(layer.weight, UninitializedParameter):
        raise ValueError(
            f"layer {found.name!r} has no shape yet: call the network once before it gets gates"
        )
    last = isinstance(layer, nn.Linear)
    sizes = (
        (layer.in_features, layer.out_features) if last else (layer.in_channels, layer.out_channels)
    )
    gate = DynamicChannelGate(*sizes, softmax, pooling, channels_last=last)
    gating = ChannelGating(gate, found.activation).train(layer.training)
    return gating.to(device=layer.weight.device, dtype=layer.weight.dtype)


def _attach(gating, layer, exit_module):
    layer.add_module(GATING, gating)
    layer.register_forward_pre_hook(gating.hold)
    exit_module.register_forward_hook(gating.close)


def remove_dynamic_gates(module: nn.Module) -> nn.Module:
    """Take the gates off a network, in place: all its channels are open again.

    Parameters
    ----------
    module : torch.nn.Module
        The network.

    Returns
    -------
    torch.nn.Module
        The network, as plain as it was before `add_dynamic_gates`.
    """
    for part in bare(module).modules():
        for hooks in (part._forward_pre_hooks, part._forward_hooks):
            for key, hook in list(hooks.items()):
                if isinstance(getattr(hook, "__self__", None), ChannelGating):
                    del hooks[key]
    for layer in list(bare(module).modules()):
        if isinstance(layer._modules.get(GATING), ChannelGating):
            del layer._modules[GATING]
    return module


def channel_gatings(module: nn.Module) -> dict[str, ChannelGating]:
    """Gatings of a network by the names of their layers."""
    return {
        name.removesuffix(GATING).removesuffix("."): part
        for name, part in bare(module).named_modules()
        if isinstance(part, ChannelGating)
    }


def gatings_of(module):
    """Gatings by the names of their layers, of which there must be some."""
    found = channel_gatings(module)
    if not found:
        raise ValueError(
            f"{type(bare(module)).__name__} has no dynamic gates: add_dynamic_gates first"
        )
    return found


@contextlib.contextmanager
def gates(module: nn.Module, source: Literal["predicted", "target", "off"]) -> Iterator[None]:
    """Let other masks act than those that the gates predict, for a while.

    Parameters
    ----------
    module : torch.nn.Module
        A network with dynamic gates.
    source : {"predicted", "target", "off"}
        Masks that gates predict, as without this; masks by the activations themselves, which gates
        are to predict; or none.

    Yields
    ------
    None
        Within, the other masks act.

    Raises
    ------
    ValueError
        If `source` is unknown, or the network has no dynamic gates.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from skreg.deep.torch import add_dynamic_gates, gates
    >>> net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    >>> x = torch.randn(5, 4)
    >>> before = net(x)
    >>> with gates(add_dynamic_gates(net), "off"):
    ...     torch.equal(net(x), before)
    True
    """
    check_choice("source", source, SOURCES)
    gatings = gatings_of(module).values()
    before = [gating.source for gating in gatings]
    for gating in gatings:
        gating.source = source
    try:
        yield
    finally:
        for gating, earlier in zip(gatings, before, strict=True):
            gating.source = earlier


def gate_loss(module: nn.Module, sample_weight: torch.Tensor | None = None) -> torch.Tensor:
    """Loss of the gates in the latest forward pass in training mode.

    Of each layer the binary cross-entropy of the logits with the channels that its activations
    ask for: the mean over the samples of sums over channels; of these the mean over layers. Add
    it to the loss of the network, for the first half of the training say, and give the gates ten
    times the learning rate and no weight decay.

    Parameters
    ----------
    module : torch.nn.Module
        A network with dynamic gates.
    sample_weight : Tensor of shape (n,), optional
        Weights of the samples, of mean one.

    Returns
    -------
    Tensor of shape ()
        The loss.

    Raises
    ------
    ValueError
        If the network has no gates, or has not been called in training mode.
    """
    decisions = [gating.latest for gating in gatings_of(module).values()]
    if any(decision is None for decision in decisions):
        raise ValueError(
            "gates have seen no forward pass with gradients in training mode: call the network "
            "after module.train()"
        )
    return mean_gate_loss(decisions, sample_weight)


def check_rows(decisions: dict[str, GateDecision], n: int) -> None:
    """Raise ValueError unless each gated layer sees one row for each of n samples."""
    for name, made in decisions.items():
        if len(made.mask) != n:
            raise ValueError(
                f"layer {name!r} sees {len(made.mask)} rows for {n} samples, so that its gate "
                "cannot decide for each sample: leave it out of layers"
            )


def mean_gate_loss(decisions, sample_weight):
    """Mean over layers of the loss of their gates."""
    losses = [gate_loss_of(made.logits, made.target, sample_weight) for made in decisions]
    return torch.stack(losses).mean()
