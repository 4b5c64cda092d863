"""Does a network that fits its training data generalise once it may not just scale its weights?

Prieto et al. (ICLR 2025) observe that a classifier at 100% training accuracy lowers its loss by
scaling its weights up, until the softmax collapses in floating point and learning stops before it
has generalised. Removing the gradient's component along the weights (perp-Grad) lets it generalise
within hundreds of epochs, without weight decay. StableMax, whose loss does not vanish, gets there
too, but needs tens of thousands of epochs, more than are run here.

In a small version of their experiment, a network learns addition modulo 59 from 40% of all pairs of
one-hot numbers, full batch, by AdamW without weight decay, in float32. Rivals are plain cross
entropy, label smoothing, and weight decays between 1 and 8.
"""

from __future__ import annotations

from torch import nn

from skreg.bench import Axis, Benchmark, Claim, Figure, Metric, Paper, Setting
from skreg.bench.arena.checks import all_of, level
from skreg.bench.arena.curve_views import curves_of_groups
from skreg.bench.arena.deep_checks import sooner
from skreg.bench.arena.modular_addition import FullBatch, addition, measure
from skreg.deep.torch import StableMaxCrossEntropyLoss

EXTRA = "deep"
PAPER = Paper(
    title="Grokking at the Edge of Numerical Stability",
    authors=("Prieto, Lucas", "Barsbey, Melih", "Mediano, Pedro A. M.", "Birdal, Tolga"),
    venue="International Conference on Learning Representations",
    year=2025,
    here=(
        "skreg.deep.torch.StableMaxCrossEntropyLoss, skreg.deep.torch.OrthogonalGradient, "
        "skreg.deep.regularizers.StableMax, skreg.deep.regularizers.OrthogonalGradient"
    ),
    arxiv="2501.04697",
    code="https://github.com/LucasPrietoAl/grokking-at-the-edge-of-numerical-stability",
)

PLAIN, SMOOTHING = "Cross entropy", "Label smoothing 0.1"
DECAYS = {decay: f"Weight decay {decay:g}" for decay in (1.0, 3.0, 8.0)}
PERP, PERP_PLAIN = "perp-Grad, rescaled", "perp-Grad"
PERP_GLOBAL, PERP_STABLE = "perp-Grad, global", "perp-Grad and StableMax"
STABLE = "StableMax"
UNPROJECTED = [PLAIN, SMOOTHING, *DECAYS.values(), STABLE]
PROJECTED = [PERP, PERP_PLAIN, PERP_GLOBAL, PERP_STABLE]
ADDITION = "Addition modulo 59"
EPOCH, LAST = Axis("epoch", "Epoch"), 300

METHODS = {
    PLAIN: FullBatch(),
    SMOOTHING: FullBatch(lambda: nn.CrossEntropyLoss(label_smoothing=0.1)),
    **{name: FullBatch(weight_decay=decay) for decay, name in DECAYS.items()},
    PERP: FullBatch(projection={"rescale": True}),
    PERP_PLAIN: FullBatch(projection={"rescale": False}),
    PERP_GLOBAL: FullBatch(projection={"rescale": False, "per": "global"}),
    PERP_STABLE: FullBatch(StableMaxCrossEntropyLoss, {"rescale": True}),
    STABLE: FullBatch(StableMaxCrossEntropyLoss),
}

benchmark = Benchmark(
    settings={
        ADDITION: Setting(
            description=(
                "1392 of all 3481 pairs for training; network 118-200-200-59 without biases, AdamW "
                "with learning rate 0.01."
            ),
            data=addition,
            measure=measure,
            metrics=["accuracy", "train_accuracy", "collapse"],
            axis=EPOCH,
            parameters={
                "smallest": {"modulus": 7, "epochs": [50, LAST]},
                "full": {"modulus": 59, "epochs": [50, 100, 150, 200, 250, LAST]},
            },
        )
    },
    methods=METHODS,
    metrics={
        "accuracy": Metric("Test accuracy", better="higher"),
        "train_accuracy": Metric("Training accuracy", better="higher"),
        "collapse": Metric("Samples with collapsed softmax"),
    },
    repeats={"smallest": 1, "quick": 5, "full": 5},
    reference=PLAIN,
    claims=[
        Claim(
            "perp-Grad generalises, plain cross entropy only fits.",
            all_of(
                level(PERP_PLAIN, "accuracy", setting=ADDITION, at=LAST, at_least=0.9),
                level(PLAIN, "accuracy", setting=ADDITION, at=LAST, at_most=0.1),
                level(PLAIN, "train_accuracy", setting=ADDITION, at=LAST, at_least=1.0),
                names=["test accuracy", "test accuracy", "training accuracy"],
            ),
            [ADDITION],
        ),
        Claim(
            "So does perp-Grad rescaled, as in the code.",
            level(PERP, "accuracy", setting=ADDITION, at=LAST, at_least=0.9),
            [ADDITION],
        ),
        Claim(
            "The softmax of plain cross entropy collapses.",
            all_of(
                level(PLAIN, "collapse", setting=ADDITION, at=LAST, at_least=0.5),
                level(PERP_PLAIN, "collapse", setting=ADDITION, at=LAST, at_most=0.5),
            ),
            [ADDITION],
        ),
        Claim(
            "Weight decay needs longer.",
            all_of(
                *(
                    sooner(PERP_PLAIN, decay, "accuracy", setting=ADDITION, reached=0.9)
                    for decay in DECAYS.values()
                )
            ),
            [ADDITION],
        ),
    ],
    figures=[
        Figure(
            "Test accuracy by epoch: mean over the seeds, with a band of one standard error.",
            curves_of_groups(
                {
                    "Without projection of the gradient": UNPROJECTED,
                    "With perp-Grad": PROJECTED,
                },
                "accuracy",
                EPOCH,
                "Test accuracy",
                setting=ADDITION,
                ylim=(-0.03, 1.03),
            ),
            [ADDITION],
        )
    ],
)
