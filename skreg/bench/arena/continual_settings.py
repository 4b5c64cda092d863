"""Methods and settings of the benchmark of classes that come one task at a time."""

from __future__ import annotations

import functools

from skreg.bench import Setting
from skreg.bench.arena import continual_tasks as tasks

DIGITS, RAW = "Digits, two at a time", "Features not standardised"
EPOCHS = {
    "smallest": {"epochs": (2, 2)},
    "quick": {"epochs": (6, 3)},
    "full": {"epochs": (20, 10)},
}
PLAIN, ID_ONLY = "No regularizer", "ID term only"
BOUNDARY, WIDE = "Boundary outliers", "Boundary outliers, sigma 1"
PUBLISHED = "Origin outliers (published code)"
REPLAY, JOINT = "Replay of 40 a class", "All samples at once"
MEANS, DISCRIMINANT = "Nearest class mean", "Streaming LDA"
VARIANTS = [BOUNDARY, WIDE, PUBLISHED, ID_ONLY]

METHODS = {
    PLAIN: tasks.regularized(regularizer=None),
    BOUNDARY: tasks.regularized(synthesizer=tasks.outliers()),
    WIDE: tasks.regularized(synthesizer=tasks.outliers(sigma=1.0)),
    PUBLISHED: tasks.regularized(synthesizer=tasks.outliers(outliers="origin")),
    ID_ONLY: tasks.regularized(synthesizer="none"),
    REPLAY: tasks.replay,
    JOINT: tasks.jointly,
    MEANS: tasks.nearest_mean,
    DISCRIMINANT: tasks.linear_discriminant,
}

SETTINGS = {
    DIGITS: Setting(
        description=(
            "1000 training digits in five tasks of two classes, in random order; 797 test "
            "digits; 256 random ReLU features, standardised on the training digits."
        ),
        data=tasks.digits_in_turn,
        measure=tasks.measure,
        metrics=["accuracy", "average", "forgetting"],
        parameters=EPOCHS,
    ),
    RAW: Setting(
        description="The same features as they are: positive, each with a mean of its own.",
        data=functools.partial(tasks.digits_in_turn, standardize=False),
        measure=tasks.measure,
        metrics=["accuracy", "average", "forgetting"],
        methods=[PLAIN, BOUNDARY, ID_ONLY, DISCRIMINANT],
        parameters=EPOCHS,
    ),
}
