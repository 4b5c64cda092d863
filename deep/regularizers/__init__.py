"""Regularizers for `RegularizedNetClassifier`, `DeepClassifier` and their regression twins."""

from .._methods import REGULARIZERS, facade

__all__ = [*REGULARIZERS]

__getattr__, __dir__ = facade(__name__, REGULARIZERS)
