"""Optimal transport with sparse plans, and linear maps between distributions."""

from skreg.transport._balanced_assignment import BalancedAssignment
from skreg.transport._batch import sparse_transport_batch
from skreg.transport._gaussian_transport import GaussianTransport
from skreg.transport._plan_display import TransportPlanDisplay
from skreg.transport._restorer import LinearTransportRestorer
from skreg.transport._sparse import SparseTransportResult, sparse_transport
from skreg.transport._sparse_transformer import SparseTransportTransformer
from skreg.transport._tradeoff_display import TransportTradeoffDisplay

__all__ = [
    "BalancedAssignment",
    "GaussianTransport",
    "LinearTransportRestorer",
    "SparseTransportResult",
    "SparseTransportTransformer",
    "TransportPlanDisplay",
    "TransportTradeoffDisplay",
    "sparse_transport",
    "sparse_transport_batch",
]
