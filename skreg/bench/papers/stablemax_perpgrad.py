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

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from skreg.bench import Axis, Benchmark, Claim, Figure, Metric, Setting, Verdict, by_seed
from skreg.bench.arena.networks import one_thread
from skreg.bench.arena.views import draw_curves, new_figure
from skreg.deep.torch import (
    OrthogonalGradient,
    StableMaxCrossEntropyLoss,
    softmax_collapse_rate,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as MatplotlibFigure

EXTRA = "deep"

PLAIN, SMOOTHING = "Cross entropy", "Label smoothing 0.1"
DECAYS = {decay: f"Weight decay {decay:g}" for decay in (1.0, 3.0, 8.0)}
PERP, PERP_PLAIN = "perp-Grad, rescaled", "perp-Grad"
PERP_GLOBAL, PERP_STABLE = "perp-Grad, global", "perp-Grad and StableMax"
STABLE = "StableMax"
ADDITION = "Addition modulo 59"


class Pairs(NamedTuple):
    """Pairs of one-hot numbers with their sums, and when the network is looked at."""

    X: torch.Tensor
    y: torch.Tensor
    X_test: torch.Tensor
    y_test: torch.Tensor
    epochs: list[int]


class Method(NamedTuple):
    """Loss, projection of the gradient (None leaves it as it is), and decoupled weight decay."""

    loss: Callable[[], nn.Module] = nn.CrossEntropyLoss
    projection: dict | None = None
    weight_decay: float = 0.0


METHODS = {
    PLAIN: Method(),
    SMOOTHING: Method(lambda: nn.CrossEntropyLoss(label_smoothing=0.1)),
    **{name: Method(weight_decay=decay) for decay, name in DECAYS.items()},
    PERP: Method(projection={"rescale": True}),
    PERP_PLAIN: Method(projection={"rescale": False}),
    PERP_GLOBAL: Method(projection={"rescale": False, "per": "global"}),
    PERP_STABLE: Method(StableMaxCrossEntropyLoss, {"rescale": True}),
    STABLE: Method(StableMaxCrossEntropyLoss),
}


def addition(seed: int, *, modulus: int, epochs: list[int]) -> Pairs:
    numbers = torch.from_numpy(np.random.default_rng(seed).permutation(modulus**2))
    first, second = numbers // modulus, numbers % modulus
    X = torch.cat([F.one_hot(first, modulus), F.one_hot(second, modulus)], dim=1).float()
    y = (first + second) % modulus
    n_train = int(0.4 * len(y))
    return Pairs(X[:n_train], y[:n_train], X[n_train:], y[n_train:], epochs)


def trained(pairs: Pairs, method: Method, seed: int) -> Iterator[tuple[int, nn.Module]]:
    """Train, yielding the network at the wanted epochs."""
    torch.manual_seed(seed)
    n_inputs = pairs.X.shape[1]
    net = nn.Sequential(
        nn.Linear(n_inputs, 200, bias=False), nn.ReLU(), nn.Linear(200, 200, bias=False), nn.ReLU(),
        nn.Linear(200, n_inputs // 2, bias=False),
    )  # fmt: skip
    loss = method.loss()
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01, weight_decay=method.weight_decay)
    if method.projection is not None:
        optimizer = OrthogonalGradient(optimizer, **method.projection)
    for epoch in range(1, max(pairs.epochs) + 1):
        optimizer.zero_grad()
        loss(net(pairs.X), pairs.y).backward()
        optimizer.step()
        if epoch in pairs.epochs:
            yield epoch, net


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


def at_the_end(results: pd.DataFrame, metric: str = "accuracy") -> pd.DataFrame:
    last = results["epoch"].max()
    return by_seed(results[results["epoch"] == last], ADDITION, metric, ["method"])


def perp_generalises(results: pd.DataFrame) -> Verdict:
    accuracy, train = at_the_end(results), at_the_end(results, "train_accuracy")
    perp, plain = accuracy[PERP_PLAIN], accuracy[PLAIN]
    return Verdict(
        bool(perp.min() >= 0.9 and plain.max() <= 0.1 and train[PLAIN].min() == 1.0),
        f"test accuracy {perp.min():.3f} or more against {plain.max():.3f} or less, at training "
        f"accuracy {train[PLAIN].min():.3f}",
        "≥ 0.9 on every seed, plain cross entropy ≤ 0.1 at training accuracy 1",
    )


def scaled_perp_generalises(results: pd.DataFrame) -> Verdict:
    accuracy = at_the_end(results)[PERP]
    return Verdict(
        bool(accuracy.min() >= 0.9),
        f"test accuracy {accuracy.min():.3f} to {accuracy.max():.3f}",
        "≥ 0.9 on every seed",
    )


def weight_decay_is_no_match(results: pd.DataFrame) -> Verdict:
    accuracy = results.groupby(["method", "epoch"])["accuracy"].mean().unstack()

    def epochs_needed(name: str) -> float:
        reached = accuracy.columns[accuracy.loc[name] >= 0.9]
        return reached[0] if len(reached) else np.inf

    perp, decays = epochs_needed(PERP_PLAIN), {d: epochs_needed(n) for d, n in DECAYS.items()}
    best = min(decays, key=lambda decay: decays[decay])
    rival = "no weight decay reaches it"
    if decays[best] < np.inf:
        rival = f"with weight decay {best:g} by {decays[best]:g}"
    return Verdict(
        bool(perp < decays[best]),
        f"mean test accuracy 0.9 by epoch {perp:g}, {rival}",
        "sooner than every weight decay",
    )


def plain_collapses(results: pd.DataFrame) -> Verdict:
    collapse = at_the_end(results, "collapse")
    return Verdict(
        bool(collapse[PLAIN].mean() > 0.5 > collapse[PERP_PLAIN].mean()),
        f"softmax collapsed on {collapse[PLAIN].mean():.0%} of the training samples, with "
        f"perp-Grad on {collapse[PERP_PLAIN].mean():.0%}",
        "most against few",
    )


def draw_accuracy(results: pd.DataFrame) -> MatplotlibFigure:
    figure, panels = new_figure(2)
    shown = (
        [PLAIN, SMOOTHING, *DECAYS.values()],
        [PERP, PERP_PLAIN, PERP_GLOBAL, PERP_STABLE, STABLE],
    )
    for panel, names in zip(panels, shown, strict=True):
        draw_curves(panel, results, ADDITION, "accuracy", "epoch", names)
        panel.set(xlabel="Epoch", ylabel="Test accuracy", ylim=(-0.03, 1.03))
    panels[0].legend(loc="upper left")
    panels[1].legend(loc="center right", bbox_to_anchor=(1, 0.33), fontsize="x-small")
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
                "smallest": {"modulus": 7, "epochs": [1, 3]},
                "full": {"modulus": 59, "epochs": [50, 100, 150, 200, 250, 300]},
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
            "perp-Grad generalises, plain cross entropy only fits.", perp_generalises, [ADDITION]
        ),
        Claim("So does perp-Grad rescaled, as in the code.", scaled_perp_generalises, [ADDITION]),
        Claim("The softmax of plain cross entropy collapses.", plain_collapses, [ADDITION]),
        Claim("Weight decay needs longer.", weight_decay_is_no_match, [ADDITION]),
    ],
    figures=[
        Figure(
            "Test accuracy by epoch: mean over the seeds, with a band of one standard error.",
            draw_accuracy,
            [ADDITION],
        )
    ],
)
