"""How long does it take to certify digits by randomized smoothing, next to ART and a plain loop?

Processor times of one process and one thread, for each row: the median of three runs in turns, or
fewer where they take more than a second. The same fitted classifier, the same noise of 0.25, 1000
draws to choose the class and 10,000 to prove, in batches of 2000. skreg runs with its default
settings (votes and fourteen soft maps to choose from, the radius of two classes), and with votes
and the radius of the top class alone, which is what the others compute. ART's
`NumpyRandomizedSmoothing` around its `SklearnClassifier` needs one attribute set by hand; the plain
loop is Cohen's algorithm with `predict`.

What skreg saves is noise, drawn once for all rows, and the first affine map of linear models and
perceptrons, applied once to it. A forest has neither.
"""

from __future__ import annotations

from skreg.bench import Benchmark, Claim, Metric, Setting
from skreg.bench.arena import smoothing_race as race
from skreg.bench.arena.checks import all_of, gain, ratio
from skreg.bench.arena.rivals import needs_of
from skreg.bench.arena.smoothing_race import ART, LOOP, OURS, VOTES

LINEAR, LAYERS, FOREST = "Logistic regression", "Perceptron, 128 units", "Forest, 100 trees"
RIVALS = (ART, LOOP)


def contest(model: str, description: str, **sizes: tuple[int, int]) -> Setting:
    return Setting(
        description, race.contest, race.measure, ["milliseconds", "average"],
        parameters={
            size: {"model": model, "n_rows": n_rows, "n": n} for size, (n_rows, n) in sizes.items()
        },
    )  # fmt: skip


def faster(setting: str, rival: str) -> Claim:
    return Claim(
        f"{setting}: at least 5 times faster than {rival}, with default settings and with votes "
        "alone, at an average radius that is not smaller by more than 0.005.",
        all_of(
            *(ratio(rival, ours, "milliseconds", setting=setting, at_least=5.0)
              for ours in (OURS, VOTES)),
            *(gain(ours, rival, "average", setting=setting, at_least=-0.005)
              for ours in (OURS, VOTES)),
        ),
        [setting],
    )  # fmt: skip


benchmark = Benchmark(
    seconds={"quick": 10},
    settings={
        LINEAR: contest(
            "logistic", "100 digits of 64 pixels (16 in the quick size), 10 classes.",
            smallest=(2, 2000), quick=(16, 10_000), full=(100, 10_000),
        ),
        LAYERS: contest(
            "perceptron", "The same digits.",
            full=(100, 10_000),
        ),
        FOREST: contest("forest", "Two digits, for which the forest takes the time.",
                        full=(2, 10_000)),
    },
    methods=race.WAYS,
    metrics={
        "milliseconds": Metric("Processor time for a row", "ms"),
        "average": Metric("Average radius", digits=4, better="higher"),
    },
    repeats={"smallest": 1, "quick": 3, "full": 8},
    reference=OURS,
    needs=needs_of(race.WAYS),
    together=True,
    serial=True,
    claims=[
        *(faster(setting, rival) for setting in (LINEAR, LAYERS) for rival in RIVALS),
        Claim(
            "Limit: where the classifier itself takes the time, as a forest does, votes alone "
            "take at least 0.5 of the time of the plain loop.",
            ratio(VOTES, LOOP, "milliseconds", setting=FOREST, at_least=0.5), [FOREST],
        ),
    ],
)  # fmt: skip
