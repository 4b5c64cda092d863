"""How good are effects, their intervals and the handling of gaps, when the graph is learned?

Linear models are drawn on random graphs with two edges per node, weights from 0.5 to 2 and noises
of variance 1, the case in which scores by variances are right. `CoLiDE` has one noise level, its
default penalty unless said otherwise, the fast mode, and weights of least squares in the graph that
it found. An oracle has these in the true graph: what it lacks is due to the number of rows alone.

The error is the norm of the difference from the true total effects, over all pairs of nodes, by the
norm of these. Intervals of `average_effect` are percentiles at 95 % over 100 bootstrap samples, in
the true graph, in the learned one held fixed, or in graphs learned anew in every sample; the pair
is drawn from those with a directed path.

Rows without gaps are a fair sample here, as values are missing completely at random. Covariances of
pairs are from the rows that have both values, with negative eigenvalues raised.
"""

from __future__ import annotations

from skreg.bench import Benchmark, Claim, Figure
from skreg.bench.arena import effect_methods as methods
from skreg.bench.arena import effect_settings as settings
from skreg.bench.arena import effect_tasks as tasks
from skreg.bench.arena.checks import Check, all_of, gain, level, ratio
from skreg.bench.arena.curve_views import curves_of_settings
from skreg.bench.arena.effect_checks import ratio_of_places

LEARNED, SHRUNKEN, SORT = "CoLiDE", "CoLiDE, not refitted", "SortNRegress"
ORACLE, BIC = "True graph", "CoLiDE, alpha by BIC"
TRUE, FIXED, ANEW = "In the true graph", "In the learned graph", "Graphs learned anew"
EM, COMPLETE, PAIRS = "CoLiDE, EM", "CoLiDE, complete rows", "CoLiDE, pairs"
METHODS = {
    LEARNED: methods.learned(),
    SHRUNKEN: methods.learned(refit=False),
    SORT: methods.sorted_and_regressed,
    ORACLE: methods.in_the_true_graph,
    TRUE: "true",
    FIXED: "fixed",
    ANEW: "relearned",
    EM: methods.learned(missing="em"),
    COMPLETE: methods.from_complete_rows,
    PAIRS: methods.from_pairs,
    BIC: methods.learned("bic"),
}
COMPARED = [LEARNED, SHRUNKEN, SORT, ORACLE]
EFFECTS, INTERVALS, RELEARNED = "Total effects", "Intervals", "Intervals and graphs"
GAPS, STRENGTH = "Missing values", "Strength of the penalty"


def claim(setting: str, statement: str, *checks: Check) -> Claim:
    return Claim(statement, all_of(*checks), [setting], ["full"])


def error(method: str, rival: str, at: float, setting: str = EFFECTS, **bound: float) -> Check:
    return ratio(method, rival, "effects", setting=setting, at=at, **bound)


def coverage(method: str, at: int, setting: str = INTERVALS, **bound: float) -> Check:
    return level(method, "coverage", setting=setting, at=at, **bound)


def ahead(method: str, rival: str, at: float, by: float, setting: str = STRENGTH) -> Check:
    return gain(method, rival, "shd", setting=setting, at=at, at_least=by)


benchmark = Benchmark(
    settings={
        EFFECTS: settings.by_rows(COMPARED),
        INTERVALS: settings.intervals([TRUE, FIXED], [60, 1000], 20),
        RELEARNED: settings.intervals([FIXED, ANEW], [60], 4),
        GAPS: settings.by_gaps([EM, COMPLETE, PAIRS]),
        STRENGTH: settings.more_nodes([LEARNED, BIC]),
    },
    methods=METHODS,
    metrics=tasks.METRICS,
    repeats={"smallest": 1, "quick": 1, "full": 20},
    reference=LEARNED,
    seconds={"full": 340},
    claims=[
        claim(
            EFFECTS, "3000 rows: the error is at most 1.1 times that in the true graph.",
            error(LEARNED, ORACLE, 3000, at_most=1.1),
        ),
        claim(EFFECTS, "100 rows: it is at least 1.5 times that.",
              error(LEARNED, ORACLE, 100, at_least=1.5)),
        claim(
            EFFECTS, "3000 rows: with weights that the penalty shrinks it is at least twice that "
            "of refitted ones.",
            error(SHRUNKEN, LEARNED, 3000, at_least=2.0),
        ),
        claim(EFFECTS, "1000 rows: the error is at most that of SortNRegress.",
              error(LEARNED, SORT, 1000, at_most=1.0)),
        claim(
            INTERVALS, "1000 rows: intervals in the true graph cover 92 % to 97 % of the effects.",
            coverage(TRUE, 1000, at_least=0.92), coverage(TRUE, 1000, at_most=0.97),
        ),
        claim(
            INTERVALS, "1000 rows: so do those in the learned graph.",
            coverage(FIXED, 1000, at_least=0.92), coverage(FIXED, 1000, at_most=0.97),
        ),
        claim(
            INTERVALS, "60 rows: intervals in the true graph cover 90 % to 97 %.",
            coverage(TRUE, 60, at_least=0.90), coverage(TRUE, 60, at_most=0.97),
        ),
        claim(
            INTERVALS, "60 rows: intervals in the learned graph cover at most 85 %.",
            coverage(FIXED, 60, at_most=0.85),
        ),
        claim(
            RELEARNED, "60 rows: intervals over graphs learned anew cover 0.05 more of them.",
            gain(ANEW, FIXED, "coverage", setting=RELEARNED, at=60, at_least=0.05),
        ),
        claim(RELEARNED, "60 rows: they cover at least 90 %.",
              coverage(ANEW, 60, RELEARNED, at_least=0.9)),
        claim(
            GAPS, "10% missing: by EM the error is at most 0.8 of that from complete rows.",
            error(EM, COMPLETE, 0.1, GAPS, at_most=0.8),
        ),
        claim(GAPS, "30% missing: it is at most half of that.",
              error(EM, COMPLETE, 0.3, GAPS, at_most=0.5)),
        claim(
            GAPS, "30% missing: by EM the distance is ahead of complete rows by 5 edges or more.",
            ahead(EM, COMPLETE, 0.3, 5.0, GAPS),
        ),
        claim(
            GAPS, "10% and 30% missing: by EM the error is at most 0.9 of that from pairs.",
            *(error(EM, PAIRS, share, GAPS, at_most=0.9) for share in (0.1, 0.3)),
        ),
        claim(
            GAPS, "10% missing: by EM the error is at most 1.25 times that without gaps.",
            ratio_of_places(GAPS, "effects", EM, 0.1, 0.0, at_most=1.25),
        ),
        claim(
            STRENGTH, "60 rows: BIC is ahead of the default alpha by one edge or more.",
            ahead(BIC, LEARNED, 60, 1.0),
        ),
        claim(
            STRENGTH, "1000 rows: they differ by less than one edge.",
            ahead(BIC, LEARNED, 1000, -1.0), ahead(LEARNED, BIC, 1000, -1.0),
        ),
    ],
    figures=[
        Figure(
            "Error by the number of rows, mean over seeds with bands of one standard error.",
            curves_of_settings(
                [EFFECTS], "effects", tasks.ROWS, COMPARED, "error of the total effects"
            ),
            [EFFECTS],
        )
    ],
)  # fmt: skip
