"""Losses, optimizers, penalties and parametrizations for any PyTorch training loop."""

from skreg.deep.torch._conr import ConRLoss
from skreg.deep.torch._conv_existence import (
    Existence,
    orthogonal_conv_exists,
    orthogonal_conv_init_,
)
from skreg.deep.torch._conv_orthogonality import orthogonality_bounds, orthogonality_loss
from skreg.deep.torch._conv_spectrum import conv_singular_values, conv_spectral_norm
from skreg.deep.torch._density_weights import density_weights
from skreg.deep.torch._elr import ELRLoss, ELRPenalty
from skreg.deep.torch._elr_plus import ELRPlus
from skreg.deep.torch._fisher_sam import FisherSAM, fisher_diagonal
from skreg.deep.torch._frozen_copy import FrozenCopy
from skreg.deep.torch._memory import SampleMemory
from skreg.deep.torch._optimizer import OptimizerWrapper
from skreg.deep.torch._orthogonal_gradient import (
    OrthogonalGradient,
    orthogonalize_gradients,
    weight_gradient_cosine,
)
from skreg.deep.torch._orthogonality_penalty import (
    LayerOrthogonality,
    orthogonality_penalty,
    orthogonality_report,
)
from skreg.deep.torch._ps_kd import PSKDLoss, PSKDTargets
from skreg.deep.torch._sam import SAM, TwoPassOptimizer, frozen_buffers
from skreg.deep.torch._sharpness import epsilon_sharpness, linear_cka
from skreg.deep.torch._stablemax import (
    StableMaxCrossEntropyLoss,
    log_stablemax,
    softmax_collapse_rate,
    stablemax,
    zero_loss_rate,
)
from skreg.deep.torch._targets import as_probabilities
from skreg.deep.torch._tcm import ThresholdConsistentMarginLoss
from skreg.deep.torch._tram import TRAM
from skreg.deep.torch._trust_region import TrustRegionDistance
from skreg.deep.torch._weight_compander import (
    ExperimentalWarning,
    WeightCompander,
    WeightStatistics,
    apply_weight_compander,
    compander_param_groups,
    remove_weight_compander,
    weight_statistics,
)

__all__ = [
    "SAM",
    "TRAM",
    "ConRLoss",
    "ELRLoss",
    "ELRPenalty",
    "ELRPlus",
    "Existence",
    "ExperimentalWarning",
    "FisherSAM",
    "FrozenCopy",
    "LayerOrthogonality",
    "OptimizerWrapper",
    "OrthogonalGradient",
    "PSKDLoss",
    "PSKDTargets",
    "SampleMemory",
    "StableMaxCrossEntropyLoss",
    "ThresholdConsistentMarginLoss",
    "TrustRegionDistance",
    "TwoPassOptimizer",
    "WeightCompander",
    "WeightStatistics",
    "apply_weight_compander",
    "as_probabilities",
    "compander_param_groups",
    "conv_singular_values",
    "conv_spectral_norm",
    "density_weights",
    "epsilon_sharpness",
    "fisher_diagonal",
    "frozen_buffers",
    "linear_cka",
    "log_stablemax",
    "orthogonal_conv_exists",
    "orthogonal_conv_init_",
    "orthogonality_bounds",
    "orthogonality_loss",
    "orthogonality_penalty",
    "orthogonality_report",
    "orthogonalize_gradients",
    "remove_weight_compander",
    "softmax_collapse_rate",
    "stablemax",
    "weight_gradient_cosine",
    "weight_statistics",
    "zero_loss_rate",
]
