"""How fast is random feature ridge next to scikit-learn's samplers and RidgeCV?

Processor seconds of one process and one thread: one fit each to the same rows with the same 30
strengths, chosen by leave-one-out by all (by GCV where it says so), and the mean squared error on
5000 further rows. RidgeCV runs in its mode "svd", which is the faster one for more rows than
features, and in the smaller setting also as it comes, by the covariance matrix.

Random weights are compared with RBFSampler, whose features they are, and landmarks (draw="rows")
with Nystroem, each with draws of its own.

skreg's own parts: the whole fit over the decomposition that it begins with, features, Gram matrix,
eigenvectors and left singular vectors, by the median of three turns.
"""

from __future__ import annotations

from skreg.bench import Benchmark, Claim, Metric, Setting
from skreg.bench.arena import random_feature_race as race
from skreg.bench.arena.checks import all_of, ratio

LARGE, SMALL = "20,000 rows, 2000 features", "5000 rows, 500 features"
PARTS, WIDE = "Parts: 20,000 rows, 2000 features", "Memory: 5000 rows, 500 features"
RIVALS = (race.SAMPLER, race.NYSTROEM)
OWN = (race.OURS, race.GCV, race.SINGLE, race.LANDMARKS)
MANY, FEW = {"n": 20_000, "k": 2000}, {"n": 5000, "k": 500}


def faster(setting: str) -> Claim:
    return Claim(
        f"{setting}: at most half the time of RBFSampler or Nystroem with RidgeCV.",
        all_of(
            *(ratio(race.OURS, rival, "seconds", setting=setting, at_most=0.5) for rival in RIVALS)
        ),
        [setting],
    )


def as_good(setting: str) -> Claim:
    return Claim(
        f"{setting}: an error that is at most 2 % above that of RBFSampler with RidgeCV, whose "
        "kernel and number of features it has.",
        ratio(race.OURS, race.SAMPLER, "error", setting=setting, at_most=1.02),
        [setting],
    )


def with_landmarks(setting: str) -> Claim:
    return Claim(
        f"{setting}: with landmarks an error that is at most 5 % above that of Nystroem with "
        "RidgeCV, in at most half the time.",
        all_of(
            ratio(race.LANDMARKS, race.NYSTROEM, "error", setting=setting, at_most=1.05),
            ratio(race.LANDMARKS, race.NYSTROEM, "seconds", setting=setting, at_most=0.5),
        ),
        [setting],
    )


benchmark = Benchmark(
    seconds={"quick": 9},
    settings={
        LARGE: Setting(
            "A smooth function of ten columns; one fit each.",
            race.waves, race.measure, ["seconds", "error"],
            methods=[*OWN, *RIVALS], parameters={"full": MANY},
        ),
        SMALL: Setting(
            "The same, smaller.",
            race.waves, race.measure, ["seconds", "error"],
            methods=[*OWN, *RIVALS, race.DEFAULT],
            parameters={"smallest": {"n": 400, "k": 50}, "quick": FEW, "full": FEW},
        ),
        PARTS: Setting(
            "The whole fit, 30 strengths, and the decomposition alone.",
            race.waves, race.measure_parts, ["seconds"],
            methods=[race.FIT, race.DECOMPOSITION],
            parameters={"full": MANY},
        ),
        WIDE: Setting(
            "What Python and numpy allocate during a fit.",
            race.waves, race.measure_memory, ["memory"],
            methods=[race.OURS, race.GCV, race.SAMPLER],
            parameters={"full": FEW},
        ),
    },
    methods={**race.SOLVERS, race.FIT: None, race.DECOMPOSITION: None},
    metrics={
        "seconds": Metric("Time", "s"),
        "error": Metric("Mean squared error", digits=5),
        "memory": Metric("Peak memory", "MB", digits=0),
    },
    repeats={"smallest": 1, "quick": 2, "full": 3},
    reference=race.OURS,
    together=True,
    serial=True,
    claims=[
        faster(SMALL),
        faster(LARGE),
        as_good(SMALL),
        as_good(LARGE),
        with_landmarks(SMALL),
        with_landmarks(LARGE),
        Claim(
            "20,000 rows, 2000 features: all leave-one-out errors of 30 strengths, the choice and "
            "the coefficients included, a fit takes at most 1.3 times its decomposition.",
            ratio(race.FIT, race.DECOMPOSITION, "seconds", setting=PARTS, at_most=1.3), [PARTS],
        ),
        Claim(
            "The fit allocates no more than that of RBFSampler and RidgeCV.",
            ratio(race.OURS, race.SAMPLER, "memory", setting=WIDE, at_most=1.0), [WIDE],
        ),
        Claim(
            "Limit of random weights, the default: at the same number of features those of "
            "Nystroem, which are made of the training rows, have an error that is at least 5 % "
            "smaller.",
            all_of(*(ratio(race.OURS, race.NYSTROEM, "error", setting=setting, at_least=1.05)
                     for setting in (SMALL, LARGE))),
            [SMALL, LARGE],
        ),
    ],
)  # fmt: skip
