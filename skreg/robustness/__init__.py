"""Robustness of classifiers: certified smoothing, and the tilting of linear boundaries."""

__all__: list[str] = []
