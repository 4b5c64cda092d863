"""What has changed in a net's regularizers since it was initialized."""

import numpy as np
import torch

from ._needs import described
from ._regularizer import overrides


class Snapshot:
    """A regularizer and the parameters that it had at some time."""

    def __init__(self, regularizer):
        self.regularizer = regularizer
        self.params = regularizer.get_params()

    def changed(self, earlier):
        """Names of the parameters that differ from those of an earlier snapshot."""
        return [
            name for name, value in self.params.items() if not is_same(value, earlier.params[name])
        ]

    def __eq__(self, other):
        return self.regularizer is other.regularizer and not self.changed(other)

    __hash__ = None


def snapshots(regularizers):
    """Snapshots by name, in order."""
    return {name: Snapshot(regularizer) for name, regularizer in regularizers}


def is_same(a, b):
    """Whether two parameters are the same, arrays included."""
    if a is b:
        return True
    if isinstance(a, np.ndarray | torch.Tensor) or isinstance(b, np.ndarray | torch.Tensor):
        return type(a) is type(b) and a.shape == b.shape and bool((a == b).all())
    return bool(a == b)


def check_fixed(before, now):
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
