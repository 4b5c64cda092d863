"""How much time and memory does linear naive Bayes take beyond its matrix products?

Fitting must read every feature once for the smoothing scale and multiply the one-hot labels with
the features once, or do as much by other means; predicting must multiply the features with the
weights once. The time of these products in numpy is the yardstick. The rivals are what a user would
take instead: Gaussian naive Bayes with one variance per class and feature, and logistic regression
stopped after 100 iterations.

All times come from one process and one set of features in float32, with K = 100 classes. On one
thread they are processor times, which do not depend on how many cores are free; size full adds
runs on all threads, in wall time.
Products and linear naive Bayes take turns, and the median over the rounds counts; the rivals run
once. Extra memory is the peak of what Python and numpy allocate beyond the features during one more
fit and one more predict. A repeat at size full takes six minutes, nearly all of them the rivals'.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

from skreg.bench import Benchmark, Claim, Metric, Setting
from skreg.bench.arena.checks import ratio
from skreg.bench.arena.probe_contest import NB, PRODUCTS, measure, normal_features
from skreg.probe import LinearNaiveBayes

GAUSSIAN, LR = "GaussianNB", "LogisticRegression, 100 iterations"
ONE_THREAD, ALL_THREADS = "One thread", "All threads"


def speed_setting(description: str, parameters: Mapping[str, Any]) -> Setting:
    return Setting(description, normal_features, measure, list(METRICS), parameters=parameters)


def claims_about(setting: str, sizes: list[str]) -> Iterator[Claim]:
    yield Claim(
        f"{setting}: fitting takes at most 2.5 times its matrix products.",
        ratio(NB, PRODUCTS, "fit", setting=setting, at_most=2.5),
        [setting],
        sizes,
    )
    yield Claim(
        f"{setting}: predicting takes at most 1.2 times its matrix product.",
        ratio(NB, PRODUCTS, "predict", setting=setting, at_most=1.2),
        [setting],
        ["full"],  # below it the rows are so short that choosing the class counts
    )
    yield Claim(
        f"{setting}: GaussianNB takes at least 10 times as long to fit and predict.",
        ratio(GAUSSIAN, NB, "total", setting=setting, at_least=10),
        [setting],
        sizes,
    )
    yield Claim(
        f"{setting}: logistic regression takes at least 50 times as long to fit and predict.",
        ratio(LR, NB, "total", setting=setting, at_least=50), [setting], sizes,
    )  # fmt: skip


METRICS = {
    "fit": Metric("fit", "s"),
    "predict": Metric("predict", "s"),
    "total": Metric("fit and predict", "s"),
    "fit_memory": Metric("fit memory", "MB", digits=1),
    "predict_memory": Metric("predict memory", "MB", digits=1),
}
_FULL = {"n_samples": 200_000, "n_features": 768, "n_rounds": 9}

benchmark = Benchmark(
    seconds={"quick": 12},
    settings={
        ONE_THREAD: speed_setting(
            "Normal features of 100 overlapping classes on log-normal scales: 200000 samples of "
            "768 features at size full, 10000 of 256 at size quick, 3000 of 32 at size smallest; "
            "BLAS on one thread. Memory is what is allocated beyond the features.",
            {
                "smallest": {"n_samples": 3_000, "n_features": 32, "n_rounds": 3, "n_threads": 1},
                "quick": {"n_samples": 10_000, "n_features": 256, "n_rounds": 9, "n_threads": 1},
                "full": {**_FULL, "n_threads": 1},
            },
        ),
        ALL_THREADS: speed_setting(
            "The same features, with as many BLAS threads as the machine has cores.",
            {"full": {**_FULL, "n_threads": None}},
        ),
    },
    methods={
        NB: LinearNaiveBayes(),
        PRODUCTS: None,
        GAUSSIAN: GaussianNB(),
        LR: LogisticRegression(max_iter=100),
    },
    metrics=METRICS,
    repeats={"smallest": 1, "quick": 3, "full": 3},
    reference=NB,
    together=True,
    serial=True,
    claims=[
        *claims_about(ONE_THREAD, ["quick", "full"]),
        *claims_about(ALL_THREADS, ["full"]),
    ],
)
