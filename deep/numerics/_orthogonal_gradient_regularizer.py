"""Gradients without their component along the weights, in the training step."""

from typing import Literal

import torch

from ..frame._regularizer import Net, Regularizer
from ._orthogonal_gradient import OrthogonalGradient as OrthogonalOptimizer


class OrthogonalGradient(Regularizer):
    """Removes from each gradient its component along the weights (Prieto et al. 2025).

    Wraps the optimizer in `skreg.deep.torch.OrthogonalGradient`.

    Parameters
    ----------
    rescale : bool, default=True
        Keep the length of the gradient, as the authors' code does.
    per : {"tensor", "global"}, default="tensor"
        Project each parameter by itself, or all as one vector.
    min_ndim : int, default=2
        Parameters of fewer dimensions keep their gradient.

    References
    ----------
    .. [1] L. Prieto, M. Barsbey, P. Mediano, T. Birdal, "Grokking at the Edge of Numerical
       Stability", ICLR 2025.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skreg.deep import DeepClassifier
    >>> from skreg.deep.regularizers import OrthogonalGradient
    >>> X, y = load_iris(return_X_y=True)
    >>> model = DeepClassifier(
    ...     regularizers=[("orthogonal", OrthogonalGradient())], max_epochs=20, random_state=0
    ... )
    >>> model.fit(X, y).score(X, y) > 0.9
    True
    """

    tasks = ("classification", "regression", "dense")

    def __init__(
        self, rescale: bool = True, per: Literal["tensor", "global"] = "tensor", min_ndim: int = 2
    ) -> None:
        self.rescale = rescale
        self.per = per
        self.min_ndim = min_ndim

    def optimizer(self, net: Net, optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
        return OrthogonalOptimizer(
            optimizer, rescale=self.rescale, per=self.per, min_ndim=self.min_ndim
        )
