"""Does a head for each source domain, chosen row by row, beat one model of all rows?

Zhang et al. (KDD 2023) keep a classifier for each source domain beside a shared one, and estimate
for each row of an unseen domain, without labels, which of them is closest to right: by the
similarity to the domain's features, by a discriminator of domains, or, as their default, by the
entropy of the prediction. Their benchmarks are images with a ResNet-50.

Two small versions. *Four rules*: four domains of 300 rows in 10 dimensions, each with a linear
labelling rule of its own around its mean; the target is near one of them. *Turned digits*: a sixth
of the 8 x 8 digits turned by each of 0, 15, ..., 75 degrees, one angle held out; 0 and 75 are
extrapolation. Heads are logistic regressions; in *Turned digits, networks* heads and features are
trained together, a perceptron with layers of 64 and 32 units.

Rivals: the pooled model, the pooled model of features standardised within each domain (the target
within itself), the mean of all heads, and the best single head, which needs the target's labels.
"""

from __future__ import annotations

from skreg.bench import Benchmark, Claim, Figure, Paper
from skreg.bench.arena.checks import all_of, gain
from skreg.bench.arena.domain_settings import (
    BEST,
    COOLED,
    DIGITS,
    ENDS,
    ENTROPY,
    INNER,
    METRICS,
    NET_ENTROPY,
    NET_POOLED,
    NET_SIMILAR,
    OF_NETWORKS,
    ON_FEATURES,
    POOLED,
    RULES,
    SETTINGS,
    SIMILAR,
    STANDARDISED,
    TOLD,
    TOLD_SOFT,
    TRAINED,
    UNIFORM,
)  # fmt: skip
from skreg.bench.arena.domain_tasks import ANGLES
from skreg.bench.arena.domain_views import draw_domains

EXTRA = "deep"
PAPER = Paper(
    title="Domain-Specific Risk Minimization for Out-of-Distribution Generalization",
    authors=(
        "Zhang, Yi-Fan", "Wang, Jindong", "Liang, Jian", "Zhang, Zhang", "Yu, Baosheng",
        "Wang, Liang", "Tao, Dacheng", "Xie, Xing",
    ),
    venue="ACM SIGKDD Conference on Knowledge Discovery and Data Mining",
    year=2023,
    here="DRM: skreg.domain, skreg.deep.regularizers.DomainSpecificHeads",
    arxiv="2208.08661",
    code="https://github.com/yfzhang114/AdaNPC",
)  # fmt: skip


def at_angles(method: str, rival: str, setting: str, angles: tuple[int, ...], **bound: float):
    return all_of(
        *(gain(method, rival, "accuracy", setting=setting, at=angle, **bound) for angle in angles)
    )


benchmark = Benchmark(
    seconds={"quick": 20},
    settings=SETTINGS,
    methods=ON_FEATURES | OF_NETWORKS,
    metrics=METRICS,
    repeats={"smallest": 1, "quick": 3, "full": 10},
    reference=SIMILAR,
    together=True,
    claims=[
        Claim(
            "Four rules: heads chosen by similarity are ahead of the pooled model by 0.25.",
            gain(SIMILAR, POOLED, "accuracy", setting=RULES, at_least=0.25), [RULES],
        ),
        Claim(
            "Four rules: similarity is within 0.03 of the best single head.",
            gain(SIMILAR, BEST, "accuracy", setting=RULES, at_least=-0.03), [RULES],
        ),
        Claim(
            "Four rules: neither the mean of all heads nor standardising by domain is as accurate "
            "as similarity (0.2 less).",
            gain(SIMILAR, [UNIFORM, STANDARDISED], "accuracy", setting=RULES, at_least=0.2),
            [RULES],
        ),
        Claim(
            "Four rules: on held-out rows of the sources, whose domain is not told, heads are not "
            "less accurate than the pooled model.",
            gain(SIMILAR, POOLED, "source", setting=RULES), [RULES],
        ),
        Claim(
            "Turned digits: at 0 and 75 degrees similarity is ahead of the pooled model by 0.2.",
            at_angles(SIMILAR, POOLED, DIGITS, ENDS, at_least=0.2), [DIGITS], ["full"],
        ),
        Claim(
            "Limit of the method: between other angles the pooled model is within 0.08 of "
            "similarity, or better.",
            at_angles(POOLED, SIMILAR, DIGITS, INNER, at_least=-0.08), [DIGITS], ["full"],
        ),
        Claim(
            "Limit of the method: on four rules entropy, the paper's default, loses to the pooled "
            "model, with heads that are not calibrated.",
            gain(POOLED, ENTROPY, "accuracy", setting=RULES), [RULES],
        ),
        Claim(
            "Limit of the method: on turned digits so it does at each angle.",
            at_angles(POOLED, ENTROPY, DIGITS, ANGLES), [DIGITS], ["full"],
        ),
        Claim(
            "Limit of the method: with calibrated heads it loses in both as well.",
            all_of(
                gain(POOLED, COOLED, "accuracy", setting=RULES),
                at_angles(POOLED, COOLED, DIGITS, ANGLES),
            ),
            [RULES, DIGITS], ["full"],
        ),
        Claim(
            "Limit of the method: soft weights of the discriminator gain nothing over its choice "
            "on four rules (0.01 at most).",
            gain(TOLD, TOLD_SOFT, "accuracy", setting=RULES, at_least=-0.01), [RULES],
        ),
        Claim(
            "Networks: with jointly trained features, entropy is not behind the pooled network at "
            "0 and 75 degrees.",
            at_angles(NET_ENTROPY, NET_POOLED, TRAINED, ENDS), [TRAINED], ["full"],
        ),
        Claim(
            "Networks: similarity is ahead of entropy at 0 and 75 degrees.",
            at_angles(NET_SIMILAR, NET_ENTROPY, TRAINED, ENDS), [TRAINED], ["full"],
        ),
    ],
    figures=[
        Figure(
            "Left: accuracy on the target under four rules, means with intervals at 95 %. Right: "
            "accuracy on each angle held out, means with bands of one standard error.",
            lambda results: draw_domains(results, RULES, [*ON_FEATURES], DIGITS,
                                         [SIMILAR, TOLD_SOFT, ENTROPY, COOLED, POOLED]),
            [RULES, DIGITS],
        )
    ],
)  # fmt: skip
