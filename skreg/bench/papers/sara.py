"""Does training only the smallest weights adapt a network without making it forget?

Hu et al. (ICLR 2025) fine-tune the entries of a pretrained network that are nearly zero, penalize
the nuclear norm of each matrix of them, and half-way fix those that have grown (SaRA). They report,
for Stable Diffusion, images as good as those of low-rank adapters (LoRA) with less loss of what the
network knew before.

A small version: a perceptron is pretrained on 900 handwritten digits and then shown 100 that are
shifted by one pixel down and to the right. Measured is the accuracy on other digits, shifted (new)
and upright (old). A fifth of the entries trains; adapters have as many numbers.

Rivals: full fine-tuning, also at a tenth of the learning rate, adapters of low rank at all layers,
the largest entries, random entries. All see the same batches in the same order, from the same
pretrained network, and all but that one have the same learning rate.
"""

from __future__ import annotations

from skreg.bench import Benchmark, Claim, Figure, Paper
from skreg.bench.arena.checks import all_of, gain, level, ratio
from skreg.bench.arena.dots import CAPTION, Dots, dots_of_methods
from skreg.bench.arena.sparse_adaptation_settings import (
    FULL,
    LARGEST,
    LOW_RANK,
    METHODS,
    METRICS,
    PRETRAINED,
    PROGRESSIVE,
    RANDOM,
    RANK,
    SARA,
    SETTING,
    SETTINGS,
    SLOW,
    SMALLEST,
)

EXTRA = "deep"
PAPER = Paper(
    title=(
        "SaRA: High-Efficient Diffusion Model Fine-tuning with Progressive Sparse Low-Rank "
        "Adaptation"
    ),
    authors=(
        "Hu, Teng", "Zhang, Jiangning", "Yi, Ran", "Huang, Hongrui", "Wang, Yabiao", "Ma, Lizhuang",
    ),
    venue="International Conference on Learning Representations",
    year=2025,
    here="skreg.deep.regularizers.SaRA, skreg.deep.torch.SparseParameters, skreg.deep.torch.SaRA",
    arxiv="2409.06633",
    code="https://github.com/sjtuplayer/SaRA",
)  # fmt: skip

benchmark = Benchmark(
    settings=SETTINGS,
    methods=METHODS,
    metrics=METRICS,
    repeats={"smallest": 1, "quick": 10, "full": 10},
    reference=FULL,
    together=True,
    claims=[
        Claim(
            "The smallest fifth of a pretrained network is idle: zeros in its place change the "
            "accuracy by less than 0.5 points.",
            all_of(
                level(PRETRAINED, "without", setting=SETTING, at_least=-0.5),
                level(PRETRAINED, "without", setting=SETTING, at_most=0.5),
            ),
            [SETTING],
        ),
        Claim(
            "SaRA forgets less than full fine-tuning, by 15 points of the old accuracy.",
            gain(SARA, FULL, "old", setting=SETTING, at_least=15),
            [SETTING],
        ),
        Claim(
            "The penalty lowers the nuclear norm of the chosen entries by a tenth.",
            ratio(RANK, SMALLEST, "nuclear", setting=SETTING, at_most=0.9),
            [SETTING],
        ),
        Claim(
            "Training the largest entries forgets more than training the smallest.",
            gain(SMALLEST, LARGEST, "old", setting=SETTING),
            [SETTING],
        ),
        Claim(
            "So does training random ones.",
            gain(SMALLEST, RANDOM, "old", setting=SETTING),
            [SETTING],
        ),
        Claim(
            "SaRA forgets less than low-rank adapters of as many numbers.",
            gain(SARA, LOW_RANK, "old", setting=SETTING),
            [SETTING],
        ),
        Claim(
            "It learns the new digits no worse than they do.",
            gain(SARA, LOW_RANK, "new", setting=SETTING),
            [SETTING],
        ),
        Claim(
            "It forgets less than full fine-tuning at a tenth of the learning rate, and learns as "
            "much.",
            all_of(
                gain(SARA, SLOW, "old", setting=SETTING),
                gain(SARA, SLOW, "new", setting=SETTING),
                names=["old", "new"],
            ),
            [SETTING],
        ),
        Claim(
            "Reselection leaves fewer of the chosen entries unused, by 13 of 100.",
            gain(PROGRESSIVE, SMALLEST, "still_small", setting=SETTING, at_least=13),
            [SETTING],
        ),
        Claim(
            "Limit of the method: the penalty does not raise the accuracy on new digits (by more "
            "than 1 point).",
            gain(SMALLEST, RANK, "new", setting=SETTING, at_least=-1),
            [SETTING],
        ),
        Claim(
            "Limit of the method: SaRA learns the new digits less well than full fine-tuning does.",
            gain(FULL, SARA, "new", setting=SETTING),
            [SETTING],
        ),
        Claim(
            "Limit of the method: reselection leaves as many chosen entries below the threshold "
            "(5 of 100 fewer at most).",
            gain(SMALLEST, PROGRESSIVE, "still_small", setting=SETTING, at_least=-5),
            [SETTING],
        ),
    ],
    figures=[
        Figure(
            CAPTION,
            dots_of_methods(
                Dots(SETTING, "new", "What was to be learnt", "Accuracy on shifted digits (%)"),
                Dots(SETTING, "old", "What was known", "Accuracy on upright digits (%)"),
                methods=[*METHODS],
            ),
            [SETTING],
        )
    ],
)
