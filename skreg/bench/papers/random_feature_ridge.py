"""Are more features and more rows always better, and is the best fit an overfit?

Simon et al. (ICLR 2024) show, for random feature ridge regression with the best ridge, that neither
more rows nor more features ever raise the expected error, at a fixed ridge they may; and that for
tasks whose eigenvalues and coefficients fall like powers the best ridge fits training rows far
better than others, up to a noise below which it is 0. Their equations predict all errors from a
kernel's eigenvalues.

Small versions. Digits of 8 x 8 pixels, one-hot labels less 0.1, ReLU features without intercept:
256 rows and growing features, or 512 features and growing rows; the best of 49 ridges is chosen on
the test rows, as the theorems do, and by leave-one-out, as a user would. The theory is fed with the
eigensystem of all 1797 digits. Then the theory's second theorem on its own model: 200 rows of 3000
Gaussian covariates, eigenvalues i^-1.5, squared coefficients i^-2, noise in units of the error of
interpolation without noise (threshold 0.667). Errors there are exact, and in the same units.
"""

from __future__ import annotations

from skreg.bench import Axis, Benchmark, Claim, Figure, Metric, Paper, Setting
from skreg.bench.arena import random_feature_tasks as tasks
from skreg.bench.arena.checks import all_of, level
from skreg.bench.arena.random_feature_checks import (
    close_to,
    differs_by,
    falls_along,
    place_over_place,
    towers,
)
from skreg.bench.arena.random_feature_views import draw_growth

PAPER = Paper(
    title=("More is Better in Modern Machine Learning: when Infinite Overparameterization is "
           "Optimal and Overfitting is Obligatory"),
    authors=("Simon, James B.", "Karkada, Dhruva", "Ghosh, Nikhil", "Belkin, Mikhail"),
    venue="International Conference on Learning Representations",
    year=2024,
    here="skreg.random_features.RandomFeatureRidge, skreg.random_features.RidgeEigenframework",
    arxiv="2311.14646",
    code="https://github.com/dkarkada/more-is-better",
)  # fmt: skip

FEATURES, ROWS, POWERS = "Digits, 256 rows", "Digits, 512 features", "Power laws, 200 rows"
KS, NS, NOISES = (16, 64, 128, 256, 512, 1024, 4096), (64, 128, 256, 512, 1024), (0.0, 0.3, 10.0)
TINY, BEST, LOO, THEORY = tasks.TINY, tasks.BEST, tasks.LOO, tasks.THEORY
SMALL_K, SMALL_N = (64, 256, 512), (128, 512)
LAW = {"alpha": 1.5, "beta": 2.0, "n": 200, "n_modes": 3000, "relative": NOISES}


def growing(along: str, fixed: int, at: tuple[int, ...], few: tuple[int, ...]) -> dict:
    whole = {"along": along, "fixed": fixed, "at": at}
    return {"smallest": whole | {"at": few}, "quick": whole, "full": whole}


benchmark = Benchmark(
    seconds={"quick": 12},
    settings={
        FEATURES: Setting(
            "256 rows to learn from, 1541 to test on; a growing number of features.",
            tasks.digits, tasks.measure_digits, ["test", "ratio"],
            axis=Axis("k", "features k"), methods=[BEST, LOO, THEORY, TINY],
            parameters=growing("k", 256, KS, SMALL_K),
        ),
        ROWS: Setting(
            "512 features; a growing number of rows, the others to test on.",
            tasks.digits, tasks.measure_digits, ["test", "ratio"],
            axis=Axis("n", "rows n"), methods=[BEST, TINY],
            parameters=growing("n", 512, NS, SMALL_N),
        ),
        POWERS: Setting(
            "Kernel regression, infinitely many features; relative noise grows.",
            tasks.power_law, tasks.measure_power_law, ["test", "ratio"],
            axis=Axis("noise", "relative noise"),
            methods=[BEST, tasks.INTERPOLATION, tasks.FORMULA],
            parameters={"smallest": LAW | {"n": 50, "n_modes": 500}, "quick": LAW, "full": LAW},
        ),
    },
    methods=dict.fromkeys((BEST, LOO, THEORY, TINY, tasks.INTERPOLATION, tasks.FORMULA)),
    metrics={"test": Metric("Test error"), "ratio": Metric("Training over test error")},
    repeats={"smallest": 1, "quick": 3, "full": 10},
    reference=BEST,
    together=True,
    claims=[
        Claim(
            "More features: at the best ridge the error falls from 16 features to 4096.",
            falls_along(BEST, "test", FEATURES, KS), [FEATURES],
        ),
        Claim(
            "More rows: at the best ridge the error falls from 64 rows to 1024.",
            falls_along(BEST, "test", ROWS, NS), [ROWS],
        ),
        Claim(
            "At a fixed ridge more is not better: with ridge 1e-6 the error at as many features as "
            "rows is over ten times the best ones at half and at twice as many.",
            all_of(*(towers(TINY, BEST, FEATURES, 256, k, at_least=10.0) for k in (128, 512))),
            [FEATURES],
        ),
        Claim(
            "The same of rows: with ridge 1e-6 the error at 512 rows is larger than at 128.",
            place_over_place(TINY, "test", ROWS, 512, 128, at_least=1.0), [ROWS],
        ),
        Claim(
            "Overfitting: training over test error at the best ridge falls along the number of "
            "features, and is below 0.05 at 4096.",
            all_of(falls_along(BEST, "ratio", FEATURES, KS),
                   level(BEST, "ratio", setting=FEATURES, at=4096, at_most=0.05)),
            [FEATURES],
        ),
        Claim(
            "Leave-one-out finds the best ridge: its error is at most 2 % above, at all numbers "
            "of features.",
            all_of(*(towers(LOO, BEST, FEATURES, k, k, at_most=1.02) for k in KS)), [FEATURES],
        ),
        Claim(
            "The theory's error at the best ridge is within 10 % of the measured one, at all "
            "numbers of features.",
            all_of(*(close_to(THEORY, BEST, "test", FEATURES, k, to=0.1) for k in KS)), [FEATURES],
        ),
        Claim(
            "Overfitting is obligatory: with noise below the threshold, ridge 0 is within 1 % of "
            "the best ridge.",
            all_of(*(towers(tasks.INTERPOLATION, BEST, POWERS, noise, noise, at_most=1.01)
                     for noise in NOISES[:2])),
            [POWERS],
        ),
        Claim(
            "Limit: with noise of 10, far above the threshold, ridge 0 has at least 1.1 times the "
            "error of the best ridge, and training over test error is the formula's, up to 0.1.",
            all_of(towers(tasks.INTERPOLATION, BEST, POWERS, 10.0, 10.0, at_least=1.1),
                   differs_by(BEST, tasks.FORMULA, "ratio", POWERS, 10.0, to=0.1)),
            [POWERS],
        ),
    ],
    figures=[
        Figure(
            "Test error against the number of features (256 rows) and of rows (512 features): "
            "geometric means over the seeds, bands of one standard error.",
            lambda results: draw_growth(
                results, [(FEATURES, "k", "features k"), (ROWS, "n", "rows n")],
                [BEST, LOO, THEORY, TINY],
            ),
            [FEATURES, ROWS],
        )
    ],
)  # fmt: skip
