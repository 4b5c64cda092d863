"""Do plans with at most k sources per target exist, cost what theory says, and balance loads?

Liu, Puigcerver and Blondel (ICLR 2023) maximise the dual of transport whose plan has at most k
entries in every column. Their code, in POT, returns the maximisers of the dual's columns, whose
marginals are wrong wherever the dual is not differentiable. skreg solves the dual's convex
envelope instead ("relaxed"), and takes the best plan on k entries of each column, its largest ones
first ("k-sparse"); "dual" has the columns' maximisers at skreg's potentials.

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

from skreg.bench import Benchmark, Claim, Paper
from skreg.bench.arena import transport_assignments as assigned
from skreg.bench.arena import transport_checks as along
from skreg.bench.arena import transport_tasks as plans
from skreg.bench.arena.checks import all_of, every, level, ratio
from skreg.bench.arena.rivals import needs_of
from skreg.bench.arena.transport_settings import ABOVE, CLOUDS, DIGITS, METRICS, SETTINGS, TOKENS
from skreg.bench.arena.transport_tasks import BY_GRADIENT, BY_VALUE, DUAL, PLANS, RELAXED, SPARSE

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

PLAIN_DUALS = (DUAL, BY_GRADIENT, plans.POT_DUAL, plans.POT_SEMI_DUAL)


def fewer_iterations(method: str) -> Claim:
    return Claim(
        f"{method}: k = 200, where the dual is smooth, takes at most half the iterations of "
        "k = 16.",
        along.ratio_along_k(method, "iterations", CLOUDS, 200, 16, at_most=0.5), [CLOUDS],
    )  # fmt: skip


benchmark = Benchmark(
    seconds={"quick": 18},
    settings=SETTINGS,
    methods=PLANS | assigned.CLUSTERINGS | assigned.ROUTES,
    metrics=METRICS,
    repeats={"smallest": 1, "quick": 6, "full": 30},
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
            every(SPARSE, "error", settings=CLOUDS, at_most=plans.LARGEST_ERROR), [CLOUDS],
        ),
        Claim(
            "k-sparse: just above n / m (k = 11, 12, 13) a plan is found too, so that its "
            "marginal error is at most 1e-6.",
            every(SPARSE, "error", settings=ABOVE, at_most=plans.LARGEST_ERROR), [ABOVE],
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
                along.agrees(RELAXED, plans.EMD, "value", CLOUDS, 1, to=1e-7),
                along.agrees(RELAXED, plans.QUADRATIC, "value", CLOUDS, 200, to=1e-7),
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
                     for name in PLAIN_DUALS)),
            [CLOUDS],
        ),
        Claim(
            "Digits: no cluster has more than 180, where k-means has more than 200, at a cost at "
            "most 0.1 % above the least of all assignments within capacity.",
            all_of(
                every(assigned.BALANCED, "largest", settings=DIGITS, at_most=180),
                every(assigned.KMEANS, "largest", settings=DIGITS, at_least=201),
                ratio(assigned.BALANCED, assigned.BEST, "cost", setting=DIGITS, at_most=1.001),
            ),
            [DIGITS],
        ),
        Claim(
            "Tokens: transport gives every token an expert, and no expert more than its capacity, "
            "of which the favourite of all has more than twice.",
            all_of(
                every(assigned.TRANSPORT, "load", settings=TOKENS, at_most=1.0),
                every(assigned.TRANSPORT, "served", settings=TOKENS, at_least=1.0),
                level(assigned.TOP_1, "load", setting=TOKENS, at_least=2.0),
            ),
            [TOKENS],
        ),
        Claim(
            "Tokens: at most 0.8 of them are served where full experts drop tokens, or where "
            "experts choose.",
            all_of(*(level(name, "served", setting=TOKENS, at_most=0.8)
                     for name in (assigned.FIRST_COME, assigned.EXPERT_CHOICE))),
            [TOKENS],
        ),
        Claim(
            "Tokens: transport's total affinity is above that of both.",
            all_of(*(ratio(assigned.TRANSPORT, name, "affinity", setting=TOKENS, at_least=1.0)
                     for name in (assigned.FIRST_COME, assigned.EXPERT_CHOICE))),
            [TOKENS],
        ),
    ],
    figures=[along.figure_along_k(CLOUDS, [RELAXED, *PLAIN_DUALS])],
)  # fmt: skip
