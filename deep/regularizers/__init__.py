"""Regularizers for `RegularizedNetClassifier`, `DeepClassifier` and their regression twins."""

__all__: list[str] = []
