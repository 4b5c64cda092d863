"""Does borrowing from earlier transitions give better probabilities of a rare last class?

Faletto and Bien (ICML 2023) simulate four ordered classes, the last one rare, whose boundaries have
coefficients that differ a little from boundary to boundary. Logistic regression of the last class
against the rest uses the few rare events alone. Proportional odds use all classes, but force the
same coefficients on all boundaries. PRESTO penalises the differences between adjacent boundaries,
so that the rare boundary borrows from the common ones. Its penalty is chosen by five stratified
folds among 20 values down to a hundredth of the largest.

Measured is the mean over the training rows of the squared error of the estimated probability of
the rare class, whose truth is known. Logistic regression and proportional odds are unpenalised, as
in the paper; an L2-penalised logistic regression tuned by log-loss and PRESTO with squared
differences are added. The diabetes data that ship with scikit-learn, cut into four stages, have no
known truth; there the log-loss of the rare class on held-out rows is measured.
"""

from __future__ import annotations

import functools
from typing import Any

from skreg.bench import Benchmark, Claim, Figure, Metric, Paper, Setting
from skreg.bench.arena import ordinal_tasks as tasks
from skreg.bench.arena.checks import all_of, ratio
from skreg.bench.arena.ordinal_views import draw_ratios
from skreg.ordinal import PrestoClassifierCV, ProportionalOddsClassifier

PAPER = Paper(
    title="Predicting Rare Events by Shrinking Towards Proportional Odds",
    authors=("Faletto, Gregory", "Bien, Jacob"),
    venue="International Conference on Machine Learning",
    year=2023,
    here="PRESTO: skreg.ordinal",
    arxiv="2305.18700",
    code="https://github.com/gregfaletto/presto",
)

LOGISTIC, RIDGE = "Logistic, rare against rest", "Logistic, L2 by cross-validation"
ODDS = "Proportional odds"
BRIER, LOG_LOSS = "PRESTO, Brier", "PRESTO, log-loss"
SQUARED = "PRESTO, squared differences"
METHODS = {
    LOGISTIC: tasks.of_rare_against_rest(tasks.logistic),
    RIDGE: tasks.of_rare_against_rest(tasks.ridge_logistic),
    ODDS: tasks.of_all_classes(lambda _: ProportionalOddsClassifier()),
    BRIER: tasks.of_all_classes(lambda cv: PrestoClassifierCV(cv=cv)),
    LOG_LOSS: tasks.of_all_classes(lambda cv: PrestoClassifierCV(cv=cv, scoring="neg_log_loss")),
    SQUARED: tasks.of_all_classes(
        lambda cv: PrestoClassifierCV(cv=cv, scoring="neg_log_loss", l1_ratio=0.0, eps=1e-4)
    ),
}
# Medians over 700 replications, read from the paper's figures: PRESTO's mean squared error over
# those of logistic regression and of proportional odds
PUBLISHED = {
    ("sparse 1/2", (0.0, 3.0, 5.0)): (0.76, 0.66),
    ("sparse 1/2", (0.0, 3.5, 5.5)): (0.58, 0.79),
    ("sparse 1/2", (0.0, 4.0, 6.0)): (0.35, 0.90),
    ("sparse 1/3", (0.0, 3.0, 5.0)): (0.58, 0.77),
    ("sparse 1/3", (0.0, 3.5, 5.5)): (0.41, 0.89),
    ("sparse 1/3", (0.0, 4.0, 6.0)): (0.27, 0.99),
    ("dense", (0.0, 2.5, 4.5)): (0.82, 0.67),
    ("dense", (0.0, 3.0, 5.0)): (0.63, 0.74),
    ("dense", (0.0, 3.5, 5.5)): (0.47, 0.86),
    ("dense", (0.0, 4.0, 6.0)): (0.29, 0.94),
}  # fmt: skip
NAMES = {
    f"{design}, α = ({', '.join(f'{a:g}' for a in intercepts)})": (design, intercepts)
    for design, intercepts in PUBLISHED
}
QUICK, DIABETES = "sparse 1/2, α = (0, 3.5, 5.5)", "Diabetes in four stages"
SMALLER: dict[str, Any] = {"quick": {}, "smallest": {"n_samples": 1500}}


def ahead(setting: str, limits: dict[str, float], metric: str = "mse", ours: str = BRIER) -> Any:
    checks = (
        ratio(ours, rival, metric, setting=setting, at_most=at_most)
        for rival, at_most in limits.items()
    )
    return all_of(*checks)


benchmark = Benchmark(
    seconds={"quick": 21},
    settings={
        name: tasks.simulated(*case, **(SMALLER if name == QUICK else {}))
        for name, case in NAMES.items()
    }
    | {
        DIABETES: Setting(
            "442 patients, 10 features; the disease's progression cut at its quantiles 0.5, 0.8 "
            "and 0.95; 30% of the rows are kept for the test, stratified.",
            tasks.diabetes, tasks.measure_log_loss, ["rare_log_loss"],
            parameters={"quick": {}, "full": {}},
        )
    },
    methods=METHODS,
    metrics={
        "mse": Metric("Squared error of the rare probability, times 1e5", digits=2),
        "rare_log_loss": Metric("Log-loss of the rare class"),
    },
    repeats={"smallest": 1, "quick": 20, "full": 100},
    reference=BRIER,
    together=True,
    claims=[
        Claim(
            "The squared error of the rare probability is at most 0.85 of logistic regression's.",
            ahead(QUICK, {LOGISTIC: 0.85}), [QUICK],
        ),
        Claim(
            "The squared error of the rare probability is at most 0.9 of that of proportional "
            "odds.",
            ahead(QUICK, {ODDS: 0.90}), [QUICK],
        ),
        Claim(
            "Chosen by log-loss, PRESTO is as far ahead of logistic regression.",
            ahead(QUICK, {LOGISTIC: 0.85}, ours=LOG_LOSS), [QUICK],
        ),
        Claim(
            "In every setting of the paper PRESTO is ahead of logistic regression and at most a "
            "twentieth behind proportional odds.",
            all_of(*(ahead(name, {LOGISTIC: 1.0, ODDS: 1.05}) for name in NAMES), names=[*NAMES]),
            [*NAMES], ["full"],
        ),
        Claim(
            "Diabetes: PRESTO is ahead of logistic regression and at most a twentieth behind "
            "proportional odds.",
            ahead(DIABETES, {LOGISTIC: 1.0, ODDS: 1.05}, "rare_log_loss"), [DIABETES],
        ),
    ],
    figures=[
        Figure(
            "Ratio of PRESTO's mean squared error to that of each rival: geometric mean over the "
            "seeds with its interval at 95 %, next to the medians of the paper. Left of the line "
            "PRESTO is ahead.",
            functools.partial(
                draw_ratios, methods=[BRIER, LOG_LOSS], rivals=[LOGISTIC, ODDS],
                published={name: PUBLISHED[case] for name, case in NAMES.items()},
            ),
            [QUICK],
        )
    ],
)  # fmt: skip
