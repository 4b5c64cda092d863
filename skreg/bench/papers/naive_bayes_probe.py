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

from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import NearestCentroid

from skreg.bench import Benchmark, Claim, Metric, Paper
from skreg.bench.arena import probe_checks as checks
from skreg.bench.arena import probe_settings as settings
from skreg.bench.arena.probe_settings import FEATURES, LR, NB
from skreg.bench.arena.probe_views import learning_curve_figure, sample_complexity_figure
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

LDA, CENTROID = "LDA, Ledoit-Wolf shrinkage", "NearestCentroid"
BALANCED = "LogisticRegression, balanced"
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
FEW_LABELS = [(CANCER, [4, 8, 16], 0.01), (SAME, [30, 50], 0), (NEW, [20], 0)]
CURVES, SIMULATED = (CANCER, PIXELS, SAME, NEW), [NB, LR, "GaussianNB", LDA]

benchmark = Benchmark(
    seconds={"quick": 31},
    settings={
        TWO_CLASSES: settings.two_classes(SIMULATED),
        FIVE_CLASSES: settings.five_classes(SIMULATED),
        CANCER: settings.CANCER,
        PIXELS: settings.PIXELS,
        SAME: settings.SAME_CLASSES,
        NEW: settings.NEW_CLASSES,
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
            checks.grows(LR, TWO_CLASSES, FEATURES, at_least=4), [TWO_CLASSES],
        ),
        Claim(
            "Simulation: the samples that naive Bayes needs grow no faster than log n, at most "
            "twofold for eight times the features.",
            checks.grows(NB, TWO_CLASSES, FEATURES, at_most=2), [TWO_CLASSES],
        ),
        *(
            Claim(
                f"Simulation, {n_classes} classes: logistic regression needs at least five times "
                "the samples that naive Bayes needs.",
                checks.lr_needs_more(setting, sizes, 5), [setting],
            )
            for n_classes, setting, sizes in ((2, TWO_CLASSES, FEATURES), (5, FIVE_CLASSES, [50]))
        ),
        Claim(
            "Breast cancer: naive Bayes is ahead by 0.01 at few labels.",
            checks.nb_leads_at(CANCER, [4, 8, 16], 0.01), [CANCER],
        ),
        Claim(
            "Breast cancer: logistic regression is ahead at many labels.",
            checks.lr_leads_at(CANCER, [128, 256]), [CANCER],
        ),
        Claim(
            "Breast cancer: the curves cross between 16 and 128 labels.",
            checks.crosses_between(CANCER, 16, 128), [CANCER],
        ),
        Claim(
            "Frozen features, same classes: naive Bayes is ahead at 30 and 50 labels.",
            checks.nb_leads_at(SAME, [30, 50], 0), [SAME],
        ),
        Claim(
            "Frozen features, same classes: logistic regression is ahead from 100 labels.",
            checks.lr_leads_at(SAME, [100, 200, 500]), [SAME], ["full"],
        ),
        Claim(
            "Frozen features, new classes: naive Bayes is ahead at 20 labels.",
            checks.nb_leads_at(NEW, [20], 0), [NEW],
        ),
        Claim(
            "Frozen features, new classes: logistic regression is ahead from 50 labels.",
            checks.lr_leads_at(NEW, [50, 100, 400]), [NEW],
        ),
        *(
            Claim(
                f"Beyond the paper, {setting}: the lead at few labels is more than the unbalanced "
                "draws; it remains against logistic regression with balanced class weights.",
                checks.nb_leads_at(setting, sizes, margin, rival=BALANCED), [setting], ["full"],
            )
            for setting, sizes, margin in FEW_LABELS
        ),
        *(
            Claim(
                f"Limit of the method: with two labels per class ({which} classes), naive Bayes "
                "without shrinkage loses to logistic regression and to the nearest centroid.",
                checks.nb_loses_at(setting, size, (LR, CENTROID)), [setting], ["full"],
            )
            for which, setting, size in (("same", SAME, 20), ("new", NEW, 10))
        ),
        Claim(
            "Limit of the method: on raw pixels of digits naive Bayes is never ahead.",
            checks.lr_leads_at(PIXELS, [20, 30, 50, 100, 200, 500, 1000]), [PIXELS], ["full"],
        ),
    ],
    figures=[
        learning_curve_figure(CURVES, [*METHODS], NB, LR),
        sample_complexity_figure(TWO_CLASSES, SIMULATED),
    ],
)  # fmt: skip
