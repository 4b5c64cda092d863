"""What is measured of networks whose channels are cut, and on what."""

from __future__ import annotations

import functools

from skreg.bench import Axis, Metric, Setting
from skreg.bench.arena.deep_tasks import digits, for_epochs
from skreg.bench.arena.slim_channels import (
    by_filter_norms,
    masked,
    masked_by_layer,
    measure_stages,
    measure_time,
    networks_to_cut,
    slimmed,
    unpenalised,
)

MASKED, SLIM, PLAIN = "MaskSparsity", "Network slimming", "No penalty"
NORMS, HALF = "Norms of filters", "MaskSparsity, strength 0.05"
PROX, LAYERS = "MaskSparsity, proximal", "MaskSparsity, by layer"
ROUTES = {
    MASKED: masked(strength=0.1, mode="subgradient"),
    PROX: masked(),
    LAYERS: masked_by_layer,
    HALF: masked(strength=0.05, mode="subgradient"),
    SLIM: slimmed,
    PLAIN: unpenalised,
    NORMS: by_filter_norms,
}
WHOLE, CUT = "Whole", "Half of the channels"
DIGITS, TIME = "Digits", "Time"

METRICS = {
    "before": Metric("Accuracy before the cut", "%", digits=1, better="higher"),
    "after": Metric("Accuracy after the cut", "%", digits=1, better="higher"),
    "drop": Metric("Lost by the cut", "points", digits=1),
    "absorbed": Metric("After a cut that absorbs biases", "%", digits=1, better="higher"),
    "tuned": Metric("Fine-tuned", "%", digits=1, better="higher"),
    "kept": Metric("Mean factor, kept channels", better="higher"),
    "pruned": Metric("Mean factor, pruned channels", digits=5),
    "parameters": Metric("Parameters left"),
    "flops": Metric("Operations left"),
    "milliseconds": Metric("Processor time", "ms", digits=2),
    "megaflops": Metric("Operations", "10^6", digits=0),
    "thousands": Metric("Parameters", "10^3", digits=0),
    "lag": Metric("Time left over operations left", digits=2),
}

SETTINGS = {
    DIGITS: Setting(
        "600 training and 1197 test digits, drawn anew for each seed.",
        for_epochs(functools.partial(digits, train_size=600)),
        measure_stages,
        ["before", "after", "drop", "absorbed", "tuned", "kept", "pruned", "parameters", "flops"],
        methods=[*ROUTES],
        parameters={"smallest": {"epochs": 1}, "full": {"epochs": 8}},
    ),
    TIME: Setting(
        "Predictions of a ResNet-18, whole and with half of the channels of each layer.",
        networks_to_cut,
        measure_time,
        ["milliseconds", "megaflops", "thousands", "lag"],
        Axis("batch", "Batch size"),
        [WHOLE, CUT],
        {"smallest": {"width": 8}, "quick": {"width": 16}, "full": {"width": 32}},
    ),
}
