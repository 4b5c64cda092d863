"""Embeddings that are compared."""
