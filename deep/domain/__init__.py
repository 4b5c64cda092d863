"""Heads of several source domains on shared features."""
