"""Optimal transport with sparse plans, and linear maps between distributions."""

from skreg.transport._gaussian_transport import GaussianTransport
from skreg.transport._restorer import LinearTransportRestorer
from skreg.transport._sparse import SparseTransportResult, sparse_transport
from skreg.transport._tradeoff_display import TransportTradeoffDisplay

__all__ = [
    "GaussianTransport",
    "LinearTransportRestorer",
    "SparseTransportResult",
    "TransportTradeoffDisplay",
    "sparse_transport",
]
