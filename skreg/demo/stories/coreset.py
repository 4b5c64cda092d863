"""A million rows, fitted on a thousand of them.

Least absolute deviations on heavy-tailed rows and a dummy that is one in 20 of a million rows. A
uniform subset loses the dummy and the rows of large leverage; a coreset keeps the rows that matter
by their Lewis weights (Woodruff and Yasuda, ICML 2023) and gives the others a weight;
`CoresetEstimator` does so for any estimator in one step. The cost is the sum of absolute residuals
over all rows, relative to the best fit, which a smoothed Newton iteration on all rows finds and its
dual certifies.

When not to use it: scores need a few passes over all rows. Where one fit on all rows takes no
longer, as for least squares and often for logistic regression, a coreset pays only for many fits.
"""

from typing import Any, NamedTuple

import numpy as np
from sklearn.linear_model import QuantileRegressor

from skreg.coreset import LpRegressor, SensitivitySampler
from skreg.demo._clock import timed
from skreg.demo._intervals import Interval, in_words, mean_ratio
from skreg.demo._pictures import figure_with
from skreg.pictures import series_style

LEWIS, UNIFORM = "lewis", "uniform"
N_KEPT = 1000
RARE, RARE_EFFECT = 20, 30.0
SMOOTHED = 0.03  # residuals below are squared instead, in the certificate
WORDS = {-1: "less", 1: "more", 0: "no less beyond noise"}


def fits_on_subsets(X, y, scores, n_samples, seeds):
    """Least absolute deviations on weighted subsets, a fit for each seed."""
    sampler = SensitivitySampler(p=1, scores=scores, n_samples=n_samples)
    chance = sampler.fit(X, y).inclusion_proba_
    for seed in seeds:
        kept = np.random.default_rng(seed).random(len(X)) < chance
        yield LpRegressor(p=1).fit(X[kept], y[kept], 1 / chance[kept])


SHOWN = fits_on_subsets


class Measured(NamedTuple):
    """Excess costs, seconds and effects of the rare dummy.

    Excess costs of uniform subsets are those of `sizes`, the first as large as the coresets'.
    """

    lewis: np.ndarray
    uniform: np.ndarray
    sizes: np.ndarray
    seconds: float
    effects: dict[str, float]
    certified: float
    polish_seconds: float
    n_rows: int
    rival_seconds: float
    rival_rows: int

    def ratio(self) -> Interval:
        """Excess cost of coresets relative to that of uniform subsets of their size."""
        return mean_ratio(self.lewis, self.uniform[:, 0])

    def extrapolated(self) -> float:
        """Seconds of scikit-learn's solver on all rows, if they grow with the square of them."""
        return self.rival_seconds * (self.n_rows / self.rival_rows) ** 2


def draw_rows(rng, n_rows, n_features=8):
    """Heavy-tailed rows and noise, and a dummy that is one in few rows."""
    X = rng.standard_normal((n_rows, n_features)) * np.abs(rng.standard_t(3, (n_rows, 1)))
    X[:, -1] = 0.0
    X[rng.choice(n_rows, RARE, replace=False), -1] = 1.0
    effects = np.append(rng.standard_normal(n_features - 1), RARE_EFFECT)
    return X, X @ effects + 1.0 + rng.standard_t(3, n_rows)


def best_cost(X, y, start):
    """Cost of a fit to all rows near the best, and a lower bound of all costs.

    Newton's method on the sum of Huber losses of a small threshold w. With residuals r, the dual
    variable u = clip(r / w, -1, 1), made orthogonal to the columns and scaled into [-1, 1], bounds
    the sum of absolute residuals of every fit from below by y^T u.
    """
    A = np.column_stack([X, np.ones(len(X))])
    gram = A.T @ A
    residual = y - A @ start
    for _ in range(50):
        near = A[np.abs(residual) < SMOOTHED]
        u = np.clip(residual / SMOOTHED, -1.0, 1.0)
        step = np.linalg.solve(near.T @ near / SMOOTHED + 1e-9 * gram, A.T @ u)
        value, change = huber(residual), A @ step
        while huber(residual - change) > value and np.abs(change).max() > 1e-9:
            change /= 2.0
        residual = residual - change
        if value - huber(residual) < 1e-9 * value:
            break
    u = np.clip(residual / SMOOTHED, -1.0, 1.0)
    u -= A @ np.linalg.solve(gram, A.T @ u)
    return float(np.abs(residual).sum()), float(y @ u / max(1.0, np.abs(u).max()))


def huber(residual):
    """Sum of absolute residuals, squared below the threshold."""
    size = np.abs(residual)
    inner = np.minimum(size, SMOOTHED)
    return inner @ (size - inner / 2.0) / SMOOTHED


def measure(
    seed: int, n_draws: int = 20, n_rows: int = 1_000_000, rival_rows: int = 5000
) -> Measured:
    """Coresets and uniform subsets of one data set, several draws of each."""
    X, y = draw_rows(np.random.default_rng(seed), n_rows)
    seeds = [(seed, k) for k in range(n_draws)]
    coresets = fits_on_subsets(X, y, LEWIS, N_KEPT, seeds)
    first, seconds = timed(next, coresets)
    start = np.append(first.coef_, first.intercept_)
    (best, bound), polish_seconds = timed(best_cost, X, y, start)

    def excess(model):
        return np.abs(y - model.predict(X)).sum() / best - 1.0

    sizes = N_KEPT * np.array([1, 2, 4])
    uniform = [list(fits_on_subsets(X, y, UNIFORM, int(size), seeds)) for size in sizes]
    rival = QuantileRegressor(quantile=0.5, alpha=0.0)
    return Measured(
        lewis=np.array([excess(first), *map(excess, coresets)]),
        uniform=np.array([[excess(model) for model in models] for models in uniform]).T,
        sizes=sizes,
        seconds=seconds,
        effects={
            LEWIS: float(first.coef_[-1]),
            UNIFORM: float(np.median([model.coef_[-1] for model in uniform[0]])),
        },
        certified=best / bound - 1.0,
        polish_seconds=polish_seconds,
        n_rows=n_rows,
        rival_seconds=timed(rival.fit, X[:rival_rows], y[:rival_rows])[1],
        rival_rows=rival_rows,
    )


def sentence(measured: Measured) -> str:
    """Excess costs at equal size, time, and the effect that a uniform subset does not see."""
    ratio = measured.ratio()
    return (
        f"{measured.n_rows:,} rows, {N_KEPT:,} kept in {in_words(measured.seconds)}: median excess "
        f"cost {np.median(measured.lewis):.2%}, of uniform rows "
        f"{np.median(measured.uniform[:, 0]):.2%} ({WORDS[ratio.side_of(1)]}, ratio "
        f"{ratio.text()}); a rare effect of {RARE_EFFECT:g} comes out as "
        f"{measured.effects[LEWIS]:.1f} and {measured.effects[UNIFORM]:.1f}"
    )


def draw(measured: Measured) -> tuple[Any, str]:
    """Excess cost against the number of rows."""
    figure, (panel,) = figure_with(1, height=4.0)
    coreset, uniform = series_style(0), series_style(1)
    sizes = np.broadcast_to(measured.sizes, measured.uniform.shape)
    faint: dict[str, Any] = {"linestyle": "none", "alpha": 0.4}
    panel.plot(sizes.ravel(), 100 * measured.uniform.ravel(), **faint, **uniform)
    median = 100 * np.median(measured.uniform, axis=0)
    panel.plot(measured.sizes, median, label="uniform rows", **uniform)
    kept = np.full(len(measured.lewis), N_KEPT)
    panel.plot(kept, 100 * measured.lewis, **faint, **coreset)
    middle = 100 * np.median(measured.lewis)
    panel.plot(N_KEPT, middle, linestyle="none", label="coreset of Lewis weights", **coreset)
    panel.axhline(middle, color=coreset["color"], linewidth=1, linestyle=(0, (4, 2)))
    panel.set(xscale="log", yscale="log", xlabel=f"rows kept of {measured.n_rows:,}")
    panel.set_xticks(measured.sizes, labels=[f"{size:,}" for size in measured.sizes])
    panel.minorticks_off()
    ticks = (0.05, 0.1, 0.2, 0.5, 1, 2)
    panel.set_yticks(ticks, labels=[f"{tick:g}%" for tick in ticks])
    panel.set_ylabel("excess cost on all rows")
    panel.set_title("Cost of fitting a subset, least absolute deviations")
    figure.legend(*panel.get_legend_handles_labels(), loc="outside upper left", ncols=2)
    return figure, (
        "Lower is better; faint marks are draws, full ones their medians, and the dashed line says "
        "how many uniform rows a coreset is worth. The best cost is certified to "
        f"{measured.certified:.0e}. Ratio of excess costs at {N_KEPT:,} rows: "
        f"{measured.ratio().text()} (geometric mean and 95% interval over draws). On all rows "
        f"scikit-learn's QuantileRegressor would take some {in_words(measured.extrapolated())}, if "
        f"its {in_words(measured.rival_seconds)} for {measured.rival_rows:,} rows grow with their "
        f"square; the smoothed Newton iteration took {in_words(measured.polish_seconds)} from the "
        "coreset's fit."
    )
