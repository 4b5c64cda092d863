"""Methods and settings of the benchmark of gates that open channels for each digit."""

from __future__ import annotations

from skreg.bench import Setting
from skreg.bench.arena.gated_digits import Closing, measure, pretrained_digits

BEFORE, TEN, FIFTY = "Before training", "Ten epochs", "Fifty epochs"
DENSE = "Without gates"
MASSES = (0.95, 0.85, 0.7, 0.6)
TARGETS = {f"Activations, {mass}": Closing(mass, trained=False) for mass in MASSES}
PLAIN = {"softmax": False}
GATES = {f"Gates, {mass}": Closing(mass, options=PLAIN) for mass in MASSES}
SOFT, MAX, JOINT = "Gates, 0.7, softmax", "Gates, 0.7, max pooling", "Gates, 0.7, joint"
VARIANTS = {
    SOFT: Closing(0.7),
    MAX: Closing(0.7, options=PLAIN | {"pooling": "max"}),
    JOINT: Closing(0.7, options=PLAIN | {"mode": "joint"}),
}
STATIC = {f"Static, as {mass}": Closing(static=f"Gates, {mass}") for mass in (0.7, 0.6)}
STATIC_MAX, STATIC_JOINT = "Static, as max pooling", "Static, as joint"
METHODS = {
    DENSE: Closing(), **TARGETS, **GATES, **VARIANTS, **STATIC, STATIC_MAX: Closing(static=MAX),
    STATIC_JOINT: Closing(static=JOINT),
}  # fmt: skip
AT_07 = ["Gates, 0.7", MAX]
METRICS = ["accuracy", "saved", "agreement"]
IN_FIFTY = [DENSE, *AT_07, JOINT, "Static, as 0.7", STATIC_MAX, STATIC_JOINT]

SETTINGS = {
    BEFORE: Setting(
        description="The trained network; the masks keep a share of each layer's activations.",
        data=pretrained_digits,
        measure=measure,
        metrics=["accuracy", "saved"],
        methods=[*TARGETS],
        parameters={
            "smallest": {"epochs": 1, "pretraining": 1},
            "quick": {"epochs": 1},
            "full": {"epochs": 1},
        },
    ),
    TEN: Setting(
        description="Fine-tuned for 10 epochs by SGD, rate 0.01 with a cosine schedule; gates "
        "learn in the first 5, at rate 0.1.",
        data=pretrained_digits,
        measure=measure,
        metrics=METRICS,
        methods=[DENSE, *GATES, *VARIANTS, *STATIC, STATIC_MAX],
        parameters={"smallest": {"epochs": 1, "pretraining": 1}, "full": {"epochs": 10}},
    ),
    FIFTY: Setting(
        description="The same for 50 epochs, gates learn in the first 25.",
        data=pretrained_digits,
        measure=measure,
        metrics=METRICS,
        methods=IN_FIFTY,
        parameters={"full": {"epochs": 50}},
    ),
}
