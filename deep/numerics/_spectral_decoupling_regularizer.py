"""A penalty on the size of the outputs in the training step."""

from typing import Any, Self

import torch

from ..frame._batches import check_number
from ..frame._regularizer import Batch, Net, Regularizer
from ._spectral_decoupling import spectral_decoupling


class SpectralDecoupling(Regularizer):
    """Penalizes large outputs, so that no feature starves the others (Pezeshki et al. 2021).

    Adds strength / 2 * mean ||z_i||^2 of the outputs z_i to the loss. Where cross entropy alone
    learns the easiest feature and then has no gradient left, all features go on learning. The
    authors put it in place of weight decay.

    Parameters
    ----------
    strength : float, default=0.01
        Strength, lambda in the paper.

    References
    ----------
    .. [1] M. Pezeshki, S.-O. Kaba, Y. Bengio, A. Courville, D. Precup, G. Lajoie, "Gradient
       Starvation: A Learning Proclivity in Neural Networks", NeurIPS 2021.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skreg.deep import DeepClassifier
    >>> from skreg.deep.regularizers import SpectralDecoupling
    >>> X, y = load_iris(return_X_y=True)
    >>> model = DeepClassifier(
    ...     regularizers=[("decoupled", SpectralDecoupling())], max_epochs=20, random_state=0
    ... )
    >>> model.fit(X, y).score(X, y) > 0.9
    True
    """

    tasks = ("classification", "dense")

    def __init__(self, strength: float = 1e-2) -> None:
        self.strength = strength

    def initialize(self) -> Self:
        check_number("strength", self.strength, 0.0)
        return self

    def penalty(self, net: Net, batch: Batch, y_pred: Any, features: Any) -> torch.Tensor:
        """Penalize large outputs."""
        return self.strength * spectral_decoupling(y_pred, batch.sample_weight)
