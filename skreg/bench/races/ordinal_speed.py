"""How fast are ordinal fits next to statsmodels and an exact convex solver?

Times in one run, one process and one thread, so that their ratios mean something on any machine.
The fits of skreg are certified: the duality gap is at most 5e-7 times the log-loss of the class
frequencies where there is one, and else the violation of the optimality conditions is at most 5e-7
times the largest gradient there. Everything runs once before it is timed, so that no compilation
is measured; small fits are the fastest of three. Memory is the peak of what Python and numpy
allocate beside X during one more fit.

The rivals are those that a user has today: OrderedModel of statsmodels for proportional odds and
the solver CLARABEL behind cvxpy for PRESTO at one alpha, in the middle of the path on which skreg
is timed. For the scale of cross-validation: the authors' R code takes 52 to 60 seconds for 2500
rows and 10 features. The rivals run at the full size, which needs statsmodels and cvxpy; the
smaller sizes show growth and certificates.
"""

import time

import numpy as np
from scipy.special import expit
from threadpoolctl import threadpool_limits

from skreg.bench import Axis, Benchmark, Claim, Figure, Metric, Setting, Verdict
from skreg.bench.arena.memory import peak_megabytes
from skreg.bench.arena.views import draw_curves, new_figure, share_legend
from skreg.ordinal import (
    PrestoClassifier,
    PrestoClassifierCV,
    ProportionalOddsClassifier,
    presto_path,
)

CV, PATH, ODDS = "PRESTO, 5-fold CV", "PRESTO, path of 20", "Proportional odds"
SMALL_PATH = "PRESTO, path of 20, smaller data"
STATSMODELS, CLARABEL = "statsmodels", "CLARABEL, one alpha"
RIVALS, TALL, WIDE, GROWTH = "Against statsmodels", "Tall data", "Wide data", "Growth in n"
GROWTH_FEATURES = "Growth in p"
TOLERANCE, LARGEST_GAP = 5e-7, 1e-6
BYTES_PER_ROW = 300


def draw(rng, n_samples, n_features):
    """Four classes of which the last has a few percent; ten features matter."""
    X = rng.standard_normal((n_samples, n_features))
    beta = np.zeros((3, n_features))
    some = min(n_features, 10)
    beta[0, :some] = rng.choice([-0.5, 0.5], some)
    beta[1:, :some] = beta[0, :some] + np.cumsum(0.15 * rng.choice([-1, 0, 1], (2, some)), axis=0)
    below = expit(np.array([0.0, 2.5, 4.5]) + X @ beta.T)
    return X, (rng.random(n_samples)[:, None] > below).sum(axis=1)


def against_statsmodels(seed, *, n_cv, n_odds, p_odds):
    rng = np.random.default_rng(seed)
    odds = draw(rng, n_odds, p_odds)
    yield {CV: draw(rng, n_cv, 10), ODDS: odds, STATSMODELS: odds}


def path_against_clarabel(seed, *, shape, shared):
    """The path at `shape`, and both at a size that CLARABEL solves within a minute."""
    rng = np.random.default_rng(seed)
    yield {PATH: draw(rng, *shape)}
    small = draw(rng, *shared)
    yield {SMALL_PATH: small, CLARABEL: small}


def growing(seed, *, sizes):
    """Generated one after the other, so that memory holds one size at a time."""
    rng = np.random.default_rng(seed)
    for size in sizes:
        data = draw(rng, *size)
        yield dict.fromkeys(GROWING, data)


def fit_cv(X, y):
    return PrestoClassifierCV().fit(X, y)


def fit_path(X, y):
    return presto_path(X, y, tol=TOLERANCE)


def fit_odds(X, y):
    return ProportionalOddsClassifier(tol=TOLERANCE).fit(X, y)


def fit_statsmodels(X, y):
    from statsmodels.miscmodels.ordinal_model import OrderedModel

    return OrderedModel(y, X, distr="logit").fit(method="bfgs", maxiter=200, disp=False)


def clarabel_objective(X, y):
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


def middle_alpha(X, y):
    return 0.1 * presto_path(X, y, alphas=1).alphas[0]


FITS = {
    CV: fit_cv,
    PATH: fit_path,
    SMALL_PATH: fit_path,
    ODDS: fit_odds,
    STATSMODELS: fit_statsmodels,
    CLARABEL: clarabel_objective,
}
REPEATED = (CV, PATH, SMALL_PATH, ODDS)
GROWING = (PATH, ODDS)


def fastest(fit, X, y, repeats):
    """Result of the fit, and the seconds of its fastest run."""
    seconds = np.inf
    for _ in range(repeats):
        start = time.perf_counter()
        result = fit(X, y)
        seconds = min(seconds, time.perf_counter() - start)
        if seconds > 10:
            break
    return result, seconds


def quality(name, result, X, y):
    """Certificate of ours times 1e6, mean log-loss of proportional odds, objective for CLARABEL."""
    if name == STATSMODELS:
        return {"log_loss": -result.llf / len(y)}
    if name == ODDS:
        observed = result.predict_log_proba(X)[np.arange(len(y)), y]
        return {"log_loss": -observed.mean(), "certificate": 1e6 * result.kkt_residual_}
    if name == CLARABEL:
        model = PrestoClassifier(middle_alpha(X, y), tol=1e-9).fit(X, y)
        ours = objective_at(model, X, y)
        return {"excess": ours - result}
    if name.startswith(PATH):
        return {"certificate": 1e6 * result.dual_gaps.max()}
    return {}


def objective_at(model, X, y):
    below = expit(X @ model.coef_.T + model.intercept_)
    proba = np.diff(below, axis=1, prepend=0.0, append=1.0)[np.arange(len(y)), y]
    return -np.log(proba).mean() + model.alpha * np.abs(model.coef_diff_ * X.std(axis=0)).sum()


def measure(tasks, _methods, _seed):
    with threadpool_limits(1):
        yield from measure_on_one_thread(tasks)


def measure_on_one_thread(tasks):
    warm_up = draw(np.random.default_rng(0), 3000, 3)
    for name in (CV, PATH, ODDS):
        FITS[name](*warm_up)
    for task in tasks:
        if CLARABEL in task:
            FITS[CLARABEL](*warm_up)
        for name, (X, y) in task.items():
            result, seconds = fastest(FITS[name], X, y, 3 if name in REPEATED else 1)
            row = {"method": name, "seconds": seconds, "n": X.shape[0], "p": X.shape[1]}
            if tuple(task) == GROWING:
                row["memory"] = peak_megabytes(FITS[name], X, y)
            yield row | quality(name, result, X, y)


def value(results, setting, method, column="seconds"):
    rows = results[(results["setting"] == setting) & (results["method"] == method)]
    return rows[column].min()


def cv_is_fast(results):
    ratio = value(results, RIVALS, CV) / value(results, RIVALS, STATSMODELS)
    return Verdict(bool(ratio <= 0.35), f"{ratio:.3f} of its time", "≤ 0.35")


def odds_are_fast(results):
    speedup = value(results, RIVALS, STATSMODELS) / value(results, RIVALS, ODDS)
    excess = value(results, RIVALS, ODDS, "log_loss") - value(
        results, RIVALS, STATSMODELS, "log_loss"
    )
    return Verdict(
        bool(speedup >= 50 and excess <= 1e-8),
        f"{speedup:.0f} times faster, mean log-loss higher by {excess:.1e}",
        "≥ 50 times, log-loss not higher",
    )


def path_is_fast(setting):
    def check(results):
        speedup = value(results, setting, CLARABEL) / value(results, setting, SMALL_PATH)
        gap = 1e-6 * value(results, setting, PATH, "certificate")
        rows = results[(results["setting"] == setting) & (results["method"] == CLARABEL)]
        return Verdict(
            bool(20 * speedup >= 100 and gap <= LARGEST_GAP),
            f"at (n, p) = ({rows['n'].iloc[0]}, {rows['p'].iloc[0]}) {20 * speedup:.0f} times "
            f"faster per alpha; gap {gap:.1e}, objective above CLARABEL's by "
            f"{value(results, setting, CLARABEL, 'excess'):.1e}",
            "≥ 100 times, gap ≤ 1e-6",
        )

    return check


def grows_linearly(setting, column):
    def check(results):
        rows = results[(results["setting"] == setting) & (results["method"] == PATH)]
        seconds = rows.groupby(column)["seconds"].min()
        sizes = seconds.index.to_numpy(dtype=float)
        slope = np.polyfit(np.log(sizes), np.log(seconds.to_numpy()), 1)[0]
        return Verdict(
            bool(slope <= 1.3), f"time ~ {column}^{slope:.2f} up to {sizes[-1]:,.0f}", "power ≤ 1.3"
        )

    return check


def paths_are_certified(results):
    gap = 1e-6 * results[results["method"] == PATH]["certificate"].max()
    return Verdict(bool(gap <= LARGEST_GAP), f"largest gap {gap:.1e}", "≤ 1e-6")


def memory_is_one_copy(results):
    rows = results[results["setting"] == GROWTH].dropna(subset="memory")
    largest = rows[rows["n"] == rows["n"].max()]
    n, p, peak = (largest[column].max() for column in ("n", "p", "memory"))
    beside = (1e6 * peak - 8 * n * p) / n
    return Verdict(
        bool(beside <= BYTES_PER_ROW),
        f"at n = {n:,.0f} and p = {p:.0f}, peak {peak:,.0f} MB beside X of {8e-6 * n * p:,.0f} MB: "
        f"one copy and {beside:.0f} bytes per row",
        f"one copy and ≤ {BYTES_PER_ROW} bytes per row",
    )


def draw_growth(results):
    figure, panels = new_figure(2)
    for panel, (setting, column, fixed) in zip(
        panels,
        ((GROWTH, "n", "p = 50"), (GROWTH_FEATURES, "p", "n = 5000")),
        strict=True,
    ):
        draw_curves(panel, results, setting, "seconds", column, list(FITS))
        panel.set(
            title=f"{setting} ({fixed})", xlabel=column, ylabel="seconds", xscale="log",
            yscale="log",
        )  # fmt: skip
    share_legend(figure, panels[0])
    return figure


def timing(description, data, parameters, metrics=("seconds", "certificate"), axis=None):
    return Setting(
        description=description,
        data=data,
        measure=measure,
        metrics=list(metrics),
        axis=axis,
        parameters=parameters,
    )


_SIZES = [(1000, 50), (10_000, 50), (100_000, 50)]
_WIDTHS = [(5000, 10), (5000, 40), (5000, 160)]

benchmark = Benchmark(
    settings={
        RIVALS: timing(
            "PRESTO's whole cross-validation on 2500 rows and 10 features; one proportional odds "
            "model on 20,000 rows and 30 features, by skreg and by statsmodels.",
            against_statsmodels,
            {
                "full": {"n_cv": 2500, "n_odds": 20_000, "p_odds": 30},
            },
            ["seconds", "log_loss"],
        ),
        TALL: timing(
            "20,000 rows, 50 features, which CLARABEL does not solve in minutes; it runs on 8000 "
            "rows.",
            path_against_clarabel,
            {
                "full": {"shape": (20_000, 50), "shared": (8000, 50)},
            },
        ),
        WIDE: timing(
            "500 rows, 2000 features, which CLARABEL does not solve within minutes; it runs on 300 "
            "rows and 600 features.",
            path_against_clarabel,
            {"full": {"shape": (500, 2000), "shared": (300, 600)}},
        ),
        GROWTH: timing(
            "50 features, growing number of rows.",
            growing,
            {
                "smallest": {"sizes": [(500, 10), (1000, 10)]},
                "quick": {"sizes": _SIZES[:2]},
                "full": {"sizes": [*_SIZES, (1_000_000, 50)]},
            },
            ["seconds", "certificate", "memory"],
            axis=Axis("n", "rows n"),
        ),
        GROWTH_FEATURES: timing(
            "5000 rows, growing number of features.",
            growing,
            {
                "quick": {"sizes": _WIDTHS[:2]},
                "full": {"sizes": [*_WIDTHS, (5000, 640)]},
            },
            ["seconds", "certificate", "memory"],
            axis=Axis("p", "features p"),
        ),
    },
    methods=FITS,
    metrics={
        "seconds": Metric("Time", "s"),
        "certificate": Metric("Relative duality gap or violation, times 1e6", digits=3),
        "log_loss": Metric("Mean log-loss", digits=8),
        "memory": Metric("Peak memory beside X", "MB", digits=1),
    },
    repeats={"smallest": 1, "quick": 1, "full": 1},
    reference=PATH,
    together=True,
    serial=True,
    claims=[
        Claim(
            "Cross-validating PRESTO (5 folds, 20 alphas) takes at most 0.35 of the time in which "
            "statsmodels fits one proportional odds model to 20,000 rows.",
            cv_is_fast,
            [RIVALS],
            sizes=("full",),
        ),
        Claim(
            "Proportional odds are at least 50 times faster than by statsmodels, at no higher "
            "log-loss.",
            odds_are_fast,
            [RIVALS],
            sizes=("full",),
        ),
        Claim(
            "Tall data: the certified path is at least 100 times faster per alpha than CLARABEL.",
            path_is_fast(TALL),
            [TALL],
            sizes=("full",),
        ),
        Claim(
            "Wide data: the certified path is at least 100 times faster per alpha than CLARABEL.",
            path_is_fast(WIDE),
            [WIDE],
            sizes=("full",),
        ),
        Claim(
            "Every path ends with a relative duality gap below 1e-6.",
            paths_are_certified,
            [GROWTH, GROWTH_FEATURES],
        ),
        Claim(
            "The time of a path grows linearly with the number of rows.",
            grows_linearly(GROWTH, "n"),
            [GROWTH],
            sizes=("full",),
        ),
        Claim(
            "Beside X, a fit holds one copy of it and a few numbers per row.",
            memory_is_one_copy,
            [GROWTH],
            sizes=("full",),
        ),
    ],
    figures=[
        Figure(
            "Seconds of a path of 20 alphas, certified to 1e-6, and of proportional odds.",
            draw_growth,
            [GROWTH, GROWTH_FEATURES],
        )
    ],
)
