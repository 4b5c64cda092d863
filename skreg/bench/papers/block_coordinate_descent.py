"""Which blocks, chosen how, and moved how far: what makes block coordinate descent fast?

Nutini, Laradji and Schmidt (JMLR 2022) compare partitions, selection rules and updates of block
coordinate descent. Measured is log10 of the suboptimality relative to the start, by iteration, with
the entries of the data touched and the seconds spent until then. A lead of one decade at the last
iteration is a tenth of the suboptimality.

"Gradient updates" and "Matrix updates": least squares, blocks of five, columns of very different
scales. "Moons" and "Lattice": label propagation with exact updates of a whole block, at equal
numbers of iterations. "Nonnegative lasso": iterations until the suboptimality is 1e-8. The full
size adds the paper's own sizes, with logistic and multinomial regression.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from skreg.bench import Benchmark, Claim, Figure, Metric, Paper, Setting
from skreg.bench.arena.checks import Check, all_of, gain, level, ratio, statistic
from skreg.bench.arena.descent_runs import (
    GENERAL,
    GRAPH_RULES,
    GREEDY_TREE,
    NEWTON,
    PROXIMAL_GRADIENT,
    RED_BLACK,
    RULES,
    TREE,
    TWO_METRIC,
    UPDATES,
    graph,
    lasso,
    named,
    rules,
)
from skreg.bench.arena.descent_views import curve_figure, draw_iterations

PAPER = Paper(
    title="Let's Make Block Coordinate Descent Converge Faster: Faster Greedy Rules, "
    "Message-Passing, Active-Set Complexity, and Superlinear Convergence",
    authors=("Nutini, Julie", "Laradji, Issam", "Schmidt, Mark"),
    venue="Journal of Machine Learning Research 23(131)",
    year=2022,
    here="Block coordinate descent: skreg.optim, skreg.optim.descent, skreg.linear_model, "
    "skreg.semi_supervised",
    kind="article",
    arxiv="1712.08859",
    code="https://github.com/IssamLaradji/BlockCoordinateDescent",
)

GRADIENT, MATRIX = "Gradient updates", "Matrix updates"
MOONS, LATTICE = "Moons", "Lattice"
LASSOS = {f"Nonnegative lasso, blocks of {size}": size for size in (5, 20, 50)}
PAPER_A, PAPER_B, PAPER_C = "Paper: least squares", "Paper: logistic", "Paper: multinomial"
PAPER_D, PAPER_E = "Paper: lattice", "Paper: moons"
PAPER_LASSO = "Paper: nonnegative lasso"
BEST, RANDOM = named("variable", "gsd"), named("variable", "random")
VARIABLE_RULES = [name for name in RULES if name.endswith("variable")]
FIXED_RULES = [name for name in RULES if name not in VARIABLE_RULES]
FEW_RULES = [RANDOM, *(named("variable", rule) for rule in ("gs", "gsd")),
             *(named("sort", rule) for rule in ("gs", "gsl"))]  # fmt: skip


def ends_below(setting: str, better: str, worse: Sequence[str], decades: float = 0.0) -> Check:
    """Lead of one rule over others at the last iteration, in decades."""

    def lead_over(rival: str) -> Check:
        def lead(evidence: Any) -> np.ndarray:
            rows = evidence.results[evidence.results["setting"] == setting]
            values = functools.partial(evidence.values, setting, "log_gap")
            last = rows["iteration"].max()
            return values(rival, last) - values(better, last)

        return statistic(lead, f"decades before {rival}", at_least=decades)

    return all_of(*(lead_over(rival) for rival in worse))


def in_order(settings: Sequence[str], names: Sequence[str]) -> Check:
    """Every rule ends below the next one."""
    pairs = list(itertools.pairwise(names))
    return all_of(
        *(ends_below(setting, first, [second]) for setting in settings for first, second in pairs),
        names=[f"{setting}, {first}" for setting in settings for first, _ in pairs],
    )


def lasso_ends_at_once(setting: str, limit: int) -> Check:
    """Two updates need few iterations, and a tenth of those of proximal gradient."""
    quick = [f"{update}, variable" for update in (NEWTON, TWO_METRIC)]
    slow = f"{PROXIMAL_GRADIENT}, variable"
    return all_of(
        *(level(name, "iterations", setting=setting, at_most=limit) for name in quick),
        ratio(slow, quick, "iterations", setting=setting, at_least=10),
    )


def variable_beats_fixed(settings: Sequence[str]) -> Check:
    pairs = [(setting, update) for setting in settings
             for update in (PROXIMAL_GRADIENT, NEWTON, TWO_METRIC)]  # fmt: skip
    checks = (
        gain(f"{update}, variable", f"{update}, sort", "iterations", setting=setting)
        for setting, update in pairs
    )
    return all_of(*checks, names=[f"{setting}, {update}" for setting, update in pairs])


SHARED = {"n_samples": 200, "n_features": 2000, "n_iter": 150, "recipe": "least_squares"}
SMALLER = {"n_samples": 60, "n_features": 300}
PAPERS = {"n_samples": 1000, "n_features": 10_000, "n_iter": 500}


def small_lasso(size: int) -> Setting:
    shape = {"n_samples": 200, "n_features": 2000, "share": 0.3, "block_size": size, "n_iter": 1000}
    smallest = {"smallest": {**shape, **SMALLER, "n_iter": 300}} if size == 20 else {}
    return lasso(
        f"200 x 2000, an L1 penalty of 0.3 of the largest, GS-q, blocks of {size}.",
        quick=shape, full=shape, **smallest,
    )  # fmt: skip


def small_graph(description: str, smallest: Mapping[str, int], **shape: Any) -> Setting:
    shape = {**shape, "n_iter": 60}
    smaller = {**shape, **smallest}
    return graph(f"{description}; 60 exact updates.", quick=shape, full=shape, smallest=smaller)


SETTINGS = {
    **{
        name: rules(
            "200 x 2000 least squares, blocks of 5, 150 iterations; smaller below quick size.",
            update, [*RULES], quick=SHARED, full=SHARED, **smallest,
        )
        for name, update, smallest in (
            (GRADIENT, "gradient", {"smallest": {**SHARED, **SMALLER, "n_iter": 40}}),
            (MATRIX, "matrix", {}),
        )
    },
    MOONS: small_graph(
        "Two moons of 500 points, 25 labelled, five neighbours", {"n_nodes": 100},
        recipe="moons", n_nodes=500, n_labelled=25,
    ),
    LATTICE: small_graph(
        "A 20 x 20 lattice, 16 nodes labelled", {"side": 8},
        recipe="lattice", side=20, n_labelled=16,
    ),
    **{name: small_lasso(size) for name, size in LASSOS.items()},
    PAPER_A: rules(
        "1000 x 10000 least squares, blocks of 5, matrix updates, 500 iterations.",
        "matrix", [*RULES], full={**PAPERS, "recipe": "least_squares"},
    ),
    PAPER_B: rules(
        "1000 x 10000 logistic regression, blocks of 5, Newton updates with line search, 500 "
        "iterations; data that can be separated.",
        "newton", FEW_RULES, full={**PAPERS, "recipe": "logistic"},
    ),
    PAPER_C: rules(
        "1000 x 1000 softmax regression with 50 classes (50000 variables), blocks of 5, gradient "
        "updates, 500 iterations; data that can be separated.",
        "gradient", FEW_RULES,
        full={**PAPERS, "n_features": 1000, "n_classes": 50, "recipe": "multinomial"},
    ),
    PAPER_D: graph(
        "A 50 x 50 lattice, 100 nodes labelled; 500 exact updates.",
        full={"recipe": "lattice", "side": 50, "n_labelled": 100, "n_iter": 500},
    ),
    PAPER_E: graph(
        "Two moons of 2000 points, 100 labelled, five neighbours; 500 exact updates.",
        full={"recipe": "moons", "n_nodes": 2000, "n_labelled": 100, "n_iter": 500},
    ),
    PAPER_LASSO: lasso(
        "1000 x 10000, an L1 penalty of 0.21 of the largest, GS-q, blocks of 50, at most 500 "
        "iterations.",
        full={**PAPERS, "share": 0.21, "block_size": 50},
    ),
}  # fmt: skip
GRAPH_ORDER = [GREEDY_TREE, TREE, RED_BLACK, GENERAL]

benchmark = Benchmark(
    seconds={"quick": 27},
    settings=SETTINGS,
    methods={**RULES, **GRAPH_RULES, **UPDATES},
    metrics={
        "log_gap": Metric("log10 of the suboptimality", digits=2),
        "operations": Metric("Entries touched", digits=0),
        "seconds": Metric("Time", "s"),
        "iterations": Metric("Iterations to 1e-8", digits=0),
        "identified": Metric("Iterations to the support", digits=0),
        "nonzeros": Metric("Nonzeros", digits=0),
    },
    repeats={"smallest": 1, "quick": 4, "full": 10},
    reference=RANDOM,
    together=True,
    claims=[
        Claim(
            "Gradient updates on sorted blocks: GSL, which knows L_b, is at least a decade ahead "
            "of GS.",
            ends_below(GRADIENT, named("sort", "gsl"), [named("sort", "gs")], 1.0), [GRADIENT],
        ),
        Claim(
            "Gradient updates, GSL: sorting the coordinates by curvature is better than averaging "
            "it, and that is better than their order.",
            in_order([GRADIENT], [named(p, "gsl") for p in ("sort", "average", "order")]),
            [GRADIENT], sizes=("full",),
        ),
        Claim(
            "Gradient updates: greedy rules are at least a decade ahead of random and cyclic "
            "blocks.",
            ends_below(
                GRADIENT, named("variable", "gs"), [RANDOM, named("variable", "cyclic")], 1.0
            ),
            [GRADIENT],
        ),
        Claim(
            "Matrix updates: greedy variable blocks (GSD) are at least 2.5 decades ahead of every "
            "rule on fixed blocks.",
            ends_below(MATRIX, BEST, FIXED_RULES, 2.5), [MATRIX],
        ),
        Claim(
            "Label propagation: greedy trees, tree partitions, red-black and general blocks follow "
            "one another from best to worst.",
            in_order([MOONS, LATTICE], GRAPH_ORDER), [MOONS, LATTICE],
        ),
        *(
            Claim(
                f"{setting}: variable blocks that hold the support end within five iterations by "
                "projected Newton or two-metric steps, ten times fewer than proximal gradient.",
                lasso_ends_at_once(setting, 5), [setting],
            )
            for setting, size in LASSOS.items() if size >= 20
        ),
        Claim(
            "Nonnegative lasso: variable blocks need fewer iterations than fixed ones, for every "
            "update and block size.",
            variable_beats_fixed([*LASSOS]), [*LASSOS],
        ),
        Claim(
            "The paper's least squares: GSD on variable blocks is at least four decades ahead of "
            "all fixed blocks.",
            ends_below(PAPER_A, BEST, FIXED_RULES, 4.0), [PAPER_A], sizes=("full",),
        ),
        Claim(
            "The paper's logistic and multinomial data: GS on variable blocks is ahead of GS on "
            "sorted ones.",
            in_order([PAPER_B, PAPER_C], [named("variable", "gs"), named("sort", "gs")]),
            [PAPER_B, PAPER_C], sizes=("full",),
        ),
        Claim(
            "The paper's graphs: greedy trees, tree partitions, red-black and general blocks "
            "follow one another from best to worst.",
            in_order([PAPER_D, PAPER_E], GRAPH_ORDER), [PAPER_D, PAPER_E], sizes=("full",),
        ),
        Claim(
            "The paper's nonnegative lasso, blocks of 50: at most ten iterations, ten times fewer "
            "than proximal gradient.",
            lasso_ends_at_once(PAPER_LASSO, 10), [PAPER_LASSO], sizes=("full",),
        ),
    ],
    figures=[
        curve_figure("Variable blocks", [GRADIENT, MATRIX], VARIABLE_RULES),
        curve_figure("Fixed blocks", [GRADIENT, MATRIX], FIXED_RULES),
        curve_figure("Label propagation", [MOONS, LATTICE], [*GRAPH_RULES]),
        Figure(
            "Nonnegative lasso: iterations to 1e-8, geometric mean over seeds; solid lines are "
            "variable blocks, dashed ones sorted blocks.",
            lambda results: draw_iterations(results, LASSOS, [*UPDATES]),
            [*LASSOS],
        ),
        curve_figure("The paper's graphs", [PAPER_D, PAPER_E], [*GRAPH_RULES]),
        curve_figure("The paper's regressions", [PAPER_A, PAPER_B, PAPER_C], FEW_RULES),
    ],
)  # fmt: skip
