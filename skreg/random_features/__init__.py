"""Random features, ridge regression on them, and theory of how many are enough."""

__all__: list[str] = []
