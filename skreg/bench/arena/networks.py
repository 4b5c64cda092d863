"""Networks of the benchmarks of skreg.deep, and what methods add to plain training."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from skreg.deep import Regularizer
from skreg.deep.torch import conv_singular_values, orthogonality_loss


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread: cells run side by side."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Method(NamedTuple):
    """What is added to plain training: regularizers, made anew for each fit, and skorch's names."""

    regularizers: tuple[Callable[[], Regularizer], ...] = ()
    net_params: Mapping[str, Any] = {}


PLAIN = Method()


def with_regularizer(make: Callable[..., Regularizer], *args: Any, **params: Any) -> Method:
    """Plain training and one regularizer."""
    return Method((functools.partial(make, *args, **params),))


def with_smoothing(strength: float) -> Method:
    """Plain training on smoothed labels."""
    return Method(net_params={"criterion__label_smoothing": strength})


def with_decay(strength: float) -> Method:
    """Plain training with weight decay."""
    return Method(net_params={"optimizer__weight_decay": strength})


def fitted(model: Any, method: Method, X: Any, y: Any, sample_weight: Any = None) -> Any:
    """The model of plain training, fitted with what a method adds, by one thread.

    Parameters
    ----------
    model : DeepClassifier or DeepRegressor
        Not fitted yet; changed.
    method : Method
        What is added. Its regularizers have the names of their classes.
    X, y, sample_weight : array-like
        As of ``fit``.

    Returns
    -------
    DeepClassifier or DeepRegressor
        The model.
    """
    regularizers = [make() for make in method.regularizers]
    model.set_params(
        regularizers=[(type(one).__name__, one) for one in regularizers],
        net_params={**(model.net_params or {}), **method.net_params},
    )
    with one_thread():
        return model.fit(X, y, sample_weight)


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


class GaussianNoise(Regularizer):
    """Adds noise of a standard deviation to the inputs of each step."""

    def __init__(self, scale: float = 0.1) -> None:
        self.scale = scale

    def inputs(self, net: Any, batch: Any, X: torch.Tensor) -> torch.Tensor:
        """Inputs with noise."""
        return X + self.scale * torch.randn_like(X)


class ContrastiveMargins(Regularizer):
    """The hinges of TCM, averaged over all pairs of a kind instead of the hard ones."""

    layer = "embedding"

    def __init__(self, margin_pos: float = 0.9, margin_neg: float = 0.5) -> None:
        self.margin_pos = margin_pos
        self.margin_neg = margin_neg

    def penalty(self, net: Any, batch: Any, y_pred: Any, features: Any) -> torch.Tensor:
        """Mean hinge of the pairs of one class, and of those of two classes."""
        z = F.normalize(features, dim=1)
        cosine = z @ z.T
        same = batch.y[:, None] == batch.y
        pairs = ~torch.eye(len(z), dtype=torch.bool, device=z.device)
        pull = (self.margin_pos - cosine).clamp(min=0)[same & pairs]
        push = (cosine - self.margin_neg).clamp(min=0)[~same]
        # a small last batch may hold no pair of a kind
        return pull.sum() / max(len(pull), 1) + push.sum() / max(len(push), 1)


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
