"""Settings of the benchmark on block coordinate descent: small ones, and the paper's own sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from skreg.bench import Setting
from skreg.bench.arena.descent_runs import FEW_RULES, RULES, graph, lasso, rules

SMALL = {"n_samples": 200, "n_features": 2000, "n_iter": 150, "recipe": "least_squares"}
SMALLER = {"n_samples": 60, "n_features": 300}
PAPERS = {"n_samples": 1000, "n_features": 10_000, "n_iter": 500}


def small_rules(update: str, **smallest: Mapping[str, Any]) -> Setting:
    """All rules on small least squares; `smallest` are the parameters of that size, if any."""
    return rules(
        "200 x 2000 least squares, blocks of 5, 150 iterations; smaller below quick size.",
        update,
        [*RULES],
        quick=SMALL,
        full=SMALL,
        **smallest,
    )


def small_lasso(size: int) -> Setting:
    """Updates of blocks of one size; the smallest size of a run has blocks of 20."""
    shape = {"n_samples": 200, "n_features": 2000, "share": 0.3, "block_size": size, "n_iter": 1000}
    smallest = {"smallest": {**shape, **SMALLER, "n_iter": 300}} if size == 20 else {}
    return lasso(
        f"200 x 2000, an L1 penalty of 0.3 of the largest, GS-q, blocks of {size}.",
        quick=shape,
        full=shape,
        **smallest,
    )


def small_graph(description: str, smallest: Mapping[str, int], **shape: Any) -> Setting:
    """Exact updates of a small graph; `smallest` is what differs at that size."""
    shape = {**shape, "n_iter": 60}
    smaller = {**shape, **smallest}
    return graph(f"{description}; 60 exact updates.", quick=shape, full=shape, smallest=smaller)


GRADIENT_UPDATES = small_rules("gradient", smallest={**SMALL, **SMALLER, "n_iter": 40})
MATRIX_UPDATES = small_rules("matrix")
SMALL_MOONS = small_graph(
    "Two moons of 500 points, 25 labelled, five neighbours",
    {"n_nodes": 100},
    recipe="moons",
    n_nodes=500,
    n_labelled=25,
)
SMALL_LATTICE = small_graph(
    "A 20 x 20 lattice, 16 nodes labelled",
    {"side": 8},
    recipe="lattice",
    side=20,
    n_labelled=16,
)
PAPERS_LEAST_SQUARES = rules(
    "1000 x 10000 least squares, blocks of 5, matrix updates, 500 iterations.",
    "matrix",
    [*RULES],
    full={**PAPERS, "recipe": "least_squares"},
)
PAPERS_LOGISTIC = rules(
    "1000 x 10000 logistic regression, blocks of 5, Newton updates with line search, 500 "
    "iterations; data that can be separated.",
    "newton",
    FEW_RULES,
    full={**PAPERS, "recipe": "logistic"},
)
PAPERS_MULTINOMIAL = rules(
    "1000 x 1000 softmax regression with 50 classes (50000 variables), blocks of 5, gradient "
    "updates, 500 iterations; data that can be separated.",
    "gradient",
    FEW_RULES,
    full={**PAPERS, "n_features": 1000, "n_classes": 50, "recipe": "multinomial"},
)
PAPERS_LATTICE = graph(
    "A 50 x 50 lattice, 100 nodes labelled; 500 exact updates.",
    full={"recipe": "lattice", "side": 50, "n_labelled": 100, "n_iter": 500},
)
PAPERS_MOONS = graph(
    "Two moons of 2000 points, 100 labelled, five neighbours; 500 exact updates.",
    full={"recipe": "moons", "n_nodes": 2000, "n_labelled": 100, "n_iter": 500},
)
PAPERS_LASSO = lasso(
    "1000 x 10000, an L1 penalty of 0.21 of the largest, GS-q, blocks of 50, at most 500 "
    "iterations.",
    full={**PAPERS, "share": 0.21, "block_size": 50},
)
