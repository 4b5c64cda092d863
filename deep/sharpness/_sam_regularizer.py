"""Sharpness-aware minimization in the training step."""

import torch

from ..frame._frozen_copy import bare
from ..frame._regularizer import Net, Regularizer
from ._sam import SAM as SAMOptimizer


class SAM(Regularizer):
    """Steps with the gradient at the worst point of a small ball (Foret et al. 2021).

    Wraps the optimizer in `skreg.deep.torch.SAM`: flat minima, at two forward and two backward
    passes a step. Batch statistics and per-sample memories are updated in the first only.

    Parameters
    ----------
    rho : float, default=0.05
        Radius of the ball. 0.05 is usual, 0.5 for the adaptive form.
    adaptive : bool, default=False
        Scale each coordinate by the size of its parameter (ASAM, Kwon et al. 2021).
    adaptive_eps : float, default=0.0
        Added to the sizes, so that zeros move as well.

    References
    ----------
    .. [1] P. Foret, A. Kleiner, H. Mobahi, B. Neyshabur, "Sharpness-Aware Minimization for
       Efficiently Improving Generalization", ICLR 2021.
    .. [2] J. Kwon, J. Kim, H. Park, I. K. Choi, "ASAM: Adaptive Sharpness-Aware Minimization for
       Scale-Invariant Learning of Deep Neural Networks", ICML 2021.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skreg.deep import DeepClassifier
    >>> from skreg.deep.regularizers import SAM
    >>> X, y = load_iris(return_X_y=True)
    >>> model = DeepClassifier(regularizers=[("sam", SAM())], max_epochs=20, random_state=0)
    >>> model.fit(X, y).score(X, y) > 0.9
    True
    """

    tasks = ("classification", "regression", "dense")

    repeats_passes = True

    def __init__(
        self, rho: float = 0.05, adaptive: bool = False, adaptive_eps: float = 0.0
    ) -> None:
        self.rho = rho
        self.adaptive = adaptive
        self.adaptive_eps = adaptive_eps

    def optimizer(self, net: Net, optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
        return SAMOptimizer(
            optimizer,
            rho=self.rho,
            adaptive=self.adaptive,
            adaptive_eps=self.adaptive_eps,
            module=bare(net.module_),
        )
