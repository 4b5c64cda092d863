"""Do coresets keep what is promised of them?

Excess: `CoresetEstimator(excess=)` bounds from above, with 95 % confidence, how much more the fit
on a subset costs than the best one on all rows (Mak, Morton and Wood 1999). Least absolute
deviations of 8000 heavy-tailed rows with a rare dummy; the least cost is that of a fit on all rows.

Clusters: the costs of k-means (Bachem, Lucic and Krause 2018) and the negative log-likelihoods of
Gaussian mixtures (Lucic et al. 2018) on samples by the distance to the mean, in memory and by merge
and reduce on a stream of twenty batches, beside uniform samples. The distortion is the largest
found over clusterings and mixtures, drawn and fitted, on all rows and on the sample: eight centres
or components, with variances between a quarter of that of the rows about centres and four times it.
"""

from __future__ import annotations

from skreg.bench import Benchmark, Claim, Metric, Setting
from skreg.bench.arena import coreset_guarantees as guarantees
from skreg.bench.arena.checks import all_of, every, grows_like, level, ratio
from skreg.bench.arena.coreset_guarantees import (
    BOUND,
    DISTANCE,
    FIT,
    GROWN,
    STREAM,
    UNIFORM,
)

EXCESS, CLUSTERS = "Certified excess", "Clusters"
WANTED = 0.01
KINDS = {"clusterings": 0.03, "mixtures": 0.1}  # and the largest distortion of 1000 rows
REGRESSION = {"n_samples": 400, "wanted": WANTED}


def claims_about(kind: str, largest: float) -> list[Claim]:
    return [
        Claim(
            f"{kind.capitalize()}: 1000 rows by distance distort at most {largest:g}, in memory "
            "and on a stream.",
            all_of(
                *(level(name, kind, setting=CLUSTERS, at=1000, at_most=largest)
                  for name in (DISTANCE, STREAM))
            ),
            [CLUSTERS],
        ),
        Claim(
            f"{kind.capitalize()}: 1000 uniform rows distort at least twice as much.",
            all_of(
                *(ratio(UNIFORM, name, kind, setting=CLUSTERS, at=1000, at_least=2)
                  for name in (DISTANCE, STREAM))
            ),
            [CLUSTERS], ("full",),
        ),
        Claim(
            f"{kind.capitalize()}: the distortion falls with the root of the rows, by an exponent "
            "of at most -0.4, in memory and on a stream.",
            all_of(
                *(grows_like(name, kind, setting=CLUSTERS, at_most=-0.4)
                  for name in (DISTANCE, STREAM))
            ),
            [CLUSTERS], ("full",),
        ),
    ]  # fmt: skip


benchmark = Benchmark(
    settings={
        EXCESS: Setting(
            "8000 rows, 400 of them drawn by Lewis weights, p = 1; grown from 100 rows.",
            guarantees.regression, guarantees.measure_certificate, ["excess", "over", "n_subsets"],
            methods=[BOUND, FIT, GROWN],
            parameters=dict.fromkeys(("smallest", "full"), REGRESSION),
        ),
        CLUSTERS: Setting(
            "Eight clusters in five dimensions, two of which are far and hold one row in 1000.",
            guarantees.clusters, guarantees.measure_clusters, [*KINDS],
            axis=guarantees.ROWS, methods=[UNIFORM, DISTANCE, STREAM],
            parameters={
                "smallest": {"n_rows": 4000, "sizes": [1000], "n_probes": 1},
                "full": {"n_rows": 50_000, "sizes": [250, 1000, 4000], "n_probes": 3},
            },
        ),
    },
    methods=dict.fromkeys((BOUND, FIT, GROWN, UNIFORM, DISTANCE, STREAM)),
    metrics={
        "excess": Metric("Excess cost", digits=4),
        "over": Metric("Bound over the excess", digits=2),
        "n_subsets": Metric("Sizes that were tried", digits=1),
        "clusterings": Metric("Distortion of clusterings", digits=4),
        "mixtures": Metric("Distortion of mixtures", digits=4),
    },
    repeats={"smallest": 1, "quick": 1, "full": 20},
    reference=DISTANCE,
    together=True,
    claims=[
        Claim(
            "Certified excess: the bound is never below the excess, and at most five times it in "
            "the geometric mean.",
            all_of(
                every(BOUND, "over", settings=EXCESS, at_least=1),
                ratio(BOUND, FIT, "excess", setting=EXCESS, at_most=5),
            ),
            [EXCESS], ("full",),
        ),
        Claim(
            f"Certified excess: the subset grows until at most {WANTED:.0%} is certified, and the "
            "fit keeps that.",
            all_of(
                every(GROWN, "excess", settings=EXCESS, at_most=WANTED),
                every(GROWN, "n_subsets", settings=EXCESS, at_least=2),
            ),
            [EXCESS], ("full",),
        ),
        *(claim for kind, largest in KINDS.items() for claim in claims_about(kind, largest)),
    ],
)  # fmt: skip
