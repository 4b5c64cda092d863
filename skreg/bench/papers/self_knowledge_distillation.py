"""Does a network that learns from its own past predictions know better how sure it is?

Kim et al. (ICCV 2021) soften each target by the network's own prediction of the epoch before
(PS-KD) for better confidence. In a small version, 500 samples of a simulated problem with a tenth
of the labels flipped train a network on inputs with Gaussian noise. With twice the noise the
network is calibrated without help, and PS-KD is expected to harm: its strength must be validated.

Rivals are plain cross entropy, label smoothing, weight decay and mixup.
"""

from __future__ import annotations

import functools

from skreg.bench import Benchmark, Claim, Figure, Metric, Paper, Setting
from skreg.bench.arena.checks import all_of, gain
from skreg.bench.arena.confident_networks import confidence, on_noisy_inputs
from skreg.bench.arena.deep_methods import (
    Method,
    trained,
    with_decay,
    with_regularizer,
    with_smoothing,
)
from skreg.bench.arena.deep_tasks import flipped_clusters, for_epochs
from skreg.bench.arena.dots import CAPTION, Dots, dots_of_methods
from skreg.deep.regularizers import PSKD, Mixup

EXTRA = "deep"
PAPER = Paper(
    title="Self-Knowledge Distillation with Progressive Refinement of Targets",
    authors=("Kim, Kyungyul", "Ji, ByeongMoon", "Yoon, Doyoung", "Hwang, Sangheum"),
    venue="International Conference on Computer Vision",
    year=2021,
    here="skreg.deep.regularizers.PSKD, skreg.deep.torch.PSKDLoss, skreg.deep.torch.PSKDTargets",
    arxiv="2006.12000",
    code="https://github.com/lgcnsai/PS-KD-Pytorch",
)

PLAIN, SMOOTHING, DECAY = "Cross entropy", "Label smoothing 0.1", "Weight decay"
MIXUP, PS_KD = "Mixup", "PS-KD"
NOISE, MORE_NOISE = "Input noise 0.3", "Input noise 0.6"

METHODS = {
    PLAIN: Method(),
    SMOOTHING: with_smoothing(0.1),
    DECAY: with_decay(5e-3),
    MIXUP: with_regularizer(Mixup, 1.0),
    PS_KD: with_regularizer(PSKD),
}


def setting_with(noise: float, note: str) -> Setting:
    return Setting(
        description=(
            "20 features, 5 classes of two clusters, 10% of the labels flipped, 500 training rows; "
            f"noise of standard deviation {noise} is added to the inputs of each step. {note}"
        ),
        data=for_epochs(flipped_clusters),
        measure=trained(functools.partial(on_noisy_inputs, noise=noise), confidence),
        metrics=["error", "log_loss", "calibration", "risk_coverage"],
        parameters={"smallest": {"epochs": 4}, "full": {"epochs": 80}},
    )


benchmark = Benchmark(
    settings={
        NOISE: setting_with(0.3, "Cross entropy is over-confident here."),
        MORE_NOISE: setting_with(0.6, "Cross entropy is nearly calibrated here."),
    },
    methods=METHODS,
    metrics={
        "error": Metric("Test error"),
        "log_loss": Metric("Log-loss", "nats"),
        "calibration": Metric("Expected calibration error"),
        "risk_coverage": Metric("Area under risk-coverage"),
    },
    repeats={"smallest": 1, "quick": 5, "full": 5},
    reference=PLAIN,
    claims=[
        Claim(
            "PS-KD gives better confidence than cross entropy, and ranks no worse than label "
            "smoothing.",
            all_of(
                gain(PS_KD, PLAIN, "log_loss", setting=NOISE, at_least=0.2),
                gain(PS_KD, PLAIN, "calibration", setting=NOISE, at_least=0.04),
                gain(PS_KD, SMOOTHING, "risk_coverage", setting=NOISE),
                names=["log-loss", "calibration error", "area under risk-coverage"],
            ),
            [NOISE],
        ),
        Claim(
            "PS-KD harms a network that is calibrated already.",
            gain(PLAIN, PS_KD, "calibration", setting=MORE_NOISE),
            [MORE_NOISE],
        ),
    ],
    figures=[
        Figure(
            CAPTION,
            dots_of_methods(
                Dots(NOISE, "log_loss", NOISE, "Log-loss (nats)"),
                Dots(MORE_NOISE, "log_loss", MORE_NOISE, "Log-loss (nats)"),
                Dots(NOISE, "calibration", NOISE, "Expected calibration error"),
                Dots(MORE_NOISE, "calibration", MORE_NOISE, "Expected calibration error"),
                methods=[*METHODS],
            ),
            [NOISE, MORE_NOISE],
        )
    ],
)
