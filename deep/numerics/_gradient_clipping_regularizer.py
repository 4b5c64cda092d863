"""Gradients of bounded size in the training step."""

from typing import Any

import torch

from ..frame._optimizer import OptimizerWrapper, innermost
from ..frame._regularizer import Batch, Net, Regularizer
from ._gradient_clipping import GradientClipping as ClippingOptimizer


class GradientClipping(Regularizer):
    """Shortens long gradients before each step of the optimizer (Pascanu et al. 2013).

    What is clipped is what the optimizer steps with, wherever this stands in the list: the gradient
    of the second pass of sharpness-aware minimization, the mean over accumulated batches, what is
    left after projections, in float16 after the scaling is undone.

    The history gets ``gradient_norm`` for each epoch, the mean over its steps of the norm before
    clipping: a bound far above it never acts. ``max_norm=None`` only watches.

    Parameters
    ----------
    max_norm : float or None, default=1.0
        Largest Euclidean norm of the gradient of all parameters; None for no bound.
    value : float or None, default=None
        Largest absolute value of an entry, after the norm; None for no bound.

    References
    ----------
    .. [1] R. Pascanu, T. Mikolov, Y. Bengio, "On the difficulty of training recurrent neural
       networks", ICML 2013.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skreg.deep import DeepClassifier
    >>> from skreg.deep.regularizers import GradientClipping
    >>> X, y = load_iris(return_X_y=True)
    >>> clipping = GradientClipping(max_norm=1.0)
    >>> model = DeepClassifier(regularizers=[("clip", clipping)], max_epochs=20, random_state=0)
    >>> bool((model.fit(X, y).history_["gradient_norm"] > 0).all())
    True
    """

    def __init__(self, max_norm: float | None = 1.0, value: float | None = None) -> None:
        self.max_norm = max_norm
        self.value = value

    def optimizer(self, net: Net, optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
        """Wrap the innermost optimizer."""
        self.norms_: list[torch.Tensor] = []
        self.clipping_ = ClippingOptimizer(innermost(optimizer), self.max_norm, self.value)
        return around(self.clipping_, optimizer)

    def on_epoch_begin(self, net: Net, **kwargs: Any) -> None:
        self.norms_ = []

    def after_step(self, net: Net, batch: Batch) -> None:
        """Keep the norm of the gradient of the step."""
        norm, self.clipping_.norm = self.clipping_.norm, None
        if norm is not None:  # float16 leaves out steps whose gradient overflows
            self.norms_.append(norm)

    def on_epoch_end(self, net: Net, **kwargs: Any) -> None:
        """Record the mean norm."""
        mean = torch.stack(self.norms_).mean().item() if self.norms_ else float("nan")
        net.history.record("gradient_norm", mean)
        self.norms_ = []


def around(base, optimizer):
    """Put `base` in place of the innermost optimizer."""
    if not isinstance(optimizer, OptimizerWrapper):
        return base
    outer = optimizer
    while isinstance(outer.base, OptimizerWrapper):
        outer = outer.base
    outer.base = base
    return optimizer
