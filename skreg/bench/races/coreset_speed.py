"""What do row scores cost, and what does a coreset save?

Scores are timed against the cheapest thing one can do with all rows, a Gram matrix, and against the
usual routes to leverage scores, numpy's QR and singular value decompositions: seconds, and ratios
to the Gram matrix of the same run. The rows are normal, each times the absolute value of a t
variable with three degrees of freedom.

Least absolute deviations: scikit-learn's QuantileRegressor (HiGHS) is timed on growing numbers of
rows up to its time limit, in processor time, which other processes do not lengthen, and
extrapolated to all rows by the growth over its last five sizes; the coreset has Lewis weights of
[X, 1, y]. The excess cost is certified by a dual bound on all rows.

Grid search: cross-validation of the penalty of logistic regression, on one weighted coreset, on
coresets of the training folds that are drawn for every candidate, and on all rows; the log loss is
that of other rows.

Every time is the least of three runs, where a run takes less than ten seconds.
"""

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn import clone, config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, QuantileRegressor
from sklearn.metrics import get_scorer, log_loss
from sklearn.model_selection import GridSearchCV

from skreg.bench import Benchmark, Claim, Metric, Setting, Verdict
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
LEVERAGE, LEWIS, QR, SVD = "leverage_scores", "lewis_weights, p = 1", "numpy QR", "numpy SVD"
CORESET, FOLDS, ALL_ROWS = "coreset", "coreset of each fold", "all rows"
METHODS = {name: name for name in (GRAM, BOTH, LEVERAGE, LEWIS, QR, SVD, CORESET, FOLDS, ALL_ROWS)}
WIDE, LONG = "Scores, d = 50", "Scores, d = 20"
MEDIAN, GRID = "Least absolute deviations", "Grid search"


def heavy_rows(rng, n_rows, n_features):
    X = rng.standard_normal((n_rows, n_features))
    X *= np.abs(rng.standard_t(3, n_rows))[:, None]
    return X


def score_data(seed, *, n_rows, n_features):
    return heavy_rows(np.random.default_rng(seed), n_rows, n_features)


def least_time(function: Callable[[], Any]) -> float:
    """Least seconds of three runs, or of one that takes more than ten."""
    times: list[float] = []
    while len(times) < 3 and sum(times) < 10:
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def measure_scores(X, methods, _seed):
    R = cholesky_whitening(X.T @ X)

    def squared_rows(Q):
        return np.einsum("ij,ij->i", Q, Q)

    routes = {
        GRAM: lambda: X.T @ X,
        BOTH: lambda: (X.T @ X, X @ R),
        LEVERAGE: lambda: leverage_scores(X),
        LEWIS: lambda: lewis_weights(X, 1, tol=1e-2),
        QR: lambda: squared_rows(np.linalg.qr(X)[0]),
        SVD: lambda: squared_rows(np.linalg.svd(X, full_matrices=False)[0]),
    }
    seconds = {name: least_time(route) for name, route in routes.items() if name in methods}
    for name, value in seconds.items():
        yield {"method": name, "seconds": value, "grams": value / seconds[GRAM]}


def median_data(seed, *, n_rows, n_samples, limit):
    rng = np.random.default_rng(seed)
    X = heavy_rows(rng, n_rows, 10)
    return X, X @ rng.standard_normal(10) + 1 + rng.standard_t(3, n_rows), n_samples, limit


def measure_median(problem, _methods, seed):
    X, y, n_samples, limit = problem
    sampler = SensitivitySampler(p=1, n_samples=n_samples, random_state=seed)
    start = time.perf_counter()
    model = CoresetEstimator(LpRegressor(p=1), sampler).fit(X, y)
    seconds = time.perf_counter() - start
    cost = np.abs(y - model.predict(X)).sum()
    excess = cost / cost_bound(X, y) - 1
    yield {"method": CORESET, "seconds": seconds, "excess_cost": excess, "n_timed": len(y)}
    extrapolated, n_timed = quantile_regressor_seconds(X, y, limit)
    yield {"method": ALL_ROWS, "seconds": extrapolated, "excess_cost": 0.0, "n_timed": n_timed}


def cost_bound(X, y):
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
        start = time.process_time()
        QuantileRegressor(quantile=0.5, alpha=0).fit(X[:n_rows], y[:n_rows])
        seconds.append(time.process_time() - start)
        sizes.append(n_rows)
        n_rows *= 2
    slope, offset = np.polyfit(np.log(sizes[-5:]), np.log(seconds[-5:]), 1)
    return float(np.exp(offset + slope * np.log(len(y)))), sizes[-1]


def grid_data(seed, *, n_rows, n_samples):
    """Rows and labels, of which the last fifth is for testing."""
    rng = np.random.default_rng(seed)
    X = heavy_rows(rng, n_rows * 5 // 4, 20)
    y = X @ rng.standard_normal(20) / 4 + rng.logistic(size=len(X)) > 0
    return X[:n_rows], y[:n_rows], X[n_rows:], y[n_rows:], n_samples


def measure_grid(problem, _methods, seed):
    X, y, X_test, y_test, n_samples = problem
    sampler = SensitivitySampler(p=1, n_samples=n_samples, floor=1.0, random_state=seed)
    model = LogisticRegression(max_iter=300)
    grid = np.logspace(-5, 1, 7)

    def search(estimator, parameter, X, y, scorer="neg_log_loss", **weight):
        return GridSearchCV(estimator, {parameter: grid}, cv=3, scoring=scorer).fit(X, y, **weight)

    def search_on_coreset():
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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            start = time.perf_counter()
            found = run()
        yield {
            "method": name,
            "seconds": time.perf_counter() - start,
            "chosen": np.log10(next(iter(found.best_params_.values()))),
            "log_loss": log_loss(y_test, found.best_estimator_.predict_proba(X_test)),
        }


def seconds_of(results, setting):
    rows = results[results["setting"] == setting]
    return rows.groupby("method")["seconds"].median()


def times_faster(setting, slow, fast, required):
    def check(results):
        seconds = seconds_of(results, setting)
        ratio = min(seconds[name] for name in slow) / seconds[fast]
        return Verdict(bool(ratio >= required), f"{ratio:.1f} times", f"≥ {required:g} times")

    return check


def within(setting, method, reference, allowed):
    def check(results):
        seconds = seconds_of(results, setting)
        ratio = seconds[method] / seconds[reference]
        return Verdict(bool(ratio <= allowed), f"{ratio:.1f} times", f"≤ {allowed:g} times")

    return check


def coreset_costs_at_most_one_percent(results):
    rows = results[(results["setting"] == MEDIAN) & (results["method"] == CORESET)]
    excess = rows["excess_cost"].median()
    return Verdict(bool(excess <= 0.01), f"{excess:.2%}", "≤ 1%")


def grid_loses_little(results):
    rows = results[results["setting"] == GRID].groupby("method")[["chosen", "log_loss"]].median()
    loss = rows["log_loss"]
    ratio = loss[CORESET] / loss[ALL_ROWS] - 1
    chosen = ", ".join(f"{name}: C = 1e{rows.loc[name, 'chosen']:.0f}" for name in rows.index)
    return Verdict(bool(ratio <= 0.01), f"log loss {ratio:+.2%}; {chosen}", "≤ +1%")


def scores_setting(n_rows, n_features, small):
    full = {"n_rows": n_rows, "n_features": n_features}
    return Setting(
        description=f"{n_rows} x {n_features}, float64; QR and SVD return squared row norms of "
        "the orthonormal factor. Sizes below full have fewer rows.",
        data=score_data,
        measure=measure_scores,
        metrics=["seconds", "grams"],
        parameters={
            "full": full,
            **{size: {**full, "n_rows": rows} for size, rows in small.items()},
        },
    )


SCORE_CLAIMS = [
    claim
    for setting in (WIDE, LONG)
    for claim in (
        Claim(
            f"{setting}: leverage scores are at least 6 times faster than numpy's QR and SVD.",
            times_faster(setting, (QR, SVD), LEVERAGE, 6),
            [setting],
        ),
        Claim(
            f"{setting}: leverage scores take at most twice the time of a Gram matrix and one "
            "triangular product.",
            within(setting, LEVERAGE, BOTH, 2),
            [setting],
        ),
        Claim(
            f"{setting}: Lewis weights for p = 1 to 1e-2 take at most twelve Gram matrices.",
            within(setting, LEWIS, GRAM, 12),
            [setting],
        ),
    )
]

benchmark = Benchmark(
    settings={
        WIDE: scores_setting(200_000, 50, {"smallest": 20_000, "quick": 100_000}),
        LONG: scores_setting(2_000_000, 20, {"quick": 200_000}),
        MEDIAN: Setting(
            description="Ten heavy-tailed features and t noise; a million rows at full size.",
            data=median_data,
            measure=measure_median,
            metrics=["seconds", "excess_cost", "n_timed"],
            parameters={
                "smallest": {"n_rows": 10_000, "n_samples": 500, "limit": 0.05},
                "quick": {"n_rows": 100_000, "n_samples": 1500, "limit": 0.5},
                "full": {"n_rows": 1_000_000, "n_samples": 3000, "limit": 120.0},
            },
        ),
        GRID: Setting(
            description="Twenty heavy-tailed features, two classes; seven penalties, three folds.",
            data=grid_data,
            measure=measure_grid,
            metrics=["seconds", "chosen", "log_loss"],
            parameters={
                "quick": {"n_rows": 50_000, "n_samples": 2000},
                "full": {"n_rows": 500_000, "n_samples": 10_000},
            },
        ),
    },
    methods=METHODS,
    metrics={
        "seconds": Metric("Time", "s"),
        "grams": Metric("Time in Gram matrices", digits=1),
        "excess_cost": Metric("Excess cost, at most", digits=4),
        "n_timed": Metric("Rows that were timed", digits=0),
        "chosen": Metric("Chosen log10 C", digits=0),
        "log_loss": Metric("Log loss", digits=4),
    },
    repeats={"smallest": 1, "quick": 1, "full": 3},
    reference=ALL_ROWS,
    together=True,
    serial=True,
    claims=[
        *SCORE_CLAIMS,
        Claim(
            "Least absolute deviations: the coreset is at least 20 times faster than "
            "QuantileRegressor on all rows.",
            times_faster(MEDIAN, (ALL_ROWS,), CORESET, 20),
            [MEDIAN],
            sizes=("full",),
        ),
        Claim(
            "Least absolute deviations: the coreset's fit costs at most 1% more than the best.",
            coreset_costs_at_most_one_percent,
            [MEDIAN],
            sizes=("full",),
        ),
        Claim(
            "Grid search on one coreset is at least three times faster than on all rows.",
            times_faster(GRID, (ALL_ROWS,), CORESET, 3),
            [GRID],
            sizes=("full",),
        ),
        Claim(
            "Grid search on one coreset loses at most 1% of log loss on other rows.",
            grid_loses_little,
            [GRID],
            sizes=("full",),
        ),
    ],
)
