"""Does a head that must also fit the pretrained features help fine-tuning on few samples?

Zhou et al. (ICCV 2023) fine-tune vision networks whose head is also trained on a bank of features
of the pretrained network, turned and shifted to where the features are now. On nine data sets with
a ResNet-50 they report 91.35 % on average, against 87.76 % of plain fine-tuning.

A small version: a perceptron is pretrained on clean handwritten digits, then fine-tuned on 3 or 8
of each class with noise in the pixels. The head has five times the encoder's learning rate
throughout; the paper's proportion is 1 + 64/16. DR-Tune's loss is normalized, which slows its
encoder to a fifth of the rate that it is given.

Rivals are the cross entropy at equal rates, with one rate for all layers, at the rates that
DR-Tune has in effect, and at the best of four rates, chosen on held-out digits; a pull to the
pretrained weights (L2-SP); and the bank without calibration.
"""

from __future__ import annotations

from skreg.bench import Axis, Benchmark, Claim, Figure, Metric, Paper, Setting
from skreg.bench.arena import few_digits as task
from skreg.bench.arena.checks import all_of, gain
from skreg.bench.arena.few_digits_checks import closes_the_gap, gain_of_best_rate, loses_less
from skreg.bench.arena.few_digits_views import curves_by_rate

EXTRA = "deep"
PAPER = Paper(
    title=(
        "DR-Tune: Improving Fine-tuning of Pretrained Visual Models by Distribution "
        "Regularization with Semantic Calibration"
    ),
    authors=("Zhou, Nan", "Chen, Jiaxin", "Huang, Di"),
    venue="IEEE/CVF International Conference on Computer Vision",
    year=2023,
    here="skreg.deep.regularizers.DRTune, skreg.deep.torch.DistributionRegularizationLoss",
    arxiv="2308.12058",
    code="https://github.com/weeknan/DR-Tune",
)

DR_TUNE, DR, L2_SP = "DR-Tune", "DR, not calibrated", "L2-SP"
PLAIN, ONE_RATE, SLOWED = "Cross entropy", "Cross entropy, one rate", "Cross entropy, slowed"
THREE, EIGHT, MOVED = "3 per class", "8 per class", "8 per class, moved"
EQUAL, SMALL, LARGE = 0.1, 0.03, 0.3
ANY_PLAIN = [PLAIN, ONE_RATE]
METHODS = {
    DR_TUNE: task.Recipe(task.with_bank),
    DR: task.Recipe(task.without_calibration),
    PLAIN: task.Recipe(),
    ONE_RATE: task.Recipe(head_rate=1.0),
    SLOWED: task.Recipe(slowed=True),
    L2_SP: task.Recipe(pull=0.1),
}
RATES = {"rates": (0.01, SMALL, EQUAL, LARGE)}


def setting(description, **parameters):
    return Setting(
        description, task.few_digits, task.measure, ["accuracy", "held_out"], parameters=parameters,
        axis=Axis("rate", "learning rate of the encoder"),
    )  # fmt: skip


def with_few(check, *args, **options):
    return all_of(*(check(*args, setting=one, **options) for one in (THREE, EIGHT)),
                  names=[THREE, EIGHT])  # fmt: skip


FEW = [THREE, EIGHT]
benchmark = Benchmark(
    settings={
        THREE: setting(
            "Three digits of each class with noise of 0.3; 200 held out, 667 to test.",
            smallest={"per_class": 3, "rates": (EQUAL,), "epochs": 2, "pretraining": 1},
            quick={"per_class": 3, "rates": (EQUAL,)},
            full={"per_class": 3} | RATES,
        ),
        EIGHT: setting("Eight of each class.", full={"per_class": 8} | RATES),
        MOVED: setting(
            "Eight of each class, moved by two pixels in both directions: far from what the "
            "network was trained on.",
            full={"per_class": 8, "moved": 2, "rates": (SMALL, EQUAL)},
        ),
    },
    methods=METHODS,
    metrics={
        "accuracy": Metric("Test accuracy", "%", digits=1, better="higher"),
        "held_out": Metric("Accuracy on held-out digits", "%", digits=1, better="higher"),
    },
    repeats={"smallest": 1, "quick": 5, "full": 10},
    reference=PLAIN,
    together=True,
    claims=[
        Claim(
            "At equal rates DR-Tune is ahead of the cross entropy by 8 points, with 3 per class.",
            gain(DR_TUNE, PLAIN, "accuracy", setting=THREE, at=EQUAL, at_least=8), [THREE],
        ),
        Claim(
            "So it is with 8 per class.",
            gain(DR_TUNE, PLAIN, "accuracy", setting=EIGHT, at=EQUAL, at_least=8), [EIGHT],
            ["full"],
        ),
        Claim(
            "So is the bank without calibration, with 3 and with 8 per class.",
            with_few(gain, DR, PLAIN, "accuracy", at=EQUAL, at_least=8), FEW, ["full"],
        ),
        Claim(
            "Calibration adds to it.",
            with_few(gain, DR_TUNE, DR, "accuracy", at=EQUAL), FEW, ["full"],
        ),
        Claim(
            "At equal rates DR-Tune is ahead of L2-SP.",
            with_few(gain, DR_TUNE, L2_SP, "accuracy", at=EQUAL), FEW, ["full"],
        ),
        Claim(
            "From a small rate to one ten times larger it loses 8 points less than the cross "
            "entropy.",
            with_few(loses_less, DR_TUNE, PLAIN, rates=(SMALL, LARGE), at_least=8), FEW, ["full"],
        ),
        Claim(
            "Limit of the method: at its own best rate the cross entropy is ahead of DR-Tune at "
            "the paper's.",
            with_few(gain_of_best_rate, ANY_PLAIN, [DR_TUNE], at=EQUAL), FEW, ["full"],
        ),
        Claim(
            "Limit of the method: at the best rate of each, DR-Tune is at most a point ahead.",
            with_few(gain_of_best_rate, ANY_PLAIN, [DR_TUNE], at_least=-1), FEW, ["full"],
        ),
        Claim(
            "Limit of the method: the cross entropy at the rates that DR-Tune has in effect makes "
            "up for half of what it gains.",
            with_few(closes_the_gap, SLOWED, DR_TUNE, PLAIN, at=EQUAL, at_least=0.5), FEW,
            ["full"],
        ),
        Claim(
            "Limit of the method: where the data are far from the pretraining, the bank without "
            "calibration is behind the cross entropy at equal rates.",
            gain(PLAIN, DR, "accuracy", setting=MOVED, at=EQUAL), [MOVED], ["full"],
        ),
    ],
    figures=[
        Figure(
            "Test accuracy by rate: means over the seeds with bands of one standard error.",
            curves_by_rate(FEW, [*METHODS]),
            FEW,
        )
    ],
)  # fmt: skip
