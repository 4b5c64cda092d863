"""How fast are sparse transport plans next to POT, and how do they grow?

Processor times of one process and one thread: the median of three runs in turns, or fewer where
they take more than a second. POT's `smooth_ot_dual` and `smooth_ot_semi_dual` with `max_nz` run as
they come (L-BFGS, at most 500 iterations, stopThr 1e-9; what they print is thrown away). skreg
ends at a certified relative gap and a marginal error of 1e-6. POT runs until it stops. All dual
values are those of the semi-dual at the potentials that a solver returns, by one function, so that
nobody grades itself; POT's dual thus gets the best target potentials for its source potentials.
EMD, without a quadratic term and without a bound on the entries, is there for the scale.

Two normal clouds of points of equal mass, squared distances over their largest. The growth has 200
targets and k = n / 100, twice what the sources need. Memory is the peak of what Python, numpy
and compiled kernels allocate beside the costs: two or three plans, the first of which are wide, and
blocks of eight columns.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from skreg.bench import Axis, Benchmark, Claim, Figure, Metric, Setting
from skreg.bench.arena import transport_race as race
from skreg.bench.arena.checks import all_of, every, grows_like, level, ratio
from skreg.bench.arena.rivals import needs_of
from skreg.bench.arena.transport_tasks import clouds
from skreg.bench.arena.views import curve_panels

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as MatplotlibFigure

GROWTH, MEMORY = "Growth in n", "20,000 sources"
SOURCES = Axis("n", "sources n")
RIVALS = (race.DUAL, race.SEMI_DUAL)
SIZES = (1250, 2500, 5000, 10_000, 20_000)
SQUARE = {"n_sources": 500, "n_targets": 500, "k": 5}
TALL = {"n_sources": 2000, "n_targets": 200, "k": 10}


def contest(shape: dict[str, int], gamma: float, sizes: tuple[str, ...]) -> Setting:
    data = {**shape, "gamma": gamma}
    parameters = dict.fromkeys(sizes, data)
    if "smallest" in sizes:
        parameters["smallest"] = {**data, "n_sources": 60, "n_targets": 60}
    return Setting(
        f"{shape['n_sources']} sources, {shape['n_targets']} targets, at most {shape['k']} sources "
        f"for each, gamma = {gamma:g}.",
        clouds, race.measure, ["seconds", "dual_value", "error", "gap"],
        methods=[race.OURS, *RIVALS, race.EMD], parameters=parameters,
    )  # fmt: skip


CONTESTS = {
    "500 x 500, gamma = 1": contest(SQUARE, 1.0, ("smallest", "quick", "full")),
    "500 x 500, gamma = 0.1": contest(SQUARE, 0.1, ("full",)),
    "2000 x 200, gamma = 1": contest(TALL, 1.0, ("full",)),
    "2000 x 200, gamma = 0.1": contest(TALL, 0.1, ("full",)),
}


def draw_growth(results: pd.DataFrame) -> MatplotlibFigure:
    return curve_panels(
        results, [GROWTH], "seconds", SOURCES, [race.OURS, race.SINGLE, race.SEMI_DUAL],
        "processor seconds", geometric=True,
    )[0]  # fmt: skip


def faster(setting: str, rival: str) -> Claim:
    return Claim(
        f"{setting}: at least 5 times faster than {rival}, at a dual value that is not lower by "
        "more than 1e-6 of it.",
        all_of(
            ratio(rival, race.OURS, "seconds", setting=setting, at_least=5.0),
            race.falls_behind(race.OURS, rival, setting, at_most=1e-6),
        ),
        [setting],
    )


benchmark = Benchmark(
    seconds={"quick": 10},
    settings={
        **CONTESTS,
        GROWTH: Setting(
            "200 targets, growing number of sources, k = n / 100, gamma = 1; POT's semi-dual up to "
            f"{race.LARGEST_OF_POT} sources.",
            functools.partial(race.growing, n_targets=200), race.measure_growth,
            ["seconds", "dual_value", "error", "gap"],
            axis=SOURCES, methods=[race.OURS, race.SINGLE, race.SEMI_DUAL],
            parameters={"full": {"sizes": SIZES}},
        ),
        MEMORY: Setting(
            "The memory at the largest of them.",
            clouds, race.measure_memory, ["memory", "share"], methods=[race.OURS, race.SINGLE],
            parameters={"full": {"n_sources": SIZES[-1], "n_targets": 200, "k": 200}},
        ),
    },
    methods=race.SOLVERS,
    metrics={
        "seconds": Metric("Time", "s"),
        "dual_value": Metric("Dual value", digits=9, better="higher"),
        "error": Metric("Marginal error", digits=9),
        "gap": Metric("Certified relative gap", digits=9),
        "memory": Metric("Peak memory beside the costs", "MB", digits=1),
        "share": Metric("Peak memory beside the costs, over theirs"),
    },
    repeats={"smallest": 1, "quick": 3, "full": 4},
    reference=race.OURS,
    needs=needs_of(race.SOLVERS),
    together=True,
    serial=True,
    claims=[
        *(faster(setting, rival) for setting in CONTESTS for rival in RIVALS),
        Claim(
            "Every run of skreg ends with a relative gap and a marginal error of at most 1e-6.",
            all_of(*(every([race.OURS, race.SINGLE], metric, settings=[*CONTESTS, GROWTH],
                           at_most=race.TOLERANCE) for metric in ("gap", "error"))),
            [*CONTESTS, GROWTH],
        ),
        Claim(
            "The time grows about linearly with the number of sources, and with it the costs: its "
            "exponent is at most 1.3, for float64 and float32.",
            all_of(*(grows_like(name, "seconds", setting=GROWTH, at_most=1.3)
                     for name in (race.OURS, race.SINGLE))),
            [GROWTH],
        ),
        Claim(
            "At 20,000 sources the memory beside the costs is at most a quarter of theirs, for "
            "float64 and float32.",
            all_of(*(level(name, "share", setting=MEMORY, at_most=0.25)
                     for name in (race.OURS, race.SINGLE))),
            [MEMORY],
        ),
    ],
    figures=[
        Figure(
            "Processor seconds against the number of sources: 200 targets, k = n / 100, gamma = 1; "
            "geometric mean over repeats with bands of one standard error.",
            draw_growth,
            [GROWTH],
        )
    ],
)  # fmt: skip
