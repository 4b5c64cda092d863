"""Options of an optimizer for some of its parameters."""

import fnmatch
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from ._optimizer import innermost

SOURCE = "taken_from"


def own_group(
    optimizer: torch.optim.Optimizer,
    chosen: Iterable[Any],
    *,
    module: nn.Module | None = None,
    lr_scale: float = 1.0,
    **options: Any,
) -> None:
    """Give parameters a group of their own in an optimizer that has them already, in place.

    The new group takes over the options of the group that they were in. What the optimizer knows
    of them stays. Called again for the same parameters, it changes the options of their group; the
    learning rate is always `lr_scale` times that of the group they were taken from, and so is the
    initial one from which schedulers start.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        The optimizer, or a wrapper of it.
    chosen : iterable of Parameter or str
        The parameters, or patterns of their names in `module`, such as ``"*.bias"``.
    module : torch.nn.Module, optional
        The module that the names belong to.
    lr_scale : float, default=1.0
        Factor of the learning rate.
    **options
        Other options of the group, such as ``weight_decay=0.0``.

    Raises
    ------
    ValueError
        If a pattern fits no name, a parameter is not the optimizer's, an option is none that it
        has, or it allows one group only.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import own_group
    >>> layer = torch.nn.Linear(2, 1)
    >>> optimizer = torch.optim.AdamW(layer.parameters(), lr=0.1, weight_decay=0.01)
    >>> own_group(optimizer, ["bias"], module=layer, weight_decay=0.0)
    >>> [(len(group["params"]), group["weight_decay"]) for group in optimizer.param_groups]
    [(1, 0.01), (1, 0.0)]
    """
    parameters = _named_or_given(chosen, module)
    _check(optimizer, parameters, options)
    groups = optimizer.param_groups
    for number, group in enumerate(list(groups)):
        taken = [i for i, p in enumerate(group["params"]) if p in parameters]
        if not taken:
            continue
        if SOURCE not in group or len(taken) < len(group["params"]):
            group = _split(optimizer, number, taken)
        group.update(options)
        for rate in ("lr", "initial_lr"):
            if rate in group:
                group[rate] = groups[group[SOURCE]][rate] * lr_scale


def _named_or_given(chosen, module):
    parameters = set()
    for item in chosen:
        if not isinstance(item, str):
            parameters.add(item)
            continue
        named = dict(module.named_parameters())
        found = {p for name, p in named.items() if fnmatch.fnmatchcase(name, item)}
        if not found:
            raise ValueError(f"no parameter is called {item!r}; there are {', '.join(named)}")
        parameters |= found
    return parameters


def _check(optimizer, parameters, options):
    groups = optimizer.param_groups
    missing = parameters - {p for group in groups for p in group["params"]}
    if missing:
        shapes = [tuple(p.shape) for p in missing]
        raise ValueError(f"the optimizer does not have the parameters of shapes {shapes}")
    if isinstance(innermost(optimizer), torch.optim.LBFGS):
        raise ValueError("LBFGS has one group only: take another optimizer")
    unknown = options.keys() - optimizer.defaults.keys()
    if unknown:
        raise ValueError(
            f"{type(optimizer).__name__} has no option {', '.join(sorted(unknown))}; it has "
            f"{', '.join(optimizer.defaults)}"
        )


def _split(optimizer, number, taken):
    """Move parameters at some positions of a group to a new one, and return that."""
    source = optimizer.param_groups[number]
    left = [i for i in range(len(source["params"])) if i not in set(taken)]
    new = {**source, SOURCE: source.get(SOURCE, number)}
    new["params"] = [source["params"][i] for i in taken]
    source["params"] = [source["params"][i] for i in left]
    if "param_names" in source:
        names = new.pop("param_names")
        new["params"] = [(names[i], p) for i, p in zip(taken, new["params"], strict=True)]
        source["param_names"] = [names[i] for i in left]
    optimizer.add_param_group(new)
    return optimizer.param_groups[-1]
