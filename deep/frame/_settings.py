"""What the readable form of an object shows: the arguments that it was made with."""

import inspect
from typing import Any

import torch

PLAIN = (bool, int, float, str, tuple, torch.dtype)


def settings(self: Any) -> str:
    """Arguments of the constructor that an object keeps under their names, as far as plain.

    It serves as ``extra_repr`` of a module.
    """
    names = list(inspect.signature(type(self).__init__).parameters)[1:]
    kept = {name: getattr(self, name) for name in names if hasattr(self, name)}
    shown = {name: value for name, value in kept.items() if isinstance(value, PLAIN)}
    return ", ".join(f"{name}={value!r}" for name, value in shown.items())
