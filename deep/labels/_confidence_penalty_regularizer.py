"""A penalty on confident predictions in the training step."""

from typing import Any, Self

import torch

from ..frame._batches import check_number
from ..frame._regularizer import Batch, Net, Regularizer
from ._confidence_penalty import confidence_penalty


class ConfidencePenalty(Regularizer):
    """Rewards the entropy of the predicted class probabilities (Pereyra et al. 2017).

    Adds - strength * mean entropy of ``net.probabilities(y_pred)`` to the loss.

    Parameters
    ----------
    strength : float, default=0.1
        Strength, beta in the paper.

    References
    ----------
    .. [1] G. Pereyra, G. Tucker, J. Chorowski, L. Kaiser, G. Hinton, "Regularizing Neural Networks
       by Penalizing Confident Output Distributions", ICLR 2017 workshop.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skreg.deep import DeepClassifier
    >>> from skreg.deep.regularizers import ConfidencePenalty
    >>> X, y = load_iris(return_X_y=True)
    >>> model = DeepClassifier(
    ...     regularizers=[("penalty", ConfidencePenalty())], max_epochs=20, random_state=0
    ... )
    >>> model.fit(X, y).score(X, y) > 0.9
    True
    """

    tasks = ("classification", "dense")

    def __init__(self, strength: float = 0.1) -> None:
        self.strength = strength

    def initialize(self) -> Self:
        check_number("strength", self.strength, 0.0)
        return self

    def penalty(self, net: Net, batch: Batch, y_pred: Any, features: Any) -> torch.Tensor:
        """Penalize confident predictions."""
        return self.strength * confidence_penalty(net.probabilities(y_pred), batch.sample_weight)
