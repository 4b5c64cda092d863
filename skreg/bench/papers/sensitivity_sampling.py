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

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from skreg.bench import Axis, Benchmark, Claim, Figure, Metric, Paper, Setting, by_seed
from skreg.bench.arena import coreset_tasks as tasks
from skreg.bench.arena.checks import Check, all_of, ratio, statistic
from skreg.bench.arena.coreset_tasks import HEAVY, RARE, X_ONLY
from skreg.bench.arena.views import curve_panels

PAPER = Paper(
    title="Sharper Bounds for lp Sensitivity Sampling",
    authors=("Woodruff, David P.", "Yasuda, Taisuke"),
    venue="International Conference on Machine Learning",
    year=2023,
    here="Sensitivity sampling: skreg.coreset",
    arxiv="2306.00732",
)

UNIFORM, LEVERAGE, ROOT, LEWIS = "uniform", "leverage", "root_leverage", "lewis"
SENSITIVITY = "sensitivity"
METHODS = (
    LEWIS, UNIFORM, LEVERAGE, ROOT, SENSITIVITY, "lewis+leverage", "sensitivity+leverage", X_ONLY,
)  # fmt: skip
POWERS = (1, 1.5, 3, 4)
SIZES = {RARE: [50, 100, 200, 400], HEAVY: [100, 200, 400, 800]}
ROWS = Axis("n_samples", "expected rows m")


def matrix(kind: str, p: float) -> str:
    return f"{kind}, p = {p:g}"


def regression(p: float) -> str:
    return f"Regression, p = {p:g}"


def worse_than(rivals: tuple[str, ...], kind: str, p: float, factor: float) -> Check:
    """Distortion of uniform samples over that of others, at 400 rows."""
    setting = matrix(kind, p)
    return ratio(UNIFORM, rivals, "distortion", setting=setting, at=400, at_least=factor)


def leverage_at_twice_the_rows(evidence: Any) -> np.ndarray:
    """Distortion of leverage scores at 2 m over that of Lewis weights at m, mean over m."""
    values = functools.partial(evidence.values, matrix(HEAVY, 1), "distortion")
    logs = [np.log(values(LEVERAGE, 2 * m) / values(LEWIS, m)) for m in (100, 200, 400)]
    return np.exp(np.mean(logs, axis=0))


def lewis_to_sensitivity(evidence: Any) -> np.ndarray:
    """Their ratio wherever both distortions are above 0.01, mean over powers and sizes."""
    logs = []
    for p in POWERS:
        errors = by_seed(evidence.results, matrix(HEAVY, p), "distortion", ["method", "n_samples"])
        lewis, exact = np.log(errors[LEWIS]), np.log(errors[SENSITIVITY])
        large = (lewis.mean() > np.log(0.01)) & (exact.mean() > np.log(0.01))
        logs.append((lewis - exact).loc[:, large])
    return np.exp(np.concatenate(logs, axis=1).mean(axis=1))


def lewis_gains(p: float) -> Check:
    """Excess cost of uniform rows over that of Lewis weights, mean over the sizes."""

    def ratios(evidence: Any) -> np.ndarray:
        cost = by_seed(evidence.results, regression(p), "excess_cost", ["method", "n_samples"])
        return np.exp(np.log(cost[UNIFORM] / cost[LEWIS]).mean(axis=1))

    return statistic(ratios, "ratio of uniform to lewis", at_least=1.5, log=True)


def distortion_setting(kind: str, p: float) -> Setting:
    shape = {
        RARE: "1000 x 6; two columns are zero but for 15 rows, five rows are 20 times larger",
        HEAVY: "2500 x 8 normal rows times the absolute value of a t variable (3 degrees)",
    }
    full = {"kind": kind, "p": p, "sizes": SIZES[kind]}
    parameters: dict[str, dict[str, Any]] = {"full": full}
    if (kind, p) in ((RARE, 1.5), (HEAVY, 4)):
        parameters["quick"] = {**full, "sizes": [100, 200, 400]}
    if (kind, p) == (RARE, 1.5):
        parameters["smallest"] = {**full, "sizes": [100]}
    return Setting(
        f"{shape[kind]}; p = {p:g}.", tasks.sampling_problem, tasks.measure_distortion,
        ["distortion"], axis=ROWS, parameters=parameters,
    )  # fmt: skip


def regression_setting(p: float) -> Setting:
    full = {"p": p, "sizes": [100, 200, 400, 800]}
    quick = {"quick": {**full, "sizes": [400, 800]}} if p == 4 else {}
    return Setting(
        "8000 rows of the second kind, an intercept, t noise and a dummy of 16 rows; the excess of "
        f"the sum of p-th powers of residuals over the best fit, p = {p:g}.",
        tasks.regression_problem, tasks.measure_regression, ["excess_cost"], axis=ROWS,
        parameters={"full": full, **quick},
    )  # fmt: skip


def curves(settings: list[str], metric: str, ylabel: str) -> Any:
    def draw(results: Any) -> Any:
        return curve_panels(
            results, settings, metric, ROWS, METHODS, ylabel, geometric=True, n_columns=4
        )[0]

    return draw


SETTINGS = {matrix(kind, p): distortion_setting(kind, p) for kind in SIZES for p in POWERS}
COSTS = [regression(1), regression(4)]

benchmark = Benchmark(
    seconds={"quick": 5.9},
    settings=SETTINGS | {regression(p): regression_setting(p) for p in (1, 4)},
    methods={name: name for name in METHODS},
    metrics={
        "distortion": Metric("Distortion"),
        "excess_cost": Metric("Excess cost", digits=4),
    },
    repeats={"smallest": 2, "quick": 10, "full": 30},
    reference=LEWIS,
    together=True,
    claims=[
        *(
            Claim(
                f"Rare columns, m = 400, p = {p:g}: uniform sampling has at least 3 times the "
                "distortion of importance sampling.",
                worse_than((LEVERAGE, LEWIS, SENSITIVITY), RARE, p, 3), [matrix(RARE, p)],
            )
            for p in POWERS
        ),
        *(
            Claim(
                f"Heavy tails, m = 400, p = {p:g}: uniform sampling has at least 5 times the "
                "distortion of Lewis weights and sensitivities.",
                worse_than((LEWIS, SENSITIVITY), HEAVY, p, 5), [matrix(HEAVY, p)],
            )
            for p in POWERS[1:]
        ),
        Claim(
            "Heavy tails, m = 400, p = 1: at least 2.5 times for Lewis weights, root leverage and "
            "sensitivities.",
            worse_than((LEWIS, ROOT, SENSITIVITY), HEAVY, 1, 2.5), [matrix(HEAVY, 1)], ("full",),
        ),
        Claim(
            "Heavy tails, p = 1: with twice the rows plain leverage scores distort at least 0.7 "
            "times as much as Lewis weights: they need about twice the rows.",
            statistic(leverage_at_twice_the_rows, "ratio", at_least=0.7, log=True),
            [matrix(HEAVY, 1)], ("full",),
        ),
        Claim(
            "Heavy tails, p = 4: plain leverage scores are at least twice as bad at few rows.",
            all_of(*(
                ratio(LEVERAGE, LEWIS, "distortion", setting=matrix(HEAVY, 4), at=m, at_least=2)
                for m in (100, 200)
            )),
            [matrix(HEAVY, 4)], ("full",),
        ),
        Claim(
            "Heavy tails: Lewis weights and exact sensitivities agree within a factor of 1.2 "
            "wherever the distortion is above 0.01: the cheap ones are the right default.",
            all_of(
                statistic(lewis_to_sensitivity, "ratio", at_most=1.2, log=True),
                statistic(lewis_to_sensitivity, "ratio", at_least=1 / 1.2, log=True),
            ),
            [matrix(HEAVY, p) for p in POWERS],
        ),
        Claim(
            "Regression, p = 4: scores must include the target; else the excess cost is ten times "
            "larger at 800 rows.",
            ratio(X_ONLY, LEWIS, "excess_cost", setting=COSTS[1], at=800, at_least=10),
            [COSTS[1]],
        ),
        Claim(
            "Regression: uniform rows lose at least 1.5 times what Lewis weights lose.",
            all_of(lewis_gains(1), lewis_gains(4), names=["p = 1", "p = 4"]), COSTS,
        ),
    ],
    figures=[
        *(
            Figure(
                f"{kind}: distortion of all p-th powers against the expected number of rows, "
                "geometric mean over samples with bands of one standard error.",
                curves([matrix(kind, p) for p in POWERS], "distortion", "distortion"),
                [matrix(kind, p) for p in POWERS],
            )
            for kind in SIZES
        ),
        Figure(
            "Regression: excess cost of the fit on the sample, geometric mean over samples with "
            "bands of one standard error.",
            curves(COSTS, "excess_cost", "excess cost"), COSTS,
        ),
    ],
)  # fmt: skip
