"""Parameters that were changed between two calls, handed to a net that goes on."""

import contextlib
from typing import Any

import torch

from ..frame._changes import same
from ..frame._frozen_copy import bare
from ..frame._optimizer import innermost
from ..frame._training_state import FRAME, carry_over

BUILT_IN = ("module", "compile", "standardize", "standardize_target", "n_components")
ABSENT = object()


def settings_of(net):
    """Arguments of a net by name, defaults included."""
    params = net.get_params(deep=False)
    return {name: value for name, value in params.items() if not name.startswith("_")}


def go_on(net: Any, before: dict[str, Any], now: dict[str, Any], device: Any, dtype: Any) -> None:
    """Hand what differs between two settings to a net that was trained under the first.

    Learning goes on: weights, the optimizer's state (unless its class changed) and what
    regularizers remember stay.

    Parameters
    ----------
    net : RegularizedNetClassifier or RegularizedNetRegressor
        The net.
    before, now : dict
        Settings, as `settings_of` gives them, and parameters of the estimator that are `BUILT_IN`.
    device, dtype : torch.device, torch.dtype
        Where and in what type to go on.

    Raises
    ------
    ValueError
        If something changed that is built into the network.
    """
    changed = {
        name
        for name in before.keys() | now.keys()
        if not same(before.get(name, ABSENT), now.get(name, ABSENT))
    }
    _refuse_other_networks(changed, before, now)
    net._params_to_validate.update((changed & now.keys()) - vars(net).keys())
    net._validate_params()
    for name in sorted(changed - {"regularizers", "device"}):
        if name in now:
            setattr(net, name, now[name])
        else:
            delattr(net, name)
    if "regularizers" in changed:
        net.regularizers = updated_regularizers(net.regularizers, now["regularizers"])
        net.take_in_changes()
    _move(net, device, dtype)
    parts = {name.partition("__")[0] for name in changed}
    if "callbacks" in parts:
        net._initialize_callbacks()
    if "criterion" in parts:
        _renew_criterion(net)
    options_changed = bool(parts & {"optimizer", "lr"})
    if options_changed or parts & {"criterion", "mixed_precision"}:
        _renew_optimizer(net, options_changed)
    for group in net.optimizer_.param_groups:  # schedules that begin later go on from here
        group.setdefault("initial_lr", group["lr"])


def _refuse_other_networks(changed, before, now):
    fixed = sorted(name for name in changed if name.partition("__")[0] in BUILT_IN)
    if fixed:
        name = fixed[0]
        old, new = (
            f"{name}={settings[name]!r}" if name in settings else f"no {name}"
            for settings in (before, now)
        )
        raise ValueError(
            f"the network was built with {old} and cannot go on with {new}: set it back, or begin "
            "anew with warm_start=False and fit"
        )


def updated_regularizers(own, wanted):
    """The net's own regularizers with the wanted parameters, and new ones where the kind is new."""
    own, result = dict(own or ()), []
    for name, item in wanted:
        mine = own.get(name)
        if item is None or type(mine) is not type(item):
            result.append((name, item))
            continue
        old = mine.get_params(deep=False)
        new = item.get_params(deep=False)
        mine.set_params(**{key: new[key] for key in new if not same(old[key], new[key])})
        result.append((name, mine))
    return result


def _move(net, device, dtype):
    """Put the weights, and all that follows them, on a device and into a type."""
    present = next(net.module_.parameters(), torch.empty(0, dtype=dtype))
    net.device = str(device)
    if present.device == device and present.dtype == dtype:
        return
    for part in (net.module_, net.criterion_):
        part.to(device=device, dtype=dtype)
    net.optimizer_.load_state_dict(net.optimizer_.state_dict())  # casts what belongs to weights


def _renew_criterion(net):
    """Another criterion, which keeps what regularizers remember."""
    old = bare(net.criterion_)
    net._initialize_criterion()
    carry_over(old, bare(net.criterion_))


def _renew_optimizer(net, options_changed):
    """Another optimizer, which keeps the state of the old one if it is of the same class."""
    old = innermost(net.optimizer_)
    net._initialize_optimizer()
    new = innermost(net.optimizer_)
    if type(new) is not type(old):
        return
    parameters = [p for group in new.param_groups for p in group["params"]]
    new.state.update({p: old.state[p] for p in parameters if p in old.state})
    if not options_changed:
        for fresh, former in zip(new.param_groups, old.param_groups, strict=True):
            fresh.update({key: value for key, value in former.items() if key != "params"})


@contextlib.contextmanager
def untouched_by_failure(net):
    """Put a net that goes on with training back to what it was if the block raises."""
    owners = [net, *(item for _, item in net.regularizers_)]
    attributes = [vars(owner).copy() for owner in owners]
    epochs = len(net.history)
    parts = [(part, copied(part.state_dict())) for part in _parts(net)]
    weight = next(net.module_.parameters(), torch.empty(0))
    place = {"device": weight.device, "dtype": weight.dtype}
    try:
        yield
    except BaseException:
        for owner, values in zip(owners, attributes, strict=True):
            vars(owner).clear()
            vars(owner).update(values)
        for part in (net.module_, net.criterion_):
            part.to(**place)
        for part, state in parts:
            part.load_state_dict(state)
        del net.history[epochs:]
        getattr(bare(net.criterion_), FRAME).is_loaded = False  # these are no checkpoint's
        raise


def copied(state):
    """The tensors of a state_dict, copied: three times as fast as ``copy.deepcopy``."""
    if isinstance(state, torch.Tensor):
        return state.detach().clone()
    if isinstance(state, dict):
        return {key: copied(value) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return type(state)(map(copied, state))
    return state


def _parts(net):
    return net.module_, net.criterion_, net.optimizer_
