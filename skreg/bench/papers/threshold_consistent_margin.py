"""Does a threshold-consistent margin make one distance threshold fit all classes?

Zhang et al. (ICLR 2024) verify "same class or not" by one global threshold on the distance of
embeddings. Losses of metric learning leave classes of different compactness, so that no threshold
suits all of them: the operating-point inconsistency score (OPIS) is the variance across classes of
their utility at one threshold. Their margin loss (TCM) pulls hard pairs to fixed cosines.

In a small version, a network embeds handwritten digits in 32 dimensions, trained by a softmax over
the cosines to ten class proxies, with TCM of several weights added. Rivals are the plain loss,
weight decay, label smoothing, and a contrastive loss with the same margins that averages over all
pairs instead of the hard ones. Classes are seen in training, or not. Recall at 1 is reported
beside OPIS: the two are different virtues.
"""

from __future__ import annotations

import functools

from skreg.bench import Benchmark, Claim, Figure, Metric, Paper, Setting
from skreg.bench.arena.checks import all_of, gain, ratio
from skreg.bench.arena.deep_methods import (
    Method,
    trained,
    with_decay,
    with_regularizer,
    with_smoothing,
)
from skreg.bench.arena.deep_tasks import digits, digits_of_unseen_classes, for_epochs
from skreg.bench.arena.dots import CAPTION, Dots, dots_of_methods
from skreg.bench.arena.embeddings import ContrastiveMargins, proxy_softmax, verification
from skreg.deep.regularizers import ThresholdConsistentMargin

EXTRA = "deep"
PAPER = Paper(
    title="Threshold-Consistent Margin Loss for Open-World Deep Metric Learning",
    authors=(
        "Zhang, Qin",
        "Xu, Linghan",
        "Tang, Qingming",
        "Fang, Jun",
        "Wu, Ying Nian",
        "Tighe, Joe",
        "Xing, Yifan",
    ),
    venue="International Conference on Learning Representations",
    year=2024,
    here=(
        "skreg.deep.regularizers.ThresholdConsistentMargin, "
        "skreg.deep.torch.ThresholdConsistentMarginLoss, "
        "skreg.metrics.operating_point_inconsistency_score"
    ),
    arxiv="2307.04047",
)

PLAIN, DECAY, SMOOTHING = "Proxy softmax", "Weight decay", "Label smoothing 0.1"
CONTRASTIVE = "Contrastive margins"
TCM = {weight: f"TCM, weight {weight:g}" for weight in (0.3, 1.0, 3.0)}
OURS = TCM[1.0]
SEEN, UNSEEN = "Classes seen in training", "Classes not seen in training"

METHODS = {
    PLAIN: Method(),
    DECAY: with_decay(1e-3),
    SMOOTHING: with_smoothing(0.1),
    CONTRASTIVE: with_regularizer(ContrastiveMargins),
} | {
    name: with_regularizer(
        ThresholdConsistentMargin, weight_pos=weight, weight_neg=weight, layer="embedding"
    )
    for weight, name in TCM.items()
}

benchmark = Benchmark(
    seconds={"quick": 28},
    settings={
        SEEN: Setting(
            description=(
                "900 training and 897 test digits of all ten classes; network 64-256-32, 30 epochs "
                "of Adam."
            ),
            data=for_epochs(functools.partial(digits, train_size=900)),
            measure=trained(proxy_softmax, verification),
            metrics=["opis", "recall"],
            parameters={"smallest": {"epochs": 2}, "quick": {"epochs": 30}, "full": {"epochs": 30}},
        ),
        UNSEEN: Setting(
            description="Six random classes to train on, all digits of the other four to embed.",
            data=for_epochs(digits_of_unseen_classes),
            measure=trained(proxy_softmax, verification),
            metrics=["opis", "recall"],
            parameters={"full": {"epochs": 30}},
        ),
    },
    methods=METHODS,
    metrics={
        "opis": Metric("Operating-point inconsistency, times 1000", digits=2),
        "recall": Metric("Recall at 1", digits=4, better="higher"),
    },
    repeats={"smallest": 1, "quick": 5, "full": 10},
    reference=PLAIN,
    claims=[
        Claim(
            "One threshold fits all classes, at no loss of recall.",
            all_of(
                ratio(OURS, PLAIN, "opis", setting=SEEN, at_most=1 / 3),
                gain(OURS, PLAIN, "recall", setting=SEEN),
                names=["inconsistency", "recall"],
            ),
            [SEEN],
        ),
        Claim(
            "No rival is as consistent.",
            gain(OURS, [PLAIN, DECAY, SMOOTHING, CONTRASTIVE], "opis", setting=SEEN),
            [SEEN],
        ),
        Claim(
            "For unseen classes, too, inconsistency falls, at no loss of recall.",
            all_of(
                gain(OURS, PLAIN, "opis", setting=UNSEEN),
                gain(OURS, PLAIN, "recall", setting=UNSEEN),
                names=["inconsistency", "recall"],
            ),
            [UNSEEN],
        ),
    ],
    figures=[
        Figure(
            CAPTION,
            dots_of_methods(
                Dots(SEEN, "opis", SEEN, "Inconsistency (OPIS, times 1000)"),
                Dots(UNSEEN, "opis", UNSEEN, "Inconsistency (OPIS, times 1000)"),
                Dots(SEEN, "recall", SEEN, "Recall at 1"),
                Dots(UNSEEN, "recall", UNSEEN, "Recall at 1"),
                methods=[*METHODS],
            ),
            [SEEN, UNSEEN],
        )
    ],
)
