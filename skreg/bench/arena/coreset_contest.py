"""Times of row scores, of fits on coresets and on all rows, and what the coresets lose.

All times are processor times on one thread.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from sklearn import clone, config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, QuantileRegressor
from sklearn.metrics import get_scorer, log_loss
from sklearn.model_selection import GridSearchCV
from threadpoolctl import threadpool_limits

from skreg.bench.arena.clock import medians_in_turns, timed
from skreg.bench.arena.coreset_tasks import heavy_rows
from skreg.coreset import (
    CoresetEstimator,
    LpRegressor,
    SensitivitySampler,
    leverage_scores,
    lewis_weights,
)
from skreg.coreset._lp_solvers import newton
from skreg.coreset._whitening import cholesky_whitening

GRAM, BOTH = "X.T @ X", "X.T @ X and X @ R"
LEVERAGE, QR, SVD = "leverage_scores", "numpy QR", "numpy SVD"
LEWIS, LEWIS_DIGITS = "lewis_weights, p = 1", "lewis_weights, p = 1, to 1e-6"
CORESET, FOLDS, ALL_ROWS = "coreset", "coreset of each fold", "all rows"
SCORES = (GRAM, BOTH, LEVERAGE, LEWIS, LEWIS_DIGITS, QR, SVD)


def score_data(seed: int, *, n_rows: int, n_features: int) -> np.ndarray:
    return heavy_rows(np.random.default_rng(seed), n_rows, n_features)


def measure_scores(
    X: np.ndarray, _methods: Mapping[str, Any], _seed: int
) -> Iterator[dict[str, Any]]:
    R = cholesky_whitening(X.T @ X)

    def squared_rows(Q: np.ndarray) -> np.ndarray:
        return np.einsum("ij,ij->i", Q, Q)

    routes = {
        GRAM: lambda: X.T @ X,
        BOTH: lambda: (X.T @ X, X @ R),
        LEVERAGE: lambda: leverage_scores(X),
        LEWIS: lambda: lewis_weights(X, 1, tol=1e-2),
        LEWIS_DIGITS: lambda: lewis_weights(X, 1, tol=1e-6),
        QR: lambda: squared_rows(np.linalg.qr(X)[0]),
        SVD: lambda: squared_rows(np.linalg.svd(X, full_matrices=False)[0]),
    }
    leverage_scores(X[:1000])
    lewis_weights(X[:1000], 1, tol=1e-2)
    with threadpool_limits(1):
        seconds = medians_in_turns(routes, 3, patience=10.0)
    for name, value in seconds.items():
        yield {"method": name, "seconds": value}


def median_data(seed: int, *, n_rows: int, n_samples: int, limit: float) -> Any:
    rng = np.random.default_rng(seed)
    X = heavy_rows(rng, n_rows, 10)
    return X, X @ rng.standard_normal(10) + 1 + rng.standard_t(3, n_rows), n_samples, limit


def measure_median(
    problem: Any, _methods: Mapping[str, Any], seed: int
) -> Iterator[dict[str, Any]]:
    X, y, n_samples, limit = problem
    sampler = SensitivitySampler(p=1, n_samples=n_samples, random_state=seed)
    estimator = CoresetEstimator(LpRegressor(p=1), sampler)
    with threadpool_limits(1):
        model, seconds = timed(estimator.fit, X, y)
        extrapolated, n_timed = quantile_regressor_seconds(X, y, limit)
    excess = np.abs(y - model.predict(X)).sum() / cost_bound(X, y) - 1
    yield {"method": CORESET, "seconds": seconds, "excess_cost": excess, "n_timed": len(y)}
    yield {"method": ALL_ROWS, "seconds": extrapolated, "excess_cost": 0.0, "n_timed": n_timed}


def cost_bound(X: np.ndarray, y: np.ndarray) -> float:
    """A lower bound of the least sum of absolute residuals, from the dual of a smoothed fit."""
    A = np.column_stack([X, np.ones(len(X))])
    U = A @ cholesky_whitening(A.T @ A)
    solution = newton(U, y, 1.0, 2e-4, 200, None)
    return solution.norm * (1.0 - solution.relative_gap)


def quantile_regressor_seconds(X: np.ndarray, y: np.ndarray, limit: float) -> tuple[float, int]:
    """Seconds on all rows, extrapolated from sizes that end with the limit, and the last size."""
    sizes: list[int] = []
    seconds: list[float] = []
    n_rows = 1000
    while n_rows <= len(y) and (not seconds or seconds[-1] < limit):
        model = QuantileRegressor(quantile=0.5, alpha=0)
        seconds.append(timed(model.fit, X[:n_rows], y[:n_rows])[1])
        sizes.append(n_rows)
        n_rows *= 2
    slope, offset = np.polyfit(np.log(sizes[-5:]), np.log(seconds[-5:]), 1)
    return float(np.exp(offset + slope * np.log(len(y)))), sizes[-1]


def grid_data(seed: int, *, n_rows: int, n_samples: int) -> Any:
    """Rows and labels, of which the last fifth is for testing."""
    rng = np.random.default_rng(seed)
    X = heavy_rows(rng, n_rows * 5 // 4, 20)
    y = X @ rng.standard_normal(20) / 4 + rng.logistic(size=len(X)) > 0
    return X[:n_rows], y[:n_rows], X[n_rows:], y[n_rows:], n_samples


def measure_grid(problem: Any, _methods: Mapping[str, Any], seed: int) -> Iterator[dict[str, Any]]:
    X, y, X_test, y_test, n_samples = problem
    sampler = SensitivitySampler(p=1, n_samples=n_samples, floor=1.0, random_state=seed)
    model = LogisticRegression(max_iter=300)
    grid = np.logspace(-5, 1, 7)

    def search(
        estimator: Any, parameter: str, X: Any, y: Any, scorer: Any = "neg_log_loss", **weight: Any
    ) -> Any:
        return GridSearchCV(estimator, {parameter: grid}, cv=3, scoring=scorer).fit(X, y, **weight)

    def search_on_coreset() -> Any:
        X_kept, y_kept, weight = sampler.fit_resample_weighted(X, y)
        with config_context(enable_metadata_routing=True):
            weighted = clone(model).set_fit_request(sample_weight=True)
            scorer = get_scorer("neg_log_loss").set_score_request(sample_weight=True)
            return search(weighted, "C", X_kept, y_kept, scorer, sample_weight=weight)

    searches = {
        CORESET: search_on_coreset,
        FOLDS: lambda: search(CoresetEstimator(model, sampler), "estimator__C", X, y),
        ALL_ROWS: lambda: search(model, "C", X, y),
    }
    for name, run in searches.items():
        with threadpool_limits(1), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            found, seconds = timed(run)
        yield {
            "method": name,
            "seconds": seconds,
            "chosen": np.log10(next(iter(found.best_params_.values()))),
            "log_loss": log_loss(y_test, found.best_estimator_.predict_proba(X_test)),
        }
