"""How fast are ordinal fits next to statsmodels and an exact convex solver?

Processor times of one process and one thread, so that their ratios mean something on any machine.
The fits of skreg are certified: the duality gap is at most 5e-7 times the log-loss of the class
frequencies where there is one, and else the violation of the optimality conditions is at most 5e-7
times the largest gradient there. Everything runs once before it is timed, so that no compilation
is measured; fits of skreg are the median of three where they are short. Memory is the peak of what
Python and numpy allocate beside X during one more fit.

The rivals are those that a user has today: OrderedModel of statsmodels for proportional odds and
the solver CLARABEL behind cvxpy for PRESTO at one alpha, in the middle of the path on which skreg
is timed. For the scale of cross-validation: the authors' R code takes 52 to 60 seconds for 2500
rows and 10 features. The rivals run at the full size, which needs statsmodels and cvxpy; the
smaller sizes show growth and certificates. A repeat at size full takes several minutes, nearly all
of it by the rivals and on a million rows.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from skreg.bench import Axis, Benchmark, Claim, Figure, Metric, Setting
from skreg.bench.arena.checks import all_of, every, gain, grows_like, level, ratio
from skreg.bench.arena.ordinal_contest import (
    CLARABEL,
    CV,
    FITS,
    ODDS,
    PATH,
    SMALL_PATH,
    STATSMODELS,
    against_statsmodels,
    growing,
    measure,
    path_against_clarabel,
)
from skreg.bench.arena.rivals import needs_of
from skreg.bench.arena.views import curve_panels

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as MatplotlibFigure

RIVALS, GROWTH, GROWTH_FEATURES = "Against statsmodels", "Growth in n", "Growth in p"
ROWS, WIDTH = Axis("n", "rows n"), Axis("p", "features p")
LARGEST_GAP = 1e-6
LARGEST = 1_000_000
BYTES_PER_ROW = 300


def draw_growth(results: pd.DataFrame, setting: str, axis: Axis) -> MatplotlibFigure:
    return curve_panels(
        results, [setting], "seconds", axis, [PATH, ODDS], "processor seconds", geometric=True
    )[0]


def growth(description: str, axis: Axis, **sizes: Any) -> Setting:
    return Setting(
        description, growing, measure, ["seconds", "certificate", "memory", "row_memory"],
        axis=axis, methods=[PATH, ODDS],
        parameters={size: {"sizes": shapes} for size, shapes in sizes.items()},
    )  # fmt: skip


def against_clarabel(description: str, **shapes: Any) -> Setting:
    return Setting(
        description, path_against_clarabel, measure,
        ["seconds", "per_alpha", "certificate", "excess"], methods=[PATH, SMALL_PATH, CLARABEL],
        parameters={"full": shapes},
    )  # fmt: skip


CONVEX = {
    "Tall data": against_clarabel(
        "20,000 rows, 50 features, which CLARABEL does not solve in minutes; it runs on 8000 rows.",
        shape=(20_000, 50), shared=(8000, 50),
    ),
    "Wide data": against_clarabel(
        "500 rows, 2000 features, which CLARABEL does not solve within minutes; it runs on 300 "
        "rows and 600 features.",
        shape=(500, 2000), shared=(300, 600),
    ),
}  # fmt: skip
_SIZES = [(1000, 50), (10_000, 50), (100_000, 50), (LARGEST, 50)]
_WIDTHS = [(5000, 10), (5000, 40), (5000, 160), (5000, 640)]

benchmark = Benchmark(
    seconds={"quick": 4.9},
    settings={
        RIVALS: Setting(
            "PRESTO's whole cross-validation on 2500 rows and 10 features; one proportional odds "
            "model on 20,000 rows and 30 features, by skreg and by statsmodels.",
            against_statsmodels, measure, ["seconds", "log_loss"], methods=[CV, ODDS, STATSMODELS],
            parameters={"full": {"n_cv": 2500, "n_odds": 20_000, "p_odds": 30}},
        ),
        **CONVEX,
        GROWTH: growth(
            "50 features, growing number of rows.", ROWS,
            smallest=[(500, 10), (1000, 10)], quick=_SIZES[:2], full=_SIZES,
        ),
        GROWTH_FEATURES: growth(
            "5000 rows, growing number of features.", WIDTH,
            quick=_WIDTHS[:2], full=_WIDTHS,
        ),
    },
    methods=FITS,
    metrics={
        "seconds": Metric("Time", "s"),
        "per_alpha": Metric("Time per alpha", "s"),
        "certificate": Metric("Relative duality gap or violation, times 1e6"),
        "log_loss": Metric("Mean log-loss", digits=8),
        "excess": Metric("Objective above CLARABEL's", digits=9),
        "memory": Metric("Peak memory beside X", "MB", digits=1),
        "row_memory": Metric("Peak memory beside X and a copy of it, for each row", "B", digits=0),
    },
    repeats={"smallest": 1, "quick": 1, "full": 3},
    reference=PATH,
    needs=needs_of(FITS),
    together=True,
    serial=True,
    claims=[
        Claim(
            "Cross-validating PRESTO (5 folds, 20 alphas) takes at most 0.35 of the time in which "
            "statsmodels fits one proportional odds model to 20,000 rows.",
            ratio(CV, STATSMODELS, "seconds", setting=RIVALS, at_most=0.35), [RIVALS], ("full",),
        ),
        Claim(
            "Proportional odds are at least 50 times faster than by statsmodels, at no higher "
            "log-loss.",
            all_of(
                ratio(STATSMODELS, ODDS, "seconds", setting=RIVALS, at_least=50),
                gain(ODDS, STATSMODELS, "log_loss", setting=RIVALS, at_least=-1e-8),
            ),
            [RIVALS], ("full",),
        ),
        *(
            Claim(
                f"{setting}: the certified path is at least 100 times faster per alpha than "
                "CLARABEL.",
                all_of(
                    ratio(CLARABEL, SMALL_PATH, "per_alpha", setting=setting, at_least=100),
                    every(PATH, "certificate", settings=setting, at_most=1e6 * LARGEST_GAP),
                ),
                [setting], ("full",),
            )
            for setting in CONVEX
        ),
        Claim(
            "Every path ends with a relative duality gap below 1e-6.",
            every(
                PATH, "certificate", settings=[GROWTH, GROWTH_FEATURES], at_most=1e6 * LARGEST_GAP
            ),
            [GROWTH, GROWTH_FEATURES],
        ),
        Claim(
            "The time of a path grows linearly with the number of rows: its exponent is at most "
            "1.3.",
            grows_like(PATH, "seconds", setting=GROWTH, at_most=1.3), [GROWTH], ("full",),
        ),
        Claim(
            "Beside X of a million rows, a fit holds one copy of it and at most 300 bytes per row.",
            all_of(*(
                level(name, "row_memory", setting=GROWTH, at=LARGEST, at_most=BYTES_PER_ROW)
                for name in (PATH, ODDS)
            )),
            [GROWTH], ("full",),
        ),
    ],
    figures=[
        Figure(
            "Processor seconds of a path of 20 alphas, certified to 1e-6, and of proportional "
            f"odds: {fixed}; geometric mean over repeats with bands of one standard error.",
            functools.partial(draw_growth, setting=setting, axis=axis),
            [setting],
        )
        for setting, axis, fixed in (
            (GROWTH, ROWS, "50 features"), (GROWTH_FEATURES, WIDTH, "5000 rows"),
        )
    ],
)  # fmt: skip
