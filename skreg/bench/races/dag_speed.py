"""How fast is CoLiDE against dagma, for one iteration and in total?

Both follow the same path: four stages of Adam with the settings of the paper. The first setting
times iterations of the first stage and puts beside them the time of one product of two matrices of
that size by numpy, 2 d^3 operations. Reference mode needs one product and one inverse, another
2 d^3; dagma computes the same. (The authors' own code needs two products and more; they are not
raced.) On another machine it took 36, 86, 328 and 1830 microseconds at 20, 50, 100 and 200 nodes,
where dagma took 30, 79, 267 and 1270.

The other settings fit the whole path on the same data: Erdos-Renyi graphs with four edges per node,
1000 rows, noise variance 1, weights from 0.5 to 2. "ls" is DAGMA's score, the like-for-like
contest; "ev" is the paper's with one noise level, a close relative at noise variance 1, whose
graphs of these data are a little worse in either mode (one or two edges of 20 nodes). A fit of
dagma with 200 nodes takes some minutes; runs resume where they stopped.

All times are processor times with one BLAS thread, the median of several rounds for iterations, one
run for fits. Contestants take turns. Compiled code is on disk, or is compiled off the clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

from skreg.bench import Axis, Benchmark, Claim, Figure, Metric, Setting
from skreg.bench.arena.checks import gain, ratio
from skreg.bench.arena.clock import timed
from skreg.bench.arena.dag_methods import Graph, colide, dagma
from skreg.bench.arena.dag_tasks import draw
from skreg.bench.arena.rivals import needs_of
from skreg.bench.arena.views import curve_panels
from skreg.causal.metrics import structural_hamming_distance
from skreg.datasets import LinearSEM, make_linear_sem

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as MatplotlibFigure

DAGMA, PRODUCT = "dagma", "one matrix product"
REFERENCE, FAST, FAST_EV = "reference, ls", "fast, ls", "fast, ev"
ITERATIONS, NODES = "Iterations", Axis("d", "nodes")
SIZES = (20, 50, 100, 200)
RATIOS = {20: 4.0, 50: 2.0, 100: 1.6, 200: 1.6}
FAST_RATIOS = {20: 5.0, 50: 5.0, 100: 5.0, 200: 10.0}
METHODS = {
    DAGMA: dagma,
    REFERENCE: colide("ls"),
    FAST: colide("ls", mode="fast"),
    FAST_EV: colide("ev", mode="fast"),
}
# single stages of a fixed number of iterations
STAGE = {
    DAGMA: lambda X, n: dagma(X, T=1, s=[1.0], warm_iter=n, max_iter=n, checkpoint=n),
    REFERENCE: lambda X, n: stage(X, n, "ls", "reference"),
    FAST: lambda X, n: stage(X, n, "ls", "fast"),
    FAST_EV: lambda X, n: stage(X, n, "ev", "fast"),
}


def stage(X: np.ndarray, n_iter: int, noise: Any, mode: Any) -> Graph:
    fit = colide(noise, mode=mode, n_stages=1, s=1.0, max_iter=n_iter, checkpoint=n_iter)
    return fit(X)


def iteration_plan(seed: int, *, sizes: Sequence[int], operations: float, rounds: int) -> Any:
    return {d: draw(seed, n_features=d) for d in sizes}, operations, rounds


def measure_iterations(
    plan: Any, methods: Mapping[str, Any], _seed: int
) -> Iterator[dict[str, Any]]:
    problems, operations, rounds = plan
    with threadpool_limits(1):
        for d, sem in problems.items():
            n = max(20, int(operations / (d**3 + 20 * d**2)))
            for name, seconds in iteration_seconds(sem.X, n, rounds, methods).items():
                yield {"method": name, "d": d, "iteration": 1e6 * seconds}


def iteration_seconds(
    X: np.ndarray, n: int, rounds: int, methods: Mapping[str, Any]
) -> dict[str, float]:
    """Median over rounds of the difference of a long and a short run, which have one set-up."""
    names = [name for name in methods if name in STAGE]
    for name in names:
        STAGE[name](X, 2)
    times: dict[str, list[float]] = {name: [] for name in methods}
    for _ in range(rounds):
        times[PRODUCT].append(product_seconds(X.shape[1], n))
        for name in names:
            short, long = (timed(STAGE[name], X, length)[1] for length in (n, 3 * n))
            times[name].append((long - short) / (2 * n))
    return {name: float(np.median(seconds)) for name, seconds in times.items()}


def product_seconds(d: int, n: int) -> float:
    A = np.random.default_rng(0).standard_normal((d, d))
    B, out = A.T.copy(), np.empty((d, d))
    return timed(lambda: [np.dot(A, B, out=out) for _ in range(n)])[1] / n


def measure_fits(
    sem: LinearSEM, methods: Mapping[str, Any], _seed: int
) -> Iterator[dict[str, Any]]:
    small = make_linear_sem(50, 4, edges_per_node=1, random_state=0).X
    with threadpool_limits(1):
        for name, fit in methods.items():
            if name != DAGMA:  # compiles nothing
                fit(small)
        for name, fit in methods.items():
            graph, seconds = timed(fit, sem.X)
            distance = structural_hamming_distance(sem.adjacency, graph.adjacency)
            yield {"method": name, "cpu": seconds, "shd": distance}


def draw_cost(results: pd.DataFrame) -> MatplotlibFigure:
    return curve_panels(
        results, [ITERATIONS], "iteration", NODES, [*STAGE, PRODUCT], "microseconds per iteration",
        geometric=True, n_columns=2,
    )[0]  # fmt: skip


def fit_setting(d: int) -> Setting:
    parameters = {"full": {"n_features": d}}
    if d == SIZES[0]:
        parameters |= {"quick": {"n_features": d}, "smallest": {"n_features": 10}}
    return Setting(
        f"{d} nodes: time of a fit, and Hamming distance to the true graph.",
        draw, measure_fits, ["cpu", "shd"], methods=list(METHODS), parameters=parameters,
    )  # fmt: skip


FITS = {d: f"Fits, {d} nodes" for d in SIZES}


def claims() -> Iterator[Claim]:
    for d in SIZES:
        sizes = ["quick", "full"] if d == SIZES[0] else ["full"]
        yield Claim(
            f"{d} nodes: iterations of reference mode are {RATIOS[d]:g} times faster than dagma's.",
            ratio(DAGMA, REFERENCE, "iteration", setting=ITERATIONS, at=d, at_least=RATIOS[d]),
            [ITERATIONS], sizes,
        )  # fmt: skip
        yield Claim(
            f"{d} nodes: so is a fit.",
            ratio(DAGMA, REFERENCE, "cpu", setting=FITS[d], at_least=RATIOS[d]), [FITS[d]], sizes,
        )  # fmt: skip
        for method in (FAST, FAST_EV):
            yield Claim(
                f"{d} nodes: a fit of {method} is {FAST_RATIOS[d]:g} times faster than dagma's.",
                ratio(DAGMA, method, "cpu", setting=FITS[d], at_least=FAST_RATIOS[d]),
                [FITS[d]], sizes,
            )  # fmt: skip
            yield Claim(
                f"{d} nodes: the graphs of {method} are no worse than dagma's.",
                gain(method, DAGMA, "shd", setting=FITS[d]), [FITS[d]], ["full"],
            )  # fmt: skip


benchmark = Benchmark(
    seconds={"quick": 19},
    settings={
        ITERATIONS: Setting(
            "Time of one iteration of the first stage.",
            iteration_plan,
            measure_iterations,
            ["iteration"],
            axis=NODES,
            methods=[*STAGE, PRODUCT],
            parameters={
                "smallest": {"sizes": [9, 10], "operations": 1e6, "rounds": 1},
                "quick": {"sizes": [20, 50], "operations": 2e7, "rounds": 3},
                "full": {"sizes": [20, 50, 100, 200, 500], "operations": 4e8, "rounds": 3},
            },
        )
    }
    | {FITS[d]: fit_setting(d) for d in SIZES},
    methods=METHODS | {PRODUCT: None},
    metrics={
        "iteration": Metric("time of an iteration", "µs", digits=1),
        "cpu": Metric("processor time of a fit", "s", digits=2),
        "shd": Metric("structural Hamming distance", digits=1),
    },
    repeats={"smallest": 1, "quick": 4, "full": 10},
    reference=DAGMA,
    needs=needs_of([DAGMA]),
    together=True,
    serial=True,
    claims=list(claims()),
    figures=[
        Figure(
            "Processor time of one iteration, and of one product of two matrices of that size; "
            "geometric mean over graphs with bands of one standard error.",
            draw_cost,
            [ITERATIONS],
        )
    ],
)
