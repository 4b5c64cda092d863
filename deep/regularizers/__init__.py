"""Regularizers for `RegularizedNetClassifier`, `DeepClassifier` and their regression twins."""

from skreg.deep.regularizers._conr import ConR
from skreg.deep.regularizers._conv_orthogonality import ConvOrthogonality
from skreg.deep.regularizers._elr import ELR
from skreg.deep.regularizers._elr_plus import ELRPlus
from skreg.deep.regularizers._orthogonal_gradient import OrthogonalGradient
from skreg.deep.regularizers._ps_kd import PSKD
from skreg.deep.regularizers._sam import SAM, FisherSAM
from skreg.deep.regularizers._stablemax import StabilityMonitor, StableMax
from skreg.deep.regularizers._tcm import ThresholdConsistentMargin
from skreg.deep.regularizers._tram import TRAM, TrustRegionPenalty
from skreg.deep.regularizers._weight_compander import WeightCompander

__all__ = [
    "ELR",
    "PSKD",
    "SAM",
    "TRAM",
    "ConR",
    "ConvOrthogonality",
    "ELRPlus",
    "FisherSAM",
    "OrthogonalGradient",
    "StabilityMonitor",
    "StableMax",
    "ThresholdConsistentMargin",
    "TrustRegionPenalty",
    "WeightCompander",
]
