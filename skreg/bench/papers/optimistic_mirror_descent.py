"""Does one online learner adapt to noise, to drift and to neither, without a learning rate?

Chen et al. (ICML 2023, JMLR 2024) bound the regret of optimistic online mirror descent, with the
last gradient as a hint, by the noise of a stream plus its variation, and not by the number of
rounds. The paper is theory and has no experiments; measured here are the consequences that it
names, on small streams: linear losses on a ball, noisy centres (strongly convex), regression with
coefficients that stay, jump or turn, and digits whose labels flip. The ensemble is its dynamic
version, with the constants of theory and with practical ones (ours, which no theorem covers).

Rivals: the same learner without a hint, online gradient descent with the best constant step of
theory, AdaGrad with one norm (whose total replaces all knowledge), and SGD of scikit-learn as it
comes. Excess is cumulative loss beyond that of the true coefficients.
"""

from __future__ import annotations

import functools

from skreg.bench import Benchmark, Claim, Figure, Paper
from skreg.bench.arena import online_settings as streams
from skreg.bench.arena.checks import all_of, every, gain, grows_like, ratio
from skreg.bench.arena.online_checks import draw_excess, near_the_best
from skreg.bench.arena.online_settings import (
    ADAGRAD,
    ALTERNATING,
    CENTRES,
    CIRCLE,
    CONSTANT,
    JUMPS,
    MIXED,
    MIXED_UNHINTED,
    NOISE,
    OGD,
    OURS,
    SGD,
    SINGLE,
    STILL,
    STRONG,
    THEORY,
    TURNING,
    TURNS,
    UNHINTED,
)

PAPER = Paper(
    title=(
        "Optimistic Online Mirror Descent for Bridging Stochastic and Adversarial Online Convex "
        "Optimization"
    ),
    authors=("Chen, Sijia", "Zhang, Yu-Jie", "Tu, Wei-Wei", "Zhao, Peng", "Zhang, Lijun"),
    venue="Journal of Machine Learning Research 25(178)",
    year=2024,
    here=(
        "skreg.online.OptimisticOMDRegressor, skreg.online.OptimisticOMDClassifier, "
        "skreg.online.DriftAdaptiveEnsemble"
    ),
    arxiv="2302.04552",
)

benchmark = Benchmark(
    seconds={"quick": 12},
    settings=streams.SETTINGS,
    methods=streams.METHODS,
    metrics=streams.METRICS,
    repeats={"smallest": 1, "quick": 4, "full": 10},
    reference=OURS,
    together=True,
    claims=[
        Claim(
            "Constant losses: regret stays below 1.1 for any number of rounds, where that of OGD "
            "grows like their root.",
            all_of(every(OURS, "regret", settings=CONSTANT, at_most=1.1),
                   grows_like(OGD, "regret", setting=CONSTANT, at_least=0.4)),
            [CONSTANT],
        ),
        Claim(
            "With noise, regret grows like the root of the number of rounds (exponent 0.3 to 0.7).",
            all_of(grows_like(OURS, "regret", setting=NOISE, at_least=0.3),
                   grows_like(OURS, "regret", setting=NOISE, at_most=0.7)),
            [NOISE],
        ),
        Claim(
            "Losses that turn once in 50 rounds: over 4000 rounds the hint gains at least 2000.",
            gain(OURS, UNHINTED, "regret", setting=TURNING, at=4000, at_least=2000.0), [TURNING],
        ),
        Claim(
            "No regret of ours is above its certificate.",
            every([OURS, UNHINTED], "certified",
                  settings=[CONSTANT, NOISE, TURNING, ALTERNATING], at_most=1.0),
            [CONSTANT, NOISE, TURNING, ALTERNATING],
        ),
        Claim(
            "Limit of the method: where losses alternate, the hint always fails, and regret is at "
            "least 1.8 times that of AdaGrad-norm and 5 times that of OGD.",
            all_of(ratio(OURS, ADAGRAD, "regret", setting=ALTERNATING, at=4000, at_least=1.8),
                   ratio(OURS, OGD, "regret", setting=ALTERNATING, at=4000, at_least=5.0)),
            [ALTERNATING],
        ),
        Claim(
            "Noisy centres: the steps 2 / (λ t) have regret that grows like a logarithm (exponent "
            "at most 0.15), adaptive ones like a root (at least 0.35).",
            all_of(grows_like(STRONG, "regret", setting=CENTRES, at_most=0.15),
                   grows_like(OURS, "regret", setting=CENTRES, at_least=0.35)),
            [CENTRES],
        ),
        Claim(
            "Limit of the method: steps 2 / (λ t) cannot follow centres on a circle; adaptive ones "
            "gain at least 250 over 4000 rounds.",
            gain(OURS, STRONG, "regret", setting=CIRCLE, at=4000, at_least=250.0), [CIRCLE],
        ),
        Claim(
            "Coefficients that jump: optimistic steps (G known or not), Newton's and AdaGrad-norm "
            "have at most a tenth of the excess of OGD and of scikit-learn's SGD.",
            all_of(*(ratio(name, [OGD, SGD], "excess", setting=JUMPS, at_most=0.1)
                     for name in SINGLE)),
            [JUMPS],
        ),
        Claim(
            "The practical ensemble, not tuned, is within 1.5 times the best single adaptive "
            "learner, Newton's among them, whether coefficients stay, jump or turn.",
            all_of(*(near_the_best(MIXED, SINGLE, "excess", setting, at_most=1.5)
                     for setting in (STILL, JUMPS, TURNS))),
            [STILL, JUMPS, TURNS],
        ),
        Claim(
            "Limit of the theory: the ensemble with the constants of theory has at least 4 times "
            "the excess of the practical one where coefficients jump or turn.",
            all_of(*(ratio(THEORY, MIXED, "excess", setting=setting, at_least=4.0)
                     for setting in (JUMPS, TURNS))),
            [JUMPS, TURNS],
        ),
        Claim(
            "Digits: the ensemble has at most 0.6 of the log-loss of scikit-learn's SGD, whether "
            "labels flip or not, and less than each constant step where they flip.",
            all_of(*(ratio(streams.TEN, SGD, "log_loss", setting=setting, at_most=0.6)
                     for setting in (streams.DIGITS, streams.FLIPS)),
                   gain(streams.TEN, list(streams.FIXED), "log_loss", setting=streams.FLIPS)),
            [streams.DIGITS, streams.FLIPS],
        ),
    ],
    figures=[
        Figure(
            "Excess cumulative loss over 3000 rounds: geometric means with intervals at 95 %.",
            functools.partial(draw_excess, settings=[STILL, JUMPS, TURNS], metric="excess",
                              methods=[*SINGLE, MIXED, MIXED_UNHINTED, THEORY, OGD, SGD]),
            [STILL, JUMPS, TURNS],
        )
    ],
)  # fmt: skip
