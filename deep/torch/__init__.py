"""Losses, optimizers, penalties and parametrizations for any PyTorch training loop."""

from .._methods import PARTS, facade

__all__ = [*PARTS]

__getattr__, __dir__ = facade(__name__, PARTS)
