"""Can a network train with one of sixteen successive weights, and does mask decay help it?

Hardware skips zeros that have a pattern: in each group of M successive weights at most N others.
Bambhaniya et al. (2024) find that the usual recipe, SR-STE, loses accuracy where few are kept, and
let the masked weights fade (MdGf) or the pattern tighten (SdGf) instead: up to two points better
beyond 80 % of zeros, on ViT-Base, SwinV2-Base and T5X-Base.

Small version: a perceptron 64-128-128-10 on 700 digits, both hidden weights N:M, 40 epochs of Adam
with a cosine schedule. Rivals are SR-STE and the straight-through estimator (STE), a dense network
whose weights are projected on the pattern after training, and gradual magnitude pruning to as many
weights of each layer without a pattern. The paper's advantage over SR-STE does not show at this
size: it needs vision transformers.
"""

from __future__ import annotations

from skreg.bench import Benchmark, Claim, Figure, Metric, Paper, Setting
from skreg.bench.arena.checks import all_of, gain, level
from skreg.bench.arena.dots import CAPTION, Dots, dots_of_methods
from skreg.bench.arena.nm_networks import by, dense, measure, nm_digits, one_shot, without_pattern

EXTRA = "deep"
PAPER = Paper(
    title="Progressive Gradient Flow for Robust N:M Sparsity Training in Transformers",
    authors=(
        "Bambhaniya, Abhimanyu Rajeshkumar", "Yazdanbakhsh, Amir", "Subramanian, Suvinay",
        "Kao, Sheng-Chun", "Agrawal, Shivani", "Evci, Utku", "Krishna, Tushar",
    ),
    venue="Conference on Parsimony and Learning",
    year=2025,
    here="N:M sparsity: skreg.deep.regularizers.NMSparsity, skreg.deep.torch.apply_nm_sparsity",
    arxiv="2402.04744",
    code="https://github.com/abhibambhaniya/progressive_gradient_flow_nm_sparsity",
)  # fmt: skip

DENSE, ONE_SHOT, UNSTRUCTURED = "Dense", "One shot", "Magnitude, no pattern"
STE, SRSTE = "STE", "SR-STE"
EXP, LINEAR, STEP = "MdGf, exponential", "MdGf, linear", "SdGf, stepwise"
MASKED = "MdGf, masked gradient"
METHODS = {
    DENSE: dense,
    ONE_SHOT: one_shot,
    STE: by("ste"),
    SRSTE: by("srste"),
    EXP: by("mdgf-exp"),
    LINEAR: by("mdgf-linear"),
    MASKED: by("mdgf-exp", gradient="masked"),
    STEP: by("sdgf-step"),
    UNSTRUCTURED: without_pattern,
}
RECIPES = [STE, SRSTE, EXP, LINEAR, MASKED, STEP]
TWO, SIXTEEN, THIRTYTWO = "2:4", "1:16", "1:32"


def setting(n: int, m: int, methods: list[str], *sizes: str) -> Setting:
    epochs = {"smallest": 1, "full": 40}
    return Setting(
        description=f"Perceptron 64-128-128-10 on 700 digits, {n} of {m} hidden weights.",
        data=nm_digits,
        measure=measure,
        metrics=["accuracy", "density", "off_pattern"],
        methods=methods,
        parameters={size: {"n": n, "m": m, "epochs": epochs[size]} for size in sizes},
    )


def ahead(method: str, rivals: str | list[str], pattern: str, at_least: float):
    return gain(method, rivals, "accuracy", setting=pattern, at_least=at_least)


def close(pattern: str):
    return all_of(ahead(EXP, SRSTE, pattern, -1), ahead(SRSTE, EXP, pattern, -1))


benchmark = Benchmark(
    settings={
        TWO: setting(2, 4, [DENSE, ONE_SHOT, SRSTE, EXP], "smallest", "full"),
        SIXTEEN: setting(1, 16, [*METHODS], "smallest", "full"),
        THIRTYTWO: setting(1, 32, [ONE_SHOT, SRSTE, EXP, STEP], "smallest", "full"),
    },
    methods=METHODS,
    metrics={
        "accuracy": Metric("Test accuracy", "%", digits=2, better="higher"),
        "density": Metric("Hidden weights used", "%", digits=2),
        "off_pattern": Metric("Layers off the pattern", digits=0),
    },
    repeats={"smallest": 1, "quick": 2, "full": 10},
    reference=EXP,
    claims=[
        Claim(
            "All recipes of N:M training have the pattern exactly.",
            all_of(
                *(level(name, "off_pattern", setting=SIXTEEN, at_most=0) for name in RECIPES),
                names=RECIPES,
            ),
            [SIXTEEN],
        ),
        Claim(
            "At 1:16 every recipe is at least 25 points ahead of one-shot pruning.",
            all_of(*(ahead(name, ONE_SHOT, SIXTEEN, 25) for name in RECIPES), names=RECIPES),
            [SIXTEEN], ["full"],
        ),
        Claim(
            "At 1:16 and 1:32 exponential mask decay is within one point of SR-STE.",
            all_of(close(SIXTEEN), close(THIRTYTWO)), [SIXTEEN, THIRTYTWO], ["full"],
        ),
        Claim(
            "At 2:4 one-shot pruning, SR-STE and mask decay are within one point of dense.",
            all_of(*(ahead(name, DENSE, TWO, -1) for name in (ONE_SHOT, SRSTE, EXP))),
            [TWO], ["full"],
        ),
        Claim(
            "The straight-through gradient is ahead of the masked one.",
            ahead(EXP, MASKED, SIXTEEN, 0), [SIXTEEN], ["full"],
        ),
        Claim(
            "Mask decay is ahead of SR-STE at 1:16 and 1:32, as in the paper's transformers.",
            all_of(ahead(EXP, SRSTE, SIXTEEN, 0), ahead(EXP, SRSTE, THIRTYTWO, 0)),
            [SIXTEEN, THIRTYTWO], ["full"],
        ),
        Claim(
            "Limit of the method: at this size it gains less than one point on SR-STE at 1:16.",
            ahead(SRSTE, EXP, SIXTEEN, -1), [SIXTEEN], ["full"],
        ),
        Claim(
            "Limit of the method: structure decay is 4 points behind SR-STE at 1:32.",
            ahead(SRSTE, STEP, THIRTYTWO, 4), [THIRTYTWO], ["full"],
        ),
        Claim(
            "Limit of the method: 1:16 costs more than one point of the dense accuracy.",
            ahead(DENSE, EXP, SIXTEEN, 1), [SIXTEEN], ["full"],
        ),
        Claim(
            "Limit of the method: as many weights without a pattern are more accurate.",
            ahead(UNSTRUCTURED, EXP, SIXTEEN, 0), [SIXTEEN], ["full"],
        ),
    ],
    figures=[
        Figure(
            CAPTION,
            dots_of_methods(
                Dots(SIXTEEN, "accuracy", "One of sixteen", "Test accuracy (%)"),
                Dots(THIRTYTWO, "accuracy", "One of thirty-two", "Test accuracy (%)"),
                methods=[*METHODS],
            ),
            [SIXTEEN, THIRTYTWO],
        )
    ],
)  # fmt: skip
