"""Rare targets."""
