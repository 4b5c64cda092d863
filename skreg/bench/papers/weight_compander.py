"""Does companding keep weights small and away from zero, and does that help?

Cakaj, Mehnert and Yang (arXiv:2306.16993) train a free variable behind each weight, of which the
weight is a bounded nonlinear function, and report better accuracy in image classification on top of
the usual regularizers. Their formula was not at hand; what is measured is the arctangent of
`skreg.deep.torch.WeightCompander`, which fits their description. Outcomes are those of the
reconstruction, not of the paper.

A perceptron is trained on 200 handwritten digits, with momentum, weight decay and a cosine
schedule. Measured are accuracy and log-loss on the other digits, and, in the middle layer, the
largest weight and the share of weights below 0.01.

Rivals are the plain network, label smoothing and dropout.
"""

from __future__ import annotations

import functools

from skreg.bench import Benchmark, Claim, Figure, Metric, Paper, Setting
from skreg.bench.arena.checks import all_of, gain
from skreg.bench.arena.companded_weights import measure
from skreg.bench.arena.deep_methods import Method, with_regularizer, with_smoothing
from skreg.bench.arena.deep_tasks import digits, for_epochs
from skreg.bench.arena.dots import CAPTION, Dots, dots_of_methods
from skreg.deep.regularizers import WeightCompander

EXTRA = "deep"
PAPER = Paper(
    title="Weight Compander: A Simple Weight Reparameterization for Regularization",
    authors=("Cakaj, Rinor", "Mehnert, Jens", "Yang, Bin"),
    venue="arXiv",
    year=2023,
    here="skreg.deep.regularizers.WeightCompander, skreg.deep.torch.WeightCompander",
    kind="report",
    arxiv="2306.16993",
)

PLAIN, SMOOTHING, DROPOUT = "Plain", "Label smoothing 0.1", "Dropout 0.2"
STEEP, WIDE, FLAT = "Slope 2, bound 4 s.d.", "Slope 2, bound 8 s.d.", "Slope 1, bound 8 s.d."
LEARNED = "Learned scales"
SETTING = "200 digits"

METHODS = {
    PLAIN: Method(),
    SMOOTHING: with_smoothing(0.1),
    DROPOUT: Method(net_params={"module__dropout": 0.2}),
    STEEP: with_regularizer(WeightCompander, 2.0, 4.0),
    WIDE: with_regularizer(WeightCompander, 2.0, 8.0),
    FLAT: with_regularizer(WeightCompander, 1.0, 8.0),
    LEARNED: with_regularizer(WeightCompander, 2.0, 4.0, learnable=True),
}

benchmark = Benchmark(
    settings={
        SETTING: Setting(
            description=(
                "200 training digits of 8 x 8 pixels, perceptron 64-256-256-10, 80 epochs of SGD "
                "with momentum 0.9, weight decay 5e-4 and a cosine schedule; 1597 test digits."
            ),
            data=for_epochs(functools.partial(digits, train_size=200)),
            measure=measure,
            metrics=["accuracy", "log_loss", "largest", "near_zero"],
            parameters={"smallest": {"epochs": 2}, "full": {"epochs": 80}},
        )
    },
    methods=METHODS,
    metrics={
        "accuracy": Metric("Test accuracy", "%", digits=2, better="higher"),
        "log_loss": Metric("Log-loss", "nats"),
        "largest": Metric("Largest weight"),
        "near_zero": Metric("Share of weights below 0.01"),
    },
    repeats={"smallest": 1, "quick": 10, "full": 10},
    reference=PLAIN,
    claims=[
        Claim(
            "Companding bounds the weights and keeps them away from zero.",
            all_of(
                gain(STEEP, PLAIN, "largest", setting=SETTING),
                gain(STEEP, PLAIN, "near_zero", setting=SETTING),
                names=["largest weight", "share near zero"],
            ),
            [SETTING],
        ),
        Claim(
            "It costs no accuracy.",
            all_of(
                *(
                    gain(name, PLAIN, "accuracy", setting=SETTING, at_least=-0.5)
                    for name in (STEEP, WIDE)
                ),
                names=[STEEP, WIDE],
            ),
            [SETTING],
        ),
        Claim(
            "It improves accuracy on top of weight decay.",
            gain(STEEP, PLAIN, "accuracy", setting=SETTING),
            [SETTING],
        ),
    ],
    figures=[
        Figure(
            CAPTION,
            dots_of_methods(
                Dots(SETTING, "accuracy", "Digits", "Test accuracy (%)"),
                Dots(SETTING, "near_zero", "Middle layer", "Share of weights below 0.01"),
                methods=[*METHODS],
            ),
            [SETTING],
        )
    ],
)
