"""Can gates that learn from activations close half of a network's channels at little cost?

Elkerdawy et al. (CVPR 2022) let a linear gate before each convolution predict, for each image,
which channels will be strongly active, and compute those alone. Gates learn from the layer's own
activations: one number, the share of the activations to keep, sets the budget. On CIFAR-10 a VGG-16
loses 0.1 points at 56 % fewer operations, in 200 epochs from a trained network.

Small version: a network of three convolutions with 32, 64 and 64 channels, trained on 800 digits
for 6 epochs, is fine-tuned for 10 with gates, which learn in the first half; in *Fifty epochs*
for 50. Accuracy and operations, counted by sample, are those on 997 other digits. *Before
training* masks of the activations themselves act on the network as it is.

Rivals: fine-tuning without gates, and static pruning that saves at least as many operations: the
same share of each layer, the channels with the largest mean scores, for all digits, with the same
fine-tuning. What gates save is counted, not timed: closed channels are computed and set to zero.
"""

from __future__ import annotations

from skreg.bench import Benchmark, Claim, Figure, Metric, Paper
from skreg.bench.arena.checks import all_of, gain, level
from skreg.bench.arena.dots import CAPTION, Dots, dots_of_methods
from skreg.bench.arena.gated_checks import falls_with_mass, saves_half
from skreg.bench.arena.gated_settings import (
    AT_07,
    BEFORE,
    DENSE,
    FIFTY,
    GATES,
    JOINT,
    MAX,
    METHODS,
    SETTINGS,
    SOFT,
    STATIC,
    STATIC_MAX,
    TARGETS,
    TEN,
    VARIANTS,
)  # fmt: skip

EXTRA = "deep"
PAPER = Paper(
    title="Fire Together Wire Together: A Dynamic Pruning Approach with Self-Supervised Mask "
    "Prediction",
    authors=("Elkerdawy, Sara", "Elhoushi, Mostafa", "Zhang, Hong", "Ray, Nilanjan"),
    venue="IEEE/CVF Conference on Computer Vision and Pattern Recognition",
    year=2022,
    here="FTWT: skreg.deep.regularizers.DynamicGates, skreg.deep.torch.add_dynamic_gates",
    arxiv="2110.08232",
    code="https://github.com/selkerdawy/FTWT",
)


benchmark = Benchmark(
    settings=SETTINGS,
    methods=METHODS,
    metrics={
        "accuracy": Metric("Test accuracy", "%", digits=2, better="higher"),
        "saved": Metric("Operations saved", "%", digits=1, better="higher"),
        "agreement": Metric("Channels on which gates are right", "%", digits=1, better="higher"),
    },
    repeats={"smallest": 1, "quick": 3, "full": 5},
    reference=DENSE,
    together=True,
    claims=[
        Claim(
            "Before training: the smaller the mass, the more operations the activations save.",
            falls_with_mass(TARGETS, BEFORE), [BEFORE],
        ),
        Claim(
            "The smaller the mass, the more operations the gates save.",
            falls_with_mass(GATES, TEN), [TEN], ["full"],
        ),
        Claim(
            "At a mass of 0.7 gates save 45 % of the operations at a cost of 2.5 points at most.",
            saves_half("Gates, 0.7", TEN), [TEN], ["full"],
        ),
        Claim(
            "So they do with gates that look at maxima over positions.",
            saves_half(MAX, TEN), [TEN], ["full"],
        ),
        Claim(
            "Fifty epochs: so they do at a mass of 0.7, by means or by maxima.",
            all_of(*(saves_half(name, FIFTY) for name in AT_07), names=AT_07), [FIFTY], ["full"],
        ),
        Claim(
            "Joint training saves more operations at the same mass, as in the paper's tables.",
            gain(JOINT, "Gates, 0.7", "saved", setting=TEN), [TEN], ["full"],
        ),
        Claim(
            "Without the softmax gates are right more often.",
            gain("Gates, 0.7", SOFT, "agreement", setting=TEN), [TEN], ["full"],
        ),
        Claim(
            "Limit of the method: at a mass of 0.7 the activations' own masks cost a network that "
            "has not learned with them 5 points or more.",
            level("Activations, 0.7", "accuracy", setting=BEFORE, at_most=93.3), [BEFORE], ["full"],
        ),
        Claim(
            "Limit of the method: static pruning to the same operations is not less accurate, at "
            "masses of 0.7 and 0.6.",
            all_of(
                *(
                    gain(f"Static, as {mass}", f"Gates, {mass}", "accuracy", setting=TEN)
                    for mass in (0.7, 0.6)
                )
            ),
            [TEN], ["full"],
        ),
        Claim(
            "Limit of the method: nor is it after fifty epochs, or where gates look at maxima.",
            all_of(
                gain("Static, as 0.7", "Gates, 0.7", "accuracy", setting=FIFTY),
                gain(STATIC_MAX, MAX, "accuracy", setting=FIFTY),
                gain(STATIC_MAX, MAX, "accuracy", setting=TEN),
            ),
            [TEN, FIFTY], ["full"],
        ),
    ],
    figures=[
        Figure(
            CAPTION,
            dots_of_methods(
                Dots(TEN, "accuracy", "Ten epochs", "Test accuracy (%)"),
                Dots(TEN, "saved", "Ten epochs", "Operations saved (%)"),
                methods=[DENSE, *GATES, *VARIANTS, *STATIC, STATIC_MAX],
            ),
            [TEN],
        )
    ],
)  # fmt: skip
