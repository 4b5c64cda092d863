"""Optimal transport with sparse plans, and linear maps between distributions."""

from skreg.transport._gaussian_transport import GaussianTransport
from skreg.transport._restorer import LinearTransportRestorer
from skreg.transport._sparse import SparseTransportResult, sparse_transport

__all__ = [
    "GaussianTransport",
    "LinearTransportRestorer",
    "SparseTransportResult",
    "sparse_transport",
]
