"""Linear probes from few labels to many: draws, rivals, test loss and processor time."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegressionCV, RidgeClassifierCV
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skreg.bench.arena.clock import timed
from skreg.bench.arena.probe_feature_sets import SEEN, UNSEEN, FeatureSet
from skreg.probe import LinearNaiveBayes, LinearProbe

OURS, CLOSED = "LinearProbe", "LinearProbe, closed forms only"
NB, LDA = "LinearNaiveBayes, LOO shrinkage and temperature", "LDA, Ledoit-Wolf shrinkage"
LOGISTIC, RIDGE = "LogisticRegressionCV", "RidgeClassifierCV, calibrated"
RIVALS = [NB, LDA, LOGISTIC, RIDGE]
PENALTIES = np.logspace(-4, 2, 7)
FOLDED = (LOGISTIC, RIDGE)  # these take the number of folds
MOST_FOLDS, MOST_DRAWS = 5, 100_000


def logistic_cv(folds: int) -> Any:
    """Logistic regression on standardised columns, its strength of least log-loss on folds."""
    model = LogisticRegressionCV(
        Cs=PENALTIES, cv=folds, scoring="neg_log_loss", l1_ratios=(0,), use_legacy_attributes=False
    )
    return make_pipeline(StandardScaler(), model)


def ridge_cv(folds: int) -> Any:
    """Ridge regression of the classes, its softmax at the temperature of least loss on folds."""
    model = make_pipeline(StandardScaler(), RidgeClassifierCV(np.logspace(-3, 4, 15)))
    return CalibratedClassifierCV(model, method="temperature", cv=folds, ensemble=False)


METHODS = {
    OURS: LinearProbe(),
    CLOSED: LinearProbe(logistic=False),
    NB: LinearNaiveBayes(shrinkage="loo", temperature="loo"),
    LDA: LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
    LOGISTIC: logistic_cv,
    RIDGE: ridge_cv,
}


def feature_set(seed: int, *, name: str, sizes: Sequence[int]) -> tuple[FeatureSet, Sequence[int]]:
    return (SEEN | UNSEEN)[name](seed), sizes


def draw(data: FeatureSet, per_class: int, seed: int) -> np.ndarray | None:
    """Rows of one draw: balanced for even seeds, else at random, drawn again until every class
    occurs twice; None where the rows do not suffice."""
    rng, count = np.random.default_rng(seed), np.bincount(data.y)
    if seed % 2 == 0:
        if count.min() < per_class:
            return None
        members = (np.flatnonzero(data.y == k) for k in range(count.size))
        return np.concatenate([rng.choice(rows, per_class, replace=False) for rows in members])
    if data.y.size < per_class * count.size:
        return None
    for _ in range(MOST_DRAWS):
        rows = rng.choice(data.y.size, per_class * count.size, replace=False)
        if np.bincount(data.y[rows], minlength=count.size).min() >= 2:
            return rows
    return None


def measure(
    task: tuple[FeatureSet, Sequence[int]], methods: Mapping[str, Any], seed: int
) -> Iterator[dict[str, Any]]:
    data, sizes = task
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # folds without a class, iterations that were not enough
        for per_class in sizes:
            rows = draw(data, per_class, seed)
            if rows is None:
                continue
            X, y = data.X[rows], data.y[rows]
            folds = min(MOST_FOLDS, int(np.bincount(y).min()))
            for name, method in methods.items():
                model = method(folds) if name in FOLDED else clone(method)
                _, seconds = timed(model.fit, X, y)
                p = model.predict_proba(data.X_test)
                yield {
                    "method": name,
                    "per_class": per_class,
                    "log_loss": log_loss(data.y_test, p, labels=model.classes_),
                    "error": float(np.mean(model.classes_[p.argmax(axis=1)] != data.y_test)),
                    "fit": seconds,
                }
