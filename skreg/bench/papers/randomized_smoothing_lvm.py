"""Do soft maps and the probability of the second class prove more robustness than votes alone?

Delattre et al. (ICLR 2024) certify classifiers under Gaussian noise by the probabilities of two
classes, and choose for each input among argmax, softmax and sparsemax at many temperatures: soft
scores vary less under noise, votes have larger margins. Their code takes the largest radius over
all maps on one sample, which has no proof; here the map is chosen on draws of its own ("split"), or
all maps share the level ("union").

A small version: digits in [0, 1], a perceptron of 128 units, noise of 0.25, 1000 draws to choose
and 10,000 to prove, alpha = 0.001. The average certified radius (the area below the curve of
certified accuracy) is compared with Cohen's rule, which knows of the top class only, and with
R_multi, votes with the radius of two classes. For half spaces radii are compared with the true
distance.
"""

from __future__ import annotations

from skreg.bench import Benchmark, Claim, Figure, Paper
from skreg.bench.arena import smoothing_settings as settings
from skreg.bench.arena.checks import all_of, every, gain, level, ratio
from skreg.bench.arena.smoothing_settings import ALL, DEAR, NOISY, PLAIN, SLOPE, SPACE
from skreg.bench.arena.smoothing_tasks import (
    BETTING,
    COHEN,
    KNOWN,
    MULTI,
    ONLY_SOFT,
    OURS,
    UNION,
    WAYS,
)
from skreg.bench.arena.smoothing_views import draw_certified_accuracy

PAPER = Paper(
    title="The Lipschitz-Variance-Margin Tradeoff for Enhanced Randomized Smoothing",
    authors=(
        "Delattre, Blaise",
        "Araujo, Alexandre",
        "Barthélemy, Quentin",
        "Allauzen, Alexandre",
    ),
    venue="International Conference on Learning Representations",
    year=2024,
    here="skreg.robustness.RandomizedSmoothingClassifier",
    arxiv="2309.16883",
    code="https://github.com/blaisedelattre/bridging_the_gap_rs",
)

FAST = settings.FAST
AREA = {"at": 0.0}  # the average is the same at every radius

benchmark = Benchmark(
    seconds={"quick": 12},
    settings=settings.SETTINGS,
    methods=WAYS,
    metrics=settings.METRICS,
    repeats={"smallest": 1, "quick": 3, "full": 10},
    reference=OURS,
    together=True,
    claims=[
        Claim(
            "Without noise in training, the radius of two classes is on average at least 1.08 "
            "times that of Cohen's rule.",
            ratio(MULTI, COHEN, "average", setting=PLAIN, **AREA, at_least=1.08), [PLAIN],
        ),
        Claim(
            "With noise in training it is larger, too.",
            ratio(MULTI, COHEN, "average", setting=NOISY, **AREA, at_least=1.0), [NOISY],
        ),
        Claim(
            "Choosing among all maps loses at most 0.001 of the radius of votes alone.",
            all_of(*(gain(OURS, MULTI, "average", setting=name, **AREA, at_least=-0.001)
                     for name in (PLAIN, NOISY))),
            [PLAIN, NOISY],
        ),
        Claim(
            "No certificate of a half space is wrong more often than alpha and three standard "
            "errors, whatever the selection, the maps and the bound.",
            every(ALL, "wrong", settings=SPACE, at_most=settings.ALLOWED), [SPACE],
        ),
        Claim(
            "Where the scores have a known Lipschitz constant, the radius is larger in at least "
            "95 % of the rows whose top class has a lower bound below 0.7.",
            level(KNOWN, "larger", setting=SLOPE, at_least=0.95), [SLOPE],
        ),
        Claim(
            "Betting proves more of soft maps than the empirical Bernstein bound.",
            ratio(BETTING, ONLY_SOFT, "average", setting=DEAR, **AREA, at_least=1.0), [DEAR],
        ),
        Claim(
            "Choosing on draws of its own proves more than a union bound over all maps.",
            ratio(OURS, UNION, "average", setting=DEAR, **AREA, at_least=1.0), [DEAR],
        ),
        Claim(
            "Limit of the method: soft maps alone prove less than votes, with either bound, and "
            "with all maps to choose from the gain over votes stays below 0.001.",
            all_of(
                *(ratio(ONLY_SOFT, MULTI, "average", setting=name, **AREA, at_most=1.0)
                  for name in (PLAIN, NOISY)),
                ratio(BETTING, MULTI, "average", setting=DEAR, **AREA, at_most=1.0),
                *(gain(MULTI, OURS, "average", setting=name, **AREA, at_least=-0.001)
                  for name in (PLAIN, NOISY)),
            ),
            [PLAIN, NOISY, DEAR],
        ),
    ],
    figures=[
        Figure(
            "Certified accuracy against the radius: means over the seeds with bands of one "
            "standard error. What proves more than Cohen's rule is the second class, not the map.",
            lambda results: draw_certified_accuracy(results, [PLAIN, NOISY], FAST),
            [PLAIN, NOISY],
        )
    ],
)  # fmt: skip
