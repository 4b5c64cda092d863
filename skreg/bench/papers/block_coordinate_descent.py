"""Which blocks, chosen how, and moved how far: what makes block coordinate descent fast?

Nutini, Laradji and Schmidt (JMLR 2022) compare partitions, selection rules and updates of block
coordinate descent. Measured is log10 of the suboptimality relative to the start, by iteration, with
the entries of the data touched and the seconds spent until then. A lead of one decade at the last
iteration is a tenth of the suboptimality.

"Gradient updates" and "Matrix updates": least squares, blocks of five, columns of very different
scales. "Moons" and "Lattice": label propagation with exact updates of a whole block, at equal
numbers of iterations. "Nonnegative lasso": iterations until the suboptimality is 1e-8. The full
size adds the paper's own sizes, with logistic and multinomial regression.
"""

from __future__ import annotations

from skreg.bench import Benchmark, Claim, Metric, Paper
from skreg.bench.arena import descent_runs as runs
from skreg.bench.arena import descent_settings as settings
from skreg.bench.arena.descent_checks import ends_below, ends_early, in_order, variable_beats_fixed
from skreg.bench.arena.descent_runs import GRAPH_RULES, RULES, UPDATES, named
from skreg.bench.arena.descent_views import curve_figure, iterations_figure

PAPER = Paper(
    title="Let's Make Block Coordinate Descent Converge Faster: Faster Greedy Rules, "
    "Message-Passing, Active-Set Complexity, and Superlinear Convergence",
    authors=("Nutini, Julie", "Laradji, Issam", "Schmidt, Mark"),
    venue="Journal of Machine Learning Research 23(131)",
    year=2022,
    here="Block coordinate descent: skreg.optim, skreg.optim.descent, skreg.linear_model, "
    "skreg.semi_supervised",
    kind="article",
    arxiv="1712.08859",
    code="https://github.com/IssamLaradji/BlockCoordinateDescent",
)

GRADIENT, MATRIX = "Gradient updates", "Matrix updates"
MOONS, LATTICE = "Moons", "Lattice"
LASSOS = {f"Nonnegative lasso, blocks of {size}": size for size in (5, 20, 50)}
PAPER_A, PAPER_B, PAPER_C = "Paper: least squares", "Paper: logistic", "Paper: multinomial"
PAPER_D, PAPER_E = "Paper: lattice", "Paper: moons"
PAPER_LASSO = "Paper: nonnegative lasso"
BEST, RANDOM = named("variable", "gsd"), named("variable", "random")
VARIABLE_RULES = [name for name in RULES if name.endswith("variable")]
FIXED_RULES = [name for name in RULES if name not in VARIABLE_RULES]
GRAPH_ORDER = [runs.GREEDY_TREE, runs.TREE, runs.RED_BLACK, runs.GENERAL]
SETTINGS = {
    GRADIENT: settings.GRADIENT_UPDATES,
    MATRIX: settings.MATRIX_UPDATES,
    MOONS: settings.SMALL_MOONS,
    LATTICE: settings.SMALL_LATTICE,
    **{name: settings.small_lasso(size) for name, size in LASSOS.items()},
    PAPER_A: settings.PAPERS_LEAST_SQUARES,
    PAPER_B: settings.PAPERS_LOGISTIC,
    PAPER_C: settings.PAPERS_MULTINOMIAL,
    PAPER_D: settings.PAPERS_LATTICE,
    PAPER_E: settings.PAPERS_MOONS,
    PAPER_LASSO: settings.PAPERS_LASSO,
}

benchmark = Benchmark(
    seconds={"quick": 27},
    settings=SETTINGS,
    methods={**RULES, **GRAPH_RULES, **UPDATES},
    metrics={
        "log_gap": Metric("log10 of the suboptimality", digits=2),
        "operations": Metric("Entries touched", digits=0),
        "seconds": Metric("Time", "s"),
        "iterations": Metric("Iterations to 1e-8", digits=0),
        "identified": Metric("Iterations to the support", digits=0),
        "nonzeros": Metric("Nonzeros", digits=0),
    },
    repeats={"smallest": 1, "quick": 4, "full": 10},
    reference=RANDOM,
    together=True,
    claims=[
        Claim(
            "Gradient updates on sorted blocks: GSL, which knows L_b, is at least a decade ahead "
            "of GS.",
            ends_below(GRADIENT, named("sort", "gsl"), [named("sort", "gs")], 1.0), [GRADIENT],
        ),
        Claim(
            "Gradient updates, GSL: sorting the coordinates by curvature is better than averaging "
            "it, and that is better than their order.",
            in_order([GRADIENT], [named(p, "gsl") for p in ("sort", "average", "order")]),
            [GRADIENT], sizes=("full",),
        ),
        Claim(
            "Gradient updates: greedy rules are at least a decade ahead of random and cyclic "
            "blocks.",
            ends_below(
                GRADIENT, named("variable", "gs"), [RANDOM, named("variable", "cyclic")], 1.0
            ),
            [GRADIENT],
        ),
        Claim(
            "Matrix updates: greedy variable blocks (GSD) are at least 2.5 decades ahead of every "
            "rule on fixed blocks.",
            ends_below(MATRIX, BEST, FIXED_RULES, 2.5), [MATRIX],
        ),
        Claim(
            "Label propagation: greedy trees, tree partitions, red-black and general blocks follow "
            "one another from best to worst.",
            in_order([MOONS, LATTICE], GRAPH_ORDER), [MOONS, LATTICE],
        ),
        *(
            Claim(
                f"{setting}: variable blocks that hold the support end within five iterations by "
                "projected Newton or two-metric steps, ten times fewer than proximal gradient.",
                ends_early(setting, 5, 10), [setting],
            )
            for setting, size in LASSOS.items() if size >= 20
        ),
        Claim(
            "Nonnegative lasso: variable blocks need fewer iterations than fixed ones, for every "
            "update and block size.",
            variable_beats_fixed([*LASSOS]), [*LASSOS],
        ),
        Claim(
            "The paper's least squares: GSD on variable blocks is at least four decades ahead of "
            "all fixed blocks.",
            ends_below(PAPER_A, BEST, FIXED_RULES, 4.0), [PAPER_A], sizes=("full",),
        ),
        Claim(
            "The paper's logistic and multinomial data: GS on variable blocks is ahead of GS on "
            "sorted ones.",
            in_order([PAPER_B, PAPER_C], [named("variable", "gs"), named("sort", "gs")]),
            [PAPER_B, PAPER_C], sizes=("full",),
        ),
        Claim(
            "The paper's graphs: greedy trees, tree partitions, red-black and general blocks "
            "follow one another from best to worst.",
            in_order([PAPER_D, PAPER_E], GRAPH_ORDER), [PAPER_D, PAPER_E], sizes=("full",),
        ),
        Claim(
            "The paper's nonnegative lasso, blocks of 50: at most ten iterations, ten times fewer "
            "than proximal gradient.",
            ends_early(PAPER_LASSO, 10, 10), [PAPER_LASSO], sizes=("full",),
        ),
    ],
    figures=[
        curve_figure("Variable blocks", [GRADIENT, MATRIX], VARIABLE_RULES),
        curve_figure("Fixed blocks", [GRADIENT, MATRIX], FIXED_RULES),
        curve_figure("Label propagation", [MOONS, LATTICE], [*GRAPH_RULES]),
        iterations_figure("Nonnegative lasso", LASSOS, [*UPDATES]),
        curve_figure("The paper's graphs", [PAPER_D, PAPER_E], [*GRAPH_RULES]),
        curve_figure("The paper's regressions", [PAPER_A, PAPER_B, PAPER_C], runs.FEW_RULES),
    ],
)  # fmt: skip
