"""Kernels of convolutions that descend on a penalty alone, without a network around them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import torch

from skreg.bench import Setting
from skreg.bench.arena.networks import one_thread
from skreg.deep.torch import conv_singular_values


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
