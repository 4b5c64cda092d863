"""Which scores keep all l_p norms of a matrix on the fewest sampled rows?

Woodruff and Yasuda (ICML 2023) and the work around them bound the number of sampled rows that keep
every sum of p-th powers of a linear form up to a factor 1 +- epsilon, for several scores: leverage
scores and their powers, Lewis weights, sensitivities, and sums of these. Measured is the distortion
epsilon of weighted Bernoulli samples, as a lower bound from a search over directions (exact for
p = 2), and for regression the excess cost of the fit on the sample.

"Rare columns": 1000 x 6, the last two columns are zero but for 15 rows, and five rows are 20 times
larger. "Heavy tails": 2500 x 8 normal rows, each times the absolute value of a t variable with
three degrees of freedom. The matrices are fixed; repeats are independent samples, and all methods
use the same uniform numbers.

Regression: 8000 rows of the second kind, an intercept, t noise, and a dummy that is one in 16 rows.
"""

import functools

import numpy as np

from skreg.bench import Axis, Benchmark, Claim, Figure, Metric, Setting, Verdict, by_seed
from skreg.bench.arena.views import new_figure, share_legend
from skreg.coreset import (
    LpRegressor,
    importance_scores,
    lewis_weights,
    subspace_distortion,
)
from skreg.coreset._sampling import draw, mixed_scores
from skreg.coreset._scores import SCORES
from skreg.pictures import MARKERS, PALETTE

UNIFORM, LEVERAGE, ROOT, LEWIS = "uniform", "leverage", "root_leverage", "lewis"
SENSITIVITY, COMBINED = "sensitivity", "sensitivity+leverage"
X_ONLY = "lewis of X alone"
METHODS = {
    name: name
    for name in (LEWIS, UNIFORM, LEVERAGE, ROOT, SENSITIVITY, "lewis+leverage", COMBINED, X_ONLY)
}
POWERS = (1, 1.5, 3, 4)
FLOOR = 0.01


def rare_columns(p):
    return f"Rare columns, p = {p:g}"


def heavy_tails(p):
    return f"Heavy tails, p = {p:g}"


def regression(p):
    return f"Regression, p = {p:g}"


def rare_column_matrix():
    rng = np.random.default_rng(0)
    A = np.zeros((1000, 6))
    A[:, :4] = rng.standard_normal((1000, 4))
    A[-15:, 4:] = rng.standard_normal((15, 2))
    A[:5] *= 20
    return A


def heavy_tailed_matrix():
    rng = np.random.default_rng(5)
    return rng.standard_normal((2500, 8)) * np.abs(rng.standard_t(3, 2500))[:, None]


MATRICES = {"rare columns": rare_column_matrix, "heavy tails": heavy_tailed_matrix}


@functools.cache
def scored_matrix(kind, p):
    """The matrix, and its scores by name."""
    A = MATRICES[kind]()
    return A, {name: importance_scores(A, p, scores=name) for name in SCORES if name in METHODS}


def sampling_problem(_seed, *, kind, p, sizes):
    return (*scored_matrix(kind, p), p, sizes)


def measure_distortion(problem, methods, seed):
    A, scores, p, sizes = problem
    for name in [name for name in methods if name in scores]:
        mixed = mixed_scores(scores[name], FLOOR)
        for size in sizes:
            _, kept, weight = draw(mixed, size, "bernoulli", seed)
            epsilon = subspace_distortion(A, kept, weight, p, random_state=seed)
            yield {"method": name, "n_samples": size, "distortion": epsilon}


@functools.cache
def regression_problem(p):
    """Residual matrix [X, 1, y], the cost of the best fit, and scores by name."""
    rng = np.random.default_rng(1)
    X = np.zeros((8000, 9))
    X[:, :8] = rng.standard_normal((8000, 8)) * np.abs(rng.standard_t(3, 8000))[:, None]
    X[:16, 8] = 1
    y = X @ rng.standard_normal(9) + 1 + rng.standard_t(3, 8000)
    A = np.column_stack([X, np.ones(8000), y])
    scores = {
        UNIFORM: np.ones(8000),
        LEVERAGE: importance_scores(A, p, scores="leverage"),
        LEWIS: lewis_weights(A, p, tol=1e-3),
        X_ONLY: lewis_weights(A[:, :-1], p, tol=1e-3),
    }
    return X, y, LpRegressor(p=p).fit(X, y).objective_, scores


def regression_data(_seed, *, p, sizes):
    return (*regression_problem(p), p, sizes)


def measure_regression(problem, _methods, seed):
    X, y, best, scores, p, sizes = problem
    for name, score in scores.items():
        for size in sizes:
            _, kept, weight = draw(mixed_scores(score, FLOOR), size, "bernoulli", seed)
            fit = LpRegressor(p=p).fit(X[kept], y[kept], sample_weight=weight)
            excess = np.sum(np.abs(y - fit.predict(X)) ** p) / best - 1
            yield {"method": name, "n_samples": size, "excess_cost": excess}


def median(results, setting, metric):
    """Median over seeds, methods down, sizes across."""
    return by_seed(results, setting, metric, ["method", "n_samples"]).median().unstack()


def ratio_at(setting, size, numerator, denominators, required):
    """Claim: the median distortion of `numerator` is `required` times those of the others."""

    def check(results):
        table = median(results, setting, "distortion")[size]
        ratio = min(table[numerator] / table[name] for name in denominators)
        return Verdict(bool(ratio >= required), f"{ratio:.1f} at m = {size}", f"≥ {required:g}")

    return check


def leverage_needs_twice_the_rows(results):
    """Leverage at 2 m against Lewis, root leverage and sensitivity at m."""
    table = median(results, heavy_tails(1), "distortion")
    pairs = {m: table[2 * m][LEVERAGE] / table[m][LEWIS] for m in (100, 200, 400)}
    measured = ", ".join(f"{ratio:.2f} at m = {m}" for m, ratio in pairs.items())
    return Verdict(bool(np.median(list(pairs.values())) >= 0.7), measured, "median ≥ 0.7")


def leverage_twice_as_bad_at_four(results):
    table = median(results, heavy_tails(4), "distortion")
    ratios = [table[m][LEVERAGE] / table[m][LEWIS] for m in (100, 200)]
    return Verdict(min(ratios) >= 2, ", ".join(f"{r:.1f}" for r in ratios), "≥ 2 at m ≤ 200")


def lewis_agrees_with_sensitivity(results):
    """Compared over seeds by the geometric mean of all pairs: single medians are noisy."""
    logs = []
    for p in POWERS:
        table = median(results, heavy_tails(p), "distortion")
        pair = table.loc[[LEWIS, SENSITIVITY]]
        pair = pair.loc[:, (pair > 0.01).all()]
        logs += np.log(pair.loc[LEWIS] / pair.loc[SENSITIVITY]).tolist()
    factor = np.exp(np.abs(np.mean(logs)))
    worst = np.exp(np.max(np.abs(logs)))
    return Verdict(
        bool(factor <= 1.2), f"factor {factor:.2f} on average, {worst:.2f} at worst", "≤ 1.2"
    )


def target_must_be_scored(results):
    table = median(results, regression(4), "excess_cost")[800]
    ratio = table[X_ONLY] / table[LEWIS]
    return Verdict(bool(ratio >= 10), f"ratio {ratio:.0f} at m = 800", "≥ 10")


def lewis_beats_uniform_in_regression(results):
    ratios = {}
    for p in (1, 4):
        table = median(results, regression(p), "excess_cost")
        ratios[p] = float(np.median(table.loc[UNIFORM] / table.loc[LEWIS]))
    measured = ", ".join(f"p = {p:g}: {r:.1f}" for p, r in ratios.items())
    return Verdict(min(ratios.values()) >= 1.5, f"median ratio {measured}", "≥ 1.5")


def draw_against_size(settings, metric, label):
    def draw_figure(results):
        figure, panels = new_figure(len(settings))
        for panel, setting in zip(panels, settings, strict=True):
            values = by_seed(results, setting, metric, ["method", "n_samples"])
            for index, method in enumerate(METHODS):
                if method not in values.columns.get_level_values("method"):
                    continue
                curve = np.maximum(values[method].sort_index(axis=1), 1e-6)
                low, middle, high = np.quantile(curve, [0.25, 0.5, 0.75], axis=0)
                colour = PALETTE[index % len(PALETTE)]
                panel.plot(
                    curve.columns, middle, color=colour, marker=MARKERS[index % len(MARKERS)],
                    linestyle="-" if index < len(PALETTE) else "--", label=method,
                )  # fmt: skip
                panel.fill_between(curve.columns, low, high, color=colour, alpha=0.12, linewidth=0)
            sizes = curve.columns
            panel.set(title=setting, xlabel="rows m", ylabel=label, xscale="log", yscale="log")
            panel.set_xticks(sizes, labels=[f"{size:g}" for size in sizes])
            panel.minorticks_off()
        share_legend(figure, panels[0], n_columns=4)
        return figure

    return draw_figure


_AXIS = Axis("n_samples", "rows m")
_SIZES = {"rare columns": [50, 100, 200, 400], "heavy tails": [100, 200, 400, 800]}
_NAMES = {"rare columns": rare_columns, "heavy tails": heavy_tails}
_DESCRIPTIONS = {
    "rare columns": "1000 x 6; two columns are zero but for 15 rows, five rows are 20 times larger",
    "heavy tails": "2500 x 8 normal rows times the absolute value of a t variable (3 degrees)",
}


def distortion_setting(kind, p):
    full = {"kind": kind, "p": p, "sizes": _SIZES[kind]}
    parameters = {"full": full}
    if (kind, p) in (("rare columns", 1.5), ("heavy tails", 4)):
        parameters["quick"] = {**full, "sizes": [100, 400]}
    if (kind, p) == ("rare columns", 1.5):
        parameters["smallest"] = {**full, "sizes": [100]}
    return Setting(
        description=f"{_DESCRIPTIONS[kind]}; p = {p:g}.",
        data=sampling_problem,
        measure=measure_distortion,
        metrics=["distortion"],
        axis=_AXIS,
        parameters=parameters,
    )


def regression_setting(p):
    full = {"p": p, "sizes": [100, 200, 400, 800]}
    return Setting(
        description="8000 rows of the second kind, an intercept, t noise and a dummy of 16 rows; "
        f"the excess of the sum of p-th powers of residuals over the best fit, p = {p:g}.",
        data=regression_data,
        measure=measure_regression,
        metrics=["excess_cost"],
        axis=_AXIS,
        parameters={"full": full, **({"quick": {**full, "sizes": [400, 800]}} if p == 4 else {})},
    )


benchmark = Benchmark(
    settings={
        **{_NAMES[kind](p): distortion_setting(kind, p) for kind in MATRICES for p in POWERS},
        **{regression(p): regression_setting(p) for p in (1, 4)},
    },
    methods=METHODS,
    metrics={
        "distortion": Metric("Distortion"),
        "excess_cost": Metric("Excess cost", digits=4),
    },
    repeats={"smallest": 1, "quick": 3, "full": 30},
    reference=LEWIS,
    together=True,
    claims=[
        *(
            Claim(
                f"Rare columns, m = 400, p = {p:g}: uniform sampling has at least 3 times the "
                "distortion of importance sampling.",
                ratio_at(rare_columns(p), 400, UNIFORM, (LEVERAGE, LEWIS, SENSITIVITY), 3),
                [rare_columns(p)],
            )
            for p in POWERS
        ),
        *(
            Claim(
                f"Heavy tails, m = 400, p = {p:g}: uniform sampling has at least 5 times the "
                "distortion of Lewis weights and sensitivities.",
                ratio_at(heavy_tails(p), 400, UNIFORM, (LEWIS, SENSITIVITY), 5),
                [heavy_tails(p)],
            )
            for p in POWERS[1:]
        ),
        Claim(
            "Heavy tails, m = 400, p = 1: at least 2.5 times for Lewis weights, root leverage and "
            "sensitivities.",
            ratio_at(heavy_tails(1), 400, UNIFORM, (LEWIS, ROOT, SENSITIVITY), 2.5),
            [heavy_tails(1)],
            sizes=("full",),
        ),
        Claim(
            "Heavy tails, p = 1: plain leverage scores need about twice the rows of Lewis weights.",
            leverage_needs_twice_the_rows,
            [heavy_tails(1)],
            sizes=("full",),
        ),
        Claim(
            "Heavy tails, p = 4: plain leverage scores are at least twice as bad at few rows.",
            leverage_twice_as_bad_at_four,
            [heavy_tails(4)],
            sizes=("full",),
        ),
        Claim(
            "Heavy tails: Lewis weights and exact sensitivities agree wherever the distortion is "
            "above 0.01, so that the cheap ones are the right default.",
            lewis_agrees_with_sensitivity,
            [heavy_tails(p) for p in POWERS],
        ),
        Claim(
            "Regression, p = 4: scores must include the target.",
            target_must_be_scored,
            [regression(4)],
        ),
        Claim(
            "Regression: Lewis weights of [X, 1, y] lose less than uniform rows.",
            lewis_beats_uniform_in_regression,
            [regression(1), regression(4)],
        ),
    ],
    figures=[
        Figure(
            f"{title}: distortion of all p-th powers against the expected number of rows, median "
            "and quartiles over samples.",
            draw_against_size([name(p) for p in POWERS], "distortion", "distortion"),
            [name(p) for p in POWERS],
        )
        for title, name in (("Rare columns", rare_columns), ("Heavy tails", heavy_tails))
    ]
    + [
        Figure(
            "Regression: excess cost of the fit on the sample, median and quartiles over samples.",
            draw_against_size([regression(1), regression(4)], "excess_cost", "excess cost"),
            [regression(1), regression(4)],
        )
    ],
)
