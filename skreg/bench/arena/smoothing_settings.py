"""Settings of the claims on certified smoothing, and what they measure."""

from __future__ import annotations

import math

from skreg.bench import Axis, Metric, Setting
from skreg.bench.arena import smoothing_tasks as digits
from skreg.bench.arena.smoothing_tasks import (
    BETTING,
    COHEN,
    KNOWN,
    MULTI,
    ONLY_SOFT,
    OURS,
    UNION,
    UNKNOWN,
)

PLAIN, NOISY, DEAR = "Trained without noise", "Trained with noise", "More ways, 20 images"
SPACE, SLOPE = "Half space", "Two digits, known slope"
RADIUS = Axis("radius", "L2 radius")
FAST = [COHEN, MULTI, OURS, ONLY_SOFT]
ALL = [*FAST, UNION, BETTING]
ALLOWED = digits.LEVEL + 3 * math.sqrt(digits.LEVEL * (1 - digits.LEVEL) / digits.COPIES)


def certification(description: str, methods: list[str], **sizes: dict) -> Setting:
    return Setting(
        description, digits.perceptron_of_digits, digits.measure,
        ["accuracy", "average", "abstained"], axis=RADIUS, methods=methods, parameters=sizes,
    )  # fmt: skip


SETTINGS = {
    PLAIN: certification(
        "1497 images as they are; 100 others are certified.", FAST,
        smallest={"copies": 0, "n_rows": 10, "max_iter": 30, "n": 1000},
        quick={"copies": 0, "n_rows": 30}, full={"copies": 0, "n_rows": 100},
    ),
    NOISY: certification(
        "Each image with ten noisy copies, 40 epochs; 100 others are certified.", FAST,
        full={"copies": 10, "n_rows": 100, "max_iter": 40},
    ),
    DEAR: certification(
        "Trained without noise, with selection by a union bound, and bounds by betting.", ALL,
        full={"copies": 0, "n_rows": 20},
    ),
    SPACE: Setting(
        f"A point at distance {digits.DISTANCE:g} from a half space, {digits.COPIES} times, "
        f"alpha = {digits.LEVEL:g}.",
        digits.half_space, digits.measure_soundness, ["wrong", "average"], methods=ALL,
        parameters={"smallest": {"n": 50}, "quick": {"n": 100}, "full": {"n": 200}},
    ),
    SLOPE: Setting(
        "A flat logistic regression of zeros and ones, noise of 0.5; rows whose top class has "
        f"a lower bound below {digits.UNSURE:g}.",
        digits.two_digits, digits.measure_unsure, ["average", "larger"],
        methods=[UNKNOWN, KNOWN],
        parameters={size: {"n_rows": 150} for size in ("smallest", "quick", "full")},
    ),
}  # fmt: skip
METRICS = {
    "accuracy": Metric("Certified accuracy", better="higher"),
    "average": Metric("Average certified radius", digits=4, better="higher"),
    "abstained": Metric("Share of abstentions"),
    "wrong": Metric("Share of wrong certificates"),
    "larger": Metric("Share of rows with a larger radius", better="higher"),
}  # fmt: skip
