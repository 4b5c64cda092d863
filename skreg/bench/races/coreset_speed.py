"""What do row scores cost, and what does a coreset save?

Scores are timed against the cheapest thing one can do with all rows, a Gram matrix, and against the
usual routes to leverage scores, numpy's QR and singular value decompositions: the median of three
runs in turns. The rows are normal, each times the absolute value of a t variable
with three degrees of freedom.

Least absolute deviations: scikit-learn's QuantileRegressor (HiGHS) is timed on growing numbers of
rows up to its time limit, and extrapolated to all rows by the growth over its last five sizes; the
coreset has Lewis weights of [X, 1, y]. The excess cost is certified by a dual bound on all rows.

Grid search: cross-validation of the penalty of logistic regression, on one weighted coreset, on
coresets of the training folds that are drawn for every candidate, and on all rows; the log loss is
that of other rows.

All times are processor times on one thread, which other processes do not lengthen. A repeat at size
full takes about ten minutes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from skreg.bench import Benchmark, Claim, Metric, Setting
from skreg.bench.arena.checks import Check, all_of, level, ratio
from skreg.bench.arena.coreset_contest import (
    ALL_ROWS,
    BOTH,
    CORESET,
    FOLDS,
    GRAM,
    LEVERAGE,
    LEWIS,
    LEWIS_DIGITS,
    QR,
    SCORES,
    SVD,
    grid_data,
    measure_grid,
    measure_median,
    measure_scores,
    median_data,
    score_data,
)

WIDE, LONG = "Scores, d = 50", "Scores, d = 20"
MEDIAN, GRID = "Least absolute deviations", "Grid search"


def scores_setting(n_rows: int, n_features: int, small: Mapping[str, int]) -> Setting:
    full = {"n_rows": n_rows, "n_features": n_features}
    return Setting(
        f"{n_rows} x {n_features}, float64; QR and SVD return squared row norms of the orthonormal "
        "factor. Sizes below full have fewer rows.",
        score_data, measure_scores, ["seconds"], methods=list(SCORES),
        parameters={
            "full": full, **{size: {**full, "n_rows": rows} for size, rows in small.items()}
        },
    )  # fmt: skip


def takes(setting: str, method: str, rivals: str | list[str], **bound: float) -> Check:
    """Bound of the ratio of times."""
    return ratio(method, rivals, "seconds", setting=setting, **bound)


def claims_about_scores(setting: str) -> Iterator[Claim]:
    yield Claim(
        f"{setting}: leverage scores are at least 6 times faster than numpy's QR and SVD.",
        all_of(
            *(takes(setting, name, LEVERAGE, at_least=6) for name in (QR, SVD)), names=(QR, SVD)
        ),
        [setting],
    )
    yield Claim(
        f"{setting}: leverage scores take at most twice the time of a Gram matrix and one "
        "triangular product.",
        takes(setting, LEVERAGE, BOTH, at_most=2),
        [setting],
    )
    yield Claim(
        f"{setting}: Lewis weights for p = 1 to 1e-2 take at most ten Gram matrices.",
        takes(setting, LEWIS, GRAM, at_most=10), [setting],
    )  # fmt: skip
    yield Claim(
        f"{setting}: Lewis weights for p = 1 to 1e-6 take at most twelve Gram matrices.",
        takes(setting, LEWIS_DIGITS, GRAM, at_most=12), [setting], ("full",),
    )  # fmt: skip


benchmark = Benchmark(
    seconds={"quick": 16},
    settings={
        WIDE: scores_setting(200_000, 50, {"smallest": 10_000, "quick": 50_000}),
        LONG: scores_setting(2_000_000, 20, {"quick": 100_000}),
        MEDIAN: Setting(
            "Ten heavy-tailed features and t noise; a million rows at full size.",
            median_data, measure_median, ["seconds", "excess_cost", "n_timed"],
            methods=[CORESET, ALL_ROWS],
            parameters={
                "smallest": {"n_rows": 10_000, "n_samples": 500, "limit": 0.05},
                "quick": {"n_rows": 100_000, "n_samples": 1500, "limit": 0.2},
                "full": {"n_rows": 1_000_000, "n_samples": 3000, "limit": 120.0},
            },
        ),
        GRID: Setting(
            "Twenty heavy-tailed features, two classes; seven penalties, three folds.",
            grid_data, measure_grid, ["seconds", "chosen", "log_loss"],
            methods=[CORESET, FOLDS, ALL_ROWS],
            parameters={
                "full": {"n_rows": 500_000, "n_samples": 10_000},
            },
        ),
    },
    methods=dict.fromkeys((*SCORES, CORESET, FOLDS, ALL_ROWS)),
    metrics={
        "seconds": Metric("Time", "s"),
        "excess_cost": Metric("Excess cost, at most", digits=4),
        "n_timed": Metric("Rows that were timed", digits=0),
        "chosen": Metric("Chosen log10 C", digits=0),
        "log_loss": Metric("Log loss", digits=4),
    },
    repeats={"smallest": 1, "quick": 5, "full": 3},
    reference=ALL_ROWS,
    together=True,
    serial=True,
    claims=[
        *claims_about_scores(WIDE),
        *claims_about_scores(LONG),
        Claim(
            "Least absolute deviations: the coreset is at least 20 times faster than "
            "QuantileRegressor on all rows.",
            takes(MEDIAN, ALL_ROWS, CORESET, at_least=20), [MEDIAN], ("full",),
        ),
        Claim(
            "Least absolute deviations: the coreset's fit costs at most 1% more than the best.",
            level(CORESET, "excess_cost", setting=MEDIAN, at_most=0.01), [MEDIAN], ("full",),
        ),
        Claim(
            "Grid search on one coreset is at least three times faster than on all rows.",
            takes(GRID, ALL_ROWS, CORESET, at_least=3), [GRID], ("full",),
        ),
        Claim(
            "Grid search on one coreset loses at most 1% of log loss on other rows.",
            ratio(CORESET, ALL_ROWS, "log_loss", setting=GRID, at_most=1.01), [GRID], ("full",),
        ),
    ],
)  # fmt: skip
