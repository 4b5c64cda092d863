"""Predictions on a domain that no training row came from, by heads of the source domains."""

__all__: list[str] = []
