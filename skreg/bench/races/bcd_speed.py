"""What does one iteration of block coordinate descent cost?

Greedy rules look at every coordinate in every iteration, yet with a gradient that is kept up to
date and an exact partial selection of the largest scores they need not be dear: an iteration on
least squares of 1000 x 10000 with a variable block is compared with one on a random block of the
same size, both in processor time per iteration, run in turns.

Message passing solves for a whole forest of a lattice at once. A block update (elimination, and
the gradient of the lattice kept up to date) is compared with scipy's triangular solve on the lower
triangle of the same block, and with a solve by the block's sparse LU decomposition.

Medians over rounds in turns, on one BLAS thread; a repeat at size full takes less than a minute.
"""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import scipy.sparse
import scipy.sparse.linalg
from threadpoolctl import threadpool_limits

from skreg.bench import Benchmark, Claim, Metric, Setting
from skreg.bench.arena import descent_problems as problems
from skreg.bench.arena.checks import all_of, level, ratio
from skreg.bench.arena.clock import medians_in_turns
from skreg.optim.descent import BlockCoordinateDescent, GraphQuadratic, lattice_forests
from skreg.optim.descent._block_solvers import forest_solver
from skreg.optim.descent._forest import root_forest

RANDOM, GREEDY = "random block", "greedy block (GSD)"
UPDATE, SOLVE = "message passing, block update", "message passing, solve alone"
TRIANGULAR, LU = "scipy triangular solve", "scipy sparse LU solve"
LATTICE = "Forest of a lattice"
ROUNDS = 5


class Stopwatch:
    """Processor seconds between the calls of a callback."""

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
    """Iterations of both rules, in turns of one run each."""
    problem, size, n_iter = data
    times: dict[str, list[float]] = {name: [] for name in methods}
    for name in list(methods) * ROUNDS:
        method = BlockCoordinateDescent(
            "variable", methods[name], "matrix", size, max_iter=n_iter, tol=0.0, random_state=seed
        )
        times[name].append(iteration_seconds(method, problem))
    for name, seconds in times.items():
        yield {"method": name, "milliseconds": 1e3 * statistics.median(seconds)}


def iteration_seconds(method: BlockCoordinateDescent, problem: Any) -> float:
    """Mean over the iterations, without the set-up and the first one."""
    watch = Stopwatch()
    with threadpool_limits(1):
        method._replace(callback=watch).minimize(problem)
    return float(np.mean(watch.seconds()[1:]))


def lattice_data(seed: int, *, side: int) -> Any:
    W = problems.lattice_weights(side, 1.0)
    A = scipy.sparse.csr_array(scipy.sparse.diags_array(W.sum(axis=1) + 0.01) - W)
    b = np.random.default_rng(seed).standard_normal(side * side)
    return GraphQuadratic(A, b), lattice_forests(side, side)


def measure_lattice(data: Any, _methods: Mapping[str, Any], _seed: int) -> Iterator[dict[str, Any]]:
    problem, forests = data
    watch = Stopwatch()
    method = BlockCoordinateDescent(
        forests, "cyclic", "message_passing", max_iter=16, tol=0.0, callback=watch
    )
    with threadpool_limits(1):
        method.minimize(problem)
        solves = medians_in_turns(solves_of_block(problem, forests[0]), ROUNDS)
    # every second update is of the first forest; the first of them sets up
    seconds = {UPDATE: float(np.median(watch.seconds()[2::2])), **solves}
    for name, value in seconds.items():
        yield {"method": name, "milliseconds": 1e3 * value}


def solves_of_block(problem: GraphQuadratic, block: np.ndarray) -> dict[str, Callable[[], Any]]:
    inner, rhs = problem.A[block][:, block], problem.b[block]
    lower = scipy.sparse.csr_array(scipy.sparse.tril(inner))
    lu = scipy.sparse.linalg.splu(
        scipy.sparse.csc_array(inner), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )  # fmt: skip
    solve = forest_solver(root_forest(inner, np.arange(len(rhs))))
    solve(rhs)
    return {
        SOLVE: functools.partial(solve, rhs),
        TRIANGULAR: functools.partial(scipy.sparse.linalg.spsolve_triangular, lower, rhs),
        LU: functools.partial(lu.solve, rhs),
    }


def greedy_setting(size: int) -> Setting:
    shared = {"n_samples": 1000, "n_features": 10_000, "size": size}
    return Setting(
        f"Least squares of 1000 x 10000, 7% of it stored, blocks of {size}, matrix updates.",
        greedy_data,
        measure_greedy,
        ["milliseconds"],
        methods=[RANDOM, GREEDY],
        parameters={
            "smallest": {**shared, "n_samples": 100, "n_features": 500, "n_iter": 20},
            "quick": {**shared, "n_iter": 200},
            "full": {**shared, "n_iter": 500},
        },
    )


GREEDY_BLOCKS = {f"Greedy blocks of {size}": greedy_setting(size) for size in (5, 50)}

benchmark = Benchmark(
    seconds={"quick": 9.7},
    settings={
        **GREEDY_BLOCKS,
        LATTICE: Setting(
            "One of two combs that cover a square lattice of 1000 x 1000 nodes; 300 x 300 below "
            "full size.",
            lattice_data,
            measure_lattice,
            ["milliseconds"],
            methods=[UPDATE, SOLVE, TRIANGULAR, LU],
            parameters={"smallest": {"side": 30}, "quick": {"side": 300}, "full": {"side": 1000}},
        ),
    },
    methods={RANDOM: "random", GREEDY: "gsd"} | dict.fromkeys((UPDATE, SOLVE, TRIANGULAR, LU)),
    metrics={"milliseconds": Metric("Processor time", "ms")},
    repeats={"smallest": 1, "quick": 3, "full": 5},
    reference=RANDOM,
    together=True,
    serial=True,
    claims=[
        *(
            Claim(
                f"{setting}: an iteration costs at most three on random blocks.",
                ratio(GREEDY, RANDOM, "milliseconds", setting=setting, at_most=3.0),
                [setting],
            )
            for setting in GREEDY_BLOCKS
        ),
        Claim(
            "A block update by message passing takes less than 0.2 seconds and at most three "
            "triangular solves on the same block.",
            all_of(
                level(UPDATE, "milliseconds", setting=LATTICE, at_most=200.0),
                ratio(UPDATE, TRIANGULAR, "milliseconds", setting=LATTICE, at_most=3.0),
            ),
            [LATTICE],
        ),
    ],
)
