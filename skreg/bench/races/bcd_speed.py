"""What does one iteration of block coordinate descent cost?

Greedy rules look at every coordinate in every iteration, yet with a gradient that is kept up to
date and an exact partial selection of the largest scores they need not be dear: an iteration on
least squares of 1000 x 10000 with a variable block is compared with one on a random block of the
same size, both in CPU seconds per iteration, run in turns.

Message passing solves for a whole forest of a lattice at once. A block update (elimination, and
the gradient of the lattice kept up to date) is compared with scipy's triangular solve on the lower
triangle of the same block, and with a solve by the block's sparse LU decomposition.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse
import scipy.sparse.linalg

from skreg.bench import Benchmark, Claim, Metric, Setting, Verdict
from skreg.bench.arena import descent_problems as problems
from skreg.optim.descent import BlockCoordinateDescent, GraphQuadratic, lattice_forests

if TYPE_CHECKING:
    import pandas as pd

RANDOM, GREEDY = "random block", "greedy block (GSD)"
UPDATE, SOLVE = "message passing, block update", "message passing, solve alone"
TRIANGULAR, LU = "scipy triangular solve", "scipy sparse LU solve"
METHODS = {name: name for name in (RANDOM, GREEDY, UPDATE, SOLVE, TRIANGULAR, LU)}
BLOCK_5, BLOCK_50 = "Greedy blocks of 5", "Greedy blocks of 50"
LATTICE = "Forest of a lattice"


class Stopwatch:
    """CPU seconds between the calls of a callback."""

    def __init__(self) -> None:
        self.times = [time.process_time()]

    def __call__(self, intermediate_result: Any) -> None:
        self.times.append(time.process_time())

    def seconds(self) -> np.ndarray:
        return np.diff(self.times)


def greedy_data(seed: int, *, n_samples: int, n_features: int, size: int, n_iter: int) -> Any:
    problem = problems.least_squares(seed, n_samples=n_samples, n_features=n_features)
    return problem, size, n_iter


def measure_greedy(data: Any, methods: Mapping[str, Any], seed: int) -> Iterator[dict[str, Any]]:
    """Iterations of both rules, in turns of one run each; the least of five runs."""
    problem, size, n_iter = data
    best: dict[str, float] = {}
    for _ in range(5):
        for name, selection in ((RANDOM, "random"), (GREEDY, "gsd")):
            method = BlockCoordinateDescent(
                "variable", selection, "matrix", size, max_iter=n_iter, tol=0.0, random_state=seed
            )
            best[name] = min(best.get(name, np.inf), run_seconds(method, problem))
    for name, seconds in best.items():
        yield {"method": name, "milliseconds": 1e3 * seconds, "ratio": seconds / best[RANDOM]}


def run_seconds(method: BlockCoordinateDescent, problem: Any) -> float:
    """CPU seconds per iteration, without those of the set-up and of the first iteration."""
    watch = Stopwatch()
    method._replace(callback=watch).minimize(problem)
    return float(np.mean(watch.seconds()[1:]))


def lattice_data(seed: int, *, side: int) -> Any:
    W = problems.lattice_weights(side, 1.0)
    A = scipy.sparse.csr_array(scipy.sparse.diags_array(W.sum(axis=1) + 0.01) - W)
    b = np.random.default_rng(seed).standard_normal(side * side)
    return GraphQuadratic(A, b), lattice_forests(side, side)


def measure_lattice(data: Any, methods: Mapping[str, Any], seed: int) -> Iterator[dict[str, Any]]:
    problem, forests = data
    watch = Stopwatch()
    method = BlockCoordinateDescent(
        forests, "cyclic", "message_passing", max_iter=16, tol=0.0, callback=watch
    )
    method.minimize(problem)
    block = forests[0]
    inner = problem.A[block][:, block]
    rhs = problem.b[block]
    lower = scipy.sparse.csr_array(scipy.sparse.tril(inner))
    lu = scipy.sparse.linalg.splu(
        scipy.sparse.csc_array(inner), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )  # fmt: skip
    seconds = {
        UPDATE: float(np.min(watch.seconds()[2::2])),
        SOLVE: least(forest_solve(inner), rhs),
        TRIANGULAR: least(lambda r: scipy.sparse.linalg.spsolve_triangular(lower, r), rhs),
        LU: least(lu.solve, rhs),
    }
    for name, value in seconds.items():
        yield {
            "method": name,
            "milliseconds": 1e3 * value,
            "ratio": value / seconds[TRIANGULAR],
        }


def forest_solve(matrix: Any) -> Callable[[np.ndarray], Any]:
    """The factorised elimination alone."""
    from skreg.optim.descent._block_solvers import forest_solver
    from skreg.optim.descent._forest import root_forest

    return forest_solver(root_forest(matrix, np.arange(matrix.shape[0])))


def least(function: Callable[[np.ndarray], Any], argument: np.ndarray, repeats: int = 5) -> float:
    """Least CPU seconds of some calls."""
    times = []
    for _ in range(repeats):
        clock = time.process_time()
        function(argument)
        times.append(time.process_time() - clock)
    return min(times)


def medians(results: pd.DataFrame, setting: str, metric: str) -> pd.Series:
    rows = results[results["setting"] == setting]
    return rows.groupby("method")[metric].median()


def greedy_is_affordable(setting: str) -> Callable[[pd.DataFrame], Verdict]:
    def check(results: pd.DataFrame) -> Verdict:
        ratio = medians(results, setting, "ratio")[GREEDY]
        return Verdict(bool(ratio <= 3.0), f"{ratio:.1f} times", "≤ 3 times")

    return check


def message_passing_is_fast(results: pd.DataFrame) -> Verdict:
    milliseconds = medians(results, LATTICE, "milliseconds")
    ratio = milliseconds[UPDATE] / milliseconds[TRIANGULAR]
    return Verdict(
        bool(milliseconds[UPDATE] < 200.0 and ratio <= 3.0),
        f"{milliseconds[UPDATE]:.1f} ms, {ratio:.2f} triangular solves; against a sparse LU solve "
        f"{milliseconds[UPDATE] / milliseconds[LU]:.1f}",
        "< 200 ms, ≤ 3 triangular solves",
    )


def greedy_setting(size: int) -> Setting:
    shared = {"n_samples": 1000, "n_features": 10_000, "size": size}
    return Setting(
        description=f"Least squares of 1000 x 10000, 7% of it stored, blocks of {size}, matrix "
        "updates.",
        data=greedy_data,
        measure=measure_greedy,
        metrics=["milliseconds", "ratio"],
        methods=[RANDOM, GREEDY],
        parameters={
            "smallest": {**shared, "n_samples": 100, "n_features": 500, "n_iter": 20},
            "quick": {**shared, "n_iter": 200},
            "full": {**shared, "n_iter": 500},
        },
    )


benchmark = Benchmark(
    settings={
        BLOCK_5: greedy_setting(5),
        BLOCK_50: greedy_setting(50),
        LATTICE: Setting(
            description="One of two combs that cover a square lattice of 1000 x 1000 nodes; 300 x "
            "300 below full size. Ratios are to the triangular solve.",
            data=lattice_data,
            measure=measure_lattice,
            metrics=["milliseconds", "ratio"],
            methods=[UPDATE, SOLVE, TRIANGULAR, LU],
            parameters={
                "smallest": {"side": 30},
                "quick": {"side": 300},
                "full": {"side": 1000},
            },
        ),
    },
    methods=METHODS,
    metrics={
        "milliseconds": Metric("CPU time", "ms"),
        "ratio": Metric("Ratio to the reference", digits=2),
    },
    repeats={"smallest": 1, "quick": 1, "full": 5},
    reference=RANDOM,
    together=True,
    serial=True,
    claims=[
        *(
            Claim(
                f"{setting}: an iteration costs at most three on random blocks.",
                greedy_is_affordable(setting),
                [setting],
            )
            for setting in (BLOCK_5, BLOCK_50)
        ),
        Claim(
            "A block update by message passing takes less than 0.2 seconds and at most three "
            "triangular solves on the same block.",
            message_passing_is_fast,
            [LATTICE],
        ),
    ],
)
