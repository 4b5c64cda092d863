"""Masks on the weights of a network: which weights, how they are held, packed and taken off."""

import difflib
import fnmatch
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import torch
from torch import nn
from torch.nn.parameter import UninitializedParameter
from torch.nn.utils import parametrize

from ..frame._parametrizations import make_picklable
from ._packing import check_mask

LAYERS: tuple[type[nn.Module], ...] = (
    nn.Linear,
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.MultiheadAttention,
)
PROJECTIONS = ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")

Layers: TypeAlias = Literal["all", "hidden"] | str | Sequence[str] | Callable[[str, Any], bool]
"""Layers to choose: all, all but the first and the last, names and patterns, or a condition."""


class Weight(NamedTuple):
    """Where a weight stands in a network.

    Attributes
    ----------
    name : str
        Name of the tensor in the network, such as ``"0.weight"``.
    layer : torch.nn.Module
        The layer that has it.
    attribute : str
        Its name in the layer.
    """

    name: str
    layer: nn.Module
    attribute: str

    @property
    def value(self) -> torch.Tensor:
        """The weight that the layer computes with."""
        return getattr(self.layer, self.attribute)

    @property
    def is_parametrized(self) -> bool:
        """Whether it is made from other tensors."""
        return parametrize.is_parametrized(self.layer, self.attribute)


class MaskedWeight(nn.Module):
    """Base class of parametrizations that mask a weight.

    `masked_weights` finds them in a network, and `remove_masks` takes them off. A subclass computes
    the weight in ``forward`` from what it trains, and tells its mask.
    """

    def __init__(self) -> None:
        super().__init__()

    def mask_of(self, original: torch.Tensor) -> torch.Tensor:
        """Entries that are kept.

        Parameters
        ----------
        original : Tensor
            The tensor that is trained, from which ``forward`` makes the weight.

        Returns
        -------
        Tensor of bool, of the shape of the weight
            True where the weight is kept.
        """
        raise NotImplementedError


class FixedMask(MaskedWeight):
    """Parametrization of a weight by itself where a mask is true, and exact zeros elsewhere.

    The dense weight stays what is trained, but its masked entries get no gradient.

    Parameters
    ----------
    mask : Tensor of bool
        Entries to keep, of the shape of the weight. It is a buffer: it is stored in the state of
        the network, moves with it, and may be changed in place.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import FixedMask
    >>> layer = torch.nn.Linear(3, 1, bias=False)
    >>> mask = FixedMask(torch.tensor([[True, False, True]]))
    >>> _ = torch.nn.utils.parametrize.register_parametrization(layer, "weight", mask)
    >>> layer.weight[0, 1].item()
    0.0
    """

    mask: torch.Tensor

    def __init__(self, mask: torch.Tensor) -> None:
        super().__init__()
        check_mask("mask", mask)
        self.register_buffer("mask", mask.clone())

    def extra_repr(self) -> str:
        return f"{int(self.mask.sum())} of {self.mask.numel()} entries kept"

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """Weight with zeros where the mask is false, also in place of NaN and infinity.

        Parameters
        ----------
        weight : Tensor
            The dense weight.

        Returns
        -------
        Tensor of the same shape
            The masked weight.
        """
        return torch.where(self.mask, weight, 0.0)

    def right_inverse(self, weight: torch.Tensor) -> torch.Tensor:
        """The weight itself, whose masked entries do not matter.

        Parameters
        ----------
        weight : Tensor
            The weight.

        Returns
        -------
        Tensor of the same shape
            The dense weight that is trained.
        """
        return weight

    def mask_of(self, original: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
        """The mask."""
        return self.mask


def choose_weights(
    module: nn.Module,
    layers: Layers = "all",
    *,
    types: tuple[type[nn.Module], ...] = LAYERS,
) -> list[Weight]:
    """Weights of layers of a network; one that several modules share comes once.

    Parameters
    ----------
    module : torch.nn.Module
        The network.
    layers : {"all", "hidden"}, str, list of str or callable, default="all"
        All layers of these types; all but the first and the last; those with these names, which
        may be patterns such as ``"blocks.*.fc1"``; or those for which ``layers(name, layer)`` is
        true. The weights of attention are its input projections, under its own name, and its
        output projection, a layer called ``out_proj``.
    types : tuple of type, default=(Linear, Conv1d, Conv2d, Conv3d, MultiheadAttention)
        Types of layers that are meant.

    Returns
    -------
    list of Weight
        The weights, in the order of the network.

    Raises
    ------
    ValueError
        If there is no such layer, a name fits none, or a lazy layer has no shape yet.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import choose_weights
    >>> net = torch.nn.Sequential(*(torch.nn.Linear(4, 4) for _ in range(3)))
    >>> [weight.name for weight in choose_weights(net, "hidden")]
    ['1.weight']
    """
    weights: dict[int, Weight] = {}
    for name, layer in choose_layers(module, layers, types=types):
        attributes = PROJECTIONS if isinstance(layer, nn.MultiheadAttention) else ("weight",)
        for attribute in attributes:
            weight = Weight(f"{name}.{attribute}" if name else attribute, layer, attribute)
            if not weight.is_parametrized and getattr(layer, attribute, None) is None:
                continue
            if isinstance(_stored(weight), UninitializedParameter):
                raise ValueError(
                    f"layer {name!r} has no shape yet: call the network once before masking it"
                )
            weights.setdefault(id(_stored(weight)), weight)
    return list(weights.values())


def choose_layers(
    module: nn.Module,
    layers: Layers = "all",
    *,
    types: tuple[type[nn.Module], ...] = LAYERS,
) -> list[tuple[str, Any]]:
    """Layers of a network by name.

    Parameters
    ----------
    module : torch.nn.Module
        The network.
    layers : {"all", "hidden"}, str, list of str or callable, default="all"
        Which, as for `choose_weights`.
    types : tuple of type
        Types of layers that are meant.

    Returns
    -------
    list of (str, torch.nn.Module)
        Names and layers, in the order of the network.

    Raises
    ------
    ValueError
        If there is no such layer, or a name fits none.
    """
    there = {name: layer for name, layer in module.named_modules() if isinstance(layer, types)}
    kinds = ", ".join(kind.__name__ for kind in types)
    if not there:
        raise ValueError(f"{type(module).__name__} has no layer of the types {kinds}")
    if callable(layers):
        chosen = {name for name, layer in there.items() if layers(name, layer)}
    elif layers == "all":
        chosen = set(there)
    elif layers == "hidden":
        chosen = set(list(there)[1:-1])
    else:
        patterns = [layers] if isinstance(layers, str) else list(layers)
        chosen = set().union(*(_fitting(pattern, there, kinds) for pattern in patterns))
    if not chosen:
        raise ValueError(
            f"layers={layers!r} chooses none of the layers {', '.join(map(repr, there))}"
        )
    return [(name, layer) for name, layer in there.items() if name in chosen]


def _fitting(pattern, there, kinds):
    """Names that fit a pattern."""
    if not isinstance(pattern, str):
        raise ValueError(
            'layers must be "all", "hidden", names, patterns of names or a callable of name and '
            f"layer, got {pattern!r}"
        )
    fitting = set(fnmatch.filter(there, pattern)) | ({pattern} & set(there))
    if not fitting:
        close = difflib.get_close_matches(pattern, there, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(map(repr, close))}?" if close else ""
        raise ValueError(
            f"layers: no layer of the types {kinds} is called {pattern!r}; {hint or 'there are'} "
            f"{'there are ' if hint else ''}{', '.join(map(repr, there))}"
        )
    return fitting


def _stored(weight):
    """The parameter that the network stores for a weight."""
    if not weight.is_parametrized:
        return weight.value
    made_from: Any = weight.layer.parametrizations
    stored = made_from[weight.attribute]
    return getattr(stored, "original", None) if hasattr(stored, "original") else stored.original0


def parametrize_weights(
    module: nn.Module,
    weights: Iterable[Weight],
    make: Callable[[Weight], MaskedWeight],
) -> nn.Module:
    """Put parametrizations on weights of a network, in place.

    A weight that several modules share, be it an embedding, gets one parametrization that they
    share, and stays tied. Make the optimizer afterwards.

    Parameters
    ----------
    module : torch.nn.Module
        The network.
    weights : iterable of Weight
        Its weights, as of `choose_weights`.
    make : callable
        Makes the parametrization of a weight.

    Returns
    -------
    torch.nn.Module
        The network, which can be pickled.

    Raises
    ------
    ValueError
        If a weight has a mask already.
    """
    weights = list(weights)
    for weight in weights:
        if _mask_on(weight) is not None:
            raise ValueError(f"weight {weight.name!r} has a mask already: remove_masks first")
    for weight in weights:
        others = _tied_to(module, weight)
        parametrization = make(weight).to(weight.value.device)
        parametrize.register_parametrization(weight.layer, weight.attribute, parametrization)
        made_from: Any = weight.layer.parametrizations
        for layer, attribute in others:
            parametrize.register_parametrization(layer, attribute, nn.Identity())
            layer.parametrizations[attribute] = made_from[weight.attribute]
    return make_picklable(module)


def _tied_to(module, weight):
    """Other places of the network where the parameter of a weight stands."""
    if weight.is_parametrized:
        return []
    return [
        (layer, attribute)
        for layer in module.modules()
        for attribute, parameter in layer._parameters.items()
        if parameter is weight.value and (layer, attribute) != (weight.layer, weight.attribute)
    ]


def _mask_on(weight):
    if not weight.is_parametrized:
        return None
    made_from: Any = weight.layer.parametrizations
    found = (part for part in made_from[weight.attribute] if isinstance(part, MaskedWeight))
    return next(found, None)


def masked_weights(
    module: nn.Module, kind: type[MaskedWeight] = MaskedWeight
) -> Iterator[tuple[Weight, Any]]:
    """Weights of a network that have a mask; one that several modules share comes once.

    Parameters
    ----------
    module : torch.nn.Module
        The network.
    kind : type, default=MaskedWeight
        Kind of parametrization.

    Yields
    ------
    (Weight, MaskedWeight)
        The weight and its parametrization.
    """
    seen = set()
    for weight in _parametrized(module):
        mask = _mask_on(weight)
        if isinstance(mask, kind) and id(mask) not in seen:
            seen.add(id(mask))
            yield weight, mask


def _parametrized(module):
    for name, layer in module.named_modules():
        if parametrize.is_parametrized(layer):
            made_from: Any = layer.parametrizations
            for attribute in list(made_from):
                yield Weight(f"{name}.{attribute}" if name else attribute, layer, attribute)


def weight_masks(module: nn.Module) -> dict[str, torch.Tensor]:
    """Masks of the weights of a network.

    Parameters
    ----------
    module : torch.nn.Module
        The network.

    Returns
    -------
    dict of str to Tensor of bool
        By the name of the weight, true where it is kept.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import apply_masks, weight_masks
    >>> net = torch.nn.Sequential(torch.nn.Linear(2, 1))
    >>> mask = torch.tensor([[True, False]])
    >>> weight_masks(apply_masks(net, {"0.weight": mask}))
    {'0.weight': tensor([[ True, False]])}
    """
    with torch.no_grad():
        return {
            weight.name: mask.mask_of(dense_value(weight, mask)).clone()
            for weight, mask in masked_weights(module)
        }


def dense_value(weight: Weight, mask: MaskedWeight) -> torch.Tensor:
    """What a mask on a weight is handed: the trained tensor, or what others made of it before.

    Parameters
    ----------
    weight : Weight
        The weight.
    mask : MaskedWeight
        Its parametrization.

    Returns
    -------
    Tensor
        The dense weight, with its graph.
    """
    made_from: Any = weight.layer.parametrizations
    chain = made_from[weight.attribute]
    if chain.is_tensor:
        value = chain.original
    else:
        value = tuple(getattr(chain, f"original{i}") for i in range(chain.ntensors))
    for part in chain:
        if part is mask:
            break
        value = part(*value) if isinstance(value, tuple) else part(value)
    return value


def apply_masks(module: nn.Module, masks: Mapping[str, torch.Tensor]) -> nn.Module:
    """Hold weights of a network at zero where masks are false, in place.

    Weights that have a `FixedMask` already get the new one.

    Parameters
    ----------
    module : torch.nn.Module
        The network.
    masks : dict of str to Tensor of bool
        By the name of the weight in the network, true where it is kept.

    Returns
    -------
    torch.nn.Module
        The network.

    Raises
    ------
    ValueError
        If there is no weight of a name, or its shape is another.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import apply_masks, magnitude_masks, sparsity_report
    >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    >>> pruned = apply_masks(net, magnitude_masks(net, 0.5))
    >>> sparsity_report(pruned)["nonzero"].sum().item()
    24
    """
    there = {weight.name: weight for weight in choose_weights(module)}
    fixed = {weight.name: held for weight, held in masked_weights(module, FixedMask)}
    for name, mask in masks.items():
        if name not in there:
            close = difflib.get_close_matches(name, there, n=3, cutoff=0.5) or list(there)
            raise ValueError(f"masks: no weight is called {name!r}; there is {', '.join(close)}")
        like = fixed[name].mask if name in fixed else there[name].value
        check_mask(f"masks[{name!r}]", mask, like.shape)
    with torch.no_grad():
        for name in fixed.keys() & masks.keys():
            fixed[name].mask.copy_(masks[name])
    new = [there[name] for name in masks if name not in fixed]
    return parametrize_weights(module, new, lambda weight: FixedMask(masks[weight.name]))


def remove_masks(module: nn.Module) -> nn.Module:
    """Turn masked weights of any kind into plain parameters of the same values, in place.

    What was masked is exactly zero then, and can be trained again. Weights that were tied stay so.

    Parameters
    ----------
    module : torch.nn.Module
        The network.

    Returns
    -------
    torch.nn.Module
        The network, with the layers and names that it had before it was masked.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import apply_masks, magnitude_masks, remove_masks
    >>> net = torch.nn.Sequential(torch.nn.Linear(4, 2))
    >>> net = remove_masks(apply_masks(net, magnitude_masks(net, 0.5)))
    >>> int((net[0].weight == 0).sum())
    4
    """
    plain: dict[int, nn.Parameter] = {}
    for weight in list(_parametrized(module)):
        if _mask_on(weight) is None:
            continue
        made_from: Any = weight.layer.parametrizations
        shared = made_from[weight.attribute]
        value = plain.get(id(shared))
        if value is None:
            trains = any(p.requires_grad for p in shared.parameters(recurse=False))
            value = nn.Parameter(weight.value.detach().clone(), requires_grad=trains)
            plain[id(shared)] = value
        del made_from[weight.attribute]
        _unparametrize(weight, value)
    return module


def _unparametrize(weight, value):
    """Give a layer a plain parameter, and its own class again if nothing is parametrized."""
    layer: Any = weight.layer
    kind = type(layer)
    if not len(layer.parametrizations):
        del layer.parametrizations
        layer.__class__ = kind.__bases__[0]
    else:  # copies of the layer have the same class, and stay parametrized
        left = {name: item for name, item in vars(kind).items() if name != weight.attribute}
        layer.__class__ = type(kind.__name__, kind.__bases__, left)
    layer.register_parameter(weight.attribute, value)
