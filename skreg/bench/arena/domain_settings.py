"""Settings, methods and measures of the claims on heads of several domains."""

from __future__ import annotations

from skreg.bench import Axis, Metric, Setting
from skreg.bench.arena import domain_networks as networks
from skreg.bench.arena import domain_tasks as tasks

SIMILAR, ENTROPY, COOLED = "Similarity", "Entropy", "Entropy, calibrated"
TOLD, TOLD_SOFT = "Discriminator", "Discriminator, soft"
POOLED, STANDARDISED = "Pooled", "Pooled, standardised by domain"
UNIFORM, BEST = "Mean of heads", "Best head (oracle)"
NET_POOLED, NET_SIMILAR = "Network, pooled", "Network, similarity"
NET_ENTROPY = "Network, entropy"
ON_FEATURES = {
    SIMILAR: tasks.by_rule(),
    ENTROPY: tasks.by_rule(selection="entropy"),
    COOLED: tasks.by_fit(selection="entropy", calibrate=True),
    TOLD: tasks.by_fit(selection="discriminator"),
    TOLD_SOFT: tasks.by_fit(selection="discriminator", combine="soft"),
    POOLED: tasks.by_rule(selection="shared"),
    STANDARDISED: tasks.standardised,
    UNIFORM: tasks.by_rule(selection="uniform"),
    BEST: tasks.best_head,
}
OF_NETWORKS = {
    NET_POOLED: networks.Rule(None),
    NET_SIMILAR: networks.Rule("similarity"),
    NET_ENTROPY: networks.Rule("entropy"),
}
RULES, DIGITS, TRAINED = "Four rules", "Turned digits", "Turned digits, networks"
ENDS, INNER = (0, 75), (15, 30, 45, 60)
ANGLE = Axis("angle", "angle held out")

SETTINGS = {
    RULES: Setting(
        "Means 2 N(0, I), rules N(0, I), the target's mean moved by 0.5 N(0, I); 500 rows.",
        tasks.shifted_concepts, tasks.measure, ["accuracy", "source"], methods=[*ON_FEATURES],
    ),
    DIGITS: Setting(
        "Disjoint sixths of 1797 digits; one angle is predicted from the five others.",
        tasks.held_out_angles, tasks.measure_angles, ["accuracy"], axis=ANGLE,
        methods=[*ON_FEATURES],
        parameters={"quick": {"targets": (0, 30)}, "full": {}},
    ),
    TRAINED: Setting(
        "The same angles at the ends; 60 epochs of Adam.",
        networks.turned_digits, networks.measure, ["accuracy"], axis=ANGLE,
        methods=[*OF_NETWORKS],
        parameters={
            "quick": {"targets": (0,), "max_epochs": 20}, "full": {"targets": ENDS},
        },
    ),
}  # fmt: skip
METRICS = {
    "accuracy": Metric("Accuracy on the target", better="higher"),
    "source": Metric("Accuracy on held-out rows of the sources", better="higher"),
}
