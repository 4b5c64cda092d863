"""Rules of block coordinate descent by name, and their runs on the problems of the benchmark.

Every run is compared with the optimal value: (nearly) zero where there are more features than
samples, from a sparse solver for graphs, and for the lasso from Newton's method on everything.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import scipy.sparse.linalg

from skreg.bench import Axis, Setting
from skreg.bench.arena import descent_problems as problems
from skreg.optim.descent import (
    BlockCoordinateDescent,
    GraphQuadratic,
    GreedyForest,
    RedBlack,
    Tree,
    Variable,
)

FLOOR = 1e-16  # of the start's suboptimality, below which values are rounding
REACHED = 1e-8  # of the start's suboptimality, at which a run on the lasso has ended
GENERAL, RED_BLACK, TREE = "general", "red-black, Lipschitz", "tree partition, Lipschitz"
GREEDY_TREE = "greedy tree"
PROXIMAL_GRADIENT, NEWTON, TWO_METRIC = "proximal gradient", "projected Newton", "two-metric"


def named(partition: str, selection: str) -> str:
    return f"{selection}, {partition}"


RULES = {
    named(partition, selection): (partition, selection)
    for partition, selections in (
        ("variable", ("random", "cyclic", "gs", "gsl", "gsd", "gsq")),
        ("sort", ("random", "gs", "gsl", "gsd", "gsq")),
        ("average", ("gsl",)),
        ("order", ("gsl",)),
    )
    for selection in selections
}
FEW_RULES = [  # for long runs
    named("variable", "random"),
    *(named("variable", selection) for selection in ("gs", "gsd")),
    *(named("sort", selection) for selection in ("gs", "gsl")),
]
GRAPH_RULES = {
    GENERAL: None,
    "red-black, index": (RedBlack("index"), "gs", "message_passing"),
    RED_BLACK: (RedBlack(), "gs", "message_passing"),
    "random tree": (Variable(), GreedyForest("random"), "message_passing"),
    "tree partition, index": (Tree("index"), "gs", "message_passing"),
    TREE: (Tree(), "gs", "message_passing"),
    GREEDY_TREE: (Variable(), GreedyForest(), "message_passing"),
}
UPDATES = {
    f"{label}, {partition}": (partition, label.replace(" ", "_").replace("-", "_").lower())
    for label in (PROXIMAL_GRADIENT, NEWTON, TWO_METRIC)
    for partition in ("variable", "sort")
}


def graph_optimum(problem: GraphQuadratic) -> float:
    return -0.5 * float(problem.b @ scipy.sparse.linalg.spsolve(problem.A.tocsc(), problem.b))


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
    seed: int, *, recipe: str, update: str, n_iter: int, size: int = 5, **parameters: Any
) -> Any:
    return getattr(problems, recipe)(seed, **parameters), update, n_iter, size


def measure_rules(data: Any, methods: Mapping[str, Any], seed: int) -> Iterator[dict[str, Any]]:
    problem, update, n_iter, size = data
    for name, (partition, selection) in methods.items():
        method = BlockCoordinateDescent(
            partition, selection, update, size, max_iter=n_iter, tol=0.0, random_state=seed
        )
        yield from curve(name, method.minimize(problem), 0.0, n_iter)


def graph_data(seed: int, *, recipe: str, n_iter: int, **parameters: Any) -> Any:
    return getattr(problems, recipe)(seed, **parameters), n_iter


def measure_graph(data: Any, methods: Mapping[str, Any], seed: int) -> Iterator[dict[str, Any]]:
    problem, n_iter = data
    best = graph_optimum(problem)
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
        below = np.flatnonzero(values - best <= REACHED * (values[0] - best))
        yield {
            "method": name,
            "iterations": int(below[0]) if len(below) else n_iter,
            "identified": result.identified_at,
            "nonzeros": result.history[-1]["nnz"],
        }


COSTS = ("operations", "seconds")
ITERATION = Axis("iteration", "iteration")


def setting_of(
    description: str, data: Any, measure: Any, methods: Mapping[str, Any] | Sequence[str],
    parameters: Mapping[str, Any],
) -> Setting:  # fmt: skip
    lasso = measure is measure_lasso
    metrics = ["iterations", "identified", "nonzeros"] if lasso else ["log_gap", *COSTS]
    return Setting(
        description, data, measure, metrics, axis=None if lasso else ITERATION,
        methods=list(methods), parameters=parameters,
    )  # fmt: skip


def rules(description: str, update: str, methods: Sequence[str], **parameters: Any) -> Setting:
    data = functools.partial(rule_data, update=update)
    return setting_of(description, data, measure_rules, methods, parameters)


def graph(description: str, **parameters: Any) -> Setting:
    return setting_of(description, graph_data, measure_graph, GRAPH_RULES, parameters)


def lasso(description: str, **parameters: Any) -> Setting:
    return setting_of(description, lasso_data, measure_lasso, UPDATES, parameters)
