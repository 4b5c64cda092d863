"""Do intervals of ordinal models cover the truth, and do tests hold their level?

Data are simulated: three features, two uniform and a binary one, and four ordered classes. In a
cell, one seed, many samples are drawn from one truth; the model is fitted to each without penalty,
and the shares of intervals at 95 % that cover the truth are counted, and of tests at 5 % that
reject. Claims are about the means of these shares over the seeds.

Where the last class is rare it has some ten events in a sample. Wald intervals take the likelihood
for a parabola; profile intervals do not, but need refits. Brant's test compares separate logistic
regressions, of which that of the rare class is uncertain; the likelihood-ratio test compares two
fits to all rows. Partial proportional odds have one coefficient for two of the features, and one at
each boundary for the third.

The cost of standard errors, fit included, is compared to that of OrderedModel of statsmodels, which
has them by numerical derivatives: processor times of one thread.
"""

from __future__ import annotations

from typing import Any

from skreg.bench import Benchmark, Claim, Metric, Setting
from skreg.bench.arena import ordinal_intervals as tasks
from skreg.bench.arena.checks import Check, all_of, gain, level, ratio
from skreg.bench.arena.rivals import needs_of

WALD, PROFILE = "Wald", "Profile"
BRANT, RATIO = tasks.TESTS
SUMMARY, STATSMODELS = "Fit and summary", "statsmodels"
METHODS: dict[str, Any] = {
    WALD: "wald",
    PROFILE: "profile",
    **tasks.TESTS,
    SUMMARY: tasks.summary_of_a_fit,
    STATSMODELS: tasks.errors_of_statsmodels,
}
RARE, COMMON, PARTIAL = "Rare last class", "Common classes", "Partial proportional odds"
PROPORTIONAL, DIFFERENT = "Proportional odds hold", "Proportional odds do not hold"
COST = "Cost of standard errors"
RARE_THRESHOLDS, COMMON_THRESHOLDS = (0.3, 2.2, 4.0), (-0.8, 0.4, 1.8)
BETA, OTHER = (-0.8, -0.5, 0.0), (-0.8, -0.5, -0.5)
A_LITTLE = (-0.8, -0.5, -0.25)  # the powers are from noncentralities in one sample of 300 000 rows
N_FEWEST, N_COVERED, N_TESTED = 4, 120, 200


def study(
    description: str, measure: Any, metrics: list[str], methods: list[str], n: int, **truth: Any
) -> Setting:
    """Many samples of n rows at size full, a few at the smallest."""
    many = N_TESTED if measure is tasks.measure_tests else N_COVERED
    return Setting(
        description, tasks.study, measure, metrics, methods=methods,
        parameters={
            size: {"n_samples": n, "n_studies": n_studies, "beta": BETA, **truth}
            for size, n_studies in (("smallest", N_FEWEST), ("full", many))
        },
    )  # fmt: skip


def coverage(description: str, n: int, **truth: Any) -> Setting:
    metrics = ["coverage", "rare_threshold", "distance", "imbalance"]
    return study(description, tasks.measure_coverage, metrics, [WALD, PROFILE], n, **truth)


def rejections(description: str, n: int, **truth: Any) -> Setting:
    return study(description, tasks.measure_tests, ["rejected"], [BRANT, RATIO], n, **truth)


def within(name: str, metric: str, setting: str, low: float, high: float) -> Check:
    return all_of(
        level(name, metric, setting=setting, at_least=low),
        level(name, metric, setting=setting, at_most=high),
    )


benchmark = Benchmark(
    settings={
        RARE: coverage(
            "300 rows, of which some nine are in the last class.", 300, thresholds=RARE_THRESHOLDS
        ),
        COMMON: coverage("300 rows, four common classes.", 300, thresholds=COMMON_THRESHOLDS),
        PARTIAL: coverage(
            "1000 rows, common classes; the third feature acts at the last boundary only.", 1000,
            thresholds=COMMON_THRESHOLDS, last=OTHER,
        ),
        PROPORTIONAL: rejections("1000 rows, common classes.", 1000, thresholds=COMMON_THRESHOLDS),
        DIFFERENT: rejections(
            "1000 rows, common classes; the third feature acts a little at the last boundary only.",
            1000, thresholds=COMMON_THRESHOLDS, last=A_LITTLE,
        ),
        COST: Setting(
            "5000 rows, ten normal features, four classes.", tasks.one_sample, tasks.measure_cost,
            ["seconds"], methods=[SUMMARY, STATSMODELS], parameters={"full": {"shape": (5000, 10)}},
        ),
    },
    methods=METHODS,
    metrics={
        "coverage": Metric("Share of coefficients that are covered", better="higher"),
        "rare_threshold": Metric("Share of last thresholds that are covered", better="higher"),
        "distance": Metric("Distance of the shares from 0.95"),
        "imbalance": Metric("Misses on one side minus those on the other"),
        "rejected": Metric("Share of samples in which proportional odds are rejected"),
        "seconds": Metric("Time", "s"),
    },
    repeats={"smallest": 1, "quick": 1, "full": 10},
    reference=WALD,
    needs=needs_of(METHODS),
    together=True,
    serial=True,
    claims=[
        *(
            Claim(
                f"{setting}: Wald and profile intervals at 95 % cover between 93 % and 97 % of the "
                "coefficients.",
                all_of(
                    *(within(name, "coverage", setting, 0.93, 0.97) for name in (WALD, PROFILE))
                ),
                [setting], ["full"],
            )
            for setting in (RARE, COMMON, PARTIAL)
        ),
        Claim(
            "With a rare class, coverages of profile intervals are at most 0.005 farther from 95 % "
            "than those of Wald intervals.",
            gain(PROFILE, WALD, "distance", setting=RARE, at_least=-0.005), [RARE], ["full"],
        ),
        Claim(
            "With a rare class, profile intervals miss more evenly on both sides.",
            gain(PROFILE, WALD, "imbalance", setting=RARE), [RARE], ["full"],
        ),
        Claim(
            "Where proportional odds hold, both tests at 5 % reject them in 3 % to 7 % of the "
            "samples.",
            all_of(*(
                within(name, "rejected", PROPORTIONAL, 0.03, 0.07) for name in (BRANT, RATIO)
            )),
            [PROPORTIONAL], ["full"],
        ),
        Claim(
            "Where one effect differs a little, both tests reject them in 60 % to 80 % of the "
            "samples, about as often as large-sample theory says (70 %, and 68 % for Brant's).",
            all_of(*(within(name, "rejected", DIFFERENT, 0.6, 0.8) for name in (BRANT, RATIO))),
            [DIFFERENT], ["full"],
        ),
        Claim(
            "A fit and its summary take at most a tenth of the time in which statsmodels fits.",
            ratio(SUMMARY, STATSMODELS, "seconds", setting=COST, at_most=0.1), [COST], ["full"],
        ),
    ],
)  # fmt: skip
