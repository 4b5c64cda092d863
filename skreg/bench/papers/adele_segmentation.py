"""Are masks repaired in time, class by class, and does the network profit?

Liu, Liu, Zhu, Shen and Fernandez-Granda (CVPR 2022) watch how predictions agree with wrong training
masks, and correct each class when its curve levels off. They report gains on medical images with
sloppy contours (SegTHOR) and on masks made from labels of images (PASCAL VOC).

A small version: images of 24 x 24 pixels with two discs and two squares in noise, 40 with masks
from which each object is missing with probability 0.3 (but one of each kind stays), 60 right ones
to test; a network of four convolutions, 50 epochs of Adam. Measured are the mean intersection over
union on the test images at the end, and of the masks that were trained on with the right ones.
*Strong noise* is the same with noise of standard deviation 1.2 instead of 0.3: the network is worse
than the masks.

The threshold is 0.6, not the paper's 0.8: with 30 % of the objects missing nothing can be known
with more than 0.7. Rivals are training without correction, and with the consistency at three scales
alone.
"""

from __future__ import annotations

import functools

from skreg.bench import Benchmark, Claim, Figure, Metric, Paper, Setting
from skreg.bench.arena.checks import gain
from skreg.bench.arena.deep_methods import Method, with_regularizer
from skreg.bench.arena.deep_tasks import for_epochs
from skreg.bench.arena.dots import CAPTION, Dots, dots_of_methods
from skreg.bench.arena.segmentation_tasks import measure, missing_objects
from skreg.deep.regularizers import ADELE

EXTRA = "deep"
PAPER = Paper(
    title="Adaptive Early-Learning Correction for Segmentation from Noisy Annotations",
    authors=(
        "Liu, Sheng", "Liu, Kangning", "Zhu, Weicheng", "Shen, Yiqiu", "Fernandez-Granda, Carlos",
    ),
    venue="IEEE/CVF Conference on Computer Vision and Pattern Recognition",
    year=2022,
    here="ADELE: skreg.deep.regularizers.ADELE, skreg.deep.torch.memorization_onset",
    arxiv="2110.03740",
    code="https://github.com/Kangningthu/ADELE",
)  # fmt: skip

PLAIN, CORRECTED = "Plain", "ADELE, one scale"
CONSISTENT, WHOLE = "Consistency alone", "ADELE, three scales"
MISSING, NOISY = "Missing objects", "Strong noise"
SCALES = (0.75, 1.0, 1.5)

METHODS = {
    PLAIN: Method(),
    CORRECTED: with_regularizer(ADELE, tau=0.6, scales=None, every=5),
    CONSISTENT: with_regularizer(ADELE, tau=1.0, scales=SCALES),
    WHOLE: with_regularizer(ADELE, tau=0.6, scales=SCALES, every=5),
}


def setting(noise: float, methods: list[str]) -> Setting:
    return Setting(
        description=(
            f"40 images with noise of standard deviation {noise:g}, 30 % of the objects missing in "
            "their masks; 60 right test images."
        ),
        data=for_epochs(functools.partial(missing_objects, noise=noise, missing=0.3)),
        measure=measure,
        metrics=["iou", "mask_iou"],
        methods=methods,
        parameters={
            "smallest": {"epochs": 2, "n": 8, "n_test": 8},
            "full": {"epochs": 50, "n": 40},
        },
    )


benchmark = Benchmark(
    settings={
        MISSING: setting(0.3, [PLAIN, CORRECTED, CONSISTENT, WHOLE]),
        NOISY: setting(1.2, [PLAIN, CORRECTED]),
    },
    methods=METHODS,
    metrics={
        "iou": Metric("Mean IoU, test", digits=3, better="higher"),
        "mask_iou": Metric("Mean IoU of masks", digits=3, better="higher"),
    },
    repeats={"smallest": 1, "quick": 2, "full": 8},
    reference=PLAIN,
    claims=[
        Claim(
            "Correction raises the mean IoU on test images by 0.08.",
            gain(CORRECTED, PLAIN, "iou", setting=MISSING, at_least=0.08), [MISSING], ["full"],
        ),
        Claim(
            "Corrected masks are closer to the right ones than the given masks, by 0.10.",
            gain(CORRECTED, PLAIN, "mask_iou", setting=MISSING, at_least=0.1), [MISSING], ["full"],
        ),
        Claim(
            "Consistency at three scales makes correction better.",
            gain(WHOLE, CORRECTED, "iou", setting=MISSING), [MISSING], ["full"],
        ),
        Claim(
            "Consistency at three scales alone is better than plain training.",
            gain(CONSISTENT, PLAIN, "iou", setting=MISSING), [MISSING], ["full"],
        ),
        Claim(
            "Limit of the method: where the network is worse than the masks, correction makes them "
            "worse.",
            gain(PLAIN, CORRECTED, "mask_iou", setting=NOISY), [NOISY], ["full"],
        ),
    ],
    figures=[
        Figure(
            CAPTION,
            dots_of_methods(
                Dots(MISSING, "iou", MISSING, "Mean IoU on test images"),
                Dots(MISSING, "mask_iou", MISSING, "Mean IoU of the training masks"),
                methods=[*METHODS],
            ),
            [MISSING],
        )
    ],
)  # fmt: skip
