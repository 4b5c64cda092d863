"""Do concomitant noise levels give better acyclic graphs than least squares, and where?

Saboksayr, Mateos and Tepper (ICLR 2024) draw linear structural equation models on Erdos-Renyi
graphs with four edges per node, 1000 rows, and compare CoLiDE with one noise level (EV) or one per
node (NV) with DAGMA, whose score is least squares. Here that rival is "LS": `CoLiDE` with its
score, equal to the package dagma up to rounding (dag-speed races that package). Baselines are
SortNRegress, which sorts the columns by variance, the empty graph, and where the noise is not
Gaussian the package lingam's DirectLiNGAM. All have alpha 0.05, take the columns in the unit in
which they are drawn, as the authors do, and drop edges below 0.3. `CoLiDE`'s default divides out
the common unit first; it stands beside EV where the noise variance, that is the unit, is varied.

Measured are the structural Hamming distance to the true graph, that between the classes of Markov
equivalent graphs (SHD-C), the structural intervention distance divided by the number of pairs, true
positive and false discovery rates, and the relative error of the noise levels.

What did not hold at small sizes: with 20 nodes EV and LS are level at noise variance 1, where their
objectives nearly coincide, and NV is *behind* LS, even where the variances differ. The advantage of
EV shows when the noise level is far from 1, that of NV from about 50 to 100 nodes with weak edges.
On standardised columns nothing beats the empty graph.

"Table 2" is that of the paper, with 200 nodes; its published rows stand beside ours. It is a long
run, of about a minute for each of 30 fits by CoLiDE, and resumes where it stopped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from skreg.bench import Axis, Benchmark, Claim, Figure, Metric, Paper, Setting
from skreg.bench.arena import dag_tasks as tasks
from skreg.bench.arena.checks import all_of, gain, level, ratio
from skreg.bench.arena.dag_methods import colide, direct_lingam, empty_graph, sort_n_regress
from skreg.bench.arena.rivals import needs_of
from skreg.bench.arena.views import draw_curves, new_figure, share_legend

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as MatplotlibFigure

    from skreg.datasets import LinearSEM

PAPER = Paper(
    title="CoLiDE: Concomitant Linear DAG Estimation",
    authors=("Saboksayr, Seyed Saman", "Mateos, Gonzalo", "Tepper, Mariano"),
    venue="International Conference on Learning Representations",
    year=2024,
    here="Linear acyclic graphs: skreg.causal",
    arxiv="2310.02895",
    code="https://github.com/SAMiatto/colide",
)

EV, NV, LS, UNIT_FREE = "CoLiDE-EV", "CoLiDE-NV", "LS (DAGMA)", "CoLiDE-EV, any unit"
SORT, EMPTY, LINGAM = "SortNRegress", "Empty graph", "DirectLiNGAM"
GAUSSIAN = [EV, NV, LS, SORT, EMPTY]
PUBLISHED = {
    f"published: {name}": row
    for name, row in {
        NV: {"shd": 390.7, "shd_c": 407.9, "sid": 22734 / (200 * 199), "tpr": 0.68, "fdr": 0.25},
        EV: {"shd": 426.5},
        LS: {"shd": 470.2},
        SORT: {"shd": 397.8, "shd_c": 402.1, "sid": 22560 / (200 * 199), "tpr": 0.62, "fdr": 0.20},
    }.items()
}
PUBLISHED_SPREAD = 35.6  # standard deviation of the distance of NV
METHODS = {
    EV: colide("ev"),
    NV: colide("nv"),
    LS: colide("ls"),
    UNIT_FREE: colide("ev", scale="global"),
    SORT: sort_n_regress,
    EMPTY: empty_graph,
    LINGAM: direct_lingam,
    **PUBLISHED,
}
METRICS = {
    "shd": Metric("SHD", digits=1),
    "shd_c": Metric("SHD-C", digits=1),
    "sid": Metric("SID / pairs"),
    "tpr": Metric("true positive rate", better="higher"),
    "fdr": Metric("false discovery rate"),
    "noise": Metric("relative noise error"),
}
EQUAL, STANDARDISED, TABLE = "Equal variances", "Standardised columns", "Table 2"
UNEQUAL = {d: f"Unequal variances, {d} nodes" for d in (20, 50, 100)}
VARIANCE = Axis("variance", "noise variance")
SMALL: dict[str, Any] = {"n_features": 20, "weight_range": (0.5, 2.0)}
WEAK: dict[str, Any] = {"weight_range": (0.25, 1.0), "noise_variance": (0.5, 10.0)}


def measure_beside_published(
    sem: LinearSEM, methods: Mapping[str, Any], seed: int
) -> Iterator[dict[str, Any]]:
    ours = {name: method for name, method in methods.items() if name not in PUBLISHED}
    yield from tasks.measure(sem, ours, seed)
    for name in methods.keys() - ours.keys():
        yield {"method": name} | PUBLISHED[name]


def recovery(
    description: str, sizes: Sequence[str] = ("full",), methods: Sequence[str] = GAUSSIAN,
    **data: Any,
) -> Setting:  # fmt: skip
    return Setting(
        description, tasks.draw, tasks.measure, list(METRICS), methods=methods,
        parameters=dict.fromkeys(sizes, data),
    )  # fmt: skip


def ahead(setting: str, method: str, rival: str, edges: float, at: float | None = None) -> Any:
    return gain(method, rival, "shd", setting=setting, at=at, at_least=edges)


def draw_against_variance(results: pd.DataFrame) -> MatplotlibFigure:
    figure, (panel,) = new_figure(1)
    figure.set_size_inches(6.5, 4.0)
    draw_curves(panel, results, EQUAL, "shd", "variance", [EV, NV, LS, UNIT_FREE, SORT])
    variances = sorted(results.loc[results["setting"] == EQUAL, "variance"].unique())
    panel.set(xscale="log", xlabel="noise variance", ylabel="structural Hamming distance (edges)")
    panel.set_xticks(variances, labels=[f"{variance:g}" for variance in variances])
    panel.minorticks_off()
    panel.set_ylim(bottom=0)
    share_legend(figure, panel)
    return figure


benchmark = Benchmark(
    seconds={"quick": 31},
    settings={
        EQUAL: Setting(
            "20 nodes, weights from 0.5 to 2, the same noise variance in all nodes; one graph for "
            "each seed, at several variances.",
            tasks.draw_each, tasks.measure_each, list(METRICS), axis=VARIANCE,
            methods=[*GAUSSIAN, UNIT_FREE],
            parameters={
                "smallest": {**SMALL, "n_features": 10, "variances": [0.1]},
                "quick": {**SMALL, "variances": [0.1, 50.0]},
                "full": {**SMALL, "variances": [0.1, 0.5, 1.0, 5.0, 10.0, 50.0]},
            },
        ),
        STANDARDISED: recovery(
            "20 nodes, weights from 0.5 to 2, noise variance 1; then every column has variance 1.",
            ("quick", "full"), **SMALL, standardize=True,
        ),
        UNEQUAL[20]: recovery(
            "20 nodes, weights from 0.5 to 2, noise variances from 0.5 to 10.",
            **SMALL, noise_variance=WEAK["noise_variance"],
        ),
        **{
            f"Noise {noise}": recovery(
                f"20 nodes, weights from 0.5 to 2, {noise} noise of variance 5.",
                methods=[*GAUSSIAN, LINGAM], **SMALL, noise=noise, noise_variance=5.0,
            )
            for noise in ("exponential", "laplace", "gumbel")
        },
        "Scale-free graph": recovery(
            "20 nodes, scale-free graph, weights from 0.5 to 2, noise variance 5.",
            **SMALL, graph="scale-free", noise_variance=5.0,
        ),
        **{
            UNEQUAL[d]: recovery(
                f"{d} nodes, weights from 0.25 to 1, noise variances from 0.5 to 10.",
                n_features=d, **WEAK,
            )
            for d in (50, 100)
        },
        TABLE: Setting(
            "200 nodes, weights from 0.25 to 1, noise variances from 0.5 to 10.",
            tasks.draw, measure_beside_published, list(METRICS), methods=[*GAUSSIAN, *PUBLISHED],
            parameters={"full": {"n_features": 200, **WEAK}},
        ),
    },
    methods=METHODS,
    metrics=METRICS,
    repeats={"smallest": 1, "quick": 10, "full": 10},
    reference=LS,
    needs=needs_of(METHODS),
    claims=[
        *(
            Claim(
                f"20 nodes, noise variance {variance:g}: EV is ahead of LS by 10 edges or more.",
                ahead(EQUAL, EV, LS, 10, at=variance), [EQUAL],
            )
            for variance in (0.1, 50.0)
        ),
        Claim(
            "EV finds the noise level at variance 50 within 5 %.",
            level(EV, "noise", setting=EQUAL, at=50.0, at_most=0.05), [EQUAL],
        ),
        Claim(
            "On standardised columns EV is no better than the empty graph: its distance is at "
            "least 0.9 of that one's.",
            ratio(EV, EMPTY, "shd", setting=STANDARDISED, at_least=0.9), [STANDARDISED],
        ),
        *(
            Claim(
                f"{d} nodes, unequal variances{', weak edges' if d > 20 else ''}: NV is ahead of "
                f"{rival}{f' by {edges} edges or more' if edges else ''}.",
                ahead(UNEQUAL[d], NV, rival, edges), [UNEQUAL[d]], ("full",),
            )
            for d, rival, edges in ((20, LS, 0), (50, LS, 0), (100, LS, 15), (100, SORT, 0))
        ),
        Claim(
            "Table 2: NV is ahead of LS by 15 edges or more.",
            ahead(TABLE, NV, LS, 15), [TABLE], ("full",),
        ),
        Claim(
            "Table 2: NV is ahead of SortNRegress.", ahead(TABLE, NV, SORT, 0), [TABLE], ("full",)
        ),
        Claim(
            "Table 2: the distance of NV is that of the paper, within two of its standard "
            "deviations.",
            all_of(
                level(NV, "shd", setting=TABLE, at_least=390.7 - 2 * PUBLISHED_SPREAD),
                level(NV, "shd", setting=TABLE, at_most=390.7 + 2 * PUBLISHED_SPREAD),
            ),
            [TABLE], ("full",),
        ),
    ],
    figures=[
        Figure(
            "Distance to the true graph of 20 nodes by the variance of the noise, mean over seeds "
            "with bands of one standard error.",
            draw_against_variance,
            [EQUAL],
        )
    ],
)  # fmt: skip
