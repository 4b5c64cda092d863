"""Regularizers for `RegularizedNetClassifier`, `DeepClassifier` and their regression twins."""

from skreg.deep.regularizers._conr import ConR
from skreg.deep.regularizers._elr import ELR
from skreg.deep.regularizers._elr_plus import ELRPlus
from skreg.deep.regularizers._orthogonal_gradient import OrthogonalGradient
from skreg.deep.regularizers._ps_kd import PSKD
from skreg.deep.regularizers._stablemax import StabilityMonitor, StableMax
from skreg.deep.regularizers._tcm import ThresholdConsistentMargin

__all__ = [
    "ELR",
    "PSKD",
    "ConR",
    "ELRPlus",
    "OrthogonalGradient",
    "StabilityMonitor",
    "StableMax",
    "ThresholdConsistentMargin",
]
