"""Weight Compander in the training step. Experimental."""

from collections.abc import Collection
from typing import Any, Literal, Self

import torch
from torch import nn

from ..frame._batches import check_number
from ..frame._parameter_groups import own_group
from ..frame._regularizer import Net, Regularizer
from ._weight_compander import apply_weight_compander, companded_layers


class WeightCompander(Regularizer):
    """Bounds weights and keeps them from zero by a reparametrization. Experimental.

    Parametrizes the module by `skreg.deep.torch.apply_weight_compander` before the optimizer is
    made, in the spirit of Cakaj et al. (2023): the formula is reconstructed from the paper's
    description. Predictions need nothing special; `skreg.deep.torch.remove_weight_compander`
    turns the weights of ``net.module_`` into plain parameters for export.

    Parameters
    ----------
    ratio : float, default=1.5
        Slope of the function at zero. It multiplies the learning rate of small weights by its
        square.
    width : float, default=4.0
        Bound of the weights, in standard deviations of the initial ones.
    function : {"arctan", "tanh", "softsign"}, default="arctan"
        The function.
    learnable : bool, default=False
        Train the function's two scales in each layer.
    hyper_lr_scale : float, default=0.05
        Factor of the learning rate for learned scales, which get no weight decay.
    exclude : collection of str, default=()
        Names of layers to leave alone.

    Warns
    -----
    ExperimentalWarning
        Always.

    References
    ----------
    .. [1] R. Cakaj, J. Mehnert, B. Yang, "Weight Compander: A Simple Weight Reparameterization for
       Regularization", arXiv:2306.16993, 2023.

    Examples
    --------
    >>> import warnings
    >>> from sklearn.datasets import load_iris
    >>> from skreg.deep import DeepClassifier
    >>> from skreg.deep.regularizers import WeightCompander
    >>> from skreg.deep.torch import ExperimentalWarning
    >>> warnings.simplefilter("ignore", ExperimentalWarning)
    >>> X, y = load_iris(return_X_y=True)
    >>> model = DeepClassifier(
    ...     regularizers=[("compander", WeightCompander())], max_epochs=20, random_state=0
    ... )
    >>> model.fit(X, y).score(X, y) > 0.9
    True
    """

    tasks = ("classification", "regression", "dense")
    fixed = ("ratio", "width", "function", "learnable", "exclude")

    def __init__(
        self,
        ratio: float = 1.5,
        width: float = 4.0,
        *,
        function: Literal["arctan", "tanh", "softsign"] = "arctan",
        learnable: bool = False,
        hyper_lr_scale: float = 0.05,
        exclude: Collection[str] = (),
    ) -> None:
        self.ratio = ratio
        self.width = width
        self.function = function
        self.learnable = learnable
        self.hyper_lr_scale = hyper_lr_scale
        self.exclude = exclude

    def initialize(self) -> Self:
        check_number("hyper_lr_scale", self.hyper_lr_scale, 0)
        return self

    def reparametrize(self, net: Net, module: nn.Module) -> None:
        """Parametrize the weights of the module."""
        apply_weight_compander(
            module,
            ratio=self.ratio,
            width=self.width,
            function=self.function,
            learnable=self.learnable,
            exclude=self.exclude,
        )

    def optimizer(self, net: Net, optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
        """Give learned scales a group of their own."""
        self._slow_down(net, optimizer)
        return optimizer

    def on_train_begin(self, net: Net, **kwargs: Any) -> None:
        """Take over a learning rate that was set since."""
        self._slow_down(net, net.optimizer_)

    def _slow_down(self, net, optimizer):
        scales = [p for _, psi in companded_layers(net.module_) for p in psi.parameters()]
        if scales:
            decay: dict[str, Any] = (
                {"weight_decay": 0.0} if "weight_decay" in optimizer.defaults else {}
            )
            own_group(optimizer, scales, lr_scale=self.hyper_lr_scale, **decay)
