"""Settings of the benchmark on linear probes: simulated mixtures, tables and frozen features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from skreg.bench import Axis, Setting
from skreg.bench.arena import probe_tasks as tasks

NB, LR = "LinearNaiveBayes", "LogisticRegression"  # whom the paper compares
LABELS, SIZE = Axis("n_train", "training samples m"), Axis("n_features", "features n")
FEATURES, TEN_CLASSES = [50, 100, 200, 400], [20, 30, 50, 100, 200, 500]
TWO = {"n_classes": 2, "n_features": FEATURES, "largest": 1000, "n_test": 10_000}
FIVE = {"n_classes": 5, "n_features": [50], "largest": 2000, "n_test": 10_000}
TINY = {"n_classes": 2, "n_features": [10, 20], "largest": 100, "n_test": 1000}


def two_classes(methods: Sequence[str]) -> Setting:
    """A mixture of two classes with several numbers of features."""
    return mixture(
        "Simulation: normal classes with means −1 and 1 in every coordinate and one diagonal "
        "covariance (variance n in half of the features, 1 in the others). Measured is the "
        "first training size at which the test error falls below the Bayes error + 0.01, on "
        "sizes that grow by a fifth; ∞ where the largest size did not suffice.",
        methods,
        {"smallest": TINY, "quick": {**TWO, "n_test": 2000}, "full": TWO},
    )


def five_classes(methods: Sequence[str]) -> Setting:
    """A mixture of five classes."""
    return mixture(
        "As above, with five classes at −1, 1, 2, 4 and 8 in every coordinate, shifted and "
        "scaled as in the paper.",
        methods,
        {"quick": {**FIVE, "n_test": 2000}, "full": FIVE},
    )


def mixture(
    description: str, methods: Sequence[str], parameters: dict[str, dict[str, Any]]
) -> Setting:
    """The samples that methods need on a mixture."""
    return Setting(
        description,
        tasks.gaussian_mixtures,
        tasks.measure_sample_complexity,
        ["sample_complexity"],
        axis=SIZE,
        methods=methods,
        parameters=parameters,
    )


def learning_curves(
    description: str,
    data: Callable[..., Any],
    smallest: list[int],
    full: list[int],
    quick: list[int] | None = None,
) -> Setting:
    """Errors at the numbers of labels of each size of a run."""
    sizes = {"smallest": smallest, "quick": quick or full, "full": full}
    return Setting(
        description,
        data,
        tasks.measure_curves,
        ["error"],
        axis=LABELS,
        parameters={size: {"train_sizes": found} for size, found in sizes.items()},
    )


CANCER = learning_curves(
    "569 tumours, 30 features, 2 classes; 150 rows are kept for the test.",
    tasks.breast_cancer,
    [8, 32],
    [4, 8, 16, 32, 64, 128, 256],
)
PIXELS = learning_curves(
    "1797 images of digits, 64 pixels, 10 classes; 500 rows are kept for the test.",
    tasks.digit_pixels,
    [20, 50],
    [20, 30, 50, 100, 200, 500, 1000],
    quick=[20, 50, 100, 200],
)
SAME_CLASSES = learning_curves(
    "The 128 hidden units of a network that was trained on 800 other digits with all ten "
    "classes; 400 rows are kept for the test.",
    tasks.frozen_features_of_same_classes,
    [30, 50],
    TEN_CLASSES,
)
NEW_CLASSES = learning_curves(
    "The 128 hidden units of a network that was trained on the digits 0 to 4, probed on "
    "the digits 5 to 9; 400 rows are kept for the test.",
    tasks.frozen_features_of_new_classes,
    [20, 50],
    [10, 20, 50, 100, 400],
)
