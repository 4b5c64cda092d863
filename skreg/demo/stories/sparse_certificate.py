"""A sparse model that certifies itself.

L1-penalised logistic regression with five times more features than rows. Solvers stop where their
own tolerances are met, which mean different things; the relative duality gap bounds how far an
answer is from the best one, whoever computed it. skreg stops on it and hands it over. For the
comparison a function in plain numpy computes the gap of every answer, and each solver gets the
loosest tolerance among 1e-4, 1e-5, ... with which it reaches a gap of 1e-6.

When not to use it: for a few hundred rows and features every solver is fast enough, and a loose
answer may do.
"""

from typing import Any, NamedTuple

import numpy as np
from scipy.special import entr, expit, log_expit
from sklearn.linear_model import LogisticRegression

from skreg.demo._clock import timed
from skreg.demo._intervals import Interval, in_words, mean_ratio
from skreg.demo._pictures import figure_with
from skreg.linear_model import SparseLogisticRegression
from skreg.pictures import GREY, series_style

OURS, LIBLINEAR, SAGA = "skreg", "liblinear", "saga"
TARGET, STRENGTH = 1e-6, 0.05
SAGA_PASSES = 30


def certified_fit(X, y, alpha, tol):
    """A fit, and how far from the best one it can be at most."""
    model = SparseLogisticRegression(alpha, fit_intercept=False, tol=tol)
    model.fit(X, y)
    return model, model.dual_gap_


SHOWN = certified_fit


def relative_gap(X, y, coef, alpha):
    """(P - D) / P(0) of any coefficients, P(w) = mean(log(1 + exp(-y x^T w))) + alpha ||w||_1."""
    margin = y * (X @ coef)
    u = expit(-margin)
    s = min(1.0, alpha / np.abs(X.T @ (y * u) / len(y)).max())
    primal = -log_expit(margin).mean() + alpha * np.abs(coef).sum()
    return float((primal - np.mean(entr(s * u) + entr(1 - s * u))) / np.log(2))


class Run(NamedTuple):
    """One fit: its relative gap and its processor seconds."""

    gap: float
    seconds: float


class Measured(NamedTuple):
    """Runs of each solver for each draw, the last the first that reached the target; our strictest.

    saga has its runs by number of passes, on the first draw.
    """

    runs: dict[str, list[list[Run]]]
    strictest: Run
    shape: tuple[int, int]

    def ratio(self) -> Interval:
        """Time of liblinear relative to ours, at equal gap."""
        theirs, ours = ([r[-1].seconds for r in self.runs[name]] for name in (LIBLINEAR, OURS))
        return mean_ratio(theirs, ours)


def draw_problem(rng, n_rows, n_features):
    """Correlated normal columns, of which fifty decide the labels -1 and 1."""
    X = np.asfortranarray(rng.standard_normal((n_rows, n_features)))
    for j in range(1, n_features):
        X[:, j] = 0.5 * X[:, j - 1] + np.sqrt(0.75) * X[:, j]
    score = X[:, rng.choice(n_features, 50, replace=False)] @ rng.standard_normal(50)
    y = np.where(score + score.std() / 3 * rng.standard_normal(n_rows) > 0, 1.0, -1.0)
    return X, y, STRENGTH * np.abs(X.T @ y).max() / (2 * n_rows)


def runs_to_target(X, y, alpha, solve):
    """Runs with ever smaller tolerances, until one reaches the target."""
    runs = []
    for tol in 10.0 ** -np.arange(4, 13):
        model, seconds = timed(solve, tol)
        runs.append(Run(relative_gap(X, y, model.coef_.ravel(), alpha), seconds))
        if runs[-1].gap <= TARGET:
            break
    return runs


def measure(seed: int, n_draws: int = 3, n_rows: int = 1000, n_features: int = 5000) -> Measured:
    """Race on several draws; saga, which does not arrive, on the first."""
    runs: dict[str, list[list[Run]]] = {OURS: [], LIBLINEAR: [], SAGA: []}
    for k in range(n_draws):
        X, y, alpha = draw_problem(np.random.default_rng((seed, k)), n_rows, n_features)
        X_rows = np.ascontiguousarray(X)  # as scikit-learn's solvers want it, not on the clock

        def rival(alpha=alpha, n_rows=n_rows, **settings):
            return LogisticRegression(
                C=1 / (n_rows * alpha),
                l1_ratio=1.0,
                fit_intercept=False,
                random_state=0,
                **settings,
            )

        def ours(tol, X=X, y=y, alpha=alpha):
            return certified_fit(X, y, alpha, tol)[0]

        def liblinear(tol, X=X_rows, y=y, rival=rival):
            return rival(solver="liblinear", tol=tol, max_iter=1000).fit(X, y)

        if k == 0:
            for tol in (1e-2, 1e-10):
                ours(tol)  # compiles, or loads the kernels
            for passes in (SAGA_PASSES // 3, SAGA_PASSES):
                saga = rival(solver="saga", tol=1e-12, max_iter=passes)
                model, seconds = timed(saga.fit, X_rows, y)
                gap = relative_gap(X, y, model.coef_.ravel(), alpha)
                runs[SAGA].append([Run(gap, seconds)])
            (_, gap), seconds = timed(certified_fit, X, y, alpha, 1e-10)
            strictest = Run(gap, seconds)
        runs[OURS].append(runs_to_target(X, y, alpha, ours))
        runs[LIBLINEAR].append(runs_to_target(X, y, alpha, liblinear))
    return Measured(runs, strictest, (n_rows, n_features))


def sentence(measured: Measured) -> str:
    """Our certificate, the ratio at equal gap, and where saga is."""
    ratio, saga = measured.ratio(), measured.runs[SAGA][-1][-1]
    ours, theirs = (
        np.median([runs[-1].seconds for runs in measured.runs[name]]) for name in (OURS, LIBLINEAR)
    )
    missed = [runs for runs in measured.runs[LIBLINEAR] if runs[-1].gap > TARGET]
    note = f", missing the gap on {len(missed)} draws" if missed else ""
    return (
        f"L1 logistic regression, {measured.shape[0]:,} x {measured.shape[1]:,}: certified to "
        f"a gap of {measured.strictest.gap:.0e} in {in_words(measured.strictest.seconds)}; to "
        f"{TARGET:.0e} skreg takes {in_words(ours)}, liblinear {in_words(theirs)}{note}, "
        f"{ratio.text(1)} times as long; saga is at {saga.gap:.1g} after "
        f"{SAGA_PASSES} passes and {in_words(saga.seconds)}"
    )


def draw(measured: Measured) -> tuple[Any, str]:
    """Gap against seconds, a line for each draw."""
    figure, (panel,) = figure_with(1, height=4.2)
    series = {
        OURS: [[*runs, measured.strictest] if k == 0 else runs
               for k, runs in enumerate(measured.runs[OURS])],
        LIBLINEAR: measured.runs[LIBLINEAR],
        SAGA: [[run for runs in measured.runs[SAGA] for run in runs]],
    }  # fmt: skip
    for i, (name, draws) in enumerate(series.items()):
        for k, runs in enumerate(draws):
            label = name if k == 0 else None
            seconds, gaps = [run.seconds for run in runs], [run.gap for run in runs]
            panel.plot(seconds, gaps, label=label, linewidth=1, **series_style(i))
    panel.axhline(TARGET, color=GREY, linestyle=(0, (4, 2)))
    panel.set(xscale="log", yscale="log", xlabel="processor seconds of a fit")
    panel.set_ylabel("relative duality gap")
    panel.set_title("How far from the best answer, by time")
    figure.legend(*panel.get_legend_handles_labels(), loc="outside upper left", ncols=3)
    return figure, (
        "Down and to the left is better. A line for each draw; its marks are fits with smaller "
        f"and smaller tolerances, for saga with {SAGA_PASSES // 3} and {SAGA_PASSES} passes. The "
        "dashed line is the gap at which times are compared."
    )
