"""Do linear boundaries without regularization lie close to the data without need?

Tanay and Griffin (2016) explain adversarial examples of linear classifiers by the angle between the
boundary and that of the nearest centroid: the inverse cosine is how many times closer than need be
the boundary lies. Their follow-up (2018) shows on pairs of MNIST's digits that the angle grows as
regularization weakens, at first for fewer errors and then for none: overfitting.

A small version: pairs of 8 x 8 digits, half for training with 5 % wrong labels, logistic
regression for seven values of C. Then C is chosen on the training rows by the path (least error, or
the smallest angle within a standard error of it), and by what a user would take instead: accuracy
or log-loss on folds, or C = 1. Robust errors are exact, at perturbations of length 0.4.

Last, distances of 500 rows in 100 dimensions in closed form against attacks as libraries run them,
DeepFool row by row and projected gradient ascent with bisection.
"""

from __future__ import annotations

from skreg.bench import Benchmark, Claim, Figure, Paper
from skreg.bench.arena import tilting_attacks as attacks
from skreg.bench.arena import tilting_checks as along
from skreg.bench.arena import tilting_digits as digits
from skreg.bench.arena.checks import all_of, every, gain, level, ratio
from skreg.bench.arena.tilting_settings import CHOSEN, METRICS, PAIRS, SPEED, settings
from skreg.bench.arena.tilting_views import draw_paths

PAPER = Paper(
    title="A Boundary Tilting Persepective on the Phenomenon of Adversarial Examples",
    authors=("Tanay, Thomas", "Griffin, Lewis D."),
    venue="arXiv preprint",
    year=2016,
    here="skreg.robustness.boundary_tilting, skreg.robustness.tilting_path",
    kind="report",
    arxiv="1608.07690",
    code="https://github.com/thomas-tanay/post--L2-regularization",
)

LOGISTIC = "Logistic regression"
RECOMMENDED, BEST = "Tilting path, 1 SE", "Tilting path, least error"
ACCURACY, LOSS, ONE = "Accuracy on folds", "Log-loss on folds", "C = 1"
UNTILTED = "Turned back to the angle"
CLOSED, DEEPFOOL, STEPS = "Closed form", "DeepFool", "Gradient steps"
CHOICES = {
    RECOMMENDED: digits.by_tilting("recommended"),
    BEST: digits.by_tilting("best"),
    ACCURACY: digits.by_score("accuracy"),
    LOSS: digits.by_score("neg_log_loss"),
    ONE: digits.default,
    UNTILTED: digits.untilted,
}
ATTACKS = {
    CLOSED: attacks.closed_form, DEEPFOOL: attacks.deepfool, STEPS: attacks.gradient_steps,
}  # fmt: skip
benchmark = Benchmark(
    seconds={"quick": 10, "full": 30},
    settings=settings([LOGISTIC], CHOICES, ATTACKS),
    methods={LOGISTIC: digits.logistic()} | CHOICES | ATTACKS,
    metrics=METRICS,
    repeats={"smallest": 1, "quick": 3, "full": 10},
    reference=RECOMMENDED,
    together=True,
    claims=[
        Claim(
            "Less regularization: strength rises, variance along the tilt falls.",
            all_of(
                *(along.monotone(LOGISTIC, "strength", pair) for pair in PAIRS),
                *(along.monotone(LOGISTIC, "variance_ratio", pair, falls=True) for pair in PAIRS),
            ),
            list(PAIRS),
        ),
        Claim(
            "Less regularization: the training error does not rise.",
            all_of(*(along.monotone(LOGISTIC, "train_error", pair, falls=True) for pair in PAIRS)),
            list(PAIRS),
        ),
        Claim(
            "The mean distance to the boundary falls to 0.3 of the largest one or less.",
            all_of(*(along.end_over_start(LOGISTIC, "distance", pair, at_most=0.3)
                     for pair in PAIRS)),
            list(PAIRS),
        ),
        Claim(
            "The least test error is that of C = 0.1, 1 or 10.",
            all_of(*(along.least_inside(LOGISTIC, pair, inside=(0.1, 1.0, 10.0))
                     for pair in PAIRS)),
            list(PAIRS),
        ),
        Claim(
            "At C = 10^4 the boundary is 2.5 times as strong as at the least test error, or more.",
            all_of(*(along.end_over_best(LOGISTIC, pair, at_least=2.5) for pair in PAIRS)),
            list(PAIRS),
        ),
        Claim(
            "From C = 10 on angles are of type 2 (overfitting) on at least 8 of 10 seeds.",
            all_of(*(level(LOGISTIC, "overfits", setting=pair, at=C, at_least=0.8)
                     for pair in PAIRS for C in (10.0, 100.0, 1e4))),
            list(PAIRS),
        ),
        Claim(
            "Limit of the measure: the least strength, at C = 0.001, has at least one percent more "
            "test errors than the best C, as the boundary is badly placed.",
            all_of(*(along.start_above_best(LOGISTIC, pair, at_least=0.01) for pair in PAIRS)),
            list(PAIRS),
        ),
        Claim(
            "C by the path's rule has less robust error than C by accuracy, and at most one "
            "percent more test errors.",
            all_of(
                *(gain(RECOMMENDED, ACCURACY, "robust_error", setting=s) for s in CHOSEN.values()),
                *(gain(RECOMMENDED, ACCURACY, "test_error", setting=s, at_least=-0.01)
                  for s in CHOSEN.values()),
            ),
            list(CHOSEN.values()),
        ),
        Claim(
            "Ours, not the paper's: a boundary without regularization that is turned back to the "
            "recommended angle has more test errors than that of the recommended C.",
            all_of(*(gain(RECOMMENDED, UNTILTED, "test_error", setting=s)
                     for s in CHOSEN.values())),
            list(CHOSEN.values()),
        ),
        Claim(
            "Distances in closed form take at most a tenth of the time of either attack, and none "
            "finds anything shorter.",
            all_of(
                ratio(CLOSED, [DEEPFOOL, STEPS], "seconds", setting=SPEED, at_most=0.1),
                every([DEEPFOOL, STEPS], "excess", settings=SPEED, at_least=0.0),
            ),
            [SPEED],
        ),
    ],
    figures=[
        Figure(
            "Errors against strength from C = 0.001 (left) to 10,000 (right): means over the "
            "seeds. Test errors fall for little strength and rise again for much.",
            lambda results: draw_paths(results, list(PAIRS), LOGISTIC),
            list(PAIRS),
        )
    ],
)  # fmt: skip
