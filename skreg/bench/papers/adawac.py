"""Do weights find the samples whose labels say little, and does the network profit?

Dong, Xie and Ward (ICML 2023) move each sample between the cross entropy of its labels and the
consistency of two views of it, by weights that an adversary learns, and report better organs in
computed tomography, half of whose slices show hardly any.

A small version: 48 images of 24 x 24 pixels, half of them *dense* (a bright and a dark disc, both
labelled), half *sparse* (a grey disc without a label; in three of ten also a tiny labelled one); a
U-Net of two resolutions; views of another contrast with noise; 25 epochs of SGD with momentum.
Measured are the Dice coefficient of the discs on 80 test images, and by how much the mean weight of
dense images is above that of sparse ones. No Dice loss.

Rivals are training on one view, on the labels of two views, on equal weights of labels and
consistency, and on weights without consistency.
"""

from __future__ import annotations

from skreg.bench import Benchmark, Claim, Figure, Metric, Paper, Setting
from skreg.bench.arena.checks import all_of, every, gain
from skreg.bench.arena.deep_methods import with_regularizer
from skreg.bench.arena.deep_tasks import for_epochs
from skreg.bench.arena.dots import CAPTION, Dots, dots_of_methods
from skreg.bench.arena.sparse_labels import (
    LAYER,
    OneView,
    dense_and_sparse,
    measure,
    photometric,
)
from skreg.deep.regularizers import AdaWAC

EXTRA = "deep"
PAPER = Paper(
    title=(
        "Adaptively Weighted Data Augmentation Consistency Regularization for Robust Optimization "
        "under Concept Shift"
    ),
    authors=("Dong, Yijun", "Xie, Yuege", "Ward, Rachel"),
    venue="International Conference on Machine Learning",
    year=2023,
    here="AdaWAC: skreg.deep.regularizers.AdaWAC, skreg.deep.torch.AdaWACLoss",
    arxiv="2210.01891",
    code="https://github.com/gail-yxie/adawac",
)

ONE, PAIR, EQUAL, REWEIGHT = "One view", "Labels of two views", "Equal weights", "Weights alone"
ADAWAC, STRONG = "AdaWAC", "AdaWAC, consistency x 5"
SETTING = "Dense and sparse"

METHODS = {
    ONE: with_regularizer(OneView),
    PAIR: with_regularizer(AdaWAC, photometric, LAYER, mode="pair"),
    EQUAL: with_regularizer(AdaWAC, photometric, LAYER, mode="dac"),
    REWEIGHT: with_regularizer(AdaWAC, photometric, LAYER, mode="reweight"),
    ADAWAC: with_regularizer(AdaWAC, photometric, LAYER),
    STRONG: with_regularizer(AdaWAC, photometric, LAYER, consistency_weight=5.0),
}

benchmark = Benchmark(
    settings={
        SETTING: Setting(
            description="48 training images, half with hardly a labelled pixel; 80 to test.",
            data=for_epochs(dense_and_sparse),
            measure=measure,
            metrics=["dice", "lead"],
            parameters={
                "smallest": {"epochs": 2, "n": 8, "n_test": 8},
                "full": {"epochs": 25, "n": 48},
            },
        )
    },
    methods=METHODS,
    metrics={
        "dice": Metric("Dice coefficient, test", digits=3, better="higher"),
        "lead": Metric("Weight of dense minus sparse", digits=3),
    },
    repeats={"smallest": 1, "quick": 2, "full": 8},
    reference=ONE,
    claims=[
        Claim(
            "The mean weight of dense images is above that of sparse ones by 0.15, on every seed.",
            every([ADAWAC, STRONG], "lead", settings=SETTING, at_least=0.15),
            [SETTING], ["full"],
        ),
        Claim(
            "It costs no accuracy: the Dice coefficient is not below that of one view by more than "
            "0.01.",
            all_of(
                *(
                    gain(name, ONE, "dice", setting=SETTING, at_least=-0.01)
                    for name in (ADAWAC, STRONG)
                )
            ),
            [SETTING], ["full"],
        ),
        Claim(
            "The Dice coefficient is higher than that of all rivals.",
            gain(ADAWAC, [ONE, PAIR, EQUAL, REWEIGHT], "dice", setting=SETTING),
            [SETTING], ["full"],
        ),
    ],
    figures=[
        Figure(
            CAPTION,
            dots_of_methods(
                Dots(SETTING, "dice", "Test images", "Dice coefficient"),
                Dots(SETTING, "lead", "Training images", "Weight of dense minus sparse"),
                methods=[*METHODS],
            ),
            [SETTING],
        )
    ],
)  # fmt: skip
