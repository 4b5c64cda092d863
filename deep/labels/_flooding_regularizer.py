"""Flooding of the loss of each sample, in the training step."""

from typing import Self

import torch

from ..frame._batches import check_number
from ..frame._regularizer import Batch, Net, Regularizer
from ._flooding import flooded


class Flooding(Regularizer):
    """Keeps the loss of each sample from falling below a level (Xie et al. 2022).

    Once a sample is fitted better than `level`, its gradient changes sign, so that no sample is
    memorized to zero loss. The form of Ishida et al. (2020) floods the mean of a batch instead,
    which lets hard samples pay for easy ones and depends on the size of the batch.

    Parameters
    ----------
    level : float, default=0.1
        The flood level, in units of the loss.

    References
    ----------
    .. [1] Y. Xie, Z. Wang, Y. Li, C. Zhang, J. Zhou, B. Ding, "iFlood: A Stable and Effective
       Regularizer", ICLR 2022.
    .. [2] T. Ishida, I. Yamane, T. Sakai, G. Niu, M. Sugiyama, "Do We Need Zero Training Loss After
       Achieving Zero Training Error?", ICML 2020.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skreg.deep import DeepClassifier
    >>> from skreg.deep.regularizers import Flooding
    >>> X, y = load_iris(return_X_y=True)
    >>> model = DeepClassifier(regularizers=[("flood", Flooding(0.2))], random_state=0).fit(X, y)
    >>> bool(model.history_["train_loss"].min() >= 0.2)
    True
    """

    def __init__(self, level: float = 0.1) -> None:
        self.level = level

    def initialize(self) -> Self:
        check_number("level", self.level, 0.0)
        return self

    def losses(self, net: Net, batch: Batch, losses: torch.Tensor) -> torch.Tensor:
        """Reflect the losses at the level."""
        return flooded(losses, self.level)
