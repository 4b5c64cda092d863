"""Regularizers for `RegularizedNetClassifier`, `DeepClassifier` and their regression twins."""

from skreg._optional import require

require("skorch", "deep", "skreg.deep.regularizers")

from ..diagnostics._effective_rank_regularizer import EffectiveRankMonitor
from ..distillation._ps_kd_regularizer import PSKD
from ..distillation._r_drop_regularizer import RDrop
from ..domain._domain_heads_regularizer import DomainSpecificHeads
from ..imbalance._conr_regularizer import ConR
from ..labels._confidence_penalty_regularizer import ConfidencePenalty
from ..labels._cutmix_regularizer import CutMix
from ..labels._elr_plus_regularizer import ELRPlus
from ..labels._elr_regularizer import ELR
from ..labels._flooding_regularizer import Flooding
from ..labels._label_smoothing_regularizer import LabelSmoothing
from ..labels._mixup_regularizer import Mixup
from ..metric_learning._tcm_regularizer import ThresholdConsistentMargin
from ..numerics._gradient_clipping_regularizer import GradientClipping
from ..numerics._orthogonal_gradient_regularizer import OrthogonalGradient
from ..numerics._spectral_decoupling_regularizer import SpectralDecoupling
from ..numerics._stability_monitor_regularizer import StabilityMonitor
from ..numerics._stablemax_regularizer import StableMax
from ..segmentation._adawac_regularizer import AdaWAC
from ..segmentation._adele_regularizer import ADELE
from ..sharpness._fisher_sam_regularizer import FisherSAM
from ..sharpness._sam_regularizer import SAM
from ..sharpness._tram_regularizer import TRAM
from ..sharpness._trust_region_regularizer import TrustRegionPenalty
from ..sparsity._dynamic_gates_regularizer import DynamicGates
from ..sparsity._magnitude_pruning_regularizer import MagnitudePruning
from ..sparsity._mask_sparsity_regularizer import MaskSparsity, NetworkSlimming
from ..sparsity._mask_tuning_regularizer import MaskTuning
from ..sparsity._nm_sparsity_regularizer import NMSparsity
from ..sparsity._sara_regularizer import SaRA
from ..transfer._dr_tune_regularizer import DRTune
from ..weights._conv_orthogonality_regularizer import ConvOrthogonality
from ..weights._weight_average_regularizer import SWA, EMAWeights
from ..weights._weight_compander_regularizer import WeightCompander

__all__ = [
    "ADELE",
    "ELR",
    "PSKD",
    "SAM",
    "SWA",
    "TRAM",
    "AdaWAC",
    "ConR",
    "ConfidencePenalty",
    "ConvOrthogonality",
    "CutMix",
    "DRTune",
    "DomainSpecificHeads",
    "DynamicGates",
    "ELRPlus",
    "EMAWeights",
    "EffectiveRankMonitor",
    "FisherSAM",
    "Flooding",
    "GradientClipping",
    "LabelSmoothing",
    "MagnitudePruning",
    "MaskSparsity",
    "MaskTuning",
    "Mixup",
    "NMSparsity",
    "NetworkSlimming",
    "OrthogonalGradient",
    "RDrop",
    "SaRA",
    "SpectralDecoupling",
    "StabilityMonitor",
    "StableMax",
    "ThresholdConsistentMargin",
    "TrustRegionPenalty",
    "WeightCompander",
]
