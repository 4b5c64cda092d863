"""How many operations and parameters a network has, as torch counts them."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


def count_flops(module: nn.Module, *example: Any) -> int:
    """Floating-point operations of one call of a network, as ``torch.utils.flop_counter`` counts.

    A multiplication and an addition count two; convolutions, matrix products and attention count,
    elementwise operations do not, and zeros in weights count like other numbers.

    Parameters
    ----------
    module : torch.nn.Module
        The network, which is called in evaluation mode and left as it was.
    *example : Tensor
        Inputs of the call. Give a batch of one for the cost of one sample.

    Returns
    -------
    int
        Operations of the call.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import count_flops
    >>> count_flops(torch.nn.Conv2d(2, 3, 3, padding=1), torch.zeros(1, 2, 5, 5))  # 2 * 3 * 25 * 18
    2700
    """
    return sum(flops_by_operation(module, *example)["Global"].values())


def count_parameters(module: nn.Module, *, nonzero: bool = False) -> int:
    """Number of parameters of a network; those that it shares count once.

    Parameters
    ----------
    module : torch.nn.Module
        The network. Of parametrized weights what they are made from counts, unless `nonzero`.
    nonzero : bool, default=False
        Count the numbers that are not zero, in weights as the layers see them.

    Returns
    -------
    int
        The number.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import apply_masks, count_parameters, magnitude_masks
    >>> net = torch.nn.Sequential(torch.nn.Linear(4, 3))
    >>> count_parameters(net)
    15
    >>> net = apply_masks(net, magnitude_masks(net, 0.5))
    >>> torch.nn.init.ones_(net[0].bias) is not None
    True
    >>> count_parameters(net, nonzero=True)
    9
    """
    if not nonzero:
        return sum(parameter.numel() for parameter in module.parameters())
    with torch.no_grad():
        return sum(int(torch.count_nonzero(tensor)) for tensor in effective_parameters(module))


def effective_parameters(module: nn.Module) -> Iterator[torch.Tensor]:
    """Parameters of a network as its layers see them: parametrized ones are computed."""
    seen: set[int] = set()
    for layer in module.modules():
        made_from: Any = getattr(layer, "parametrizations", None)
        if isinstance(layer, nn.utils.parametrize.ParametrizationList):
            seen |= {id(p) for p in layer.parameters()}
        elif isinstance(made_from, nn.ModuleDict):
            for attribute, parts in made_from.items():
                if id(parts) not in seen:
                    seen.add(id(parts))
                    yield getattr(layer, attribute)
    for parameter in module.parameters():
        if id(parameter) not in seen:
            yield parameter


def flops_by_operation(module: nn.Module, *example: Any) -> dict[str, dict[Any, int]]:
    """Operations of one call by part of the network and operation, as torch's counter names them.

    Parts are called by the class of the network and their names in it, all of it ``"Global"``.
    """
    counter = FlopCounterMode(display=False)
    with evaluating(module), torch.no_grad(), without_fused_attention(), counter:
        module(*example)
    return {**counter.get_flop_counts()}


@contextlib.contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluation mode of all parts of a network, whose modes come back."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


@contextlib.contextmanager
def without_fused_attention() -> Iterator[None]:
    """Attention in separate operations, which torch's counter knows."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)
