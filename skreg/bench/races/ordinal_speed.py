"""How fast are ordinal fits next to statsmodels and an exact convex solver?

Processor times of one process and one thread, so that their ratios mean something on any machine.
The fits of skreg are certified: the duality gap is at most 5e-7 times the log-loss of the class
frequencies where there is one, and else the violation of the optimality conditions is at most 5e-7
times the largest gradient there. Everything runs once before it is timed, so that no compilation
is measured; fits of skreg are the median of three where they are short. Memory is the peak of what
Python and numpy allocate beside X during one more fit.

The rivals are those that a user has today: OrderedModel of statsmodels for proportional odds and
the solver CLARABEL behind cvxpy for PRESTO at one alpha, in the middle of the path on which skreg
is timed. For the scale of cross-validation: the authors' R code takes 52 to 60 seconds for 2500
rows and 10 features. The rivals run at the full size, which needs statsmodels and cvxpy; the
smaller sizes show growth and certificates. A repeat at size full takes several minutes, nearly all
of it by the rivals and on a million rows.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit
from threadpoolctl import threadpool_limits

from skreg.bench import Axis, Benchmark, Claim, Figure, Metric, Setting
from skreg.bench.arena.checks import all_of, every, gain, grows_like, level, ratio
from skreg.bench.arena.clock import medians_in_turns, peak_megabytes
from skreg.bench.arena.ordinal_tasks import separated_classes
from skreg.bench.arena.rivals import needs_of
from skreg.bench.arena.views import curve_panels
from skreg.ordinal import (
    PrestoClassifier,
    PrestoClassifierCV,
    ProportionalOddsClassifier,
    presto_path,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as MatplotlibFigure

CV, PATH, ODDS = "PRESTO, 5-fold CV", "PRESTO, path of 20", "Proportional odds"
SMALL_PATH = "PRESTO, path of 20, smaller data"
STATSMODELS, CLARABEL = "statsmodels", "CLARABEL, one alpha"
RIVALS, GROWTH, GROWTH_FEATURES = "Against statsmodels", "Growth in n", "Growth in p"
N_ALPHAS = 20
TOLERANCE, LARGEST_GAP = 5e-7, 1e-6
LARGEST = 1_000_000
BYTES_PER_ROW = 300


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
                yield {"method": name} | measured(name, *task[name], set(task) == {PATH, ODDS})


def measured(name: str, X: np.ndarray, y: np.ndarray, memory: bool) -> dict[str, Any]:
    """Time, certificate and size of one fit, and its memory if that is asked for."""
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


def draw_growth(results: pd.DataFrame, setting: str) -> MatplotlibFigure:
    axis = benchmark.settings[setting].axis
    return curve_panels(
        results, [setting], "seconds", axis, [PATH, ODDS], "processor seconds", geometric=True
    )[0]


def growth(description: str, column: str, label: str, **sizes: Any) -> Setting:
    return Setting(
        description, growing, measure, ["seconds", "certificate", "memory", "row_memory"],
        axis=Axis(column, label), methods=[PATH, ODDS],
        parameters={size: {"sizes": shapes} for size, shapes in sizes.items()},
    )  # fmt: skip


def against_clarabel(description: str, **shapes: Any) -> Setting:
    return Setting(
        description, path_against_clarabel, measure,
        ["seconds", "per_alpha", "certificate", "excess"], methods=[PATH, SMALL_PATH, CLARABEL],
        parameters={"full": shapes},
    )  # fmt: skip


CONVEX = {
    "Tall data": against_clarabel(
        "20,000 rows, 50 features, which CLARABEL does not solve in minutes; it runs on 8000 rows.",
        shape=(20_000, 50), shared=(8000, 50),
    ),
    "Wide data": against_clarabel(
        "500 rows, 2000 features, which CLARABEL does not solve within minutes; it runs on 300 "
        "rows and 600 features.",
        shape=(500, 2000), shared=(300, 600),
    ),
}  # fmt: skip
_SIZES = [(1000, 50), (10_000, 50), (100_000, 50), (LARGEST, 50)]
_WIDTHS = [(5000, 10), (5000, 40), (5000, 160), (5000, 640)]

benchmark = Benchmark(
    settings={
        RIVALS: Setting(
            "PRESTO's whole cross-validation on 2500 rows and 10 features; one proportional odds "
            "model on 20,000 rows and 30 features, by skreg and by statsmodels.",
            against_statsmodels, measure, ["seconds", "log_loss"], methods=[CV, ODDS, STATSMODELS],
            parameters={"full": {"n_cv": 2500, "n_odds": 20_000, "p_odds": 30}},
        ),
        **CONVEX,
        GROWTH: growth(
            "50 features, growing number of rows.", "n", "rows n",
            smallest=[(500, 10), (1000, 10)], quick=_SIZES[:2], full=_SIZES,
        ),
        GROWTH_FEATURES: growth(
            "5000 rows, growing number of features.", "p", "features p",
            quick=_WIDTHS[:2], full=_WIDTHS,
        ),
    },
    methods=FITS,
    metrics={
        "seconds": Metric("Time", "s"),
        "per_alpha": Metric("Time per alpha", "s"),
        "certificate": Metric("Relative duality gap or violation, times 1e6"),
        "log_loss": Metric("Mean log-loss", digits=8),
        "excess": Metric("Objective above CLARABEL's", digits=9),
        "memory": Metric("Peak memory beside X", "MB", digits=1),
        "row_memory": Metric("Peak memory beside X and a copy of it, for each row", "B", digits=0),
    },
    repeats={"smallest": 1, "quick": 1, "full": 3},
    reference=PATH,
    needs=needs_of(FITS),
    together=True,
    serial=True,
    claims=[
        Claim(
            "Cross-validating PRESTO (5 folds, 20 alphas) takes at most 0.35 of the time in which "
            "statsmodels fits one proportional odds model to 20,000 rows.",
            ratio(CV, STATSMODELS, "seconds", setting=RIVALS, at_most=0.35), [RIVALS], ("full",),
        ),
        Claim(
            "Proportional odds are at least 50 times faster than by statsmodels, at no higher "
            "log-loss.",
            all_of(
                ratio(STATSMODELS, ODDS, "seconds", setting=RIVALS, at_least=50),
                gain(ODDS, STATSMODELS, "log_loss", setting=RIVALS, at_least=-1e-8),
            ),
            [RIVALS], ("full",),
        ),
        *(
            Claim(
                f"{setting}: the certified path is at least 100 times faster per alpha than "
                "CLARABEL.",
                all_of(
                    ratio(CLARABEL, SMALL_PATH, "per_alpha", setting=setting, at_least=100),
                    every(PATH, "certificate", settings=setting, at_most=1e6 * LARGEST_GAP),
                ),
                [setting], ("full",),
            )
            for setting in CONVEX
        ),
        Claim(
            "Every path ends with a relative duality gap below 1e-6.",
            every(
                PATH, "certificate", settings=[GROWTH, GROWTH_FEATURES], at_most=1e6 * LARGEST_GAP
            ),
            [GROWTH, GROWTH_FEATURES],
        ),
        Claim(
            "The time of a path grows linearly with the number of rows: its exponent is at most "
            "1.3.",
            grows_like(PATH, "seconds", setting=GROWTH, at_most=1.3), [GROWTH], ("full",),
        ),
        Claim(
            "Beside X of a million rows, a fit holds one copy of it and at most 300 bytes per row.",
            all_of(*(
                level(name, "row_memory", setting=GROWTH, at=LARGEST, at_most=BYTES_PER_ROW)
                for name in (PATH, ODDS)
            )),
            [GROWTH], ("full",),
        ),
    ],
    figures=[
        Figure(
            "Processor seconds of a path of 20 alphas, certified to 1e-6, and of proportional "
            f"odds: {fixed}; geometric mean over repeats with bands of one standard error.",
            functools.partial(draw_growth, setting=setting),
            [setting],
        )
        for setting, fixed in ((GROWTH, "50 features"), (GROWTH_FEATURES, "5000 rows"))
    ],
)  # fmt: skip
