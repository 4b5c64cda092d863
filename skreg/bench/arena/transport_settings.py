"""Settings and measures of the claims on sparse plans: clouds, digits in clusters, tokens."""

from __future__ import annotations

from skreg.bench import Axis, Metric, Setting
from skreg.bench.arena import transport_assignments as assignments
from skreg.bench.arena import transport_tasks as tasks
from skreg.bench.arena.transport_assignments import CLUSTERINGS, ROUTES
from skreg.bench.arena.transport_tasks import PLANS, RELAXED, SPARSE

CLOUDS, ABOVE = "200 points to 20", "Just above n / m"
DIGITS, TOKENS = "Digits in clusters of 180", "512 tokens to 16 experts"
K = Axis("k", "k, sources per target")

SETTINGS = {
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
}  # fmt: skip
METRICS = {
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
}
