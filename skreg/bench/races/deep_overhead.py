"""What does a regularizer add to a training step?

Every regularizer of `skreg.deep.regularizers` but those for a class of each pixel, with its default
parameters, in the training step of a ResNet-18 on images of 32 x 32 pixels, on CUDA if it is there,
otherwise on one thread of the CPU. The methods take turns, a few steps each; the first turn, with
first batches and empty memories, does not count. What is added to the loss of the weights, not of
the samples, weighs less in larger batches. The time of a method is the least of its steps: seconds
on CUDA, CPU seconds otherwise. Ratios are to the plain step of the same run. Data are random: they
do not matter to the time.

On a small network, where a step is mostly Python, the step of the net itself is timed beside that
of skorch's own net and a loop written by hand, data loading and bookkeeping included.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import skorch
import torch
from torch import nn

from skreg.bench import Benchmark, Claim, Figure, Metric, Setting
from skreg.bench.arena.checks import Check, all_of, ratio
from skreg.bench.arena.dots import Dots, dots_of_methods
from skreg.bench.arena.networks import ResNet18, one_thread, perceptron
from skreg.deep import RegularizedNetClassifier, RegularizedNetRegressor, regularizers

EXTRA = "deep"
N_TURNS = 3  # with the first, which does not count
PLAIN = "plain"
SKORCH, BY_HAND = "skorch", "by hand"
CLASSIFICATION, REGRESSION, SMALL = "Classification", "Regression", "Small network"
FOR_REGRESSION = ("ConR",)
FOR_PIXELS = ("ADELE",)
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
BATCH_SIZE = 128 if DEVICE == "cuda" else 64


def as_it_is(X: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A view of a batch that costs nothing."""
    return X, y


ARGUMENTS = {"AdaWAC": (as_it_is,)}  # of those that have no defaults for all


def made(name: str) -> Any:
    """A regularizer with default parameters."""
    return getattr(regularizers, name)(*ARGUMENTS.get(name, ()))


class Timed:
    """Mixin of a net that keeps the time of each training step."""

    times_: list[float]

    def train_step(self, batch: Any, **fit_params: Any) -> Any:
        """Step, on the clock."""
        start = clock()
        step = super().train_step(batch, **fit_params)  # type: ignore[misc] # a mixin
        self.times_.append(clock() - start)
        return step


class TimedClassifier(Timed, RegularizedNetClassifier):
    """Classifier on the clock."""


class TimedRegressor(Timed, RegularizedNetRegressor):
    """Regressor on the clock."""


def clock() -> float:
    if DEVICE == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def training_data(seed: int, *, batch_size: int, n_steps: int, width: int) -> Any:
    rng = np.random.default_rng(seed)
    n = batch_size * n_steps
    X = rng.standard_normal((n, 3, 32, 32), dtype=np.float32)
    return X, np.arange(n) % 10, batch_size, width


def measure(problem: Any, methods: Mapping[str, Any], seed: int) -> Iterator[dict[str, Any]]:
    X, y, batch_size, width = problem
    if FOR_REGRESSION[0] in methods:
        y = np.random.default_rng(seed).standard_normal((len(X), 1), dtype=np.float32)
    nets = {}
    for name in methods:
        torch.manual_seed(seed)
        nets[name] = (TimedRegressor if y.ndim == 2 else TimedClassifier)(
            ResNet18,
            module__n_outputs=1 if y.ndim == 2 else 10,
            module__width=width,
            regularizers=[] if name == PLAIN else [("it", made(name))],
            optimizer__momentum=0.9,
            batch_size=batch_size,
            train_split=None,
            device=DEVICE,
            verbose=0,
        ).initialize()
        nets[name].times_ = []
    n_warm = len(X) // batch_size
    # threads that wait for each other would count as CPU seconds
    with one_thread() if DEVICE == "cpu" else contextlib.nullcontext():
        for _ in range(N_TURNS):
            for net in nets.values():
                net.partial_fit(X, y, epochs=1)
    plain = min(nets[PLAIN].times_[n_warm:])
    for name, net in nets.items():
        seconds = min(net.times_[n_warm:])
        yield {"method": name, "milliseconds": 1000 * seconds, "ratio": seconds / plain}


def small_data(seed: int, *, n_steps: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((64 * n_steps, 20), dtype=np.float32)
    return X, (X[:, 0] > 0).astype(np.int64)


def small_network() -> nn.Sequential:
    return perceptron(20, 64, 2)


def loop_by_hand(X: np.ndarray, y: np.ndarray) -> None:
    """One epoch as one writes it with torch alone."""
    model = small_network()
    optimizer = torch.optim.AdamW(model.parameters())
    loss_of = nn.CrossEntropyLoss()
    inputs, targets = torch.from_numpy(X), torch.from_numpy(y)
    for rows in torch.arange(len(inputs)).split(64):
        optimizer.zero_grad()
        loss = loss_of(model(inputs[rows]), targets[rows])
        loss.backward()
        optimizer.step()
        loss.item()


def epoch_of(net_class: Any) -> Callable[[np.ndarray, np.ndarray], None]:
    def epoch(X: np.ndarray, y: np.ndarray) -> None:
        net_class(
            small_network,
            criterion=nn.CrossEntropyLoss,
            optimizer=torch.optim.AdamW,
            max_epochs=1,
            batch_size=64,
            train_split=None,
            verbose=0,
        ).fit(X, y)

    return epoch


EPOCHS = {
    PLAIN: epoch_of(RegularizedNetClassifier),
    SKORCH: epoch_of(skorch.NeuralNetClassifier),
    BY_HAND: loop_by_hand,
}


def measure_small(problem: Any, methods: Mapping[str, Any], seed: int) -> Iterator[dict[str, Any]]:
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    with one_thread():
        for _ in range(6):
            for name in methods:
                torch.manual_seed(seed)
                start = time.process_time()
                EPOCHS[name](*problem)
                seconds[name].append(time.process_time() - start)
    fastest = {name: min(times) for name, times in seconds.items()}
    n_steps = len(problem[0]) / 64
    for name in methods:
        yield {
            "method": name,
            "milliseconds": 1000 * fastest[name] / n_steps,
            "ratio": fastest[name] / fastest[PLAIN],
        }


def costs_at_most(allowed: float, *names: str) -> Check:
    """A step with each of some regularizers is not much longer than the plain one."""
    return all_of(
        *(
            ratio(
                name,
                PLAIN,
                "milliseconds",
                setting=REGRESSION if name in FOR_REGRESSION else CLASSIFICATION,
                at_most=allowed,
            )
            for name in names
        ),
        names=names,
    )


def setting(description: str, methods: Sequence[str]) -> Setting:
    return Setting(
        description=f"{description} Batches of {BATCH_SIZE} images at full size, {DEVICE.upper()}.",
        data=training_data,
        measure=measure,
        metrics=["milliseconds", "ratio"],
        methods=[PLAIN, *methods],
        parameters={
            "smallest": {"batch_size": 4, "n_steps": 1, "width": 8},
            "full": {
                "batch_size": BATCH_SIZE,
                "n_steps": 1 if DEVICE == "cpu" else 10,
                "width": 64,
            },
        },
    )


NAMES = sorted(set(regularizers.__all__) - set(FOR_PIXELS), key=str.lower)
LIGHT = [name for name in NAMES if name in {"ELR", "PSKD", "ThresholdConsistentMargin"}]
CLASSIFIERS = [name for name in NAMES if name not in FOR_REGRESSION]

benchmark = Benchmark(
    settings={
        CLASSIFICATION: setting("Ten classes, cross entropy.", CLASSIFIERS),
        REGRESSION: setting("One target, squared error.", FOR_REGRESSION),
        SMALL: Setting(
            description="One hidden layer of 64 units on 20 features, batches of 64, CPU.",
            data=small_data,
            measure=measure_small,
            metrics=["milliseconds", "ratio"],
            methods=list(EPOCHS),
            parameters={"smallest": {"n_steps": 2}, "full": {"n_steps": 200}},
        ),
    },
    methods={name: name for name in (PLAIN, *NAMES, SKORCH, BY_HAND)},
    metrics={
        "milliseconds": Metric("Time of a step", "ms", digits=1),
        "ratio": Metric("Ratio to the plain step", digits=2),
    },
    repeats={"smallest": 1, "quick": 5, "full": 5},
    reference=PLAIN,
    together=True,
    serial=True,
    claims=[
        Claim(
            "A step of the net costs at most 1.1 steps of skorch's own.",
            ratio(PLAIN, SKORCH, "milliseconds", setting=SMALL, at_most=1.1),
            [SMALL],
            sizes=("full",),
        ),
        Claim(
            "Per-sample memories, metric losses and companded weights cost at most 15%.",
            costs_at_most(1.15, *LIGHT, "ConR", "WeightCompander"),
            [CLASSIFICATION, REGRESSION],
            sizes=("full",),
        ),
        Claim(
            "Sharpness-aware steps cost at most 2.1 plain ones.",
            costs_at_most(2.1, "SAM", "FisherSAM"),
            [CLASSIFICATION],
            sizes=("full",),
        ),
        Claim(
            "So does TRAM, which needs one forward pass more.",
            costs_at_most(2.1, "TRAM"),
            [CLASSIFICATION],
            sizes=("full",),
        ),
        Claim(
            "Masks on weights and channels cost at most 15%.",
            costs_at_most(1.15, "MagnitudePruning", "NMSparsity", "MaskSparsity", "SaRA"),
            [CLASSIFICATION],
            sizes=("full",),
        ),
        Claim(
            "Two passes, over a reference or a second view, cost at most 2.1 plain steps.",
            costs_at_most(2.1, "MaskTuning", "AdaWAC"),
            [CLASSIFICATION],
            sizes=("full",),
        ),
        Claim(
            "Orthogonality of all convolutions costs at most 30%.",
            costs_at_most(1.3, "ConvOrthogonality"),
            [CLASSIFICATION],
            sizes=("full",),
        ),
    ],
    figures=[
        Figure(
            "Time of a step beside the plain one: geometric means over the repeats with intervals "
            "at 95 %.",
            dots_of_methods(
                Dots(
                    CLASSIFICATION,
                    "ratio",
                    "ResNet-18",
                    "Ratio to the plain step",
                    geometric=True,
                ),
                methods=CLASSIFIERS,
            ),
            [CLASSIFICATION],
        )
    ],
)
