"""Pickles of parametrized modules, which torch refuses."""

from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrize


def make_picklable(module: nn.Module) -> nn.Module:
    """Let all parametrized layers of a module be pickled, in place.

    torch gives a layer that it parametrizes a class of its own, which cannot be imported and is
    told to refuse pickling. A pickle made here holds the layer's plain class and its state, and
    the layer that is made of it is parametrized anew. Call it again after more parametrizations.

    Parameters
    ----------
    module : torch.nn.Module
        The module, with parametrizations of any kind: those of torch (spectral norm, weight norm,
        orthogonal), or others whose classes can be imported.

    Returns
    -------
    torch.nn.Module
        The module.

    Examples
    --------
    >>> import pickle, torch
    >>> from skreg.deep.torch import make_picklable
    >>> from torch.nn.utils.parametrizations import weight_norm
    >>> layer = make_picklable(weight_norm(torch.nn.Linear(2, 1)))
    >>> again = pickle.loads(pickle.dumps(layer))
    >>> torch.equal(again.weight, layer.weight)
    True
    """
    for layer in module.modules():
        if parametrize.is_parametrized(layer):
            # the class is this layer's alone
            type(layer).__reduce_ex__ = _reduce_parametrized  # type: ignore[method-assign]
    return module


def _reduce_parametrized(layer, _protocol):
    plain = type(layer).__bases__[0]
    state = dict(super(type(layer), layer).__getstate__())
    hooks = state["_load_state_dict_pre_hooks"]
    state["_load_state_dict_pre_hooks"] = type(hooks)(
        (key, hook) for key, hook in hooks.items() if not _is_of_weight_norm(hook)
    )
    return _unfilled, (plain,), state


def _is_of_weight_norm(hook):
    """Whether it is the local function by which weight norm reads files of its older form."""
    function = getattr(hook, "hook", hook)
    return getattr(function, "__qualname__", "").startswith("weight_norm.<locals>")


def _unfilled(plain: Any) -> Any:
    """An empty layer that waits for its state, which may refer to the layer."""
    waiting = type(plain.__name__, (plain,), {"__setstate__": _fill})
    return object.__new__(waiting)


def _fill(layer, state):
    """Make an empty layer the parametrized one of the given state."""
    layer.__class__ = type(layer).__bases__[0]
    submodules = dict(state["_modules"])
    parametrizations = submodules.pop("parametrizations")
    layer.__setstate__({**state, "_modules": submodules})
    for name, stored in parametrizations.items():
        # torch makes the class and the property; the stored ones are not evaluated, which would
        # move the vectors of a spectral norm
        layer.register_parameter(name, nn.Parameter(torch.empty(0)))
        parametrize.register_parametrization(layer, name, nn.Identity())
        layer.parametrizations[name] = stored
    make_picklable(layer)
