"""Does a network that fits its training data generalise once it may not just scale its weights?

Prieto et al. (ICLR 2025) observe that a classifier at 100% training accuracy lowers its loss by
scaling its weights up, until the softmax collapses in floating point and learning stops before it
has generalised. Removing the gradient's component along the weights (perp-Grad) lets it generalise
within hundreds of epochs, without weight decay. StableMax, whose loss does not vanish, gets there
too, but needs tens of thousands of epochs, more than are run here.

In a small version of their experiment, a network learns addition modulo 59 from 40% of all pairs of
one-hot numbers, full batch, by AdamW without weight decay, in float32. Rivals are plain cross
entropy, label smoothing, and weight decays between 1 and 8.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from skreg.bench import Axis, Benchmark, Claim, Evidence, Figure, Metric, Paper, Setting, by_seed
from skreg.bench.arena.checks import Check, all_of, level, statistic
from skreg.bench.arena.networks import one_thread
from skreg.bench.arena.tensor_tasks import FullBatch, Pairs, addition, trained
from skreg.bench.arena.views import draw_curves, new_figure
from skreg.deep.torch import StableMaxCrossEntropyLoss, softmax_collapse_rate

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as MatplotlibFigure

EXTRA = "deep"
PAPER = Paper(
    title="Grokking at the Edge of Numerical Stability",
    authors=("Prieto, Lucas", "Barsbey, Melih", "Mediano, Pedro A. M.", "Birdal, Tolga"),
    venue="International Conference on Learning Representations",
    year=2025,
    here=(
        "skreg.deep.torch.StableMaxCrossEntropyLoss, skreg.deep.torch.OrthogonalGradient, "
        "skreg.deep.regularizers.StableMax, skreg.deep.regularizers.OrthogonalGradient"
    ),
    arxiv="2501.04697",
    code="https://github.com/LucasPrietoAl/grokking-at-the-edge-of-numerical-stability",
)

PLAIN, SMOOTHING = "Cross entropy", "Label smoothing 0.1"
DECAYS = {decay: f"Weight decay {decay:g}" for decay in (1.0, 3.0, 8.0)}
PERP, PERP_PLAIN = "perp-Grad, rescaled", "perp-Grad"
PERP_GLOBAL, PERP_STABLE = "perp-Grad, global", "perp-Grad and StableMax"
STABLE = "StableMax"
ADDITION = "Addition modulo 59"
LAST = 300  # epoch


METHODS = {
    PLAIN: FullBatch(),
    SMOOTHING: FullBatch(lambda: nn.CrossEntropyLoss(label_smoothing=0.1)),
    **{name: FullBatch(weight_decay=decay) for decay, name in DECAYS.items()},
    PERP: FullBatch(projection={"rescale": True}),
    PERP_PLAIN: FullBatch(projection={"rescale": False}),
    PERP_GLOBAL: FullBatch(projection={"rescale": False, "per": "global"}),
    PERP_STABLE: FullBatch(StableMaxCrossEntropyLoss, {"rescale": True}),
    STABLE: FullBatch(StableMaxCrossEntropyLoss),
}


def measure(pairs: Pairs, methods: Mapping[str, Any], seed: int) -> Iterator[dict[str, Any]]:
    with one_thread():
        for name, method in methods.items():
            for epoch, net in trained(pairs, method, seed):
                with torch.no_grad():
                    logits = net(pairs.X)
                    test = (net(pairs.X_test).argmax(1) == pairs.y_test).float().mean()
                yield {
                    "method": name,
                    "epoch": epoch,
                    "accuracy": float(test),
                    "train_accuracy": float((logits.argmax(1) == pairs.y).float().mean()),
                    "collapse": float(softmax_collapse_rate(logits)),
                }


def sooner(method: str, rival: str) -> Check:
    """A method reaches test accuracy 0.9 before a rival, by the epochs that are looked at."""

    def epochs_needed(evidence: Evidence, name: str) -> pd.Series:
        accuracy = by_seed(evidence.results, ADDITION, "accuracy", ["method", "epoch"])[name]
        reached = accuracy >= 0.9
        return reached.idxmax(axis=1).where(reached.any(axis=1), np.inf)

    def lead(evidence: Evidence) -> np.ndarray:
        return (epochs_needed(evidence, rival) - epochs_needed(evidence, method)).to_numpy()

    return statistic(lead, f"epochs before {rival}", at_least=1)


def draw_accuracy(results: pd.DataFrame) -> MatplotlibFigure:
    figure, panels = new_figure(2)
    shown = {
        "Without projection of the gradient": [PLAIN, SMOOTHING, *DECAYS.values(), STABLE],
        "With perp-Grad": [PERP, PERP_PLAIN, PERP_GLOBAL, PERP_STABLE],
    }
    for panel, (title, names) in zip(panels, shown.items(), strict=True):
        draw_curves(panel, results, ADDITION, "accuracy", "epoch", names)
        panel.set(title=title, xlabel="Epoch", ylabel="Test accuracy", ylim=(-0.03, 1.03))
        panel.set_xticks(results["epoch"].unique())
        panel.legend(loc="lower center", bbox_to_anchor=(0.5, 1.1), ncols=2, fontsize="small")
    return figure


benchmark = Benchmark(
    settings={
        ADDITION: Setting(
            description=(
                "1392 of all 3481 pairs for training; network 118-200-200-59 without biases, AdamW "
                "with learning rate 0.01."
            ),
            data=addition,
            measure=measure,
            metrics=["accuracy", "train_accuracy", "collapse"],
            axis=Axis("epoch", "Epoch"),
            parameters={
                "smallest": {"modulus": 7, "epochs": [50, LAST]},
                "full": {"modulus": 59, "epochs": [50, 100, 150, 200, 250, LAST]},
            },
        )
    },
    methods=METHODS,
    metrics={
        "accuracy": Metric("Test accuracy", better="higher"),
        "train_accuracy": Metric("Training accuracy", better="higher"),
        "collapse": Metric("Samples with collapsed softmax"),
    },
    repeats={"smallest": 1, "quick": 5, "full": 5},
    reference=PLAIN,
    claims=[
        Claim(
            "perp-Grad generalises, plain cross entropy only fits.",
            all_of(
                level(PERP_PLAIN, "accuracy", setting=ADDITION, at=LAST, at_least=0.9),
                level(PLAIN, "accuracy", setting=ADDITION, at=LAST, at_most=0.1),
                level(PLAIN, "train_accuracy", setting=ADDITION, at=LAST, at_least=1.0),
                names=["test accuracy", "test accuracy", "training accuracy"],
            ),
            [ADDITION],
        ),
        Claim(
            "So does perp-Grad rescaled, as in the code.",
            level(PERP, "accuracy", setting=ADDITION, at=LAST, at_least=0.9),
            [ADDITION],
        ),
        Claim(
            "The softmax of plain cross entropy collapses.",
            all_of(
                level(PLAIN, "collapse", setting=ADDITION, at=LAST, at_least=0.5),
                level(PERP_PLAIN, "collapse", setting=ADDITION, at=LAST, at_most=0.5),
            ),
            [ADDITION],
        ),
        Claim(
            "Weight decay needs longer.",
            all_of(*(sooner(PERP_PLAIN, name) for name in DECAYS.values())),
            [ADDITION],
        ),
    ],
    figures=[
        Figure(
            "Test accuracy by epoch: mean over the seeds, with a band of one standard error.",
            draw_accuracy,
            [ADDITION],
        )
    ],
)
