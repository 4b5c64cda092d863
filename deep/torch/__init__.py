"""Losses, optimizers, penalties and parametrizations for any PyTorch training loop."""

from ..diagnostics._effective_rank import effective_rank
from ..distillation._ps_kd import PSKDLoss, PSKDTargets
from ..distillation._r_drop import symmetric_divergence
from ..domain._domain_heads import DomainHeads, DRMLoss
from ..frame._frozen_copy import FrozenCopy
from ..frame._memory import SampleMemory
from ..frame._optimizer import OptimizerWrapper
from ..frame._parameter_groups import own_group
from ..frame._parametrizations import make_picklable
from ..frame._targets import as_probabilities
from ..frame._views import Mixing, cutmix, mixup, views
from ..imbalance._conr import ConRLoss
from ..imbalance._density_weights import density_weights
from ..labels._confidence_penalty import confidence_penalty, entropy
from ..labels._elr import ELRLoss, ELRPenalty
from ..labels._elr_plus import ELRPlus
from ..labels._flooding import flooded
from ..labels._label_smoothing import smooth_targets
from ..metric_learning._tcm import ThresholdConsistentMarginLoss
from ..numerics._gradient_clipping import GradientClipping
from ..numerics._orthogonal_gradient import (
    OrthogonalGradient,
    orthogonalize_gradients,
    weight_gradient_cosine,
)
from ..numerics._spectral_decoupling import spectral_decoupling
from ..numerics._stablemax import (
    StableMaxCrossEntropyLoss,
    log_stablemax,
    softmax_collapse_rate,
    stablemax,
    zero_loss_rate,
)
from ..segmentation._adawac import AdaWACLoss, dice_loss, feature_consistency
from ..segmentation._label_correction import Correction, correct_labels
from ..segmentation._memorization_onset import (
    CurveFit,
    Onset,
    iou_curve_fit,
    memorization_onset,
)
from ..segmentation._multiscale import MultiScaleConsistencyLoss, multiscale_consistency
from ..sharpness._fisher_sam import FisherSAM, fisher_diagonal
from ..sharpness._sam import SAM, TwoPassOptimizer, frozen_buffers
from ..sharpness._sharpness import epsilon_sharpness, linear_cka
from ..sharpness._tram import TRAM
from ..sharpness._trust_region import TrustRegionDistance
from ..sparsity._binary_mask import (
    BinaryMask,
    apply_binary_masks,
    load_masks,
    mask_scores,
    save_masks,
    set_binary_masks,
    unmasked,
)
from ..sparsity._channel_cutting import prune_channels
from ..sparsity._channel_graph import channel_groups
from ..sparsity._channel_masks import channel_masks, merge_group_votes, optimal_threshold
from ..sparsity._counting import count_flops, count_parameters
from ..sparsity._dynamic_gates import (
    DynamicChannelGate,
    add_dynamic_gates,
    gate_loss,
    gates,
    remove_dynamic_gates,
)
from ..sparsity._gate_masks import activation_score, mass_mask, topk_mask
from ..sparsity._gated_flops import GatedFlops, estimate_flops_reduction, gated_flops
from ..sparsity._gradient_dropout import (
    GradientDropoutStep,
    gradient_agreement,
    gradient_dropout,
    reference_cross_entropy,
)
from ..sparsity._magnitude import magnitude_masks, sparsity_at
from ..sparsity._masked_nuclear_norm import MaskedNuclearNorm
from ..sparsity._masks import (
    FixedMask,
    MaskedWeight,
    apply_masks,
    choose_weights,
    masked_weights,
    parametrize_weights,
    remove_masks,
    weight_masks,
)
from ..sparsity._nm_pattern import is_nm_sparse, nm_mask, nm_project
from ..sparsity._nm_schedule import nm_beta, nm_pattern
from ..sparsity._nm_sparsity import (
    NMSparsity,
    apply_nm_sparsity,
    finalize_nm_sparsity,
    set_nm_progress,
)
from ..sparsity._packing import pack_mask, unpack_mask
from ..sparsity._report import sparsity_report
from ..sparsity._sara import SaRA, sara_learning_rate
from ..sparsity._scaling_factors import ScalingFactorPenalty, travel_strength
from ..sparsity._sparse_parameters import SparseEntries, SparseParameters, apply_patch
from ..transfer._dr_tune import (
    DistributionRegularizationLoss,
    FeatureBank,
    SemanticCalibration,
    kabsch_rotation,
)
from ..transfer._prefix_prompt import OnePrompt, PrefixPrompt
from ..transfer._virtual_outliers import (
    EnergyMarginLoss,
    VirtualOutlierSynthesizer,
    energy,
    masked_cross_entropy,
)
from ..transport._patch_gaussian import PatchGaussianTransport
from ..transport._router import SparsityConstrainedRouter
from ..transport._routing import Routing
from ..transport._sparse_value import sparse_transport_value
from ..weights._conv_existence import Existence, orthogonal_conv_exists, orthogonal_conv_init_
from ..weights._conv_orthogonality import orthogonality_bounds, orthogonality_loss
from ..weights._conv_spectrum import conv_singular_values, conv_spectral_norm
from ..weights._orthogonality_penalty import (
    LayerOrthogonality,
    orthogonality_penalty,
    orthogonality_report,
)
from ..weights._weight_average import WeightAverage
from ..weights._weight_compander import (
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
    "AdaWACLoss",
    "BinaryMask",
    "ConRLoss",
    "Correction",
    "CurveFit",
    "DRMLoss",
    "DistributionRegularizationLoss",
    "DomainHeads",
    "DynamicChannelGate",
    "ELRLoss",
    "ELRPenalty",
    "ELRPlus",
    "EnergyMarginLoss",
    "Existence",
    "ExperimentalWarning",
    "FeatureBank",
    "FisherSAM",
    "FixedMask",
    "FrozenCopy",
    "GatedFlops",
    "GradientClipping",
    "GradientDropoutStep",
    "LayerOrthogonality",
    "MaskedNuclearNorm",
    "MaskedWeight",
    "Mixing",
    "MultiScaleConsistencyLoss",
    "NMSparsity",
    "OnePrompt",
    "Onset",
    "OptimizerWrapper",
    "OrthogonalGradient",
    "PSKDLoss",
    "PSKDTargets",
    "PatchGaussianTransport",
    "PrefixPrompt",
    "Routing",
    "SaRA",
    "SampleMemory",
    "ScalingFactorPenalty",
    "SemanticCalibration",
    "SparseEntries",
    "SparseParameters",
    "SparsityConstrainedRouter",
    "StableMaxCrossEntropyLoss",
    "ThresholdConsistentMarginLoss",
    "TrustRegionDistance",
    "TwoPassOptimizer",
    "VirtualOutlierSynthesizer",
    "WeightAverage",
    "WeightCompander",
    "WeightStatistics",
    "activation_score",
    "add_dynamic_gates",
    "apply_binary_masks",
    "apply_masks",
    "apply_nm_sparsity",
    "apply_patch",
    "apply_weight_compander",
    "as_probabilities",
    "channel_groups",
    "channel_masks",
    "choose_weights",
    "compander_param_groups",
    "confidence_penalty",
    "conv_singular_values",
    "conv_spectral_norm",
    "correct_labels",
    "count_flops",
    "count_parameters",
    "cutmix",
    "density_weights",
    "dice_loss",
    "effective_rank",
    "energy",
    "entropy",
    "epsilon_sharpness",
    "estimate_flops_reduction",
    "feature_consistency",
    "finalize_nm_sparsity",
    "fisher_diagonal",
    "flooded",
    "frozen_buffers",
    "gate_loss",
    "gated_flops",
    "gates",
    "gradient_agreement",
    "gradient_dropout",
    "iou_curve_fit",
    "is_nm_sparse",
    "kabsch_rotation",
    "linear_cka",
    "load_masks",
    "log_stablemax",
    "magnitude_masks",
    "make_picklable",
    "mask_scores",
    "masked_cross_entropy",
    "masked_weights",
    "mass_mask",
    "memorization_onset",
    "merge_group_votes",
    "mixup",
    "multiscale_consistency",
    "nm_beta",
    "nm_mask",
    "nm_pattern",
    "nm_project",
    "optimal_threshold",
    "orthogonal_conv_exists",
    "orthogonal_conv_init_",
    "orthogonality_bounds",
    "orthogonality_loss",
    "orthogonality_penalty",
    "orthogonality_report",
    "orthogonalize_gradients",
    "own_group",
    "pack_mask",
    "parametrize_weights",
    "prune_channels",
    "reference_cross_entropy",
    "remove_dynamic_gates",
    "remove_masks",
    "remove_weight_compander",
    "sara_learning_rate",
    "save_masks",
    "set_binary_masks",
    "set_nm_progress",
    "smooth_targets",
    "softmax_collapse_rate",
    "sparse_transport_value",
    "sparsity_at",
    "sparsity_report",
    "spectral_decoupling",
    "stablemax",
    "symmetric_divergence",
    "topk_mask",
    "travel_strength",
    "unmasked",
    "unpack_mask",
    "views",
    "weight_gradient_cosine",
    "weight_masks",
    "weight_statistics",
    "zero_loss_rate",
]
