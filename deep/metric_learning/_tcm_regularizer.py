"""Threshold-consistent margins in the training step."""

from typing import Any, Self

import torch

from ..frame._regularizer import Batch, Net, Regularizer
from ._tcm import ThresholdConsistentMarginLoss


class ThresholdConsistentMargin(Regularizer):
    """Brings the embeddings of all classes to the same cosine margins (Zhang et al. 2024).

    Adds `skreg.deep.torch.ThresholdConsistentMarginLoss` of the output of a layer.
    `skreg.metrics.operating_point_inconsistency_score` measures the effect. With sample weights, a
    pair of a batch has the product of the weights of its samples, as if each were there as often.

    Parameters
    ----------
    margin_pos : float, default=0.9
        Cosine above which a pair of one class costs nothing.
    margin_neg : float, default=0.5
        Cosine below which a pair of two classes costs nothing.
    weight_pos : float, default=1.0
        Weight of the pairs of one class.
    weight_neg : float, default=1.0
        Weight of the pairs of two classes.
    layer : str, default="penultimate"
        The layer whose output are the embeddings; ``"penultimate"`` is the input of the last linear
        layer.

    References
    ----------
    .. [1] Q. Zhang, L. Xu, Q. Tang, J. Fang, Y. N. Wu, J. Tighe, Y. Xing, "Threshold-Consistent
       Margin Loss for Open-World Deep Metric Learning", ICLR 2024.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skreg.deep import DeepClassifier
    >>> from skreg.deep.regularizers import ThresholdConsistentMargin
    >>> X, y = load_iris(return_X_y=True)
    >>> model = DeepClassifier(
    ...     regularizers=[("tcm", ThresholdConsistentMargin())], max_epochs=20, random_state=0
    ... )
    >>> model.fit(X, y).score(X, y) > 0.9
    True
    """

    tasks = ("classification",)
    beside_mixing = "never"

    def __init__(
        self,
        margin_pos: float = 0.9,
        margin_neg: float = 0.5,
        weight_pos: float = 1.0,
        weight_neg: float = 1.0,
        layer: str = "penultimate",
    ) -> None:
        self.margin_pos = margin_pos
        self.margin_neg = margin_neg
        self.weight_pos = weight_pos
        self.weight_neg = weight_neg
        self.layer = layer

    def initialize(self) -> Self:
        self.loss_ = ThresholdConsistentMarginLoss(
            self.margin_pos, self.margin_neg, self.weight_pos, self.weight_neg
        )
        return self

    def penalty(self, net: Net, batch: Batch, y_pred: Any, features: Any) -> torch.Tensor:
        """Take the loss of the embeddings of the batch."""
        return self.loss_(features.flatten(1), batch.y, sample_weight=batch.sample_weight)
