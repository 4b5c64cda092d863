"""Networks of the benchmarks of skreg.deep."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator

import torch
from torch import nn
from torch.nn import functional as F

from skreg.deep.torch import conv_singular_values


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread: cells run side by side."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def perceptron(
    n_inputs: int, *widths: int, dropout: float = 0.0, bias: bool = True
) -> nn.Sequential:
    """Fully connected layers with ReLU, and dropout if any, between them."""
    layers: list[nn.Module] = []
    for n_in, n_out in itertools.pairwise([n_inputs, *widths]):
        layers += [nn.Linear(n_in, n_out, bias), nn.ReLU()]
        layers += [nn.Dropout(dropout)] if dropout else []
    return nn.Sequential(*layers[: -2 if dropout else -1])


class ProxyNetwork(nn.Module):
    """Logits that are scaled cosines between an embedding and one proxy for each class."""

    def __init__(self, n_inputs: int, n_outputs: int, scale: float = 16.0) -> None:
        super().__init__()
        self.embedding = perceptron(n_inputs, 256, 32)
        self.proxies = nn.Parameter(torch.randn(n_outputs, 32))
        self.scale = scale

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Logits."""
        proxies = F.normalize(self.proxies, dim=1)
        return self.scale * F.linear(F.normalize(self.embedding(X), dim=1), proxies)


class CircularCNN(nn.Sequential):
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


class Block(nn.Module):
    """Two convolutions and a shortcut (He et al. 2016)."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(n_in, n_out, 3, stride, padding=1, bias=False)
        self.second = nn.Conv2d(n_out, n_out, 3, padding=1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(n_out), nn.BatchNorm2d(n_out)])
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or n_in != n_out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Output of the block."""
        inner = F.relu(self.norms[0](self.first(x)))
        return F.relu(self.norms[1](self.second(inner)) + self.shortcut(x))


class ResNet18(nn.Sequential):
    """ResNet-18 in its form for small images: no pooling before the blocks."""

    def __init__(self, n_outputs: int, width: int = 64) -> None:
        widths = [width, width, 2 * width, 4 * width, 8 * width]
        blocks = [
            Block(widths[i] if first else widths[i + 1], widths[i + 1], 2 if first and i else 1)
            for i in range(4)
            for first in (True, False)
        ]
        super().__init__(
            nn.Conv2d(3, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            *blocks,
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(8 * width, n_outputs),
        )
