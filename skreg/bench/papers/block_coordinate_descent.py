"""Which blocks, chosen how, and moved how far: what makes block coordinate descent fast?

Nutini, Laradji and Schmidt (JMLR 2022) compare partitions, selection rules and updates of block
coordinate descent. Measured is log10 of the suboptimality relative to the start, by iteration, with
the entries of the data touched and the seconds spent until then.

"Gradient updates" and "Matrix updates": least squares, blocks of five, columns of very different
scales. "Moons" and "Lattice": label propagation with exact updates of a whole block, at equal
numbers of iterations. "Nonnegative lasso": iterations until the suboptimality is 1e-8. The full
size adds the paper's own sizes, with logistic and multinomial regression.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import scipy.sparse.linalg

from skreg.bench import Axis, Benchmark, Claim, Figure, Metric, Setting
from skreg.bench.arena import descent_problems as problems
from skreg.bench.arena.descent_views import (
    all_lower,
    curve_figures,
    draw_iterations,
    in_order,
    lasso_ends_at_once,
    lower_by,
    medians_in_order,
    variable_beats_fixed,
)
from skreg.optim.descent import (
    BlockCoordinateDescent,
    GraphQuadratic,
    GreedyForest,
    RedBlack,
    Tree,
    Variable,
)

FLOOR = 1e-16  # of the start's suboptimality, below which values are rounding
GRADIENT, MATRIX = "Gradient updates", "Matrix updates"
MOONS, LATTICE = "Moons", "Lattice"
LASSO_5, LASSO_20, LASSO_50 = (f"Nonnegative lasso, blocks of {size}" for size in (5, 20, 50))
PAPER_A, PAPER_B, PAPER_C = "Paper: least squares", "Paper: logistic", "Paper: multinomial"
PAPER_D, PAPER_E = "Paper: lattice", "Paper: moons"
PAPER_LASSO = "Paper: nonnegative lasso"


def named(partition: str, selection: str) -> str:
    return f"{selection}, {partition}"


RULES = {
    named(partition, selection): (partition, selection)
    for partition, selection in [
        ("variable", "random"), ("variable", "cyclic"), ("variable", "gs"), ("variable", "gsl"),
        ("variable", "gsd"), ("variable", "gsq"), ("sort", "random"), ("sort", "gs"),
        ("sort", "gsl"), ("sort", "gsd"), ("sort", "gsq"), ("average", "gsl"), ("order", "gsl"),
    ]
}  # fmt: skip
BEST, RANDOM = named("variable", "gsd"), named("variable", "random")
GENERAL, RED_BLACK_INDEX, RED_BLACK = "general", "red-black, index", "red-black, Lipschitz"
TREE_INDEX, TREE, RANDOM_TREE, GREEDY_TREE = (
    "tree partition, index", "tree partition, Lipschitz", "random tree", "greedy tree",
)  # fmt: skip
GRAPH_METHODS = {
    GENERAL: None,
    RED_BLACK_INDEX: (RedBlack("index"), "gs", "message_passing"),
    RED_BLACK: (RedBlack(), "gs", "message_passing"),
    RANDOM_TREE: (Variable(), GreedyForest("random"), "message_passing"),
    TREE_INDEX: (Tree("index"), "gs", "message_passing"),
    TREE: (Tree(), "gs", "message_passing"),
    GREEDY_TREE: (Variable(), GreedyForest(), "message_passing"),
}
PROXIMAL = {
    f"{label}, {partition}": (partition, update)
    for label, update in [
        ("proximal gradient", "proximal_gradient"),
        ("projected Newton", "projected_newton"),
        ("two-metric", "two_metric"),
    ]
    for partition in ("variable", "sort")
}
METHODS = {**RULES, **GRAPH_METHODS, **PROXIMAL}


def checkpoints(n_iter: int) -> list[int]:
    """Iterations of the curve: 0, 1, 2, 3, 5, 7, 10, .. and the last one."""
    steps = {0, n_iter} | {round(10 ** (k / 6)) for k in range(60)}
    return sorted(step for step in steps if step <= n_iter)


def curve(name: str, result: Any, best: float, n_iter: int) -> Iterator[dict[str, Any]]:
    """Rows of a history; a run that ended early stays where it was."""
    history = result.history
    start = history[0]["fun"] - best
    for step in checkpoints(n_iter):
        entry = history[min(step, len(history) - 1)]
        gap = max((entry["fun"] - best) / start, FLOOR)
        yield {
            "method": name,
            "iteration": step,
            "log_gap": math.log10(gap),
            "operations": entry["operations"],
            "seconds": entry["seconds"],
        }


def rule_data(
    seed: int,
    *,
    update: str,
    n_iter: int,
    recipe: str,
    best: str,
    size: int = 5,
    methods: Sequence[str] | None = None,
    **parameters: Any,
) -> Any:
    problem = getattr(problems, recipe)(seed, **parameters)
    return problem, update, n_iter, best, size, methods


def optimum(problem: Any, kind: str) -> float:
    """Optimal value: known to be (nearly) zero, or from Newton's method on everything."""
    if kind == "zero":
        return 0.0
    if isinstance(problem, GraphQuadratic):
        return -0.5 * float(problem.b @ scipy.sparse.linalg.spsolve(problem.A.tocsc(), problem.b))
    return BlockCoordinateDescent(tol=1e-13, max_iter=500).minimize(problem).fun


def measure_rules(data: Any, methods: Mapping[str, Any], seed: int) -> Iterator[dict[str, Any]]:
    problem, update, n_iter, kind, size, chosen = data
    best = optimum(problem, kind)
    for name in chosen or methods:
        partition, selection = RULES[name]
        method = BlockCoordinateDescent(
            partition, selection, update, size, max_iter=n_iter, tol=0.0, random_state=seed
        )
        yield from curve(name, method.minimize(problem), best, n_iter)


def graph_data(seed: int, *, recipe: str, n_iter: int, **parameters: Any) -> Any:
    return getattr(problems, recipe)(seed, **parameters), n_iter


def measure_graph(data: Any, methods: Mapping[str, Any], seed: int) -> Iterator[dict[str, Any]]:
    problem, n_iter = data
    best = optimum(problem, "solve")
    for name, parts in methods.items():
        options = {"max_iter": n_iter, "tol": 0.0, "random_state": seed}
        if parts is None:  # as many coordinates as a dense solve in linear time allows
            size = round(len(problem.b) ** (1 / 3))
            method = BlockCoordinateDescent("variable", "gs", "matrix", size, **options)
        else:
            method = BlockCoordinateDescent(*parts, **options)
        yield from curve(name, method.minimize(problem), best, n_iter)


def lasso_data(seed: int, *, block_size: int, n_iter: int, **parameters: Any) -> Any:
    return problems.nonnegative_lasso(seed, **parameters), block_size, n_iter


def measure_lasso(data: Any, methods: Mapping[str, Any], seed: int) -> Iterator[dict[str, Any]]:
    problem, size, n_iter = data
    best = BlockCoordinateDescent(tol=1e-14, max_iter=200).minimize(problem).fun
    for name, (partition, update) in methods.items():
        method = BlockCoordinateDescent(partition, "gs_q", update, size, max_iter=n_iter, tol=1e-13)
        result = method.minimize(problem)
        values = np.array([entry["fun"] for entry in result.history])
        below = np.flatnonzero(values - best <= 1e-8 * (values[0] - best))
        yield {
            "method": name,
            "iterations": int(below[0]) if len(below) else n_iter,
            "identified": result.identified_at,
            "nonzeros": result.history[-1]["nnz"],
        }


SMALL = {"n_samples": 200, "n_features": 2000, "n_iter": 150, "recipe": "least_squares"}
TINY = {**SMALL, "n_samples": 60, "n_features": 300, "n_iter": 40}
PAPER = {"n_samples": 1000, "n_features": 10_000, "n_iter": 500}
CURVES = ["log_gap", "operations", "seconds"]
ITERATION = Axis("iteration", "iteration")
VARIABLE_RULES = [name for name in RULES if name.endswith("variable")]
FIXED_RULES = [name for name in RULES if name not in VARIABLE_RULES]
FEW_RULES = [
    named("variable", "random"), named("variable", "gs"), named("variable", "gsd"),
    named("sort", "gs"), named("sort", "gsl"),
]  # fmt: skip


def rules_setting(
    description: str,
    update: str,
    parameters: Mapping[str, Any],
    kind: str = "zero",
    methods: Sequence[str] | None = None,
) -> Setting:
    return Setting(
        description=description,
        data=functools.partial(rule_data, update=update, best=kind, methods=methods),
        measure=measure_rules,
        metrics=CURVES,
        axis=ITERATION,
        methods=list(methods or RULES),
        parameters=parameters,
    )


def graph_setting(description: str, parameters: Mapping[str, Any]) -> Setting:
    return Setting(
        description=description,
        data=graph_data,
        measure=measure_graph,
        metrics=CURVES,
        axis=ITERATION,
        methods=list(GRAPH_METHODS),
        parameters=parameters,
    )


def lasso_setting(description: str, parameters: Mapping[str, Any]) -> Setting:
    return Setting(
        description=description,
        data=lasso_data,
        measure=measure_lasso,
        metrics=["iterations", "identified", "nonzeros"],
        methods=list(PROXIMAL),
        parameters=parameters,
    )


def lasso_sizes(size: int) -> dict[str, dict[str, Any]]:
    small = {"n_samples": 200, "n_features": 2000, "share": 0.3, "block_size": size}
    tiny = {**small, "n_samples": 60, "n_features": 300, "n_iter": 300}
    return {size_name: {**small, "n_iter": 1000} for size_name in ("quick", "full")} | (
        {"smallest": tiny} if size == 20 else {}
    )


SQUARES = "200 x 2000 least squares, blocks of 5, 150 iterations; smaller below quick size."
MOON_SIZE = {"recipe": "moons", "n_nodes": 500, "n_labelled": 25, "n_iter": 60}
LATTICE_SIZE = {"recipe": "lattice", "side": 20, "n_labelled": 16, "n_iter": 60}

benchmark = Benchmark(
    settings={
        GRADIENT: rules_setting(
            SQUARES, "gradient", {"smallest": TINY, "quick": SMALL, "full": SMALL}
        ),
        MATRIX: rules_setting(SQUARES, "matrix", {"smallest": TINY, "quick": SMALL, "full": SMALL}),
        MOONS: graph_setting(
            "Two moons of 500 points, 25 labelled, five neighbours; 60 exact updates.",
            {"smallest": {**MOON_SIZE, "n_nodes": 100}, "quick": MOON_SIZE, "full": MOON_SIZE},
        ),
        LATTICE: graph_setting(
            "A 20 x 20 lattice, 16 nodes labelled; 60 exact updates.",
            {"quick": LATTICE_SIZE, "full": LATTICE_SIZE},
        ),
        **{
            name: lasso_setting(
                f"200 x 2000, an L1 penalty of 0.3 of the largest, GS-q, blocks of {size}.",
                lasso_sizes(size),
            )
            for name, size in ((LASSO_5, 5), (LASSO_20, 20), (LASSO_50, 50))
        },
        PAPER_A: rules_setting(
            "1000 x 10000 least squares, blocks of 5, matrix updates, 500 iterations.",
            "matrix",
            {"full": {**PAPER, "recipe": "least_squares"}},
        ),
        PAPER_B: rules_setting(
            "1000 x 10000 logistic regression, blocks of 5, Newton updates with line search, "
            "500 iterations; data that can be separated.",
            "newton",
            {"full": {**PAPER, "recipe": "logistic"}},
            methods=FEW_RULES,
        ),
        PAPER_C: rules_setting(
            "1000 x 1000 softmax regression with 50 classes (50000 variables), blocks of 5, "
            "gradient updates, 500 iterations; data that can be separated.",
            "gradient",
            {"full": {**PAPER, "n_features": 1000, "n_classes": 50, "recipe": "multinomial"}},
            methods=FEW_RULES,
        ),
        PAPER_D: graph_setting(
            "A 50 x 50 lattice, 100 nodes labelled; 500 exact updates.",
            {"full": {"recipe": "lattice", "side": 50, "n_labelled": 100, "n_iter": 500}},
        ),
        PAPER_E: graph_setting(
            "Two moons of 2000 points, 100 labelled, five neighbours; 500 exact updates.",
            {"full": {"recipe": "moons", "n_nodes": 2000, "n_labelled": 100, "n_iter": 500}},
        ),
        PAPER_LASSO: lasso_setting(
            "1000 x 10000, an L1 penalty of 0.21 of the largest, GS-q, blocks of 50, at most 500 "
            "iterations.",
            {
                "full": {
                    "n_samples": 1000,
                    "n_features": 10_000,
                    "share": 0.21,
                    "block_size": 50,
                    "n_iter": 500,
                }
            },
        ),
    },
    methods=METHODS,
    metrics={
        "log_gap": Metric("log10 of the suboptimality", digits=2),
        "operations": Metric("Entries touched", digits=0),
        "seconds": Metric("Time", "s"),
        "iterations": Metric("Iterations to 1e-8", digits=0),
        "identified": Metric("Iterations to the support", digits=0),
        "nonzeros": Metric("Nonzeros", digits=0),
    },
    repeats={"smallest": 1, "quick": 3, "full": 10},
    reference=RANDOM,
    together=True,
    claims=[
        Claim(
            "Gradient updates on sorted blocks: GSL, which knows L_b, is at least a decade ahead "
            "of GS.",
            lower_by(GRADIENT, named("sort", "gsl"), [named("sort", "gs")], 1.0),
            [GRADIENT],
        ),
        Claim(
            "Gradient updates, GSL: sorting the coordinates by curvature is better than averaging "
            "it, and that is better than their order.",
            in_order(GRADIENT, [named(p, "gsl") for p in ("sort", "average", "order")], 0.9),
            [GRADIENT],
            sizes=("full",),
        ),
        Claim(
            "Gradient updates: greedy rules beat random and cyclic blocks.",
            lower_by(GRADIENT, named("variable", "gs"), [RANDOM, named("variable", "cyclic")], 1.0),
            [GRADIENT],
        ),
        Claim(
            "Matrix updates: greedy variable blocks (GSD) are at least 2.5 decades ahead of every "
            "rule on fixed blocks.",
            lower_by(MATRIX, BEST, FIXED_RULES, 2.5),
            [MATRIX],
        ),
        Claim(
            "Label propagation: general blocks, red-black, tree partitions and greedy trees "
            "follow one another from worst to best.",
            medians_in_order([MOONS, LATTICE], [GENERAL, RED_BLACK, TREE, GREEDY_TREE]),
            [MOONS, LATTICE],
        ),
        *(
            Claim(
                f"{setting}: variable blocks that hold the support end within five iterations by "
                "projected Newton or two-metric steps, ten times fewer than proximal gradient.",
                lasso_ends_at_once(setting, 5, 10),
                [setting],
            )
            for setting in (LASSO_20, LASSO_50)
        ),
        Claim(
            "Nonnegative lasso: variable blocks need fewer iterations than fixed ones, for every "
            "update and block size.",
            variable_beats_fixed([LASSO_5, LASSO_20, LASSO_50]),
            [LASSO_5, LASSO_20, LASSO_50],
        ),
        Claim(
            "The paper's least squares: GSD on variable blocks is at least four decades "
            "ahead of all fixed blocks.",
            lower_by(PAPER_A, BEST, FIXED_RULES, 4.0),
            [PAPER_A],
            sizes=("full",),
        ),
        Claim(
            "The paper's logistic and multinomial data: GS on variable blocks is ahead of GS on "
            "sorted ones.",
            all_lower([PAPER_B, PAPER_C], named("variable", "gs"), named("sort", "gs")),
            [PAPER_B, PAPER_C],
            sizes=("full",),
        ),
        Claim(
            "The paper's graphs: general blocks, red-black, tree partitions and greedy trees "
            "follow one another from worst to best.",
            medians_in_order([PAPER_D, PAPER_E], [GENERAL, RED_BLACK, TREE, GREEDY_TREE]),
            [PAPER_D, PAPER_E],
            sizes=("full",),
        ),
        Claim(
            "The paper's nonnegative lasso, blocks of 50: at most ten iterations, ten times fewer "
            "than proximal gradient.",
            lasso_ends_at_once(PAPER_LASSO, 10, 10),
            [PAPER_LASSO],
            sizes=("full",),
        ),
    ],
    figures=[
        *curve_figures("Variable blocks", [GRADIENT, MATRIX], VARIABLE_RULES),
        *curve_figures("Fixed blocks", [GRADIENT, MATRIX], FIXED_RULES),
        *curve_figures("Label propagation", [MOONS, LATTICE], list(GRAPH_METHODS)),
        Figure(
            "Nonnegative lasso: median iterations to 1e-8; solid lines are variable blocks, dashed "
            "ones sorted blocks.",
            draw_iterations({LASSO_5: 5, LASSO_20: 20, LASSO_50: 50}, list(PROXIMAL)),
            [LASSO_5, LASSO_20, LASSO_50],
        ),
        *curve_figures("The paper's graphs", [PAPER_D, PAPER_E], list(GRAPH_METHODS)),
        *curve_figures("The paper's regressions", [PAPER_A, PAPER_B, PAPER_C], FEW_RULES),
    ],
)
