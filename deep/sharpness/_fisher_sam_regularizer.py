"""Sharpness-aware minimization over a Fisher ellipsoid in the training step."""

import torch

from ..frame._frozen_copy import bare
from ..frame._regularizer import Net, Regularizer
from ._fisher_sam import FisherSAM as FisherSAMOptimizer


class FisherSAM(Regularizer):
    """Steps with the gradient at the worst point of a Fisher ellipsoid (Kim et al. 2022).

    Wraps the optimizer in `skreg.deep.torch.FisherSAM`, with the squared gradient of the batch as
    diagonal Fisher information: two forward and two backward passes a step.

    Parameters
    ----------
    gamma : float, default=0.1
        Radius.
    eta : float, default=0.1
        Weight of the Fisher information; zero gives `SAM`.

    References
    ----------
    .. [1] M. Kim, D. Li, S. X. Hu, T. M. Hospedales, "Fisher SAM: Information Geometry and
       Sharpness Aware Minimisation", ICML 2022.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skreg.deep import DeepClassifier
    >>> from skreg.deep.regularizers import FisherSAM
    >>> X, y = load_iris(return_X_y=True)
    >>> model = DeepClassifier(regularizers=[("sam", FisherSAM())], max_epochs=20, random_state=0)
    >>> model.fit(X, y).score(X, y) > 0.9
    True
    """

    tasks = ("classification", "regression", "dense")

    repeats_passes = True

    def __init__(self, gamma: float = 0.1, eta: float = 0.1) -> None:
        self.gamma = gamma
        self.eta = eta

    def optimizer(self, net: Net, optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
        return FisherSAMOptimizer(
            optimizer, gamma=self.gamma, eta=self.eta, module=bare(net.module_)
        )
