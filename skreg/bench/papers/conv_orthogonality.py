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
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
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
from skreg.bench.arena.networks import one_thread
from skreg.bench.arena.views import new_figure
from skreg.deep import DeepClassifier, Regularizer
from skreg.deep.regularizers import ConvOrthogonality
from skreg.deep.torch import conv_singular_values, orthogonality_loss

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as MatplotlibFigure

EXTRA = "deep"

PLAIN, DECAY, SMOOTHING = "Cross entropy", "Weight decay", "Label smoothing 0.1"
FLAT, OCNN = "Flattened kernel", "OCNN's code"
ORTHOGONAL = {strength: f"L_orth, strength {strength:g}" for strength in (1e-3, 1e-2, 1e-1)}
EXACT, STRONG = "L_orth alone", ORTHOGONAL[1e-1]
DIGITS = "Digits"
# kernels alone: outputs, inputs and stride
KERNELS = {
    "Kernels alone, 3 from 4 channels": (3, 4, 1),
    "Kernels alone, 8 from 3 channels": (8, 3, 1),
    "Kernels alone, 6 from 4 channels, stride 2": (6, 4, 2),
}
NOISE = 0.3


def flattened_loss(weight: torch.Tensor, stride: int = 1) -> torch.Tensor:
    """Squared distance of the kernel as an M x C k^2 matrix from orthogonal rows or columns."""
    return orthogonality_loss(weight.flatten(1))


def same_padding_loss(weight: torch.Tensor, stride: int = 1) -> torch.Tensor:
    """What the code of OCNN computes: correlations with padding 1, the target in their middle."""
    correlation = F.conv2d(weight, weight, stride=stride, padding=1)
    target = torch.zeros_like(correlation)
    middle = correlation.shape[-1] // 2
    target[:, :, middle, middle] = torch.eye(len(weight), dtype=weight.dtype)
    return (correlation - target).square().sum()


class FlattenedKernels(Regularizer):
    """Penalty on the flattened kernels of all convolutions."""

    def __init__(self, strength: float = 0.1) -> None:
        self.strength = strength

    def penalty(self, net: Any, batch: Any, y_pred: Any, features: Any) -> torch.Tensor:
        """The penalty."""
        layers = [layer for layer in net.module_.modules() if isinstance(layer, nn.Conv2d)]
        return self.strength * torch.stack([flattened_loss(conv.weight) for conv in layers]).sum()


class Method(NamedTuple):
    """A penalty for kernels alone, or what is added to plain training."""

    loss: Callable[..., torch.Tensor] | None = None
    regularizer: Callable[[], Regularizer] | None = None
    weight_decay: float = 0.0
    label_smoothing: float = 0.0


METHODS = {
    EXACT: Method(orthogonality_loss),
    OCNN: Method(same_padding_loss),
    PLAIN: Method(),
    DECAY: Method(weight_decay=0.1),
    SMOOTHING: Method(label_smoothing=0.1),
    FLAT: Method(flattened_loss, FlattenedKernels),
} | {
    name: Method(regularizer=functools.partial(ConvOrthogonality, strength))
    for strength, name in ORTHOGONAL.items()
}


class SmallCNN(nn.Sequential):
    """Three circular convolutions, 8 x 8 pixels to 4 x 4, and a linear layer."""

    def __init__(self) -> None:
        def conv(n_in: int, n_out: int, stride: int = 1) -> nn.Conv2d:
            return nn.Conv2d(n_in, n_out, 3, stride, padding=1, padding_mode="circular")

        super().__init__(
            nn.Unflatten(1, (1, 8, 8)),
            conv(1, 8),
            nn.ReLU(),
            conv(8, 16, stride=2),
            nn.ReLU(),
            conv(16, 16),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(256, 10),
        )

    def singular_values(self) -> torch.Tensor:
        """Singular values of the three convolutions, one after the other."""
        sizes = {1: 8, 3: 8, 5: 4}
        return torch.cat(
            [
                conv_singular_values(self[i].weight, size, stride=self[i].stride)
                for i, size in sizes.items()
            ]
        )


def random_kernel(seed: int, *, shape: tuple[int, int, int], n_steps: int) -> Any:
    M, C, stride = shape
    generator = torch.Generator().manual_seed(seed)
    weight = 0.1 * torch.randn(M, C, 3, 3, generator=generator, dtype=torch.float64)
    return weight, stride, n_steps


def measure_kernel(data: Any, methods: Mapping[str, Any], seed: int) -> Iterator[dict[str, Any]]:
    start, stride, n_steps = data
    with one_thread():
        for name, method in methods.items():
            weight = start.clone().requires_grad_()
            optimizer = torch.optim.Adam([weight], lr=0.02)
            for step in range(n_steps):
                optimizer.param_groups[0]["lr"] = 0.02 * (1 - step / n_steps)
                optimizer.zero_grad()
                method.loss(weight, stride=stride).backward()
                optimizer.step()
            sigma = conv_singular_values(weight, 8 * stride, stride=stride)
            yield {
                "method": name,
                "sigma_min": float(sigma.min()),
                "sigma_max": float(sigma.max()),
            }


def digits(seed: int, *, epochs: int) -> Any:
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(
        X.astype(np.float32) / 16, y, train_size=0.7, stratify=y, random_state=seed
    )
    noise = np.random.default_rng(seed).normal(0, NOISE, X_test.shape).astype(np.float32)
    return X, y, X_test, X_test + noise, y_test, epochs


def measure_digits(data: Any, methods: Mapping[str, Any], seed: int) -> Iterator[dict[str, Any]]:
    X, y, X_test, X_noisy, y_test, epochs = data
    for name, method in methods.items():
        model = DeepClassifier(
            module=SmallCNN,
            regularizers=[("it", method.regularizer())] if method.regularizer else None,
            optimizer=torch.optim.AdamW,
            lr=3e-3,
            max_epochs=epochs,
            batch_size=64,
            standardize=False,
            random_state=seed,
            net_params={
                "optimizer__weight_decay": method.weight_decay,
                "criterion__label_smoothing": method.label_smoothing,
            },
        )
        with one_thread():
            model.fit(X, y)
            sigma = model.net_.module_.singular_values()
            yield {
                "method": name,
                "clean": 100 * model.score(X_test, y_test),
                "noisy": 100 * model.score(X_noisy, y_test),
                "sigma_min": float(sigma.min()),
                "sigma_max": float(sigma.max()),
            }


def extremes(results: pd.DataFrame, settings: Sequence[str], name: str) -> tuple[float, float]:
    rows = results[results["setting"].isin(settings) & (results["method"] == name)]
    return rows["sigma_min"].min(), rows["sigma_max"].max()


def exact_reaches_orthogonality(results: pd.DataFrame) -> Verdict:
    low, high = extremes(results, list(KERNELS), EXACT)
    return Verdict(
        bool(low > 0.99 and high < 1.01), f"{low:.4f} to {high:.4f}", "all within 0.99 to 1.01"
    )


def others_do_not(results: pd.DataFrame) -> Verdict:
    found = {name: extremes(results, list(KERNELS), name) for name in (OCNN, FLAT)}
    return Verdict(
        all(low < 0.8 and high > 1.2 for low, high in found.values()),
        "; ".join(f"{name}: {low:.2f} to {high:.2f}" for name, (low, high) in found.items()),
        "some below 0.8 and some above 1.2",
    )


def penalty_bounds_singular_values(results: pd.DataFrame) -> Verdict:
    low, high = extremes(results, [DIGITS], STRONG)
    wide = extremes(results, [DIGITS], PLAIN)
    return Verdict(
        bool(low >= 0.7 and high <= 1.6),
        f"{low:.2f} to {high:.2f}; without: {wide[0]:.2f} to {wide[1]:.2f}",
        "0.7 to 1.6 on every seed",
    )


def robust_to_noise(results: pd.DataFrame) -> Verdict:
    clean, noisy = (by_seed(results, DIGITS, name, ["method"]) for name in ("clean", "noisy"))
    gain = noisy[STRONG] - noisy[PLAIN]
    loss = clean[PLAIN] - clean[STRONG]
    return Verdict(
        bool(gain.mean() >= 4 and loss.mean() <= 3),
        f"{gain.mean():+.1f} points on noisy digits, higher on {int((gain > 0).sum())} of "
        f"{len(gain)} seeds; {-loss.mean():+.1f} on clean ones",
        "noisy ≥ +4, clean ≥ -3",
    )


def beats_rivals(results: pd.DataFrame) -> Verdict:
    noisy = by_seed(results, DIGITS, "noisy", ["method"]).mean()
    best = max((PLAIN, DECAY, SMOOTHING, FLAT), key=noisy.get)
    return Verdict(
        bool(noisy[STRONG] > noisy[best]),
        f"{noisy[STRONG]:.1f} %, best rival ({best}) {noisy[best]:.1f} %",
        "mean accuracy on noisy digits above that of every rival",
    )


def draw_accuracies(results: pd.DataFrame) -> MatplotlibFigure:
    figure, panels = new_figure(2)
    names = [PLAIN, DECAY, SMOOTHING, FLAT, *ORTHOGONAL.values()]
    accuracy = {
        metric: mean_and_standard_error(by_seed(results, DIGITS, metric, ["method"]))
        for metric in ("clean", "noisy")
    }
    for (metric, statistics), marker, colour in zip(
        accuracy.items(), "os", ("#0072B2", "#D55E00"), strict=True
    ):
        panels[0].errorbar(
            statistics.loc[names, "mean"], range(len(names)),
            xerr=statistics.loc[names, "standard_error"], fmt=marker, color=colour, label=metric,
        )  # fmt: skip
    panels[0].set_yticks(range(len(names)), labels=names)
    panels[0].set(xlabel="Accuracy on test digits (%)")
    panels[0].legend(loc="best")
    for number, name in enumerate(names):
        low, high = (
            by_seed(results, DIGITS, metric, ["method"])[name].mean()
            for metric in ("sigma_min", "sigma_max")
        )
        panels[1].plot([low, high], [number, number], "o-", color="#0072B2")
    panels[1].axvline(1, color="#55595f", linewidth=0.8)
    panels[1].set_yticks(range(len(names)), labels=[""] * len(names))
    panels[1].set(xlabel="Smallest and largest singular value")
    for panel in panels:
        panel.invert_yaxis()
    return figure


benchmark = Benchmark(
    settings={
        name: Setting(
            description=f"{M} x {C} x 3 x 3; 500 steps of Adam, learning rate falling to zero.",
            data=random_kernel,
            measure=measure_kernel,
            metrics=["sigma_min", "sigma_max"],
            methods=[EXACT, OCNN, FLAT],
            parameters={
                "smallest": {"shape": (M, C, stride), "n_steps": 5},
                "quick": {"shape": (M, C, stride), "n_steps": 500},
                "full": {"shape": (M, C, stride), "n_steps": 500},
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
            data=digits,
            measure=measure_digits,
            metrics=["clean", "noisy", "sigma_min", "sigma_max"],
            methods=[PLAIN, DECAY, SMOOTHING, FLAT, *ORTHOGONAL.values()],
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
            exact_reaches_orthogonality,
            list(KERNELS),
        ),
        Claim(
            "Descent on the flattened kernel, or with same padding, does not.",
            others_do_not,
            list(KERNELS),
        ),
        Claim(
            "In a network, L_orth keeps all singular values near one.",
            penalty_bounds_singular_values,
            [DIGITS],
        ),
        Claim("Orthogonality is robust to noise at little cost.", robust_to_noise, [DIGITS]),
        Claim("No rival is as robust.", beats_rivals, [DIGITS]),
    ],
    figures=[
        Figure(
            "Accuracy (left) with one standard error, and extreme singular values of all "
            "convolutions (right), means over the seeds.",
            draw_accuracies,
            [DIGITS],
        )
    ],
)
