"""Does the contrastive regularizer ConR help where targets of a regression are rare?

Keramati et al. (ICLR 2024) add a contrast of features to a regression on imbalanced targets: it
pulls together samples with near targets, and pushes apart samples with far targets whose
predictions are near, the harder the farther. Two questions are asked.

The mechanism: free feature vectors of 56 samples with common targets and 8 with rare ones, whose
predictions are confused with the common ones, move under the regularizer alone. The features of the
rare samples should leave those of the common ones, and near targets should stay together.

The effect: images of handwritten digits, turned by an angle whose distribution is skewed, are
regressed on the angle by a small convolutional network. Measured is the mean absolute error where
training angles are frequent, in between, and rare. Rivals are the plain L1 loss, weight decay,
mixup of inputs and targets, and weights by inverse density.
"""

from __future__ import annotations

import functools

from skreg.bench import Benchmark, Claim, Figure, Metric, Paper, Setting
from skreg.bench.arena.checks import all_of, every, gain, level
from skreg.bench.arena.deep_methods import Method, trained, with_decay, with_regularizer
from skreg.bench.arena.deep_tasks import for_epochs, turned_digits
from skreg.bench.arena.dots import CAPTION, Dots, dots_of_methods
from skreg.bench.arena.skewed_targets import (
    errors_by_region,
    free_features,
    measure_features,
    small_regressor,
)
from skreg.deep.regularizers import ConR, Mixup
from skreg.deep.torch import density_weights

EXTRA = "deep"
PAPER = Paper(
    title="ConR: Contrastive Regularizer for Deep Imbalanced Regression",
    authors=("Keramati, Mahsa", "Meng, Lili", "Evans, R. David"),
    venue="International Conference on Learning Representations",
    year=2024,
    here="skreg.deep.regularizers.ConR, skreg.deep.torch.ConRLoss",
    arxiv="2309.06651",
    code="https://github.com/BorealisAI/ConR",
)

PLAIN, DECAY, MIXUP = "L1 loss", "Weight decay", "Mixup"
WEIGHTED, CONR, CONR_WEIGHTED = "Inverse density", "ConR", "ConR, inverse density"
NOT_CONFUSED = "ConR, predictions right"
FREE, DIGITS = "Free features", "Digits turned by skewed angles"
REGIONS = {"all": "all", "many": "frequent", "median": "in between", "few": "rare"}
BIN_WIDTH = 5.0  # degrees

# degrees are standardized: one standard deviation is about 15 of them
WITH_CONR = with_regularizer(ConR, beta=0.2, window=0.1, push=0.2)
BY_DENSITY = functools.partial(density_weights, bin_width=BIN_WIDTH)
METHODS = {
    PLAIN: Method(),
    DECAY: with_decay(0.1),
    MIXUP: with_regularizer(Mixup, 1.0),
    WEIGHTED: Method(sample_weight=BY_DENSITY),
    CONR: WITH_CONR,
    CONR_WEIGHTED: WITH_CONR._replace(sample_weight=BY_DENSITY),
    NOT_CONFUSED: Method(),
}
TRAINED = [name for name in METHODS if name != NOT_CONFUSED]

benchmark = Benchmark(
    settings={
        FREE: Setting(
            description=(
                "64 features of 16 dimensions near a common vector; 200 steps of Adam on ConR "
                "alone. Rare targets are 80 to 91, common ones 20 to 29; all are predicted as "
                "common."
            ),
            data=free_features,
            measure=functools.partial(measure_features, predicted_right=[NOT_CONFUSED]),
            metrics=["fall", "near", "moved"],
            methods=[CONR, NOT_CONFUSED],
            parameters={"smallest": {"steps": 3}, "full": {"steps": 200}},
        ),
        DIGITS: Setting(
            description=(
                "1500 training images of sevens, turned by exponentially distributed angles of "
                "mean 15 and at most 120 degrees; 600 test images of other sevens, uniformly "
                "turned. Frequent means more than 100 training angles in a bin of 5 degrees, rare "
                "fewer than 20. A small convolutional network, 20 epochs of Adam."
            ),
            data=for_epochs(turned_digits),
            measure=trained(
                small_regressor,
                functools.partial(errors_by_region, bin_width=BIN_WIDTH, many=100, few=20),
            ),
            metrics=[*REGIONS],
            methods=TRAINED,
            parameters={"smallest": {"epochs": 1}, "full": {"epochs": 20}},
        ),
    },
    methods=METHODS,
    metrics={
        "fall": Metric("Fall of the cosine, rare to common", better="higher"),
        "near": Metric("Absolute change of the cosine of near pairs"),
        "moved": Metric("Largest change of a feature"),
        **{name: Metric(f"Error, {words}", "°", digits=2) for name, words in REGIONS.items()},
    },
    repeats={"smallest": 1, "quick": 5, "full": 5},
    reference=PLAIN,
    claims=[
        Claim(
            "Rare features leave those they are confused with; near targets stay together, and "
            "nothing moves where predictions are right.",
            all_of(
                level(CONR, "fall", setting=FREE, at_least=0.35),
                level(CONR, "near", setting=FREE, at_most=0.1),
                every(NOT_CONFUSED, "moved", settings=FREE, at_most=0.0),
                names=["fall of the cosine", "near pairs", "move if right"],
            ),
            [FREE],
        ),
        Claim("Errors on rare targets fall.", gain(CONR, PLAIN, "few", setting=DIGITS), [DIGITS]),
        Claim(
            "They fall also on top of inverse-density weights.",
            gain(CONR_WEIGHTED, WEIGHTED, "few", setting=DIGITS),
            [DIGITS],
        ),
    ],
    figures=[
        Figure(
            CAPTION,
            dots_of_methods(
                Dots(DIGITS, "many", "Frequent angles", "Mean absolute error (°)"),
                Dots(DIGITS, "few", "Rare angles", "Mean absolute error (°)"),
                methods=TRAINED,
            ),
            [DIGITS],
        )
    ],
)
