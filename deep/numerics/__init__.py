"""Losses and gradients at the edge of floating point."""
