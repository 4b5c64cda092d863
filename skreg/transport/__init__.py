"""Optimal transport with sparse plans, and linear maps between distributions."""

from skreg.transport._sparse import SparseTransportResult, sparse_transport

__all__ = ["SparseTransportResult", "sparse_transport"]
