"""Does CoLiDE-NV give better graphs of 200 nodes than DAGMA, as in the paper's table?

The setting of Table 2 of Saboksayr, Mateos and Tepper (ICLR 2024): Erdos-Renyi graphs with 200
nodes and four edges per node, 1000 rows of Gaussian noise with variances drawn from 0.5 to 10,
weights from 0.25 to 1. The paper reports structural Hamming distances of 390.7 ± 35.6 for
CoLiDE-NV, 426.5 for CoLiDE-EV, 470.2 ± 50.6 for DAGMA, 481.3 ± 45.8 for GOLEM-NV and
397.8 ± 27.8 for SortNRegress. The published rows stand beside ours in the table.

A long run, of several minutes for each fit; it has no quick size, and resumes where it stopped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from skreg.bench import Benchmark, Claim, Setting, Verdict, by_seed
from skreg.bench.papers import colide as recovery
from skreg.datasets import LinearSEM

if TYPE_CHECKING:
    import pandas as pd

TABLE = "Table 2"
PUBLISHED = {
    recovery.NV: {"shd": 390.7, "shd_c": 407.9, "sid": 22734, "tpr": 0.68, "fdr": 0.25},
    recovery.EV: {"shd": 426.5},
    recovery.LS: {"shd": 470.2},
    recovery.SORT: {"shd": 397.8, "shd_c": 402.1, "sid": 22560, "tpr": 0.62, "fdr": 0.20},
}
PAIRS = 200 * 199
PAPER = "published: "
METHODS = {name: recovery.METHODS[name] for name in recovery.GAUSSIAN_METHODS}


def measure(sem: LinearSEM, methods: Mapping[str, Any], seed: int) -> Iterator[dict[str, Any]]:
    ours = {name: fit for name, fit in methods.items() if not name.startswith(PAPER)}
    yield from recovery.measure(sem, ours, seed)
    for name in methods.keys() - ours.keys():
        row = PUBLISHED[name.removeprefix(PAPER)]
        yield {"method": name} | row | ({"sid": row["sid"] / PAIRS} if "sid" in row else {})


def within_the_papers_spread(results: pd.DataFrame) -> Verdict:
    shd = by_seed(results, TABLE, "shd", ["method"])[recovery.NV].mean()
    published = PUBLISHED[recovery.NV]["shd"]
    return Verdict(
        bool(abs(shd - published) <= 2 * 35.6),
        f"mean SHD {shd:.1f}",
        f"{published} ± 2 published standard deviations of 35.6",
    )


benchmark = Benchmark(
    settings={
        TABLE: Setting(
            description="200 nodes, weights from 0.25 to 1, noise variances from 0.5 to 10.",
            data=recovery.draw,
            measure=measure,
            metrics=list(recovery.METRICS),
            parameters={
                "full": {
                    "n_features": 200,
                    "weight_range": recovery.WEAK,
                    "noise_variance": recovery.UNEQUAL,
                }
            },
        )
    },
    methods=METHODS | {PAPER + name: None for name in PUBLISHED},
    metrics=recovery.METRICS,
    repeats={"smallest": 1, "quick": 1, "full": 10},
    reference=recovery.LS,
    claims=[
        Claim(
            "NV is ahead of LS by 15 edges or more.",
            recovery.ahead_by(TABLE, recovery.NV, recovery.LS, 15),
            [TABLE],
            ["full"],
        ),
        Claim(
            "NV is ahead of SortNRegress.",
            recovery.ahead_by(TABLE, recovery.NV, recovery.SORT, 0),
            [TABLE],
            ["full"],
        ),
        Claim(
            "The distance of NV is that of the paper.",
            within_the_papers_spread,
            [TABLE],
            ["full"],
        ),
    ],
)
