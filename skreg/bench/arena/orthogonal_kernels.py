"""Convolutions that should be orthogonal: kernels that descend on a penalty alone, and networks."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from skreg.bench import Setting
from skreg.bench.arena.deep_tasks import Split
from skreg.bench.arena.networks import CircularCNN, one_thread
from skreg.deep import DeepClassifier, Regularizer
from skreg.deep.torch import conv_singular_values, orthogonality_loss


class Kernel(NamedTuple):
    """A small random kernel to descend from."""

    weight: torch.Tensor
    stride: int
    n_steps: int


def random_kernel(seed: int, *, shape: tuple[int, int, int], n_steps: int) -> Kernel:
    """Kernel of 3 x 3 taps; `shape` are outputs, inputs and stride."""
    M, C, stride = shape
    generator = torch.Generator().manual_seed(seed)
    weight = 0.1 * torch.randn(M, C, 3, 3, generator=generator, dtype=torch.float64)
    return Kernel(weight, stride, n_steps)


def descended(kernel: Kernel, loss: Callable[..., torch.Tensor]) -> torch.Tensor:
    """The kernel after Adam on a loss, with a learning rate that falls to zero."""
    weight = kernel.weight.clone().requires_grad_()
    optimizer = torch.optim.Adam([weight])
    for step in range(kernel.n_steps):
        optimizer.param_groups[0]["lr"] = 0.02 * (1 - step / kernel.n_steps)
        optimizer.zero_grad()
        loss(weight, stride=kernel.stride).backward()
        optimizer.step()
    return weight.detach()


def measure_kernel(
    kernel: Kernel,
    methods: Mapping[str, Any],
    seed: int,
    *,
    losses: Mapping[str, Callable[..., torch.Tensor]],
) -> Iterator[dict[str, Any]]:
    """Extreme singular values of the convolution after descent on the loss of each method."""
    for name in methods:
        with one_thread():
            weight = descended(kernel, losses[name])
        sigma = conv_singular_values(weight, 8 * kernel.stride, stride=kernel.stride)
        yield {"method": name, "sigma_min": float(sigma.min()), "sigma_max": float(sigma.max())}


def descent(
    n_outputs: int,
    n_inputs: int,
    stride: int,
    losses: Mapping[str, Callable[..., torch.Tensor]],
) -> Setting:
    """The setting of kernels of one shape; `losses` are the methods."""
    steps = {"smallest": 5, "quick": 500, "full": 500}
    return Setting(
        f"{n_outputs} x {n_inputs} x 3 x 3; 500 steps of Adam, learning rate falling to zero.",
        functools.partial(random_kernel, shape=(n_outputs, n_inputs, stride)),
        functools.partial(measure_kernel, losses=losses),
        ["sigma_min", "sigma_max"],
        methods=[*losses],
        parameters={size: {"n_steps": n_steps} for size, n_steps in steps.items()},
    )


class FlattenedKernels(Regularizer):
    """Penalty on the flattened kernels of all convolutions."""

    def __init__(self, strength: float = 0.1) -> None:
        self.strength = strength

    def penalty(self, net: Any, batch: Any, y_pred: Any, features: Any) -> torch.Tensor:
        """The penalty."""
        layers = [layer for layer in net.module_.modules() if isinstance(layer, nn.Conv2d)]
        return self.strength * torch.stack([flattened_loss(conv.weight) for conv in layers]).sum()


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


def circular_convolutions(epochs: int, seed: int) -> DeepClassifier:
    """Three circular convolutions, by Adam."""
    return DeepClassifier(
        module=CircularCNN,
        optimizer=torch.optim.AdamW,
        lr=3e-3,
        max_epochs=epochs,
        batch_size=64,
        standardize=False,
        random_state=seed,
        net_params={"optimizer__weight_decay": 0.0},
    )


def robustness(model: Any, task: Split, seed: int, *, noise: float) -> dict[str, float]:
    """Accuracies without and with noise, and the extreme singular values of all convolutions."""
    added = np.random.default_rng(seed).normal(0, noise, task.X_test.shape).astype(np.float32)
    sigma = model.net_.module_.singular_values()
    return {
        "clean": 100 * model.score(task.X_test, task.y_test),
        "noisy": 100 * model.score(task.X_test + added, task.y_test),
        "sigma_min": float(sigma.min()),
        "sigma_max": float(sigma.max()),
    }
