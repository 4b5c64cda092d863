"""Penalties: sums over blocks of coefficients, one file each.

A penalty is a NamedTuple with the fields `alpha` and `weights` and one body for each function of
`PENALTY_FUNCTIONS`.
"""

from skreg.optim.penalties._elastic_net import ElasticNet
from skreg.optim.penalties._functions import (
    PENALTY_FUNCTIONS,
    block_conjugate,
    block_distance,
    block_gauge,
    block_prox,
    block_ridge,
    block_threshold,
    block_value,
    constrained,
    face_curvature,
    face_gradient,
    face_return,
    ridge_share,
    separable,
)
from skreg.optim.penalties._group_l2 import GroupL2
from skreg.optim.penalties._l1 import L1
from skreg.optim.penalties._non_negative import NonNegative

__all__ = [
    "L1",
    "PENALTY_FUNCTIONS",
    "ElasticNet",
    "GroupL2",
    "NonNegative",
    "block_conjugate",
    "block_distance",
    "block_gauge",
    "block_prox",
    "block_ridge",
    "block_threshold",
    "block_value",
    "constrained",
    "face_curvature",
    "face_gradient",
    "face_return",
    "ridge_share",
    "separable",
]
