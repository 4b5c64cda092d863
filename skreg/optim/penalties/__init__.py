"""Penalties: sums over blocks of coefficients, one file each.

A penalty is a NamedTuple with the fields `alpha` and `weights` and one body for each function of
`PENALTY_FUNCTIONS`; `entrywise`, `finite`, `with_ridge` and `without_ridge` register those that
many penalties share. The room finds its files by itself: `PENALTIES` holds the classes by name.
"""

from skreg.optim._rooms import records_of
from skreg.optim.penalties._elastic_net import ElasticNet
from skreg.optim.penalties._functions import (
    PENALTY_FUNCTIONS,
    block_conjugate,
    block_distance,
    block_gauge,
    block_labels,
    block_prox,
    block_ridge,
    block_threshold,
    block_value,
    check_penalty,
    checked,
    constrained,
    face_curvature,
    face_gradient,
    face_return,
    ridge_share,
    separable,
)
from skreg.optim.penalties._group_l2 import GroupL2
from skreg.optim.penalties._kinds import entrywise, finite, with_ridge, without_ridge
from skreg.optim.penalties._l1 import L1
from skreg.optim.penalties._non_negative import NonNegative

PENALTIES = records_of(__name__, __path__)
globals().update(PENALTIES)

__all__ = [
    "L1",
    "PENALTIES",
    "PENALTY_FUNCTIONS",
    "ElasticNet",
    "GroupL2",
    "NonNegative",
    "block_conjugate",
    "block_distance",
    "block_gauge",
    "block_labels",
    "block_prox",
    "block_ridge",
    "block_threshold",
    "block_value",
    "check_penalty",
    "checked",
    "constrained",
    "entrywise",
    "face_curvature",
    "face_gradient",
    "face_return",
    "finite",
    "ridge_share",
    "separable",
    "with_ridge",
    "without_ridge",
]
__all__ += sorted(PENALTIES.keys() - set(__all__))
