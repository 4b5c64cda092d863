"""Do orthogonal convolutions follow from a penalty on the kernel, and what are they good for?

Achour, Malgouyres and Mamalet (JMLR 2022) show when orthogonal convolutions exist, and that a
penalty on the kernel alone, L_orth, is zero exactly at them, whatever the size of the image.

"Kernels alone": descent on a penalty from small random kernels. Measured are the extreme singular
values of the convolution. Rivals are the penalty of the code published with OCNN (Wang et al.,
CVPR 2020), whose correlations have "same" padding, and the usual one on the flattened kernel.

"Digits": small networks with circular convolutions on handwritten digits. Measured is the accuracy
on test digits, on test digits with Gaussian noise, and the extreme singular values of all layers.
Rivals are cross entropy alone, weight decay, label smoothing, and the flattened kernel.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from skreg.bench import Benchmark, Claim, Evidence, Figure, Metric, Paper, Setting
from skreg.bench.arena.checks import Check, all_of, every, gain, level, statistic
from skreg.bench.arena.deep_methods import (
    FlattenedKernels,
    Method,
    fitted,
    flattened_loss,
    same_padding_loss,
    with_decay,
    with_regularizer,
    with_smoothing,
)
from skreg.bench.arena.deep_tasks import digits, for_epochs
from skreg.bench.arena.dots import Dots, dots_of_methods
from skreg.bench.arena.networks import CircularCNN, one_thread
from skreg.bench.arena.tensor_tasks import Kernel, descended, random_kernel
from skreg.deep import DeepClassifier
from skreg.deep.regularizers import ConvOrthogonality
from skreg.deep.torch import conv_singular_values, orthogonality_loss

EXTRA = "deep"
PAPER = Paper(
    title="Existence, Stability and Scalability of Orthogonal Convolutional Neural Networks",
    authors=("Achour, El Mehdi", "Malgouyres, François", "Mamalet, Franck"),
    venue="Journal of Machine Learning Research 23",
    year=2022,
    here=(
        "skreg.deep.regularizers.ConvOrthogonality, skreg.deep.torch.orthogonality_loss, "
        "skreg.deep.torch.orthogonal_conv_exists, skreg.deep.torch.orthogonal_conv_init_"
    ),
    kind="article",
    arxiv="2108.05623",
    code="https://github.com/deel-ai/deel-lip",
)

PLAIN, DECAY, SMOOTHING = "Cross entropy", "Weight decay", "Label smoothing 0.1"
FLAT, OCNN = "Flattened kernel", "OCNN's code"
ORTHOGONAL = {strength: f"L_orth, strength {strength:g}" for strength in (1e-3, 1e-2, 1e-1)}
EXACT, STRONG = "L_orth alone", ORTHOGONAL[1e-1]
DIGITS = "Digits"
NETWORKS = [PLAIN, DECAY, SMOOTHING, FLAT, *ORTHOGONAL.values()]
# kernels alone: outputs, inputs and stride
KERNELS = {
    "Kernels alone, 3 from 4 channels": (3, 4, 1),
    "Kernels alone, 8 from 3 channels": (8, 3, 1),
    "Kernels alone, 6 from 4 channels, stride 2": (6, 4, 2),
}
NOISE = 0.3

LOSSES = {EXACT: orthogonality_loss, OCNN: same_padding_loss, FLAT: flattened_loss}
METHODS = {
    EXACT: Method(),
    OCNN: Method(),
    PLAIN: Method(),
    DECAY: with_decay(0.1),
    SMOOTHING: with_smoothing(0.1),
    FLAT: with_regularizer(FlattenedKernels),
    **{name: with_regularizer(ConvOrthogonality, s) for s, name in ORTHOGONAL.items()},
}


def measure_kernel(
    kernel: Kernel, methods: Mapping[str, Any], seed: int
) -> Iterator[dict[str, Any]]:
    for name in methods:
        with one_thread():
            weight = descended(kernel, LOSSES[name])
        sigma = conv_singular_values(weight, 8 * kernel.stride, stride=kernel.stride)
        yield {"method": name, "sigma_min": float(sigma.min()), "sigma_max": float(sigma.max())}


def measure_digits(data: Any, methods: Mapping[str, Any], seed: int) -> Iterator[dict[str, Any]]:
    task, epochs = data
    noise = np.random.default_rng(seed).normal(0, NOISE, task.X_test.shape).astype(np.float32)
    for name, method in methods.items():
        model = DeepClassifier(
            module=CircularCNN,
            optimizer=torch.optim.AdamW,
            lr=3e-3,
            max_epochs=epochs,
            batch_size=64,
            standardize=False,
            random_state=seed,
            net_params={"optimizer__weight_decay": 0.0},
        )
        sigma = fitted(model, method, task.X, task.y).net_.module_.singular_values()
        with one_thread():
            yield {
                "method": name,
                "clean": 100 * model.score(task.X_test, task.y_test),
                "noisy": 100 * model.score(task.X_test + noise, task.y_test),
                "sigma_min": float(sigma.min()),
                "sigma_max": float(sigma.max()),
            }


def of_all_kernels(
    name: str, metric: str, *, at_least: float | None = None, at_most: float | None = None
) -> Check:
    """The smallest or largest singular value of all kernels alone is bounded."""

    def extremes(evidence: Evidence) -> np.ndarray:
        values = np.array([evidence.values(setting, metric, name) for setting in KERNELS])
        return values.min(axis=0) if metric == "sigma_min" else values.max(axis=0)

    label = f"{'smallest' if metric == 'sigma_min' else 'largest'} singular value of {name}"
    return statistic(extremes, label, at_least=at_least, at_most=at_most)


benchmark = Benchmark(
    seconds={"quick": 14},
    settings={
        name: Setting(
            description=f"{M} x {C} x 3 x 3; 500 steps of Adam, learning rate falling to zero.",
            data=functools.partial(random_kernel, shape=(M, C, stride)),
            measure=measure_kernel,
            metrics=["sigma_min", "sigma_max"],
            methods=[*LOSSES],
            parameters={
                "smallest": {"n_steps": 5},
                "quick": {"n_steps": 500},
                "full": {"n_steps": 500},
            },
        )
        for name, (M, C, stride) in KERNELS.items()
    }
    | {
        DIGITS: Setting(
            description=(
                "1257 training digits of 8 x 8 pixels; circular convolutions 1 → 8, 8 → 16 with "
                "stride 2, 16 → 16, ReLU, a linear layer; 30 epochs of Adam; test digits with and "
                f"without noise of standard deviation {NOISE}."
            ),
            data=for_epochs(functools.partial(digits, train_size=0.7)),
            measure=measure_digits,
            metrics=["clean", "noisy", "sigma_min", "sigma_max"],
            methods=NETWORKS,
            parameters={"smallest": {"epochs": 1}, "full": {"epochs": 30}},
        ),
    },
    methods=METHODS,
    metrics={
        "clean": Metric("Accuracy, clean", "%", digits=1, better="higher"),
        "noisy": Metric("Accuracy, noisy", "%", digits=1, better="higher"),
        "sigma_min": Metric("Smallest singular value", digits=2, better="higher"),
        "sigma_max": Metric("Largest singular value", digits=2),
    },
    repeats={"smallest": 1, "quick": 5, "full": 5},
    reference=PLAIN,
    claims=[
        Claim(
            "Descent on L_orth reaches orthogonal convolutions.",
            all_of(
                every(EXACT, "sigma_min", settings=[*KERNELS], at_least=0.99),
                every(EXACT, "sigma_max", settings=[*KERNELS], at_most=1.01),
                names=["smallest singular value", "largest"],
            ),
            [*KERNELS],
        ),
        Claim(
            "Descent on the flattened kernel, or with same padding, does not.",
            all_of(
                *(of_all_kernels(name, "sigma_min", at_most=0.8) for name in (OCNN, FLAT)),
                *(of_all_kernels(name, "sigma_max", at_least=1.2) for name in (OCNN, FLAT)),
            ),
            [*KERNELS],
        ),
        Claim(
            "In a network, L_orth keeps all singular values near one.",
            all_of(
                level(STRONG, "sigma_min", setting=DIGITS, at_least=0.7),
                level(STRONG, "sigma_max", setting=DIGITS, at_most=1.6),
                names=["smallest", "largest"],
            ),
            [DIGITS],
        ),
        Claim(
            "Orthogonality is robust to noise at little cost.",
            all_of(
                gain(STRONG, PLAIN, "noisy", setting=DIGITS, at_least=4),
                gain(STRONG, PLAIN, "clean", setting=DIGITS, at_least=-3),
                names=["noisy digits", "clean digits"],
            ),
            [DIGITS],
        ),
        Claim(
            "No rival is as robust.",
            gain(STRONG, [PLAIN, DECAY, SMOOTHING, FLAT], "noisy", setting=DIGITS),
            [DIGITS],
        ),
    ],
    figures=[
        Figure(
            "Means over the seeds with intervals at 95 %; singular values of all convolutions.",
            dots_of_methods(
                Dots(DIGITS, {"clean": "clean", "noisy": "noisy"}, "Test digits", "Accuracy (%)"),
                Dots(
                    DIGITS,
                    {"sigma_min": "smallest", "sigma_max": "largest"},
                    "Singular values",
                    "Stretching by a convolution",
                ),
                methods=NETWORKS,
            ),
            [DIGITS],
        )
    ],
)
