"""The weights themselves."""
