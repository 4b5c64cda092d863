"""Settings and metrics of the benchmark of tilted boundaries."""

from __future__ import annotations

from collections.abc import Iterable

from skreg.bench import Axis, Metric, Setting
from skreg.bench._benchmark import SIZES
from skreg.bench.arena import tilting_attacks, tilting_digits

METRICS = {
    "angle": Metric("Angle", "rad"),
    "strength": Metric("Strength", digits=2),
    "distance": Metric("Adversarial distance", better="higher"),
    "train_error": Metric("Training error"),
    "test_error": Metric("Test error"),
    "variance_ratio": Metric("Variance ratio"),
    "overfits": Metric("Share of type 2"),
    "robust_error": Metric("Robust test error"),
    "seconds": Metric("Time", "s", digits=5),
    "excess": Metric("Excess of the distance"),
}
PAIRS = {f"{a} and {b}": (a, b) for a, b in ((3, 7), (1, 8), (3, 8))}
CHOSEN = {pair: f"{pair}, choice of C" for pair in PAIRS}
SPEED = "500 rows to attack"
FIRST = next(iter(PAIRS))


def settings(
    path: Iterable[str], choices: Iterable[str], attacks: Iterable[str]
) -> dict[str, Setting]:
    """All settings, with the names of the methods that take part; size smallest has one pair."""
    found = {}
    for pair, digits in PAIRS.items():
        sizes = SIZES if pair == FIRST else SIZES[1:]
        parameters = {size: {"digits": digits} for size in sizes}
        found[pair] = Setting(
            "Half for training, balanced, 5 % wrong labels; true labels for testing.",
            tilting_digits.noisy_pair, tilting_digits.measure_path, list(METRICS)[:7],
            axis=Axis("C", "C"), methods=list(path), parameters=parameters,
        )  # fmt: skip
        found[CHOSEN[pair]] = Setting(
            "The same; C is chosen on the training rows.", tilting_digits.noisy_pair,
            tilting_digits.measure_choice, ["strength", "test_error", "robust_error"],
            methods=list(choices), parameters=parameters,
        )  # fmt: skip
    found[SPEED] = Setting(
        "Logistic regression in 100 dimensions.", tilting_attacks.fitted_rows,
        tilting_attacks.measure, ["seconds", "excess"], methods=list(attacks),
        parameters={size: {"n": 500, "d": 100} for size in SIZES},
    )  # fmt: skip
    return found
