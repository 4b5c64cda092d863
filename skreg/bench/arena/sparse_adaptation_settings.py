"""What trains of a network of upright digits that learns shifted ones, and what is measured."""

from __future__ import annotations

from skreg.bench import Metric, Setting
from skreg.bench.arena.sparse_adaptation import (
    Tuning,
    adaptation,
    everything,
    largest,
    low_rank,
    measure,
    random_entries,
    smallest,
)

PRETRAINED, FULL, LOW_RANK = "Pretrained", "Full fine-tuning", "Low-rank adapters"
SMALLEST, RANK, PROGRESSIVE = "Smallest", "Smallest, rank 5e-3", "Smallest, reselected"
SARA, LARGEST, RANDOM, SLOW = "SaRA", "Largest", "Random", "Full, rate 1e-4"
SETTING = "Shifted digits"

METHODS = {
    PRETRAINED: Tuning(None),
    FULL: Tuning(everything),
    SLOW: Tuning(everything, lr=1e-4),
    LOW_RANK: Tuning(low_rank),
    SMALLEST: Tuning(smallest),
    RANK: Tuning(smallest, lambda_rank=5e-3),
    PROGRESSIVE: Tuning(smallest, reselects=True),
    SARA: Tuning(smallest, lambda_rank=5e-3, reselects=True),
    LARGEST: Tuning(largest),
    RANDOM: Tuning(random_entries),
}

SETTINGS = {
    SETTING: Setting(
        description=(
            "Perceptron 64-256-256-10, pretrained with Adam for 20 epochs on 900 digits; "
            "fine-tuned with AdamW, learning rate 1e-3, for 30 epochs of batches of 32 on 100 "
            "shifted digits; 797 test digits, upright and shifted."
        ),
        data=adaptation,
        measure=measure,
        metrics=["new", "old", "trained", "nuclear", "still_small", "without"],
        parameters={
            "smallest": {"epochs": 1, "tuning": 1},
            "full": {"epochs": 20, "tuning": 30},
        },
    )
}

METRICS = {
    "new": Metric("Accuracy, shifted (new)", "%", digits=1, better="higher"),
    "old": Metric("Accuracy, upright (old)", "%", digits=1, better="higher"),
    "trained": Metric("Numbers that train", digits=0),
    "nuclear": Metric("Nuclear norm of the chosen entries", digits=1),
    "still_small": Metric("Chosen entries still below the threshold", "%", digits=1),
    "without": Metric("Accuracy gained by zeroing the smallest fifth", "%", digits=2),
}
