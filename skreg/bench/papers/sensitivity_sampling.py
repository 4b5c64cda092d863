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

from skreg.bench import Benchmark, Claim, Metric, Paper
from skreg.bench.arena import coreset_checks as samples
from skreg.bench.arena import coreset_tasks as tasks
from skreg.bench.arena.checks import Check, all_of, ratio
from skreg.bench.arena.coreset_tasks import HEAVY, RARE, X_ONLY
from skreg.bench.arena.coreset_views import cost_figure, distortion_figure

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
RARE_AT, HEAVY_AT = ({p: f"{kind}, p = {p:g}" for p in POWERS} for kind in SIZES)
COSTS = ["Regression, p = 1", "Regression, p = 4"]
FEWER = {"quick": [100, 200, 400]}
SETTINGS = {
    **{name: tasks.distortion(RARE, p, full=SIZES[RARE]) for p, name in RARE_AT.items()},
    **{name: tasks.distortion(HEAVY, p, full=SIZES[HEAVY]) for p, name in HEAVY_AT.items()},
    RARE_AT[1.5]: tasks.distortion(RARE, 1.5, full=SIZES[RARE], **FEWER, smallest=[100]),
    HEAVY_AT[4]: tasks.distortion(HEAVY, 4, full=SIZES[HEAVY], **FEWER),
    COSTS[0]: tasks.regression_cost(1, full=SIZES[HEAVY]),
    COSTS[1]: tasks.regression_cost(4, full=SIZES[HEAVY], quick=[400, 800]),
}


def worse_than(rivals: tuple[str, ...], setting: str, factor: float) -> Check:
    """Distortion of uniform samples over that of others, at 400 rows."""
    return ratio(UNIFORM, rivals, "distortion", setting=setting, at=400, at_least=factor)


benchmark = Benchmark(
    seconds={"quick": 5.9},
    settings=SETTINGS,
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
                worse_than((LEVERAGE, LEWIS, SENSITIVITY), RARE_AT[p], 3), [RARE_AT[p]],
            )
            for p in POWERS
        ),
        *(
            Claim(
                f"Heavy tails, m = 400, p = {p:g}: uniform sampling has at least 5 times the "
                "distortion of Lewis weights and sensitivities.",
                worse_than((LEWIS, SENSITIVITY), HEAVY_AT[p], 5), [HEAVY_AT[p]],
            )
            for p in POWERS[1:]
        ),
        Claim(
            "Heavy tails, m = 400, p = 1: at least 2.5 times for Lewis weights, root leverage and "
            "sensitivities.",
            worse_than((LEWIS, ROOT, SENSITIVITY), HEAVY_AT[1], 2.5), [HEAVY_AT[1]], ("full",),
        ),
        Claim(
            "Heavy tails, p = 1: with twice the rows plain leverage scores distort at least 0.7 "
            "times as much as Lewis weights: they need about twice the rows.",
            samples.ratio_at_twice_the_rows(
                LEVERAGE, LEWIS, "distortion", setting=HEAVY_AT[1], rows=[100, 200, 400],
                at_least=0.7,
            ),
            [HEAVY_AT[1]], ("full",),
        ),
        Claim(
            "Heavy tails, p = 4: plain leverage scores are at least twice as bad at few rows.",
            all_of(*(
                ratio(LEVERAGE, LEWIS, "distortion", setting=HEAVY_AT[4], at=m, at_least=2)
                for m in (100, 200)
            )),
            [HEAVY_AT[4]], ("full",),
        ),
        Claim(
            "Heavy tails: Lewis weights and exact sensitivities agree within a factor of 1.2 "
            "wherever the distortion is above 0.01: the cheap ones are the right default.",
            samples.agree_where_above(
                0.01, LEWIS, SENSITIVITY, "distortion", settings=[*HEAVY_AT.values()], factor=1.2
            ),
            [*HEAVY_AT.values()],
        ),
        Claim(
            "Regression, p = 4: scores must include the target; else the excess cost is ten times "
            "larger at 800 rows.",
            ratio(X_ONLY, LEWIS, "excess_cost", setting=COSTS[1], at=800, at_least=10),
            [COSTS[1]],
        ),
        Claim(
            "Regression: uniform rows lose at least 1.5 times what Lewis weights lose.",
            all_of(
                *(
                    samples.mean_ratio(UNIFORM, LEWIS, "excess_cost", setting=cost, at_least=1.5)
                    for cost in COSTS
                ),
                names=["p = 1", "p = 4"],
            ),
            COSTS,
        ),
    ],
    figures=[
        distortion_figure(RARE, [*RARE_AT.values()], METHODS),
        distortion_figure(HEAVY, [*HEAVY_AT.values()], METHODS),
        cost_figure(COSTS, METHODS),
    ],
)  # fmt: skip
