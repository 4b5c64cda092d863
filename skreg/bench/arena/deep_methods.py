"""What methods add to the plain training of a network; rivals that skreg.deep does not ship."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from skreg.bench.arena.networks import one_thread
from skreg.deep import Regularizer
from skreg.deep.torch import ExperimentalWarning, orthogonality_loss


class Method(NamedTuple):
    """What is added to plain training.

    Attributes
    ----------
    regularizers : tuple of callable
        They are made anew for each fit.
    net_params : mapping of str to object
        By skorch's names.
    sample_weight : callable or None
        Weights of the training samples by their targets.
    n_networks : int
        Networks that take turns, each of which gets the epochs of plain training.
    """

    regularizers: tuple[Callable[[], Regularizer], ...] = ()
    net_params: Mapping[str, Any] = {}
    sample_weight: Callable[[Any], Any] | None = None
    n_networks: int = 1


def with_regularizer(make: Callable[..., Regularizer], *args: Any, **params: Any) -> Method:
    """Plain training and one regularizer."""
    return Method((functools.partial(make, *args, **params),))


def with_smoothing(strength: float) -> Method:
    """Plain training on smoothed labels."""
    return Method(net_params={"criterion__label_smoothing": strength})


def with_decay(strength: float) -> Method:
    """Plain training with weight decay."""
    return Method(net_params={"optimizer__weight_decay": strength})


def fitted(model: Any, method: Method, X: Any, y: Any) -> Any:
    """The model of plain training, fitted with what a method adds, by one thread.

    Parameters
    ----------
    model : DeepClassifier or DeepRegressor
        Not fitted yet; changed. It may have regularizers that belong to plain training.
    method : Method
        What is added. Its regularizers have the names of their classes.
    X, y : array-like
        As of ``fit``.

    Returns
    -------
    DeepClassifier or DeepRegressor
        The model.
    """
    weights = None if method.sample_weight is None else method.sample_weight(y)
    with one_thread(), warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # the benchmark's docstring says it
        added = [make() for make in method.regularizers]
        model.set_params(
            regularizers=[
                *(model.regularizers or ()),
                *((type(one).__name__, one) for one in added),
            ],
            net_params={**(model.net_params or {}), **method.net_params},
        )
        return model.fit(X, y, weights)


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
