"""Orthogonal convolutions by a penalty in the training step."""

import warnings
from collections.abc import Callable
from typing import Any, Literal, Self

import torch

from ..frame._batches import check_number
from ..frame._frozen_copy import bare
from ..frame._regularizer import Batch, Net, Regularizer
from ._conv_existence import existence
from ._orthogonality_penalty import (
    layer_geometry,
    orthogonal_layers,
    orthogonality_penalty,
    orthogonality_report,
)


class ConvOrthogonality(Regularizer):
    r"""Keeps convolutions close to orthogonal maps (Achour et al. 2022).

    Adds `strength` times `skreg.deep.torch.orthogonality_penalty` to the loss. It acts on the
    kernels alone, thus its cost does not depend on the batch.

    Parameters
    ----------
    strength : float, default=0.01
        Factor of the penalty, :math:`\lambda` in the paper.
    layers : {"conv", "all"} or callable, default="conv"
        Convolutions; also linear layers; or those for which ``layers(name, layer)`` is true.
    exclude_first : bool, default=False
        Leave the first of these layers out.
    frequencies : {"auto", "all"} or int, default="auto"
        Random frequencies from which the penalty of wide layers is estimated, "all" for its exact
        value. With "auto", layers of more than 128 channels are estimated from one frequency.
    every : int, default=1
        Evaluate the penalty in every so many optimizer steps, with that many times the strength.
    monitor : bool, default=False
        After each epoch write ``orthogonality_loss``, ``sigma_min`` and ``sigma_max``, the extreme
        singular values of all layers with circular padding, to the history.

    Warns
    -----
    UserWarning
        When training begins, if there is no orthogonal layer of some layer's shape.

    References
    ----------
    .. [1] E. M. Achour, F. Malgouyres, F. Mamalet, "Existence, Stability and Scalability of
       Orthogonal Convolutional Neural Networks", JMLR 23, 2022.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from torch import nn
    >>> from skreg.deep import DeepClassifier
    >>> from skreg.deep.regularizers import ConvOrthogonality
    >>> X, y = load_digits(return_X_y=True)
    >>> class Net(nn.Sequential):
    ...     def __init__(self):
    ...         super().__init__(
    ...             nn.Unflatten(1, (1, 8, 8)),
    ...             nn.Conv2d(1, 6, 3, padding=1, padding_mode="circular"),
    ...             nn.ReLU(),
    ...             nn.Flatten(),
    ...             nn.Linear(384, 10),
    ...         )
    >>> model = DeepClassifier(
    ...     Net,
    ...     regularizers=[("orthogonal", ConvOrthogonality(1.0, monitor=True))],
    ...     max_epochs=10,
    ...     lr=0.01,
    ...     random_state=0,
    ... )
    >>> bool(model.fit(X / 16, y).history_["sigma_max"].iloc[-1] < 1.2)
    True
    """

    layers: Any  # chooses kernels, no features
    wanted_layers = ()

    def __init__(
        self,
        strength: float = 0.01,
        layers: Literal["conv", "all"] | Callable[..., Any] = "conv",
        *,
        exclude_first: bool = False,
        frequencies: Literal["auto", "all"] = "auto",
        every: int = 1,
        monitor: bool = False,
    ) -> None:
        self.strength = strength
        self.layers = layers
        self.exclude_first = exclude_first
        self.frequencies = frequencies
        self.every = every
        self.monitor = monitor

    def initialize(self) -> Self:
        check_number("strength", self.strength, 0)
        check_number("every", self.every, 1)
        return self

    def on_train_begin(self, net: Net, **kwargs: Any) -> None:
        """Warn about layers that cannot be orthogonal."""
        chosen = orthogonal_layers(bare(net.module_), self.layers, exclude_first=self.exclude_first)
        for name, layer in chosen:
            found = existence(layer_geometry(layer, layer.weight))
            if not found.exists:
                warnings.warn(
                    f"layer {name!r} cannot be orthogonal ({found.reason}); "
                    "the penalty makes it as orthogonal as it can be",
                    UserWarning,
                    stacklevel=2,
                )

    def penalty(self, net: Net, batch: Batch, y_pred: Any, features: Any) -> torch.Tensor | None:
        if batch.step % self.every:
            return None
        return (
            self.strength
            * self.every
            * orthogonality_penalty(
                bare(net.module_),
                self.layers,
                exclude_first=self.exclude_first,
                frequencies=self.frequencies,
            )
        )

    def on_epoch_end(self, net: Net, **kwargs: Any) -> None:
        """Record how orthogonal the layers are."""
        if not self.monitor:
            return
        report = orthogonality_report(
            bare(net.module_), self.layers, exclude_first=self.exclude_first
        )
        net.history.record("orthogonality_loss", sum(row.loss for row in report))
        net.history.record("sigma_min", min(row.sigma_min for row in report))
        net.history.record("sigma_max", max(row.sigma_max for row in report))
