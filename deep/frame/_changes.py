"""What has changed in a net's regularizers since it was initialized."""

import contextlib
import functools
from numbers import Number
from typing import Any

import numpy as np
import torch

from ._frozen_copy import bare
from ._needs import described
from ._regularizer import Regularizer, overrides


class Snapshot:
    """A regularizer and the parameters that it had at some time."""

    def __init__(self, regularizer: Regularizer) -> None:
        self.regularizer = regularizer
        self.params = regularizer.get_params()

    def changed(self, earlier) -> list[str]:
        """Names of the parameters that differ from those of an earlier snapshot."""
        return [
            name for name, value in self.params.items() if not same(value, earlier.params[name])
        ]

    def __eq__(self, other):
        return self.regularizer is other.regularizer and not self.changed(other)

    __hash__ = None  # type: ignore[assignment]  # snapshots are compared, not looked up


def snapshots(regularizers):
    """Snapshots by name, in order."""
    return {name: Snapshot(regularizer) for name, regularizer in regularizers}


def same(a, b):
    """Whether two values of a parameter mean the same; of strange objects, whether they are one."""
    if a is b:
        return True
    if isinstance(a, Number) and isinstance(b, Number):
        return a == b
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if type(a) is not type(b) or isinstance(a, type):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, np.ndarray):
        return np.array_equal(a, b)
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, functools.partial):
        return same((a.func, a.args, a.keywords), (b.func, b.args, b.keywords))
    if hasattr(a, "get_params"):
        return same(a.get_params(deep=False), b.get_params(deep=False))
    return (a == b) is True


def check_fixed(before: Any, now: Any) -> None:
    """Raise ValueError if what has changed is built into the module.

    Parameters
    ----------
    before, now : dict of str to Snapshot
        The regularizers when the net was initialized, and at present.
    """
    remedy = "initialize the net anew (fit with warm_start=False)"
    for name in {**before, **now}:
        old, new = before.get(name), now.get(name)
        if old is None or new is None or old.regularizer is not new.regularizer:
            for snapshot in (old, new):
                if snapshot is not None and overrides(snapshot.regularizer, "reparametrize"):
                    raise ValueError(
                        f"{described(name, snapshot.regularizer)} is built into the module; it "
                        f"cannot come or go when training goes on: {remedy}"
                    )
            continue
        changed = sorted(set(new.changed(old)) & set(new.regularizer.fixed))
        if changed:
            raise ValueError(
                f"{', '.join(changed)} of {described(name, new.regularizer)} is built into the "
                f"module and cannot change when training goes on: {remedy}"
            )


@contextlib.contextmanager
def resumed(net):
    """Undo what regularizers made of the trained module; if the block raises, do it again."""
    finalized, net.finalized_ = net.finalized_, []
    module = bare(net.module_)
    try:
        for regularizer in reversed(finalized):
            regularizer.resume(net, module)
        yield
    except BaseException:
        for regularizer in finalized:
            regularizer.finalize(net, module)
        net.finalized_ = finalized
        raise
