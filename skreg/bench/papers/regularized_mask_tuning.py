"""Does gradient dropout keep masks on a frozen network from forgetting?

Zheng et al. (ICCV 2023) adapt vision-language models to few images by switching single weights off,
and drop entries of the task's gradient at random where they conflict with the gradient of a
distillation loss towards the untouched network. They report better accuracy than prompts and
adapters, and that dropout helps.

A small version: a perceptron learns 900 clean digits. The target domain are digits shifted down by
a pixel, with noise; tuning sees about 100 of them, of the classes 0 to 4 only. Measured are the
accuracies on test digits of these classes in the target domain, of the classes 5 to 9 there, which
tuning never shows, and of all classes in the former domain; and the share of the weights of the
first two layers that is switched off. All methods see the same batches.

Rivals are the untouched network, masks without gradient dropout, fine-tuning of all weights at a
tenth of the rate of pretraining, and of the last layer only. The distillation loss may also be
added to the loss.
"""

from __future__ import annotations

from skreg.bench import Benchmark, Claim, Figure, Metric, Paper, Setting
from skreg.bench.arena.checks import Check, all_of, gain
from skreg.bench.arena.dots import CAPTION, Dots, dots_of_methods
from skreg.bench.arena.mask_tuning import Tuning, measure, shifted_domain, with_masks

EXTRA = "deep"
PAPER = Paper(
    title=(
        "Regularized Mask Tuning: Uncovering Hidden Knowledge in Pre-trained Vision-Language Models"
    ),
    authors=(
        "Zheng, Kecheng", "Wu, Wei", "Feng, Ruili", "Zhu, Kai", "Liu, Jiawei", "Zhao, Deli",
        "Zha, Zheng-Jun", "Chen, Wei", "Shen, Yujun",
    ),
    venue="International Conference on Computer Vision",
    year=2023,
    here=(
        "R-AMT: skreg.deep.regularizers.MaskTuning, skreg.deep.torch.BinaryMask, "
        "skreg.deep.torch.GradientDropoutStep"
    ),
    arxiv="2307.15049",
    code="https://github.com/wuw2019/R-AMT",
)  # fmt: skip

UNTOUCHED, MASKS, DROPOUT = "Untouched", "Masks", "Masks, gradient dropout"
SUM, ALL, HEAD = "Masks, reference loss added", "All weights, rate 1e-4", "Last layer, rate 1e-3"
SETTING = "Shifted digits"
ACCURACIES = ("target", "unseen", "clean")

METHODS = {
    DROPOUT: with_masks(),
    MASKS: with_masks(gdr_strength=0.0),
    SUM: with_masks(reference_mode="sum"),
    ALL: Tuning(lr=1e-4),
    HEAD: Tuning(lr=1e-3, head_only=True),
    UNTOUCHED: Tuning(),
}


def ahead(method: str, rival: str) -> Check:
    """A method has the higher accuracies, all three."""
    return all_of(
        *(gain(method, rival, metric, setting=SETTING) for metric in ACCURACIES),
        names=["target", "unseen classes", "former domain"],
    )


benchmark = Benchmark(
    settings={
        SETTING: Setting(
            description=(
                "Perceptron 64-256-256-10, pretrained by Adam at the rate 1e-3 for 30 epochs on "
                "900 clean digits; tuned for 20 epochs of batches of 32 on about 100 shifted and "
                "noisy digits of the classes 0 to 4, by Adam with a cosine schedule, masks at the "
                "rate 2e-4; 697 test digits."
            ),
            data=shifted_domain,
            measure=measure,
            metrics=[*ACCURACIES, "masked"],
            parameters={
                "smallest": {"pretraining": 2, "tuning": 14},
                "full": {"pretraining": 30, "tuning": 20},
            },
        )
    },
    methods=METHODS,
    metrics={
        "target": Metric("Accuracy, target domain, classes 0 to 4", "%", digits=1, better="higher"),
        "unseen": Metric("Accuracy, target domain, classes 5 to 9", "%", digits=1, better="higher"),
        "clean": Metric("Accuracy, former domain", "%", digits=1, better="higher"),
        "masked": Metric("Weights switched off", "%", digits=1, better="lower"),
    },
    repeats={"smallest": 1, "quick": 5, "full": 30},
    reference=MASKS,
    together=True,
    claims=[
        Claim(
            "Masks with gradient dropout are not behind plain masks: neither in the target domain, "
            "nor on the classes that tuning does not show, nor in the former domain.",
            ahead(DROPOUT, MASKS), [SETTING],
        ),
        Claim(
            "They switch fewer weights off.",
            gain(DROPOUT, MASKS, "masked", setting=SETTING), [SETTING],
        ),
        Claim(
            "They adapt the network: by 10 points in the target domain.",
            gain(DROPOUT, UNTOUCHED, "target", setting=SETTING, at_least=10), [SETTING],
        ),
        Claim(
            "They are not behind fine-tuning of all weights, or of the last layer, in the target "
            "domain.",
            gain(DROPOUT, [ALL, HEAD], "target", setting=SETTING), [SETTING],
        ),
        Claim(
            "Limit of the method: the reference loss does more when it is added to the loss than "
            "when it decides which entries of the gradient are dropped.",
            ahead(SUM, DROPOUT), [SETTING],
        ),
        Claim(
            "Limit of the method: fine-tuning of all weights at a small rate forgets less, on the "
            "other classes and in the former domain.",
            all_of(
                *(gain(ALL, DROPOUT, metric, setting=SETTING) for metric in ACCURACIES[1:]),
                names=["unseen classes", "former domain"],
            ),
            [SETTING],
        ),
    ],
    figures=[
        Figure(
            CAPTION,
            dots_of_methods(
                Dots(
                    SETTING,
                    {"target": "classes of tuning", "unseen": "other classes"},
                    "Target domain", "Test accuracy (%)",
                ),
                Dots(SETTING, "clean", "Former domain", "Test accuracy (%)"),
                methods=[*METHODS],
            ),
            [SETTING],
        )
    ],
)  # fmt: skip
