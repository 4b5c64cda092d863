"""Does fine-tuning within a trust region keep what a pretrained network can do?

Sherborne et al. (ICLR 2024) take the gradient at a point uphill, as sharpness-aware minimization
(SAM) does, but go only as far as the network's predictions have moved (TRAM). They report that
networks fine-tuned so work better on data unlike those of fine-tuning.

A small version: a perceptron is pretrained on handwritten digits and their shifts by one pixel. Its
last layer is made anew, the labels are permuted, and it is fine-tuned on 100 digits without shifts.
Measured is the accuracy on test digits as they are, and on their four shifts, which fine-tuning
never showed; and by how much the loss of the 100 digits rises in a small box around the parameters.
All methods see the same batches in the same order, from the same pretrained network.

Rivals are Adam, weight decay, label smoothing, and the trust region as a penalty.
"""

from __future__ import annotations

from skreg.bench import Benchmark, Claim, Figure, Metric, Paper, Setting
from skreg.bench.arena.checks import all_of, gain
from skreg.bench.arena.dots import Dots, dots_of_methods
from skreg.bench.arena.fine_tuning import (
    FineTuning,
    from_initial,
    from_noised,
    measure,
    pretrained_digits,
)
from skreg.deep.torch import SAM, TRAM, FisherSAM, TrustRegionDistance

EXTRA = "deep"
PAPER = Paper(
    title="TRAM: Bridging Trust Regions and Sharpness Aware Minimization",
    authors=("Sherborne, Tom", "Saphra, Naomi", "Dasigi, Pradeep", "Peng, Hao"),
    venue="International Conference on Learning Representations",
    year=2024,
    here=(
        "skreg.deep.torch.TRAM, skreg.deep.torch.TrustRegionDistance, "
        "skreg.deep.regularizers.TRAM, skreg.deep.regularizers.TrustRegionPenalty"
    ),
    arxiv="2310.03646",
    code="https://github.com/tomsherborne/tram_optimizer",
)

ADAM, DECAY, SMOOTHING = "Adam", "Weight decay", "Label smoothing 0.1"
SAM_, ASAM, FISHER = "SAM, radius 0.05", "ASAM, radius 0.5", "Fisher SAM"
INITIAL, PREVIOUS, NOISED = "TRAM, initial", "TRAM, previous", "TRAM, noised inputs"
PENALTY, NOISED_PENALTY = "Penalty, initial", "Penalty, noised inputs"
SETTING = "Shifted digits"


METHODS = {
    ADAM: FineTuning(),
    DECAY: FineTuning(weight_decay=0.1),
    SMOOTHING: FineTuning(label_smoothing=0.1),
    SAM_: FineTuning(lambda base: SAM(base, 0.05)),
    ASAM: FineTuning(lambda base: SAM(base, 0.5, adaptive=True)),
    FISHER: FineTuning(FisherSAM),
    INITIAL: FineTuning(TRAM, from_initial),
    PREVIOUS: FineTuning(TRAM, TrustRegionDistance),
    NOISED: FineTuning(TRAM, from_noised),
    PENALTY: FineTuning(distance=from_initial, penalty=0.1),
    NOISED_PENALTY: FineTuning(distance=from_noised, penalty=0.1),
}

benchmark = Benchmark(
    settings={
        SETTING: Setting(
            description=(
                "Perceptron 64-128-128-10, pretrained with Adam for 4 epochs on 900 digits and "
                "their four shifts; fine-tuned with Adam for 20 epochs of batches of 32 on 100 "
                "unshifted digits with permuted labels and a new last layer; 797 test digits and "
                "their shifts."
            ),
            data=pretrained_digits,
            measure=measure,
            metrics=["inside", "outside", "sharpness", "distance"],
            parameters={
                "smallest": {"epochs": 1, "fine_tuning": 2},
                "full": {"epochs": 4, "fine_tuning": 20},
            },
        )
    },
    methods=METHODS,
    metrics={
        "inside": Metric("Accuracy, unshifted", "%", digits=1, better="higher"),
        "outside": Metric("Accuracy, shifted", "%", digits=1, better="higher"),
        "sharpness": Metric("Sharpness in a box of 0.001", "%"),
        "distance": Metric("Mean trust-region distance"),
    },
    repeats={"smallest": 1, "quick": 30, "full": 30},
    reference=ADAM,
    together=True,
    claims=[
        Claim(
            "TRAM with the pretrained network as target is better than Adam on shifted digits, and "
            "not much worse on unshifted ones.",
            all_of(
                gain(INITIAL, ADAM, "outside", setting=SETTING, at_least=0.5),
                gain(INITIAL, ADAM, "inside", setting=SETTING, at_least=-0.5),
                names=["shifted", "unshifted"],
            ),
            [SETTING],
        ),
        Claim(
            "SAM and ASAM are better than Adam on shifted digits.",
            all_of(
                *(gain(name, ADAM, "outside", setting=SETTING) for name in (SAM_, ASAM)),
                names=[SAM_, ASAM],
            ),
            [SETTING],
        ),
        Claim(
            "TRAM is better than SAM, ASAM and Fisher SAM.",
            gain(INITIAL, [SAM_, ASAM, FISHER], "outside", setting=SETTING),
            [SETTING],
        ),
        Claim(
            "The trust region as a radius is better than as a penalty.",
            gain(INITIAL, [PENALTY, NOISED_PENALTY], "outside", setting=SETTING),
            [SETTING],
        ),
        Claim(
            "The minima are flatter than Adam's.",
            all_of(
                *(gain(name, ADAM, "sharpness", setting=SETTING) for name in (SAM_, ASAM, INITIAL)),
                names=[SAM_, ASAM, INITIAL],
            ),
            [SETTING],
        ),
    ],
    figures=[
        Figure(
            "Accuracy after fine-tuning, relative to Adam: means over the seeds with intervals at "
            "95 %.",
            dots_of_methods(
                Dots(SETTING, "outside", "Shifted digits", "Percentage points above Adam"),
                Dots(SETTING, "inside", "Unshifted digits", "Percentage points above Adam"),
                methods=[name for name in METHODS if name != ADAM],
                against=ADAM,
            ),
            [SETTING],
        )
    ],
)
