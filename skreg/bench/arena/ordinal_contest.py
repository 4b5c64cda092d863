"""Ordinal fits by skreg, statsmodels and CLARABEL: their time, memory and certificate."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import expit
from threadpoolctl import threadpool_limits

from skreg.bench.arena.clock import medians_in_turns, peak_megabytes
from skreg.bench.arena.ordinal_tasks import separated_classes
from skreg.ordinal import (
    PrestoClassifier,
    PrestoClassifierCV,
    ProportionalOddsClassifier,
    presto_path,
)

CV, PATH, ODDS = "PRESTO, 5-fold CV", "PRESTO, path of 20", "Proportional odds"
SMALL_PATH = "PRESTO, path of 20, smaller data"
STATSMODELS, CLARABEL = "statsmodels", "CLARABEL, one alpha"
N_ALPHAS = 20
TOLERANCE = 5e-7


def fit_cv(X: np.ndarray, y: np.ndarray) -> Any:
    return PrestoClassifierCV().fit(X, y)


def fit_path(X: np.ndarray, y: np.ndarray) -> Any:
    return presto_path(X, y, alphas=N_ALPHAS, tol=TOLERANCE)


def fit_odds(X: np.ndarray, y: np.ndarray) -> Any:
    return ProportionalOddsClassifier(tol=TOLERANCE).fit(X, y)


def fit_statsmodels(X: np.ndarray, y: np.ndarray) -> Any:
    from statsmodels.miscmodels.ordinal_model import OrderedModel

    return OrderedModel(y, X, distr="logit").fit(method="bfgs", maxiter=200, disp=False)


def clarabel_objective(X: np.ndarray, y: np.ndarray) -> float:
    """Exact optimum of PRESTO in the middle of the default grid."""
    import cvxpy as cp

    alpha, Z = middle_alpha(X, y), (X - X.mean(axis=0)) / X.std(axis=0)
    intercept, psi = cp.Variable(3), cp.Variable((3, X.shape[1]))
    eta = [intercept[k] + Z @ cp.sum(psi[: k + 1], axis=0) for k in range(3)]
    loss = cp.sum(cp.logistic(-eta[0][y == 0])) + cp.sum(cp.logistic(eta[2][y == 3]))
    for c in (1, 2):
        a, b = eta[c][y == c], eta[c - 1][y == c]
        loss += cp.sum(cp.logistic(-a) + cp.logistic(b) - cp.log(1 - cp.exp(b - a)))
    objective = loss / len(y) + alpha * cp.sum(cp.abs(psi))
    return cp.Problem(cp.Minimize(objective)).solve(solver="CLARABEL")


def middle_alpha(X: np.ndarray, y: np.ndarray) -> float:
    return 0.1 * presto_path(X, y, alphas=1).alphas[0]


FITS = {
    CV: fit_cv,
    PATH: fit_path,
    SMALL_PATH: fit_path,
    ODDS: fit_odds,
    STATSMODELS: fit_statsmodels,
    CLARABEL: clarabel_objective,
}


def against_statsmodels(seed: int, *, n_cv: int, n_odds: int, p_odds: int) -> Any:
    rng = np.random.default_rng(seed)
    odds = separated_classes(rng, n_odds, p_odds)
    yield {CV: separated_classes(rng, n_cv, 10), ODDS: odds, STATSMODELS: odds}


def path_against_clarabel(
    seed: int, *, shape: tuple[int, int], shared: tuple[int, int]
) -> Iterator[dict[str, Any]]:
    """The path at `shape`, and both at a size that CLARABEL solves within a minute."""
    rng = np.random.default_rng(seed)
    yield {PATH: separated_classes(rng, *shape)}
    small = separated_classes(rng, *shared)
    yield {SMALL_PATH: small, CLARABEL: small}


def growing(seed: int, *, sizes: Sequence[tuple[int, int]]) -> Iterator[dict[str, Any]]:
    """Generated one after the other, so that memory holds one size at a time."""
    rng = np.random.default_rng(seed)
    for size in sizes:
        yield dict.fromkeys((PATH, ODDS), separated_classes(rng, *size))


def measure(
    tasks: Iterator[dict[str, Any]], methods: Mapping[str, Any], _seed: int
) -> Iterator[dict[str, Any]]:
    warm_up = separated_classes(np.random.default_rng(0), 3000, 3)
    with threadpool_limits(1):
        for name in {PATH, *methods} - {STATSMODELS}:
            FITS[name](*warm_up)
        for task in tasks:
            for name in [name for name in task if name in methods]:
                yield {"method": name} | measured(name, task[name], set(task) == {PATH, ODDS})


def measured(name: str, data: tuple[np.ndarray, np.ndarray], memory: bool) -> dict[str, Any]:
    """Time, certificate and size of one fit, and its memory if that is asked for."""
    X, y = data
    results: list[Any] = []
    fit = functools.partial(FITS[name], X, y)
    rounds = 1 if name in (STATSMODELS, CLARABEL) else 3
    seconds = medians_in_turns({name: lambda: results.append(fit())}, rounds, patience=10.0)[name]
    n, p = X.shape
    row = {"seconds": seconds, "n": n, "p": p} | quality(name, results[-1], X, y)
    row["per_alpha"] = seconds / N_ALPHAS if name in (PATH, SMALL_PATH) else seconds
    if memory:
        row["memory"] = peak_megabytes(fit)
        row["row_memory"] = (1e6 * row["memory"] - X.nbytes) / n
    return row


def quality(name: str, result: Any, X: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Certificate of ours times 1e6, mean log-loss of proportional odds, excess over CLARABEL."""
    if name == STATSMODELS:
        return {"log_loss": -result.llf / len(y)}
    if name == ODDS:
        observed = result.predict_log_proba(X)[np.arange(len(y)), y]
        return {"log_loss": -observed.mean(), "certificate": 1e6 * result.kkt_residual_}
    if name == CLARABEL:
        model = PrestoClassifier(middle_alpha(X, y), tol=1e-9).fit(X, y)
        return {"excess": objective_at(model, X, y) - result}
    return {} if name == CV else {"certificate": 1e6 * result.dual_gaps.max()}


def objective_at(model: Any, X: np.ndarray, y: np.ndarray) -> float:
    below = expit(X @ model.coef_.T + model.intercept_)
    proba = np.diff(below, axis=1, prepend=0.0, append=1.0)[np.arange(len(y)), y]
    return -np.log(proba).mean() + model.alpha * np.abs(model.coef_diff_ * X.std(axis=0)).sum()
