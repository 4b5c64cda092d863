"""What `skreg.deep.torch` and `skreg.deep.regularizers` offer, and where it stands."""

import importlib

# room, name, regularizers in _NAME_regularizer.py, parts for any training loop in _NAME.py
METHODS = (
    ("frame", "frozen_copy", (), ("FrozenCopy",)),
    ("frame", "memory", (), ("SampleMemory",)),
    ("frame", "optimizer", (), ("OptimizerWrapper",)),
    ("frame", "parameter_groups", (), ("own_group",)),
    ("frame", "parametrizations", (), ("make_picklable",)),
    ("frame", "targets", (), ("as_probabilities",)),
    ("frame", "views", (), ("Mixing", "cutmix", "mixup", "views")),
    ("diagnostics", "effective_rank", ("EffectiveRankMonitor",), ("effective_rank",)),
    ("distillation", "ps_kd", ("PSKD",), ("PSKDLoss", "PSKDTargets")),
    ("distillation", "r_drop", ("RDrop",), ("symmetric_divergence",)),
    ("imbalance", "conr", ("ConR",), ("ConRLoss",)),
    ("imbalance", "density_weights", (), ("density_weights",)),
    (
        "labels",
        "confidence_penalty",
        ("ConfidencePenalty",),
        ("confidence_penalty", "entropy"),
    ),
    ("labels", "cutmix", ("CutMix",), ()),
    ("labels", "elr", ("ELR",), ("ELRLoss", "ELRPenalty")),
    ("labels", "elr_plus", ("ELRPlus",), ("ELRPlus",)),
    ("labels", "flooding", ("Flooding",), ("flooded",)),
    ("labels", "label_smoothing", ("LabelSmoothing",), ("smooth_targets",)),
    ("labels", "mixup", ("Mixup",), ()),
    (
        "metric_learning",
        "tcm",
        ("ThresholdConsistentMargin",),
        ("ThresholdConsistentMarginLoss",),
    ),
    ("numerics", "gradient_clipping", ("GradientClipping",), ("GradientClipping",)),
    (
        "numerics",
        "orthogonal_gradient",
        ("OrthogonalGradient",),
        ("OrthogonalGradient", "orthogonalize_gradients", "weight_gradient_cosine"),
    ),
    ("numerics", "spectral_decoupling", ("SpectralDecoupling",), ("spectral_decoupling",)),
    ("numerics", "stability_monitor", ("StabilityMonitor",), ()),
    (
        "numerics",
        "stablemax",
        ("StableMax",),
        (
            "StableMaxCrossEntropyLoss",
            "log_stablemax",
            "softmax_collapse_rate",
            "stablemax",
            "zero_loss_rate",
        ),
    ),
    ("sharpness", "fisher_sam", ("FisherSAM",), ("FisherSAM", "fisher_diagonal")),
    ("sharpness", "sam", ("SAM",), ("SAM", "TwoPassOptimizer", "frozen_buffers")),
    ("sharpness", "sharpness", (), ("epsilon_sharpness", "linear_cka")),
    ("sharpness", "tram", ("TRAM",), ("TRAM",)),
    ("sharpness", "trust_region", ("TrustRegionPenalty",), ("TrustRegionDistance",)),
    (
        "weights",
        "conv_existence",
        (),
        ("Existence", "orthogonal_conv_exists", "orthogonal_conv_init_"),
    ),
    (
        "weights",
        "conv_orthogonality",
        ("ConvOrthogonality",),
        ("orthogonality_bounds", "orthogonality_loss"),
    ),
    ("weights", "conv_spectrum", (), ("conv_singular_values", "conv_spectral_norm")),
    (
        "weights",
        "orthogonality_penalty",
        (),
        ("LayerOrthogonality", "orthogonality_penalty", "orthogonality_report"),
    ),
    ("weights", "weight_average", ("EMAWeights", "SWA"), ("WeightAverage",)),
    (
        "weights",
        "weight_compander",
        ("WeightCompander",),
        (
            "ExperimentalWarning",
            "WeightCompander",
            "WeightStatistics",
            "apply_weight_compander",
            "compander_param_groups",
            "remove_weight_compander",
            "weight_statistics",
        ),
    ),
)

REGULARIZERS = {
    exported: f"{room}._{name}_regularizer"
    for room, name, exports, _ in METHODS
    for exported in exports
}
PARTS = {exported: f"{room}._{name}" for room, name, _, exports in METHODS for exported in exports}


def facade(package, modules):
    """``__getattr__`` and ``__dir__`` of a package whose names stand in other modules.

    Parameters
    ----------
    package : str
        Name of the package.
    modules : dict of str to str
        The module of `skreg.deep` in which each name stands.

    Returns
    -------
    getattr, dir : callable
        The two functions.
    """

    def find(name):
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"skreg.deep.{modules[name]}"), name)

    return find, lambda: sorted(modules)
