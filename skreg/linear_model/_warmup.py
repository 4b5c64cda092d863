"""First fits that compile the kernels of this folder ahead, for `skreg warmup`.

More rows than columns, fewer, and sparse columns take different ways through the solver.
"""

from typing import Any

import numpy as np
from scipy import sparse

from skreg.linear_model import (
    ElasticNet,
    ElasticNetCV,
    GroupLasso,
    GroupLassoCV,
    HuberLasso,
    HuberLassoCV,
    Lasso,
    LassoCV,
    MultiTaskLasso,
    MultiTaskLassoCV,
    NonNegativeLeastSquares,
    SparseLogisticRegression,
    SparseLogisticRegressionCV,
    SparsePoissonRegressor,
    SparsePoissonRegressorCV,
)

_PATH: dict[str, Any] = {"alphas": 5, "eps": 0.05, "cv": 2}


def _designs():
    rng = np.random.default_rng(0)
    tall, wide = rng.normal(size=(300, 6)), rng.normal(size=(30, 60))
    return tall, wide, wide.astype(np.float32), sparse.csc_array(np.where(tall > 1.0, tall, 0.0))


def _score(X):
    rng = np.random.default_rng(1)
    direction = np.zeros(X.shape[1])
    direction[:2] = 1.0, -1.0
    return X @ direction + rng.normal(size=X.shape[0])


def _two_classes(X):
    return (_score(X) > 0.0).astype(int)


def _three_classes(X):
    return np.digitize(_score(X), [-0.5, 0.5])


def _counts(X):
    return np.rint(np.exp(np.minimum(_score(X), 2.0)))


def _two_targets(X):
    return np.column_stack([_score(X), _score(X) ** 2])


def _fit(target, *estimators):
    for X in _designs():
        for estimator in estimators:
            estimator.fit(X, target(X))


def absolute_values() -> None:
    """Penalties of single coefficients: Lasso and the like, with all losses."""
    _fit(_score, Lasso(0.05), LassoCV(**_PATH), HuberLasso(0.05), HuberLassoCV(**_PATH))
    for target in (_two_classes, _three_classes):
        _fit(target, SparseLogisticRegression(), SparseLogisticRegressionCV(**_PATH))
    _fit(_counts, SparsePoissonRegressor(0.05), SparsePoissonRegressorCV(**_PATH))


def elastic_net() -> None:
    """Absolute values and squares."""
    _fit(_score, ElasticNet(0.05), ElasticNetCV(**_PATH))
    for target in (_two_classes, _three_classes):
        _fit(target, SparseLogisticRegression(l1_ratio=0.5))


def groups() -> None:
    """Norms of groups of features and of rows of coefficients."""
    _fit(_score, GroupLasso(groups=2, alpha=0.05), GroupLassoCV(groups=2, **_PATH))
    _fit(_two_targets, MultiTaskLasso(0.05), MultiTaskLassoCV(**_PATH))
    _fit(_three_classes, SparseLogisticRegression(row_groups=True))


def nonnegative() -> None:
    """Coefficients that may not be negative."""
    _fit(_score, NonNegativeLeastSquares(), Lasso(0.05, positive=True))


FITS = absolute_values, elastic_net, groups, nonnegative
