"""How long do sparse linear models take to a stated duality gap, against the fastest libraries?

Six problems (lasso, elastic net with l1_ratio 1/2, group lasso with groups of ten, L1-penalised
logistic, multinomial and Poisson regression) on three designs: dense and correlated, sparse, and
many more samples than features; each at a tenth and at a hundredth of the strength at which all
coefficients vanish, and along 100 strengths down to a thousandth. No intercepts, double precision,
one thread. Size quick takes small designs, two targets and, but for one path, the tenth only.
Three rows show where solvers fall off: lassos on sparse columns so short that the passes before the
first and for each certificate are the cost, and logistic regression on one-hot columns at a
strength so small that many levels separate the classes.

Every answer is certified by one function in plain numpy, whoever computed it: the relative duality
gap (P - D) / P(0), the largest along a path. For each target gap every library, skreg included,
gets the loosest tolerance that reaches it on a grid of half decades (1, 10^-1/2, 10^-1, ..).
Libraries are warmed up first, so that nothing is compiled on the clock. Then they take turns, and
the least time of several rounds counts, the run that settled the tolerance included; long runs have
fewer rounds. The search of a rival ends early when it has become three times slower than another
rival, and any search where another run would exceed its budget; where it has not reached the target
by then its time is infinite, and the table shows the gap that was reached. A path on which skglm
spends a minute is left there. Times are processor
times, which a busy machine disturbs less than wall times; both are in the results.

The ratio in the tables is the time over that of the fastest other library, so that a number below
one is the winner's; it is zero where no other library reaches the gap. Memory is the peak of what
Python and numpy allocate in one further run of skreg to the smallest gap (buffers of compiled code
are not seen). The last setting starts a fresh process each time and counts from the import to the
first fitted coefficients of a lasso with 500 samples and 300 features, with compiled code on disk
where a library keeps it there.

A repeat draws other data. One at size full takes about an hour (``--repeats 1`` takes one, and
decides nothing but the memory). Claims about the fastest rival have no verdict where celer or skglm
are not installed.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from skreg.bench import Axis, Benchmark, Claim, Evidence, Figure, Metric, Setting
from skreg.bench._benchmark import NoValuesError
from skreg.bench.arena import sparse_problems as problems
from skreg.bench.arena.checks import Check, all_of, every, gain, ratio, statistic
from skreg.bench.arena.rivals import needs_of
from skreg.bench.arena.sparse_contest import (
    DENSE,
    DIGITS,
    ONE_HOT,
    OURS,
    SHORT,
    SPARSE,
    TALL,
    fresh_rounds,
    measure,
    measure_fresh,
    race_on,
)
from skreg.bench.arena.sparse_rivals import FRESH, LIBRARIES
from skreg.bench.arena.views import draw_intervals, new_figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as MatplotlibFigure

TARGETS = (1e-4, 1e-6, 1e-10)
STRENGTHS = {"max/10": 0.1, "max/100": 0.01, "path": 1e-3}
FRESH_PROCESS = "Fresh process"
SHAPES = {  # samples, features, informative features: at size quick, at size full
    DENSE: ((100, 400, 10), (1000, 5000, 100)),
    SPARSE: ((300, 3000, 20), (5000, 50_000, 200)),
    TALL: ((2000, 40, 10), (100_000, 200, 50)),
    SHORT: ((400, 3000, 20), (4000, 30_000, 100)),
    ONE_HOT: ((2000, 300, 100), (20_000, 3000, 1000)),
}
DESCRIPTIONS = {
    DENSE: "Normal features with correlation 1/2 between neighbours, 1000 samples of 5000 features "
    "(100 of 400 at size quick)",
    SPARSE: "A sparse matrix with one in a hundred entries, 5000 samples of 50000 features "
    "(300 of 3000 at size quick)",
    TALL: "Correlated normal features, 100000 samples of 200 (2000 of 40 at size quick)",
    SHORT: "A sparse matrix with one in two hundred entries, 4000 samples of 30000 features "
    "(400 of 3000 at size quick)",
    ONE_HOT: "Levels of ten categories as they are, 20000 samples of 3000 features "
    "(2000 of 300 at size quick)",
    DIGITS: "The 1797 digits of 64 pixels (500 at size quick)",
}
TERMS: dict[str, dict[str, Any]] = {
    "smallest": {"rounds": 2, "budget": 0.1, "patience": 0.2, "targets": (1e-4, 1e-6)},
    "quick": {"rounds": 3, "budget": 0.3, "patience": 0.1, "targets": (1e-6, 1e-10)},
    "full": {"rounds": 5, "budget": 4.0, "patience": 1.0, "targets": (1e-6, 1e-4, 1e-10)},
}
PATH_BUDGET = 8.0
AT_SMALLEST = (problems.LASSO, DENSE, "path")
AT_QUICK = {"max/10", "max/60", "max/1e5"}


def shapes_of(kind: str, design: str, strength: str) -> dict[str, dict[str, int]]:
    """Sizes of a design at each size of the benchmark that has the race."""
    if design == DIGITS:
        quick, full = {"n_samples": 500}, {"n_samples": 1797}
    else:
        names = ("n_samples", "n_features", "n_informative")
        quick, full = (dict(zip(names, shape, strict=True)) for shape in SHAPES[design])
    shapes = {"full": full}
    if strength in AT_QUICK or (kind, design, strength) == AT_SMALLEST:
        shapes["quick"] = quick
    if (kind, design, strength) == AT_SMALLEST:
        shapes["smallest"] = {"n_samples": 60, "n_features": 100, "n_informative": 5}
    return shapes


def race(kind: str, design: str, strength: str, lowest: float) -> Setting:
    path = strength == "path"
    parameters = {
        size: {
            "shape": shape,
            "n_strengths": (100 if size == "full" else 10) if path else 1,
            "leave_out": () if size == "full" else ("skglm",),  # compiles for seconds
            **TERMS[size],
        }
        for size, shape in shapes_of(kind, design, strength).items()
    }
    if path:
        parameters["full"]["budget"] = PATH_BUDGET
    where = "100 strengths down to max/1000" if path else f"strength {strength}"
    return Setting(
        f"{DESCRIPTIONS[design]}; {where}.",
        functools.partial(race_on, kind=kind, design=design, lowest=lowest),
        measure, ["ratio", "log_gap", "memory"], axis=Axis("target", "target gap"),
        parameters=parameters,
    )  # fmt: skip


def named(kind: str, design: str, strength: str) -> str:
    return f"{kind}, {design} design, {strength}"


KINDS = (*problems.LEAST_SQUARES, problems.LOGISTIC, problems.POISSON)
RACES = {
    named(kind, design, strength): race(kind, design, strength, lowest)
    for kind, design in [
        *((kind, design) for design in (DENSE, SPARSE, TALL) for kind in KINDS),
        (problems.MULTINOMIAL, DIGITS),
    ]
    for strength, lowest in STRENGTHS.items()
}
CLIFFS = {
    named(kind, design, strength): race(kind, design, strength, lowest)
    for kind, design, strength, lowest in (
        (problems.LASSO, SHORT, "max/10", 0.1),
        (problems.LASSO, SHORT, "max/60", 1 / 60),
        (problems.LOGISTIC, ONE_HOT, "max/1e5", 1e-5),
    )
}
FASTEST = ("celer", "skglm")
NOT_SOLVED_BY = {
    "celer": (problems.POISSON, problems.MULTINOMIAL),
    "adelie": (problems.MULTINOMIAL,),
}


def ratios_in(settings: Iterable[str], target: float, evidence: Evidence) -> pd.DataFrame:
    """Our ratios to the fastest rival, seeds down, settings across.

    Without the fastest libraries there is none to be measured against.
    """
    rows = evidence.results
    for rival in FASTEST:
        if not (rows["method"] == rival).any():
            raise NoValuesError(rival, "any race")
    rows = rows[(rows["method"] == OURS) & (rows["target"] == target)]
    return rows.pivot(index="seed", columns="setting", values="ratio")[list(settings)]


def mean_at_most(settings: Sequence[str], target: float, limit: float) -> Check:
    """Geometric mean over those settings in which a rival reaches the gap."""

    def mean(evidence: Evidence) -> np.ndarray:
        ratios = ratios_in(settings, target, evidence)
        return np.exp(np.log(ratios.where(ratios > 0)).mean(axis=1)).to_numpy()

    return statistic(mean, "mean ratio", at_most=limit, log=True)


def each_at_most(settings: Sequence[str], target: float, limit: float) -> Check:
    def ratio_in(setting: str) -> Check:
        def of_seeds(evidence: Evidence) -> np.ndarray:
            return ratios_in([setting], target, evidence)[setting].to_numpy()

        return statistic(of_seeds, "ratio", at_most=limit, log=True)

    return all_of(*map(ratio_in, settings), names=settings)


def paths_solved_by(rival: str) -> list[str]:
    return [
        name for name in RACES
        if name.endswith("path") and not name.startswith(NOT_SOLVED_BY[rival])
    ]  # fmt: skip


def faster_paths_than(rival: str, target: float) -> Check:
    paths = paths_solved_by(rival)
    checks = (ratio(OURS, rival, "cpu", setting=path, at=target, at_most=1.0) for path in paths)
    return all_of(*checks, names=paths)


def draw_ratios(results: pd.DataFrame) -> MatplotlibFigure:
    """Dots of skreg's ratio to the fastest rival, one line of dots for each setting."""
    rows = results[(results["method"] == OURS) & (results["ratio"] > 0)]
    names = [name for name in (*RACES, *CLIFFS) if name in set(rows["setting"])]
    series = {
        f"to gap {target:g}": [
            rows.loc[(rows["setting"] == name) & (rows["target"] == target), "ratio"].to_numpy()
            for name in names
        ]
        for target in TARGETS
        if (rows["target"] == target).any()
    }
    figure, (panel,) = new_figure(1)
    figure.set_size_inches(8.5, 1.6 + 0.3 * len(names))
    draw_intervals(panel, names, series, geometric=True)
    panel.set_xlabel("processor time of skreg / that of the fastest rival")
    figure.legend(loc="outside upper left", ncols=3, frameon=False)
    return figure


benchmark = Benchmark(
    seconds={"quick": 16},
    settings=RACES
    | CLIFFS
    | {
        FRESH_PROCESS: Setting(
            "From the import to the first coefficients of a lasso with 500 samples and 300 "
            "features in a fresh process.",
            fresh_rounds, measure_fresh, ["ratio", "cpu", "wall"], methods=list(FRESH),
            parameters={"full": {"rounds": 3}},
        )
    },
    methods=LIBRARIES,
    metrics={
        "ratio": Metric("time / fastest other library's", digits=2),
        "log_gap": Metric("log10 of the gap reached", digits=1),
        "memory": Metric("peak memory beyond the design", "MB", digits=1),
        "cpu": Metric("processor time", "s", digits=2),
        "wall": Metric("wall time", "s", digits=2),
        "design_share": Metric("peak memory beyond the design / the design", digits=2),
    },
    repeats={"smallest": 1, "quick": 1, "full": 2},
    reference=OURS,
    needs=needs_of(LIBRARIES),
    together=True,
    serial=True,
    claims=[
        Claim(
            "To gap 1e-6, the time is at most half that of the fastest rival in geometric mean.",
            mean_at_most([*RACES], 1e-6, 0.5), [*RACES], ["full"],
        ),
        Claim(
            "To gap 1e-6, no row is more than a tenth slower than the fastest rival.",
            each_at_most([*RACES], 1e-6, 1.1), [*RACES], ["full"],
        ),
        Claim(
            "On short and one-hot columns, to gap 1e-6, no row is slower than the fastest rival.",
            each_at_most([*CLIFFS], 1e-6, 1.0), [*CLIFFS], ["full"],
        ),
        Claim(
            "To gap 1e-10, the time is at most a quarter in geometric mean.",
            mean_at_most([*RACES], 1e-10, 0.25), [*RACES], ["full"],
        ),
        *(
            Claim(
                f"Paths to gap 1e-6 take less time than {rival}'s.",
                faster_paths_than(rival, 1e-6), paths_solved_by(rival), ["full"],
            )
            for rival in ("celer", "adelie")
        ),
        Claim(
            "A fresh process takes at most half of skglm's time.",
            ratio(OURS, "skglm", "cpu", setting=FRESH_PROCESS, at_most=0.5),
            [FRESH_PROCESS], ["full"],
        ),
        Claim(
            "A fresh process takes at most scikit-learn's time and a second.",
            gain(OURS, "scikit-learn", "cpu", setting=FRESH_PROCESS, at_least=-1.0),
            [FRESH_PROCESS], ["full"],
        ),
        Claim(
            "A Fortran-ordered design is not copied.",
            every(
                OURS, "design_share", at_most=1.0,
                settings=[name for name in RACES if f" {TALL} " in name],
            ),
            [name for name in RACES if f" {TALL} " in name], ["full"],
        ),
    ],
    figures=[
        Figure(
            "Processor time of skreg over that of the fastest rival that reaches the gap, "
            "geometric mean over repeats with its interval at 95 %. Left of the line skreg is "
            "faster. Rows that no rival reaches have no dot.",
            draw_ratios,
            [named(*AT_SMALLEST)],
        )
    ],
)  # fmt: skip
