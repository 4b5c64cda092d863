"""Do plans with at most k sources per target exist, cost what theory says, and balance loads?

Liu, Puigcerver and Blondel (ICLR 2023) maximise the dual of transport whose plan has at most k
entries in every column. Their code, in POT, returns the maximisers of the dual's columns, whose
marginals are wrong wherever the dual is not differentiable. skreg solves the dual's convex
envelope instead ("relaxed"), and takes the best plan on the k largest entries of each column
("k-sparse"); "dual" has the columns' maximisers at skreg's potentials.

The small version: two clouds of 200 and 20 points, costs over their largest, gamma = 1. EMD
and quadratically regularised transport by POT are the ends at k = 1 and k = n. L-BFGS on the plain
dual starts from zero, and stops by the change of the value (1e-9, 500 iterations: POT's rule) or by
the gradient (1e-6 in each entry, 2000 iterations). By the value it ends early where the dual is not
smooth, far from a plan. POT's dual fails at k = n.

Then digits in clusters of limited capacity, and routing of tokens to experts of limited capacity,
where the rivals are each token's favourite (with and without dropping what is too much), and each
expert's favourites. No network is trained.
"""

from __future__ import annotations

import functools

from skreg.bench import Axis, Benchmark, Claim, Figure, Metric, Paper, Setting
from skreg.bench.arena import transport_assignments as assignments
from skreg.bench.arena import transport_checks as along
from skreg.bench.arena import transport_tasks as tasks
from skreg.bench.arena.checks import all_of, every, level, ratio
from skreg.bench.arena.rivals import needs_of
from skreg.bench.arena.transport_assignments import (
    BALANCED,
    BEST,
    CLUSTERINGS,
    EXPERT_CHOICE,
    FIRST_COME,
    KMEANS,
    ROUTES,
    TOP_1,
    TRANSPORT,
)
from skreg.bench.arena.transport_tasks import (
    BY_GRADIENT,
    BY_VALUE,
    DUAL,
    EMD,
    KS,
    PLANS,
    POT_DUAL,
    POT_SEMI_DUAL,
    QUADRATIC,
    RELAXED,
    SPARSE,
)

PAPER = Paper(
    title="Sparsity-Constrained Optimal Transport",
    authors=("Liu, Tianlin", "Puigcerver, Joan", "Blondel, Mathieu"),
    venue="International Conference on Learning Representations",
    year=2023,
    here="skreg.transport.sparse_transport, skreg.transport.BalancedAssignment, "
    "skreg.deep.torch.SparsityConstrainedRouter",
    arxiv="2209.15466",
    code="https://github.com/PythonOT/POT",
)

CLOUDS, ABOVE = "200 points to 20", "Just above n / m"
DIGITS, TOKENS = "Digits in clusters of 180", "512 tokens to 16 experts"
K = Axis("k", "k, sources per target")


def fewer_iterations(method: str) -> Claim:
    return Claim(
        f"{method}: k = 200, where the dual is smooth, takes at most half the iterations of "
        "k = 16.",
        along.ratio_along_k(method, "iterations", CLOUDS, 200, 16, at_most=0.5), [CLOUDS],
    )  # fmt: skip


benchmark = Benchmark(
    seconds={"quick": 30},
    settings={
        CLOUDS: Setting(
            "Normal points in the plane, of equal mass; the targets are one further in each "
            "coordinate; squared distances over their largest.",
            tasks.several_k, tasks.measure,
            ["value", "dual_value", "error", "excess", "iterations", "silent"],
            axis=K, methods=[*PLANS],
            parameters={"smallest": {"ks": (1, 10, 16, 200)}, "quick": {}, "full": {}},
        ),
        ABOVE: Setting(
            "The same, with little more room than the 10 sources that a target needs.",
            tasks.several_k, tasks.measure, ["value", "error", "excess", "silent"],
            axis=K, methods=[RELAXED, SPARSE],
            parameters={"quick": {"ks": (11, 12, 13)}, "full": {"ks": (11, 12, 13)}},
        ),
        DIGITS: Setting(
            "1797 digits, centres of k-means (4 starts); no cluster may have more than 180.",
            assignments.digits_clusters, assignments.measure_clusters,
            ["largest", "smallest", "cost"], methods=[*CLUSTERINGS],
        ),
        TOKENS: Setting(
            "Logits with normal noise and normal means of the experts, 1.5 times as wide; an "
            "expert takes at most 32 tokens.",
            assignments.skewed_tokens, assignments.measure_routes, ["load", "served", "affinity"],
            methods=[*ROUTES],
        ),
    },
    methods=PLANS | CLUSTERINGS | ROUTES,
    metrics={
        "value": Metric("Value", digits=6),
        "dual_value": Metric("Dual value", digits=6, better="higher"),
        "error": Metric("Marginal error", digits=8),
        "excess": Metric("Entries of the fullest column above k", digits=0),
        "iterations": Metric("Iterations", digits=0),
        "silent": Metric("Marginal error above 1e-6 without a warning", digits=0),
        "largest": Metric("Largest cluster", digits=0),
        "smallest": Metric("Smallest cluster", digits=0, better="higher"),
        "cost": Metric("Mean squared distance", digits=2),
        "load": Metric("Tokens of the fullest expert, over its capacity", digits=2),
        "served": Metric("Share of tokens that an expert takes", better="higher"),
        "affinity": Metric("Mean gate value of the best expert that takes it", better="higher"),
    },
    repeats={"smallest": 1, "quick": 10, "full": 30},
    reference=RELAXED,
    together=True,
    needs=needs_of(PLANS),
    claims=[
        Claim(
            "k-sparse: wherever k m >= n, no column has more than k entries.",
            every(SPARSE, "excess", settings=[CLOUDS, ABOVE], at_most=0), [CLOUDS, ABOVE],
        ),
        Claim(
            "k-sparse: for k = 10 (= n / m), 16, 32 and 200 its marginal error is at most 1e-6.",
            every(SPARSE, "error", settings=CLOUDS, at_most=tasks.LARGEST_ERROR), [CLOUDS],
        ),
        Claim(
            "k-sparse: just above n / m (k = 11, 12, 13) the k largest entries of each column "
            "hold a plan too, so that its marginal error is at most 1e-6.",
            every(SPARSE, "error", settings=ABOVE, at_most=tasks.LARGEST_ERROR), [ABOVE],
        ),
        Claim(
            "No plan whose marginal error is above 1e-6 is returned without a warning.",
            every([RELAXED, SPARSE, DUAL], "silent", settings=[CLOUDS, ABOVE], at_most=0),
            [CLOUDS, ABOVE],
        ),
        Claim(
            "The relaxed value never rises with k, is EMD + gamma/2 sum b^2 at k = 1 and that of "
            "quadratically regularised transport at k = n (to 1e-7, about 1e-6 of it).",
            all_of(
                along.never_rises(RELAXED, "value", CLOUDS, slack=1e-9),
                along.agrees(RELAXED, EMD, "value", CLOUDS, 1, to=1e-7),
                along.agrees(RELAXED, QUADRATIC, "value", CLOUDS, 200, to=1e-7),
            ),
            [CLOUDS],
        ),
        fewer_iterations(BY_GRADIENT),
        fewer_iterations(BY_VALUE),
        Claim(
            "The relaxed plan's marginal error is at most 1e-4 for every k.",
            every(RELAXED, "error", settings=[CLOUDS, ABOVE], at_most=1e-4), [CLOUDS, ABOVE],
        ),
        Claim(
            "The plain dual's marginal error is above 1e-2 for some k, at skreg's potentials, by "
            "L-BFGS and by POT.",
            all_of(*(along.largest_along_k(name, "error", CLOUDS, at_least=1e-2)
                     for name in (DUAL, BY_GRADIENT, POT_DUAL, POT_SEMI_DUAL))),
            [CLOUDS],
        ),
        Claim(
            "Digits: no cluster has more than 180, where k-means has more than 200, at a cost at "
            "most 0.1 % above the least of all assignments within capacity.",
            all_of(
                every(BALANCED, "largest", settings=DIGITS, at_most=180),
                every(KMEANS, "largest", settings=DIGITS, at_least=201),
                ratio(BALANCED, BEST, "cost", setting=DIGITS, at_most=1.001),
            ),
            [DIGITS],
        ),
        Claim(
            "Tokens: transport gives every token an expert, and no expert more than its capacity, "
            "of which the favourite of all has more than twice.",
            all_of(
                every(TRANSPORT, "load", settings=TOKENS, at_most=1.0),
                every(TRANSPORT, "served", settings=TOKENS, at_least=1.0),
                level(TOP_1, "load", setting=TOKENS, at_least=2.0),
            ),
            [TOKENS],
        ),
        Claim(
            "Tokens: at most 0.8 of them are served where full experts drop tokens, or where "
            "experts choose.",
            all_of(*(level(name, "served", setting=TOKENS, at_most=0.8)
                     for name in (FIRST_COME, EXPERT_CHOICE))),
            [TOKENS],
        ),
        Claim(
            "Tokens: transport's total affinity is above that of both.",
            all_of(*(ratio(TRANSPORT, name, "affinity", setting=TOKENS, at_least=1.0)
                     for name in (FIRST_COME, EXPERT_CHOICE))),
            [TOKENS],
        ),
    ],
    figures=[
        Figure(
            "Dual value and marginal error against k: means over the seeds (geometric for the "
            "error) with bands of one standard error. The plain dual stalls below its maximum "
            "for small k, and its plans miss their marginals until k is large.",
            functools.partial(
                along.draw_along_k, setting=CLOUDS, ks=KS,
                methods=[RELAXED, DUAL, BY_GRADIENT, POT_DUAL, POT_SEMI_DUAL],
            ),
            [CLOUDS],
        )
    ],
)  # fmt: skip
