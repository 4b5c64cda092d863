"""Does linear naive Bayes need fewer labels than logistic regression as a linear probe?

Zheng et al. (ICML 2023) compare two linear classifiers on frozen features: Gaussian naive Bayes
with one variance per feature shared by all classes, and multinomial logistic regression. Their
theory says that naive Bayes comes close to its best error after O(log n) samples in n features
where every feature carries signal, logistic regression after O(n), while the best error of logistic
regression is the lower one. So two regimes are expected: naive Bayes ahead at few labels, logistic
regression ahead at many, and a crossover between them.

Every repeat draws its own split of the data. All methods see the same training subset and the same
test rows. Random subsets are unbalanced, hence the second logistic regression with balanced class
weights. Features are scaled to [0, 1] by the minima and maxima of the training subset (not in the
simulation, where the scales are part of the design). The error is the share of test rows that are
misclassified.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import NearestCentroid

from skreg.bench import Axis, Benchmark, Claim, Figure, Metric, Paper, Setting, by_seed
from skreg.bench.arena import probe_tasks as tasks
from skreg.bench.arena.checks import Check, all_of, gain, ratio, statistic
from skreg.bench.arena.probe_views import LABELS, crossings, draw_learning_curves
from skreg.bench.arena.views import curve_panels
from skreg.probe import LinearNaiveBayes

PAPER = Paper(
    title="Revisiting Discriminative vs. Generative Classifiers: Theory and Implications",
    authors=(
        "Zheng, Chenyu", "Wu, Guoqiang", "Bao, Fan", "Cao, Yue", "Li, Chongxuan", "Zhu, Jun",
    ),
    venue="International Conference on Machine Learning (PMLR 202)",
    year=2023,
    here="Linear naive Bayes probes: skreg.probe",
    arxiv="2302.02334",
    code="https://github.com/ML-GSAI/Revisiting-Dis-vs-Gen-Classifiers",
)  # fmt: skip

NB, LR, CENTROID = "LinearNaiveBayes", "LogisticRegression", "NearestCentroid"
LDA, BALANCED = "LDA, Ledoit-Wolf shrinkage", "LogisticRegression, balanced"
METHODS = {
    NB: LinearNaiveBayes(),
    "LinearNaiveBayes, LOO shrinkage": LinearNaiveBayes(shrinkage="loo"),
    LR: LogisticRegression(C=1.0, max_iter=1000),
    BALANCED: LogisticRegression(C=1.0, max_iter=1000, class_weight="balanced"),
    "GaussianNB": GaussianNB(),
    LDA: LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
    CENTROID: NearestCentroid(),
}
TWO_CLASSES, FIVE_CLASSES = "Gaussian mixture, 2 classes", "Gaussian mixture, 5 classes"
CANCER, PIXELS = "Breast cancer", "Digits, raw pixels"
SAME, NEW = "Digits, frozen features, same classes", "Digits, frozen features, new classes"
FEATURES, TEN_CLASSES = [50, 100, 200, 400], [20, 30, 50, 100, 200, 500]
CURVES, SIMULATED = (CANCER, PIXELS, SAME, NEW), [NB, LR, "GaussianNB", LDA]
SIZE = Axis("n_features", "features n")


def grows(method: str, **bound: float) -> Check:
    """Samples needed with the most features over those with the fewest."""

    def growth(evidence: Any) -> np.ndarray:
        few, many = (
            evidence.values(TWO_CLASSES, "sample_complexity", method, n)
            for n in (FEATURES[0], FEATURES[-1])
        )
        return many / few

    label = f"m of {method} at n = {FEATURES[-1]} over that at {FEATURES[0]}"
    return statistic(growth, label, log=True, **bound)


def nb_leads_at(setting: str, sizes: Sequence[int], margin: float, rival: str = LR) -> Check:
    """Lead of naive Bayes in the mean over some sizes."""

    def lead(evidence: Any) -> np.ndarray:
        ours, theirs = (
            np.mean([evidence.values(setting, "error", name, m) for m in sizes], axis=0)
            for name in (NB, rival)
        )
        return theirs - ours

    where = ", ".join(map(str, sizes))
    return statistic(lead, f"error of {rival} less that of NB at {where}", at_least=margin)


def lr_leads_at(setting: str, sizes: Sequence[int]) -> Check:
    return all_of(*(gain(LR, NB, "error", setting=setting, at=m) for m in sizes))


def nb_loses_at(setting: str, size: int) -> Check:
    rivals = (LR, CENTROID)
    return all_of(*(gain(rival, NB, "error", setting=setting, at=size) for rival in rivals),
                  names=rivals)  # fmt: skip


def crossings_of_tumours(evidence: Any) -> np.ndarray:
    return crossings(by_seed(evidence.results, CANCER, "error", ["method", "n_train"]), NB, LR)


def curve_setting(
    description: str, data: Callable[..., Any], smallest: list[int], full: list[int],
    quick: list[int] | None = None,
) -> Setting:  # fmt: skip
    sizes = {"smallest": smallest, "quick": quick or full, "full": full}
    parameters = {size: {"train_sizes": found} for size, found in sizes.items()}
    return Setting(
        description, data, tasks.measure_curves, ["error"], axis=LABELS, parameters=parameters
    )


def mixture_setting(description: str, parameters: dict[str, dict[str, Any]]) -> Setting:
    return Setting(
        description, tasks.gaussian_mixtures, tasks.measure_sample_complexity,
        ["sample_complexity"], axis=SIZE, methods=SIMULATED,
        parameters=parameters,
    )  # fmt: skip


_TWO = {"n_classes": 2, "n_features": FEATURES, "largest": 1000, "n_test": 10_000}
_FIVE = {"n_classes": 5, "n_features": [50], "largest": 2000, "n_test": 10_000}
_TINY = {"n_classes": 2, "n_features": [10, 20], "largest": 100, "n_test": 1000}

benchmark = Benchmark(
    seconds={"quick": 31},
    settings={
        TWO_CLASSES: mixture_setting(
            "Simulation: normal classes with means −1 and 1 in every coordinate and one diagonal "
            "covariance (variance n in half of the features, 1 in the others). Measured is the "
            "first training size at which the test error falls below the Bayes error + 0.01, on "
            "sizes that grow by a fifth; ∞ where the largest size did not suffice.",
            {"smallest": _TINY, "quick": {**_TWO, "n_test": 2000}, "full": _TWO},
        ),
        FIVE_CLASSES: mixture_setting(
            "As above, with five classes at −1, 1, 2, 4 and 8 in every coordinate, shifted and "
            "scaled as in the paper.",
            {"quick": {**_FIVE, "n_test": 2000}, "full": _FIVE},
        ),
        CANCER: curve_setting(
            "569 tumours, 30 features, 2 classes; 150 rows are kept for the test.",
            tasks.breast_cancer, [8, 32], [4, 8, 16, 32, 64, 128, 256],
        ),
        PIXELS: curve_setting(
            "1797 images of digits, 64 pixels, 10 classes; 500 rows are kept for the test.",
            tasks.digit_pixels, [20, 50], [20, 30, 50, 100, 200, 500, 1000],
            quick=[20, 50, 100, 200],
        ),
        SAME: curve_setting(
            "The 128 hidden units of a network that was trained on 800 other digits with all ten "
            "classes; 400 rows are kept for the test.",
            tasks.frozen_features_of_same_classes, [30, 50], TEN_CLASSES,
        ),
        NEW: curve_setting(
            "The 128 hidden units of a network that was trained on the digits 0 to 4, probed on "
            "the digits 5 to 9; 400 rows are kept for the test.",
            tasks.frozen_features_of_new_classes, [20, 50], [10, 20, 50, 100, 400],
        ),
    },
    methods=METHODS,
    metrics={
        "error": Metric("Test error"),
        "sample_complexity": Metric("Sample complexity m", "samples", digits=1),
    },
    repeats={"smallest": 1, "quick": 10, "full": 20},
    reference=NB,
    together=True,
    claims=[
        Claim(
            "Simulation: the samples that logistic regression needs grow linearly with n, at least "
            "fourfold for eight times the features.",
            grows(LR, at_least=4), [TWO_CLASSES],
        ),
        Claim(
            "Simulation: the samples that naive Bayes needs grow no faster than log n, at most "
            "twofold for eight times the features.",
            grows(NB, at_most=2), [TWO_CLASSES],
        ),
        *(
            Claim(
                f"Simulation, {n_classes} classes: logistic regression needs at least five times "
                "the samples that naive Bayes needs.",
                all_of(*(
                    ratio(LR, NB, "sample_complexity", setting=setting, at=n, at_least=5)
                    for n in sizes
                )),
                [setting],
            )
            for n_classes, setting, sizes in ((2, TWO_CLASSES, FEATURES), (5, FIVE_CLASSES, [50]))
        ),
        Claim(
            "Breast cancer: naive Bayes is ahead by 0.01 at few labels.",
            nb_leads_at(CANCER, [4, 8, 16], 0.01), [CANCER],
        ),
        Claim(
            "Breast cancer: logistic regression is ahead at many labels.",
            lr_leads_at(CANCER, [128, 256]), [CANCER],
        ),
        Claim(
            "Breast cancer: the curves cross between 16 and 128 labels.",
            all_of(
                statistic(crossings_of_tumours, "crossing", at_least=16, log=True),
                statistic(crossings_of_tumours, "crossing", at_most=128, log=True),
            ),
            [CANCER],
        ),
        Claim(
            "Frozen features, same classes: naive Bayes is ahead at 30 and 50 labels.",
            nb_leads_at(SAME, [30, 50], 0), [SAME],
        ),
        Claim(
            "Frozen features, same classes: logistic regression is ahead from 100 labels.",
            lr_leads_at(SAME, [100, 200, 500]), [SAME], ["full"],
        ),
        Claim(
            "Frozen features, new classes: naive Bayes is ahead at 20 labels.",
            nb_leads_at(NEW, [20], 0), [NEW],
        ),
        Claim(
            "Frozen features, new classes: logistic regression is ahead from 50 labels.",
            lr_leads_at(NEW, [50, 100, 400]), [NEW],
        ),
        *(
            Claim(
                f"Beyond the paper, {setting}: the lead at few labels is more than the unbalanced "
                "draws; it remains against logistic regression with balanced class weights.",
                nb_leads_at(setting, sizes, margin, rival=BALANCED), [setting], ["full"],
            )
            for setting, sizes, margin in (
                (CANCER, [4, 8, 16], 0.01), (SAME, [30, 50], 0), (NEW, [20], 0),
            )
        ),
        *(
            Claim(
                f"Limit of the method: with two labels per class ({which} classes), naive Bayes "
                "without shrinkage loses to logistic regression and to the nearest centroid.",
                nb_loses_at(setting, size), [setting], ["full"],
            )
            for which, setting, size in (("same", SAME, 20), ("new", NEW, 10))
        ),
        Claim(
            "Limit of the method: on raw pixels of digits naive Bayes is never ahead.",
            lr_leads_at(PIXELS, [20, 30, 50, 100, 200, 500, 1000]), [PIXELS], ["full"],
        ),
    ],
    figures=[
        Figure(
            "Test error against the number of labels: mean over seeds, with bands of one standard "
            "error. The dashed line is the size at which linear naive Bayes and logistic "
            "regression cross, the grey band its 95 % bootstrap interval over seeds. Both axes are "
            "logarithmic.",
            functools.partial(
                draw_learning_curves, settings=CURVES, methods=[*METHODS], early=NB, late=LR
            ),
            CURVES,
        ),
        Figure(
            "Simulation with two classes: the samples that each method needs to come within 0.01 "
            "of the Bayes error, against the number of features; both axes are logarithmic, so a "
            "straight line of slope one is linear growth.",
            lambda results: curve_panels(
                results, [TWO_CLASSES], "sample_complexity", SIZE, SIMULATED,
                "samples to Bayes error + 0.01", n_columns=2,
            )[0],
            [TWO_CLASSES],
        ),
    ],
)  # fmt: skip
