"""Mixtures of pairs of samples in the training step."""

from collections.abc import Mapping
from typing import Any, Self

import torch

from ..frame._batches import check_number
from ..frame._regularizer import Batch, Net, Regularizer
from ..frame._targets import as_probabilities
from ..frame._views import mixup, n_samples


class Mixup(Regularizer):
    """Trains on weighted means of pairs of samples (Zhang et al. 2018).

    In each batch a share l ~ Beta(alpha, alpha) is drawn, and a random partner j of each sample i::

        x = l x_i + (1 - l) x_j,    y = l y_i + (1 - l) y_j

    Targets are class probabilities, or the real numbers of a regression. Of inputs that are a dict,
    a list or a tuple, all parts are mixed; integers, such as tokens, are refused.

    Sample weights count as repetitions on average: the loss of a pair has the weight of its first
    sample, and partners are drawn in proportion to their weights.

    Parameters
    ----------
    alpha : float, default=0.2
        Parameter of the beta distribution; zero mixes nothing. The authors recommend 0.1 to 0.4 for
        ImageNet and take 1 for CIFAR-10: larger values regularize more.

    References
    ----------
    .. [1] H. Zhang, M. Cisse, Y. N. Dauphin, D. Lopez-Paz, "mixup: Beyond Empirical Risk
       Minimization", ICLR 2018.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skreg.deep import DeepClassifier
    >>> from skreg.deep.regularizers import Mixup
    >>> X, y = load_iris(return_X_y=True)
    >>> model = DeepClassifier(regularizers=[("mixup", Mixup())], max_epochs=20, random_state=0)
    >>> model.fit(X, y).score(X, y) > 0.9
    True
    """

    tasks: tuple[str, ...] = ("classification", "regression")
    mixes_inputs = True
    softens_targets = True

    def __init__(self, alpha: float = 0.2) -> None:
        self.alpha = alpha

    def initialize(self) -> Self:
        check_number("alpha", self.alpha, 0.0)
        return self

    def inputs(self, net: Net, batch: Batch, X: Any) -> Any:
        """Draw the pairs and mix their inputs."""
        mixing = batch.extras[self] = self._draw(X, batch)
        return mixed_inputs(mixing, X)

    def _draw(self, X, batch):
        return mixup(n_samples(X), self.alpha, batch.y.device, weight=batch.sample_weight)

    def targets(self, net: Net, batch: Batch, y: torch.Tensor) -> torch.Tensor:
        y = as_probabilities(y, net.n_outputs_) if net.task_ == "classification" else y
        return batch.extras[self](y)


def mixed_inputs(mixing, X):
    """Mix each part of the inputs."""
    if isinstance(X, Mapping):
        return {key: mixed_inputs(mixing, part) for key, part in X.items()}
    if isinstance(X, list | tuple):
        return type(X)(mixed_inputs(mixing, part) for part in X)
    return mixing.inputs(X)
