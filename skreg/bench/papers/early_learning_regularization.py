"""Does ELR keep a network from memorising wrong labels, and does it find them?

Liu et al. (NeurIPS 2020) add a term to the cross entropy that keeps what a network predicts early
in training, before it memorises wrong labels (ELR); ELR+ adds a second network, averaged weights
and mixup. In a small version of their experiment, 40% of the training labels of handwritten digits
are drawn anew from all classes. Measured is the accuracy on clean test digits after the last epoch,
how many of the wrong labels were memorised, and how well wrong labels are found: by ELR's running
averages, for other methods by their predictions of the training digits.

Rivals are plain cross entropy, label smoothing, weight decay, mixup and PS-KD.
"""

from __future__ import annotations

from skreg.bench import Benchmark, Claim, Figure, Metric, Paper, Setting
from skreg.bench.arena.checks import all_of, gain, level
from skreg.bench.arena.deep_methods import (
    Method,
    trained,
    with_decay,
    with_regularizer,
    with_smoothing,
)
from skreg.bench.arena.deep_tasks import for_epochs, noisy_digits
from skreg.bench.arena.dots import CAPTION, Dots, dots_of_methods
from skreg.bench.arena.noisy_labels import without_decay, wrong_labels
from skreg.deep.regularizers import ELR, PSKD, ELRPlus, Mixup

EXTRA = "deep"
PAPER = Paper(
    title="Early-Learning Regularization Prevents Memorization of Noisy Labels",
    authors=(
        "Liu, Sheng",
        "Niles-Weed, Jonathan",
        "Razavian, Narges",
        "Fernandez-Granda, Carlos",
    ),
    venue="Advances in Neural Information Processing Systems",
    year=2020,
    here="skreg.deep.regularizers.ELR, skreg.deep.regularizers.ELRPlus, skreg.deep.torch.ELRLoss",
    arxiv="2007.00151",
    code="https://github.com/shengliu66/ELR",
)

PLAIN, SMOOTHING, DECAY = "Cross entropy", "Label smoothing 0.1", "Weight decay"
MIXUP, PS_KD = "Mixup", "PS-KD"
ELR_WEAK, ELR_, ELR_PLUS = "ELR, strength 1", "ELR, strength 3", "ELR+"
DIGITS = "Digits, 40% of the labels drawn anew"

METHODS = {
    PLAIN: Method(),
    SMOOTHING: with_smoothing(0.1),
    DECAY: with_decay(5e-3),
    MIXUP: with_regularizer(Mixup, 1.0),
    PS_KD: with_regularizer(PSKD),
    ELR_WEAK: with_regularizer(ELR, lam=1.0),
    ELR_: with_regularizer(ELR, lam=3.0),
    # two networks take turns; the paper's ramp of 40000 steps is about half of one's training
    ELR_PLUS: with_regularizer(ELRPlus, ema_rampup=1200)._replace(n_networks=2),
}

benchmark = Benchmark(
    settings={
        DIGITS: Setting(
            description=(
                "1257 training digits of 8 x 8 pixels, whose labels are drawn anew from all ten "
                "classes with probability 0.4 (36% are then wrong); network 64-256-256-10, 120 "
                "epochs of SGD without weight decay; 540 clean test digits."
            ),
            data=for_epochs(noisy_digits),
            measure=trained(without_decay, wrong_labels),
            metrics=["accuracy", "memorised", "found", "false_alarms"],
            parameters={"smallest": {"epochs": 4}, "full": {"epochs": 120}},
        )
    },
    methods=METHODS,
    metrics={
        "accuracy": Metric("Test accuracy", better="higher"),
        "memorised": Metric("Wrong labels memorised"),
        "found": Metric("Wrong labels found", better="higher"),
        "false_alarms": Metric("Right labels suspected"),
    },
    repeats={"smallest": 1, "quick": 5, "full": 5},
    reference=PLAIN,
    claims=[
        Claim(
            "ELR keeps the network from memorising wrong labels.",
            gain(ELR_, PLAIN, "accuracy", setting=DIGITS, at_least=0.10),
            [DIGITS],
        ),
        Claim(
            "ELR's running averages find wrong labels.",
            all_of(
                level(ELR_, "found", setting=DIGITS, at_least=0.7),
                level(ELR_, "false_alarms", setting=DIGITS, at_most=0.03),
                names=["wrong labels found", "right labels suspected"],
            ),
            [DIGITS],
        ),
        Claim(
            "ELR is ahead of all rivals.",
            gain(ELR_, [PLAIN, SMOOTHING, DECAY, MIXUP, PS_KD], "accuracy", setting=DIGITS),
            [DIGITS],
        ),
        Claim("ELR+ is ahead of ELR.", gain(ELR_PLUS, ELR_, "accuracy", setting=DIGITS), [DIGITS]),
    ],
    figures=[
        Figure(
            CAPTION,
            dots_of_methods(
                Dots(DIGITS, "accuracy", "Clean test digits", "Accuracy, last epoch"),
                Dots(DIGITS, "memorised", "Wrong labels", "Share memorised, last epoch"),
                methods=[*METHODS],
            ),
            [DIGITS],
        )
    ],
)
