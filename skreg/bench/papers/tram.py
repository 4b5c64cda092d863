"""Does fine-tuning within a trust region keep what a pretrained network can do?

Sherborne et al. (ICLR 2024) take the gradient at a point uphill, as sharpness-aware minimization
(SAM) does, but go only as far as the network's predictions have moved (TRAM). They report that
networks fine-tuned so work better on data unlike those of fine-tuning.

A small version: a perceptron is pretrained on handwritten digits and their shifts by one pixel. Its
last layer is made anew, the labels are permuted, and it is fine-tuned on 100 digits without shifts.
Measured is the accuracy on test digits as they are, and on their four shifts, which fine-tuning
never showed; and by how much the loss of the 100 digits rises in a small box around the parameters.
All methods see the same batches in the same order, from the same pretrained network.

Rivals are Adam, weight decay, label smoothing, and the trust region as a penalty.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

from skreg.bench import (
    Benchmark,
    Claim,
    Figure,
    Metric,
    Setting,
    Verdict,
    by_seed,
    mean_and_standard_error,
)
from skreg.bench.arena.networks import one_thread, perceptron
from skreg.bench.arena.views import new_figure
from skreg.deep.torch import SAM, TRAM, FisherSAM, TrustRegionDistance, epsilon_sharpness

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as MatplotlibFigure

EXTRA = "deep"

ADAM, DECAY, SMOOTHING = "Adam", "Weight decay", "Label smoothing 0.1"
SAM_, ASAM, FISHER = "SAM, radius 0.05", "ASAM, radius 0.5", "Fisher SAM"
INITIAL, PREVIOUS, NOISED = "TRAM, initial", "TRAM, previous", "TRAM, noised inputs"
PENALTY, NOISED_PENALTY = "Penalty, initial", "Penalty, noised inputs"
SETTING = "Shifted digits"
SHIFTS = ((1, 0), (-1, 0), (0, 1), (0, -1))


class Task(NamedTuple):
    """A pretrained network with a new last layer; digits to fine-tune on and to test."""

    network: nn.Module
    X: torch.Tensor
    y: torch.Tensor
    X_test: torch.Tensor
    y_test: torch.Tensor
    epochs: int


class Method(NamedTuple):
    """What is done to plain Adam."""

    optimizer: Callable[[torch.optim.Optimizer], Any] | None = None
    distance: Callable[[], TrustRegionDistance] | None = None
    penalty: float = 0.0
    weight_decay: float = 0.0
    label_smoothing: float = 0.0


def initial_distance() -> TrustRegionDistance:
    return TrustRegionDistance("initial")


def noised_distance() -> TrustRegionDistance:
    generator = torch.Generator().manual_seed(0)
    return TrustRegionDistance("input_noise", sigma=0.5, generator=generator)


METHODS = {
    ADAM: Method(),
    DECAY: Method(weight_decay=0.1),
    SMOOTHING: Method(label_smoothing=0.1),
    SAM_: Method(lambda base: SAM(base, 0.05)),
    ASAM: Method(lambda base: SAM(base, 0.5, adaptive=True)),
    FISHER: Method(FisherSAM),
    INITIAL: Method(TRAM, initial_distance),
    PREVIOUS: Method(TRAM, TrustRegionDistance),
    NOISED: Method(TRAM, noised_distance),
    PENALTY: Method(distance=initial_distance, penalty=0.1),
    NOISED_PENALTY: Method(distance=noised_distance, penalty=0.1),
}


def shifted(X: torch.Tensor) -> torch.Tensor:
    """The four shifts by one pixel, around the edge."""
    images = X.reshape(-1, 8, 8)
    return torch.cat([images.roll(shift, (1, 2)).flatten(1) for shift in SHIFTS])


def pretrained_digits(seed: int, *, epochs: int, fine_tuning: int) -> Task:
    X, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(X))
    X = torch.tensor(X[order] / 16, dtype=torch.float32)
    y = torch.tensor(y[order])
    X_before = torch.cat([X[:900], shifted(X[:900])])
    y_before = y[:900].repeat(5)
    with one_thread(), torch.random.fork_rng():
        torch.manual_seed(seed)
        network = perceptron(64, 128, 128, 10)
        optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
        for index in batches(len(y_before), 64, epochs, seed):
            optimizer.zero_grad()
            F.cross_entropy(network(X_before[index]), y_before[index]).backward()
            optimizer.step()
        last: Any = network[-1]
        last.reset_parameters()
    y = torch.from_numpy(rng.permutation(10))[y]
    return Task(network, X[900:1000], y[900:1000], X[1000:], y[1000:], fine_tuning)


def batches(n: int, size: int, epochs: int, seed: int) -> Iterator[torch.Tensor]:
    """Indices of the batches of all epochs."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        yield from torch.randperm(n, generator=generator).split(size)


def fine_tuned(task: Task, method: Method, seed: int) -> tuple[nn.Module, float]:
    """The network after fine-tuning, and the mean distance of its steps."""
    network = copy.deepcopy(task.network)
    adam = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=method.weight_decay)
    distance = method.distance().setup(network) if method.distance else None
    optimizer: Any = method.optimizer(adam) if method.optimizer else adam
    two_passes, distances = method.optimizer is not None, []
    for index in batches(len(task.y), 32, task.epochs, seed):
        X, y = task.X[index], task.y[index]

        def loss_of(logits: torch.Tensor, X: torch.Tensor = X, y: torch.Tensor = y) -> torch.Tensor:
            loss = F.cross_entropy(logits, y, label_smoothing=method.label_smoothing)
            if distance is not None and method.penalty:
                loss = loss + method.penalty * distance.penalty(network, X, logits)
            return loss

        optimizer.zero_grad()
        logits = network(X)
        loss_of(logits).backward()
        if distance is not None:
            distances.append(distance(network, X, logits))
            distance.update(network)
        if not two_passes:
            optimizer.step()
            continue
        optimizer.first_step(*distances[-1:])
        optimizer.zero_grad()
        loss_of(network(X)).backward()
        optimizer.second_step()
    return network, float(torch.stack(distances).mean()) if distances else float("nan")


def measure(task: Task, methods: Mapping[str, Any], seed: int) -> Iterator[dict[str, Any]]:
    with one_thread():
        for name, method in methods.items():
            network, distance = fine_tuned(task, method, seed)
            with torch.no_grad():
                inside = (network(task.X_test).argmax(1) == task.y_test).double().mean()
                outside = network(shifted(task.X_test)).argmax(1) == task.y_test.repeat(4)
            sharpness = epsilon_sharpness(
                network.double(), F.cross_entropy, task.X.double(), task.y, eps=1e-3, lr=1.0
            )
            yield {
                "method": name,
                "inside": 100 * float(inside),
                "outside": 100 * float(outside.double().mean()),
                "sharpness": sharpness,
                "distance": distance,
            }


def gain(results: pd.DataFrame, metric: str, method: str, rival: str = ADAM) -> np.ndarray:
    values = by_seed(results, SETTING, metric, ["method"])
    return (values[method] - values[rival]).to_numpy()


def described(difference: np.ndarray) -> str:
    error = difference.std(ddof=1) / np.sqrt(len(difference))
    ahead = int((difference > 0).sum())
    return f"{difference.mean():+.2f} ± {error:.2f}, ahead on {ahead} of {len(difference)} seeds"


def tram_beats_adam(results: pd.DataFrame) -> Verdict:
    outside, inside = (gain(results, metric, INITIAL) for metric in ("outside", "inside"))
    return Verdict(
        bool(outside.mean() >= 0.5 and inside.mean() >= -0.5),
        f"shifted {described(outside)}; unshifted {inside.mean():+.2f}",
        "shifted ≥ +0.5 points, unshifted ≥ -0.5",
    )


def sam_beats_adam(results: pd.DataFrame) -> Verdict:
    differences = {name: gain(results, "outside", name) for name in (SAM_, ASAM)}
    return Verdict(
        all(difference.mean() > 0 for difference in differences.values()),
        "; ".join(f"{name}: {described(d)}" for name, d in differences.items()),
        "mean difference > 0 for both",
    )


def tram_beats_sam(results: pd.DataFrame) -> Verdict:
    values = by_seed(results, SETTING, "outside", ["method"]).mean()
    best = max((SAM_, ASAM, FISHER), key=values.get)
    difference = gain(results, "outside", INITIAL, best)
    error = difference.std(ddof=1) / np.sqrt(len(difference))
    return Verdict(
        bool(difference.mean() > 2 * error),
        f"against {best}: {described(difference)}",
        "more than two standard errors above the best of SAM, ASAM and Fisher SAM",
    )


def tram_beats_penalties(results: pd.DataFrame) -> Verdict:
    differences = {
        name: gain(results, "outside", INITIAL, name) for name in (PENALTY, NOISED_PENALTY)
    }
    return Verdict(
        all(difference.mean() > 0 for difference in differences.values()),
        "; ".join(f"{name}: {described(d)}" for name, d in differences.items()),
        "mean difference > 0 against both",
    )


def flatter(results: pd.DataFrame) -> Verdict:
    differences = {name: gain(results, "sharpness", name) for name in (SAM_, ASAM, INITIAL)}
    return Verdict(
        all(difference.mean() < 0 for difference in differences.values()),
        "; ".join(f"{name}: {d.mean():+.3f}" for name, d in differences.items()),
        "mean difference < 0 for SAM, ASAM and TRAM",
    )


def draw_gains(results: pd.DataFrame) -> MatplotlibFigure:
    figure, panels = new_figure(2)
    names = [name for name in METHODS if name != ADAM]
    titles = {"outside": "Shifted digits", "inside": "Unshifted digits"}
    for panel, (metric, title) in zip(panels, titles.items(), strict=True):
        values = by_seed(results, SETTING, metric, ["method"])
        statistics = mean_and_standard_error(values[names].sub(values[ADAM], axis=0))
        panel.errorbar(
            statistics["mean"], range(len(names)), xerr=statistics["standard_error"], fmt="o",
            color="#0072B2",
        )  # fmt: skip
        panel.axvline(0, color="#55595f", linewidth=0.8)
        labels = names if panel is panels[0] else [""] * len(names)
        panel.set_yticks(range(len(names)), labels=labels)
        panel.set(title=title, xlabel="Points above Adam")
        panel.invert_yaxis()
    return figure


benchmark = Benchmark(
    settings={
        SETTING: Setting(
            description=(
                "Perceptron 64-128-128-10, pretrained with Adam for 4 epochs on 900 digits and "
                "their four shifts; fine-tuned with Adam for 20 epochs of batches of 32 on 100 "
                "unshifted digits with permuted labels and a new last layer; 797 test digits and "
                "their shifts."
            ),
            data=pretrained_digits,
            measure=measure,
            metrics=["inside", "outside", "sharpness", "distance"],
            parameters={
                "smallest": {"epochs": 1, "fine_tuning": 2},
                "full": {"epochs": 4, "fine_tuning": 20},
            },
        )
    },
    methods=METHODS,
    metrics={
        "inside": Metric("Accuracy, unshifted", "%", digits=1, better="higher"),
        "outside": Metric("Accuracy, shifted", "%", digits=1, better="higher"),
        "sharpness": Metric("Sharpness in a box of 0.001", "%"),
        "distance": Metric("Mean trust-region distance"),
    },
    repeats={"smallest": 1, "quick": 30, "full": 30},
    reference=ADAM,
    together=True,
    claims=[
        Claim(
            "TRAM with the pretrained network as target is better than Adam on shifted digits.",
            tram_beats_adam,
            [SETTING],
        ),
        Claim("SAM and ASAM are better than Adam on shifted digits.", sam_beats_adam, [SETTING]),
        Claim("TRAM is better than SAM, ASAM and Fisher SAM.", tram_beats_sam, [SETTING]),
        Claim(
            "The trust region as a radius is better than as a penalty.",
            tram_beats_penalties,
            [SETTING],
        ),
        Claim("The minima are flatter than Adam's.", flatter, [SETTING]),
    ],
    figures=[
        Figure(
            "Accuracy after fine-tuning, relative to Adam: mean over the seeds with one standard "
            "error.",
            draw_gains,
            [SETTING],
        )
    ],
)
