"""How fast do learners on streams go through rows, next to SGD of scikit-learn?

Processor times of one process and one thread for one call of `partial_fit` on all rows, validation
included: the median of three runs in turns. All minimise the log-loss; the
ensemble has eight learners. Sparse rows have about 50 entries.
"""

from __future__ import annotations

from typing import Any

from skreg.bench import Benchmark, Claim, Metric, Setting
from skreg.bench.arena import online_race as race
from skreg.bench.arena.checks import all_of, ratio

DENSE, SINGLE, SPARSE = "Dense", "Dense, float32", "Sparse"
SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    DENSE: ("100 columns of float64.", {"n_features": 100}),
    SINGLE: ("100 columns of float32.", {"n_features": 100, "dtype": "float32"}),
    SPARSE: ("CSR with 5000 columns, 1 % of them filled.", {"n_features": 5000, "density": 0.01}),
}
ROWS = {"smallest": 2000, "quick": 50_000, "full": 1_000_000}


def contest(name: str) -> Setting:
    description, shape = SHAPES[name]
    sizes = {size: n // 5 if name == SPARSE else n for size, n in ROWS.items()}
    return Setting(
        description, race.rows, race.measure, ["seconds"],
        parameters={size: {**shape, "n_rows": n} for size, n in sizes.items()},
    )  # fmt: skip


benchmark = Benchmark(
    seconds={"quick": 5},
    settings={name: contest(name) for name in SHAPES},
    methods=race.LEARNERS,
    metrics={"seconds": Metric("Time", "s")},
    repeats={"smallest": 1, "quick": 3, "full": 4},
    reference=race.OURS,
    together=True,
    serial=True,
    claims=[
        Claim(
            "One learner takes at most 1.5 times the time of SGDClassifier, dense and sparse.",
            all_of(*(ratio(race.OURS, race.SGD, "seconds", setting=name, at_most=1.5)
                     for name in SHAPES)),
            list(SHAPES),
        ),
        Claim(
            "An ensemble of eight takes at most 6 times the time of one learner.",
            all_of(*(ratio(race.MIXED, race.OURS, "seconds", setting=name, at_most=6.0)
                     for name in SHAPES)),
            list(SHAPES),
        ),
    ],
)  # fmt: skip
