"""A copy of a network that does not train: a teacher, a moving average, where training began."""

import copy
from collections import OrderedDict
from typing import Any, Literal, Self

import torch
from torch import nn
from torch.nn.parameter import UninitializedParameter

from ._batches import check_choice
from ._memory import SampleMemory
from ._settings import settings

HOOKS = (
    "_forward_hooks",
    "_forward_hooks_always_called",
    "_forward_hooks_with_kwargs",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_backward_hooks",
    "_backward_pre_hooks",
)


class FrozenCopy(nn.Module):
    """A copy of a module that does not train, and follows the module when it is told to.

    All its tensors are buffers: they are in ``state_dict``, which can be stored in any format,
    move with ``to``, and no optimizer sees them. Rows that belong to samples (`SampleMemory`) are
    not copied, nor are forward and backward hooks, except those of ``torch.nn.utils`` that make
    weights (pruning and the older weight norm and spectral norm), and those that are methods of a
    part of the module itself, such as dynamic gates.

    Parameters
    ----------
    module : torch.nn.Module
        The module to copy.
    mode : {"eval", "same"}, default="eval"
        Whether the copy stays in evaluation mode, or begins in the module's mode and is switched
        by ``train`` and ``eval`` like any other module.

    Raises
    ------
    ValueError
        If `mode` is unknown, or a lazy layer of the module has no shape yet.

    Examples
    --------
    The teacher of PS-KD may be the network of the epoch before, instead of a memory of what it
    predicted:

    >>> import torch
    >>> from torch.nn import functional as F
    >>> from skreg.deep.torch import FrozenCopy
    >>> net, x, y = torch.nn.Linear(2, 3), torch.randn(8, 2), torch.arange(8) % 3
    >>> teacher, alpha = FrozenCopy(net), 0.4
    >>> target = torch.lerp(F.one_hot(y, 3).float(), teacher(x).softmax(1), alpha)
    >>> loss = F.cross_entropy(net(x), target)

    After each epoch ``teacher.follow(net)``; after each step, for a moving average:

    >>> teacher.follow(net, weight=1 - 0.999)
    """

    extra_repr = settings

    def __init__(self, module: nn.Module, mode: Literal["eval", "same"] = "eval") -> None:
        super().__init__()
        check_choice("mode", mode, ("eval", "same"))
        self.mode = mode
        module = bare(module)
        _require_known_shapes(module)
        self.module = _without_parameters(_copy(module))
        if mode == "eval":
            self.module.eval()

    def train(self, mode: bool = True) -> Self:
        """Stay in evaluation mode, unless the copy is to have the mode of the module.

        Parameters
        ----------
        mode : bool, default=True
            True for training.

        Returns
        -------
        FrozenCopy
            This module.
        """
        return super().train(mode) if self.mode == "same" else self

    @torch.no_grad()
    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Output of the copy.

        Parameters
        ----------
        *args, **kwargs
            Arguments of the module.

        Returns
        -------
        Tensor, or what the module returns
            The output, without gradient.
        """
        return self.module(*args, **kwargs)

    @torch.no_grad()
    def follow(
        self, module: nn.Module, weight: float | torch.Tensor = 1.0, *, buffers: bool = True
    ) -> None:
        """Move towards the present weights of the module.

        Parameters
        ----------
        module : torch.nn.Module
            The module that was copied, or one like it.
        weight : float or Tensor of shape (), default=1.0
            Share of the module's numbers in the result; one copies them. Integers and Booleans are
            always copied.
        buffers : bool, default=True
            Whether buffers follow as well, such as the statistics of batch normalization.

        Raises
        ------
        ValueError
            If the module has other tensors than the copy.
        """
        self.follow_tensors(tensors_of(bare(module), buffers=buffers), weight)

    @torch.no_grad()
    def follow_tensors(
        self, values: dict[str, torch.Tensor], weight: float | torch.Tensor = 1.0
    ) -> None:
        """Move towards given tensors.

        Parameters
        ----------
        values : dict of str to Tensor
            As `tensors_of` gives them.
        weight : float or Tensor of shape (), default=1.0
            As in `follow`.

        Raises
        ------
        ValueError
            If they are not tensors of the copy.
        """
        mine = self.tensors()
        for name, value in values.items():
            if name not in mine or mine[name].shape != value.shape:
                raise ValueError(
                    f"the copied module has no {name!r} of shape {tuple(value.shape)}: make a new "
                    "FrozenCopy after the module's layers change"
                )
        self.move_to(values)
        mine = self.tensors()
        if not isinstance(weight, torch.Tensor) and weight == 1:
            moved = []
        else:
            moved = [name for name, value in values.items() if not _is_discrete(value)]
        copied = values.keys() - set(moved)
        if copied:
            torch._foreach_copy_([mine[n] for n in copied], [values[n] for n in copied])
        for name in moved:
            value = values[name].to(mine[name].dtype)
            share = weight.to(value) if isinstance(weight, torch.Tensor) else weight
            mine[name].lerp_(value, share)

    def move_to(self, values: dict[str, torch.Tensor]) -> None:
        """Go to the devices where given tensors are.

        Parameters
        ----------
        values : dict of str to Tensor
            As `tensors_of` gives them.
        """
        for name, tensor in self.tensors().items():
            if name in values and tensor.device != values[name].device:
                path, _, own_name = name.rpartition(".")
                setattr(self.module.get_submodule(path), own_name, tensor.to(values[name].device))

    def tensors(self) -> dict[str, torch.Tensor]:
        """Tensors of the copy by their names in the module.

        Returns
        -------
        dict of str to Tensor
            Parameters and buffers, without rows that belong to samples.
        """
        return tensors_of(self.module)


def bare(module):
    """The module inside of ``torch.compile`` and ``DistributedDataParallel``."""
    while True:
        if isinstance(module, nn.parallel.DistributedDataParallel):
            module = module.module
        elif hasattr(module, "_orig_mod"):
            module = module._orig_mod
        else:
            return module


def tensors_of(module: nn.Module, buffers: bool = True) -> dict[str, torch.Tensor]:
    """Parameters and buffers by name, without rows that belong to samples.

    Parameters
    ----------
    module : torch.nn.Module
        The module.
    buffers : bool, default=True
        Whether to list buffers.

    Returns
    -------
    dict of str to Tensor
        The tensors, detached. Those that layers share occur under each of their names.
    """
    named: dict[str, torch.Tensor] = {}
    for prefix, part in module.named_modules():
        if isinstance(part, SampleMemory):
            continue
        own = {**part._parameters, **(part._buffers if buffers else {})}
        dot = "." if prefix else ""
        named |= {f"{prefix}{dot}{n}": t.detach() for n, t in own.items() if t is not None}
    return named


def _is_discrete(tensor):
    return not (tensor.is_floating_point() or tensor.is_complex())


def _require_known_shapes(module):
    for name, tensor in module.named_parameters():
        if isinstance(tensor, UninitializedParameter):
            raise ValueError(
                f"{name!r} of {type(module).__name__} has no shape yet: show the lazy module a "
                "batch before it is copied"
            )


def _copy(module):
    """A deep copy without memories of samples, hooks, and graphs of tensors computed by a pass."""
    instead: dict[int, Any] = {}
    kept: list[tuple[OrderedDict, dict]] = []
    parts = {id(part) for part in module.modules()}
    for part in module.modules():
        if isinstance(part, SampleMemory):
            instead[id(part)] = SampleMemory()
            continue
        for name, value in vars(part).items():
            if name in HOOKS:
                hooks = {key: hook for key, hook in value.items() if _belongs(hook, parts)}
                instead[id(value)] = OrderedDict()
                kept.append((instead[id(value)], hooks))
            for tensor in _members(value):
                if isinstance(tensor, torch.Tensor) and not tensor.is_leaf:
                    instead[id(tensor)] = tensor.detach().clone()
    twin = copy.deepcopy(module, instead)
    for hooks_of_twin, hooks in kept:  # now that the parts whose methods they are have been copied
        hooks_of_twin.update(copy.deepcopy(hooks, instead))
    return twin


def _members(value):
    """What is in a list, tuple or dict, such as outputs that a layer keeps; else itself."""
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list | tuple) else (value,)


def _belongs(hook, parts):
    """Whether it makes weights, as pruning does and the older weight norm and spectral norm.

    A method of a part of the module belongs to it as well.
    """
    makes_weights = any(cls.__module__.startswith("torch.nn.utils") for cls in type(hook).__mro__)
    return makes_weights or id(getattr(hook, "__self__", None)) in parts


def _without_parameters(module):
    """Make buffers of all parameters, each of its own memory."""
    for part in module.modules():
        for name, parameter in list(part._parameters.items()):
            del part._parameters[name]
            part.register_buffer(name, None)
            if parameter is not None:  # through setattr, by which recurrent layers learn of it
                setattr(part, name, parameter.detach().clone())
    return module
