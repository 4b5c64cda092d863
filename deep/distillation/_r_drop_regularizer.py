"""Consistency of two passes with different dropout, in the training step."""

from typing import Any, Self

import torch

from ..frame._batches import check_number
from ..frame._regularizer import Batch, Net, Regularizer
from ._r_drop import symmetric_divergence


class RDrop(Regularizer):
    """Draws two passes with different dropout together (R-Drop, Wu et al. 2021).

    Each batch goes through the module twice. With the predictions p and q of both passes::

        loss = (CE(p, y) + CE(q, y)) / 2 + strength (KL(p || q) + KL(q || p)) / 2

    This is half the paper's loss, which sums both cross entropies, at ``strength = alpha / 2``: so
    the scale of the loss, and with it the learning rate, is that of training without R-Drop.

    The network needs dropout, or something else that is random in training mode. It stands before
    regularizers that change the losses of samples, which then get the mean of both.
    Running statistics of batch normalization see each batch twice.

    Parameters
    ----------
    strength : float, default=1.0
        Strength, alpha / 2 in the paper.

    References
    ----------
    .. [1] L. Wu, J. Li, Y. Wang, Q. Meng, T. Qin, W. Chen, M. Zhang, T.-Y. Liu, "R-Drop:
       Regularized Dropout for Neural Networks", NeurIPS 2021.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from torch import nn
    >>> from skreg.deep import DeepClassifier
    >>> from skreg.deep.regularizers import RDrop
    >>> X, y = load_iris(return_X_y=True)
    >>> module = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 3))
    >>> model = DeepClassifier(
    ...     module, [("r_drop", RDrop())], standardize=True, lr=0.01, max_epochs=50, random_state=0
    ... )
    >>> model.fit(X, y).score(X, y) > 0.9
    True
    """

    tasks = ("classification",)
    reads_losses_of_criterion = True

    def __init__(self, strength: float = 1.0) -> None:
        self.strength = strength

    def initialize(self) -> Self:
        check_number("strength", self.strength, 0.0)
        return self

    def losses(self, net: Net, batch: Batch, losses: torch.Tensor) -> torch.Tensor:
        """Take the mean of the losses of two passes."""
        again = batch.extras[self] = net.forward_again(batch.X)
        return 0.5 * (losses + net.sample_losses(again, batch))

    def penalty(self, net: Net, batch: Batch, y_pred: Any, features: Any) -> torch.Tensor:
        """Penalize the divergence between both passes."""
        p, q = net.probabilities(y_pred), net.probabilities(batch.extras.pop(self))
        return self.strength * symmetric_divergence(p, q, batch.sample_weight)
