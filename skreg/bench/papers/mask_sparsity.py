"""Does a penalty on the channels that will go, and only on these, make it free to cut them?

Jiang et al. (2023) decide first which channels of a network go, then drive the scaling factors of
these to zero while all others train freely. Network slimming (Liu et al. 2017) penalises all.
Their networks are a ResNet-110 on CIFAR-10 and a ResNet-50 on ImageNet.

Small version: a CNN of 32, 64 and 64 channels on 600 digits, by SGD with momentum 0.9 and a cosine
schedule: 8 epochs, 8 more with the penalty of strength 0.1 as a subgradient, 4 of fine-tuning
after 60 % of the channels are cut, biases included, those of the smallest factors after network
slimming. Rivals are network slimming, no penalty with the same masks, and no penalty with masks by
the L1 norms of filters. Time is measured with a ResNet-18 of 32 to 256 channels on 32 x 32 pixels,
cut to half of them: processor time of one thread, the least of several calls.
"""

from __future__ import annotations

import functools

from skreg.bench import Benchmark, Claim, Figure, Paper
from skreg.bench.arena.checks import all_of, gain, level, ratio
from skreg.bench.arena.dots import CAPTION, Dots, dots_of_methods
from skreg.bench.arena.slim_channel_settings import (
    CUT,
    DIGITS,
    HALF,
    LAYERS,
    MASKED,
    METRICS,
    NORMS,
    PLAIN,
    PROX,
    ROUTES,
    SETTINGS,
    SLIM,
    TIME,
    WHOLE,
)  # fmt: skip

EXTRA = "deep"
PAPER = Paper(
    title="Pruning-aware Sparse Regularization for Network Pruning",
    authors=(
        "Jiang, Nanfei", "Zhao, Xu", "Zhao, Chaoyang", "An, Yongqi", "Tang, Ming", "Wang, Jinqiao",
    ),
    venue="Machine Intelligence Research 20",
    year=2023,
    here="MaskSparsity: skreg.deep.regularizers.MaskSparsity, skreg.deep.torch.prune_channels",
    kind="article",
    arxiv="2201.06776",
    code="https://github.com/CASIA-IVA-Lab/MaskSparsity",
)  # fmt: skip

fits = functools.partial(Claim, settings=[DIGITS])

benchmark = Benchmark(
    settings=SETTINGS,
    methods={**ROUTES, WHOLE: 0, CUT: 1},
    metrics=METRICS,
    repeats={"smallest": 1, "quick": 3, "full": 10},
    reference=MASKED,
    seconds={"smallest": 6, "quick": 6, "full": 120},
    together=True,
    serial=True,
    claims=[
        fits(
            "Cutting costs MaskSparsity at most one point.",
            level(MASKED, "drop", setting=DIGITS, at_most=1),
        ),
        fits(
            "It costs network slimming, and a network without a penalty, at least 20 points.",
            all_of(*(level(m, "drop", setting=DIGITS, at_least=20) for m in (SLIM, PLAIN))),
        ),
        fits(
            "The factors of kept channels are within 20 % of those without a penalty.",
            all_of(ratio(MASKED, PLAIN, "kept", setting=DIGITS, at_least=0.8),
                   ratio(MASKED, PLAIN, "kept", setting=DIGITS, at_most=1.2)),
        ),
        fits(
            "Fine-tuned, MaskSparsity is ahead of no penalty by half a point.",
            gain(MASKED, PLAIN, "tuned", setting=DIGITS, at_least=0.5),
        ),
        fits(
            "It is more accurate than network slimming before the cut, after it, and fine-tuned.",
            all_of(*(gain(MASKED, SLIM, m, setting=DIGITS) for m in ("before", "after", "tuned"))),
        ),
        fits(
            "Fine-tuned, it is ahead of channels chosen by norms of filters.",
            gain(MASKED, NORMS, "tuned", setting=DIGITS),
        ),
        fits(
            "It removes at least 60 % of parameters and operations, as in the paper.",
            all_of(level(MASKED, "parameters", setting=DIGITS, at_most=0.4),
                   level(MASKED, "flops", setting=DIGITS, at_most=0.4)),
        ),
        fits(
            "The proximal step with automatic strength loses at most one point by the cut, and at "
            "most half a point to the subgradient.",
            all_of(level(PROX, "drop", setting=DIGITS, at_most=1),
                   gain(PROX, MASKED, "tuned", setting=DIGITS, at_least=-0.5)),
        ),
        fits(
            "So do channels chosen layer by layer, without network slimming before.",
            all_of(level(LAYERS, "drop", setting=DIGITS, at_most=1),
                   gain(LAYERS, MASKED, "tuned", setting=DIGITS, at_least=-0.5)),
        ),
        fits(
            "Limit of the method: with half the strength the cut costs 20 points.",
            level(HALF, "drop", setting=DIGITS, at_least=20),
        ),
        Claim(
            "Half of the channels take less time, for one image and for 64.",
            all_of(*(ratio(CUT, WHOLE, "milliseconds", setting=TIME, at=n, at_most=1)
                     for n in (1, 64))),
            [TIME],
        ),
        Claim(
            "Limit of the method: time falls less than operations do, for one image and for 64.",
            all_of(*(level(CUT, "lag", setting=TIME, at=n, at_least=1) for n in (1, 64))),
            [TIME],
        ),
    ],
    figures=[
        Figure(
            CAPTION,
            dots_of_methods(
                Dots(DIGITS, {"before": "before the cut", "after": "after it",
                              "tuned": "fine-tuned"}, "Digits", "Test accuracy (%)"),
                Dots(DIGITS, "kept", "Channels that stay", "Mean scaling factor"),
                methods=[*ROUTES],
            ),
            [DIGITS],
        )
    ],
)  # fmt: skip
