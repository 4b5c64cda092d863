"""Averages of weights over the training, to predict with."""

import copy
import math
from typing import Any, Self

import torch
from skorch.dataset import unpack_data
from torch import nn
from torch.optim.swa_utils import update_bn

from skreg._warnings import warn

from ..frame._batches import check_number
from ..frame._frozen_copy import bare
from ..frame._indexed import INPUTS
from ..frame._processes import mean_over_processes
from ..frame._regularizer import Batch, Net, Regularizer
from ..frame._training_pass import is_labelled
from ._weight_average import WeightAverage


class AveragedWeights(Regularizer):
    """What regularizers that average weights have in common: the module gets them at the end."""

    looks_into_module = True
    replaces_weights = True
    finished_: dict[str, Any] | None = None
    decay: float | None = None

    def state(self, net: Net) -> nn.Module | None:
        """Make the averages."""
        self.trained_: dict[str, Any] | None = None
        self.average_ = WeightAverage(bare(net.module_), self.decay)
        return self.average_

    def finalize(self, net: Net, module: nn.Module) -> None:
        """Put the averages into the module, and recompute the statistics of batch normalization."""
        if not self.average_.n_averaged:
            return
        self.trained_ = copy.deepcopy(module.state_dict())
        self.average_.copy_to(module)
        if net.training_set_ is not None:
            update_bn(training_inputs(net), AsTrained(net, module))
            share_statistics(module, net.process_group)
        elif self.finished_ is not None:  # nothing was trained since, or it failed
            module.load_state_dict(self.finished_)

    def resume(self, net: Net, module: nn.Module) -> None:
        """Put the trained weights and their statistics back."""
        if self.trained_ is not None:
            self.finished_ = copy.deepcopy(module.state_dict())
            module.load_state_dict(self.trained_)
            self.trained_ = None


class EMAWeights(AveragedWeights):
    """Predicts with an exponential moving average of the weights.

    After step n of the optimizer, mean <- d mean + (1 - d) weights, d = min(decay, n / (n + 9)): in
    a short training the averages forget the initial weights nevertheless. When training ends the
    module gets the averages, and statistics of batch normalization are recomputed for them in one
    pass over the training data. When training goes on, it does so from the trained weights.

    Validation during training, and thus early stopping, looks at the trained weights.
    ``EarlyStopping(load_best=True)`` brings back those of the best epoch, which then give way to
    the averages at the end of training; ``Checkpoint(load_best=True)`` brings back the averages of
    the best epoch as well.

    Parameters
    ----------
    decay : float, default=0.999
        Decay, in [0, 1): about 1 / (1 - decay) steps are averaged.

    Attributes
    ----------
    average_ : skreg.deep.torch.WeightAverage
        The averages.

    References
    ----------
    .. [1] B. T. Polyak, A. B. Juditsky, "Acceleration of Stochastic Approximation by Averaging",
       SIAM Journal on Control and Optimization, 1992.
    .. [2] A. Tarvainen, H. Valpola, "Mean teachers are better role models: Weight-averaged
       consistency targets improve semi-supervised deep learning results", NeurIPS 2017.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skreg.deep import DeepClassifier
    >>> from skreg.deep.regularizers import EMAWeights
    >>> X, y = load_iris(return_X_y=True)
    >>> model = DeepClassifier(regularizers=[("ema", EMAWeights())], max_epochs=20, random_state=0)
    >>> model.fit(X, y).score(X, y) > 0.9
    True
    """

    def __init__(self, decay: float = 0.999) -> None:
        self.decay = decay

    def after_step(self, net: Net, batch: Batch) -> None:
        self.average_.update(bare(net.module_))


class SWA(AveragedWeights):
    """Predicts with the mean of the weights at the ends of the last epochs (Izmailov et al. 2018).

    Stochastic weight averaging: from the share `start` of the planned training on, the weights at
    the end of every `cycle`-th epoch are averaged. When training ends the module gets the means,
    and statistics of batch normalization are recomputed for them in one pass over the training
    data. When training goes on, it does so from the trained weights.

    The averaged weights should come from a constant or cyclic, rather high learning rate. That is
    left to torch: ``skorch.callbacks.LRScheduler(torch.optim.swa_utils.SWALR, swa_lr=0.05)``
    anneals to such a rate.

    Validation during training, and thus early stopping, looks at the trained weights.
    ``EarlyStopping(load_best=True)`` brings back those of the best epoch, which then give way to
    the means at the end of training, if the start was reached; ``Checkpoint(load_best=True)``
    brings back the means of the best epoch as well.

    Parameters
    ----------
    start : float, default=0.75
        Share of the planned training, in [0, 1], after which weights are averaged.
    cycle : int, default=1
        Number of epochs between the weights that are averaged: the length of the cycle, if the
        learning rate is cyclic.

    Attributes
    ----------
    average_ : skreg.deep.torch.WeightAverage
        The means.

    Warns
    -----
    UserWarning
        If training ends before the start, so that there is no mean.

    References
    ----------
    .. [1] P. Izmailov, D. Podoprikhin, T. Garipov, D. Vetrov, A. G. Wilson, "Averaging Weights
       Leads to Wider Optima and Better Generalization", UAI 2018.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skreg.deep import DeepClassifier
    >>> from skreg.deep.regularizers import SWA
    >>> X, y = load_iris(return_X_y=True)
    >>> model = DeepClassifier(regularizers=[("swa", SWA())], max_epochs=20, random_state=0)
    >>> model.fit(X, y).score(X, y) > 0.9
    True
    """

    def __init__(self, start: float = 0.75, cycle: int = 1) -> None:
        self.start = start
        self.cycle = cycle

    def initialize(self) -> Self:
        check_number("start", self.start, 0.0, 1.0)
        check_number("cycle", self.cycle, 1)
        if self.cycle != int(self.cycle):
            raise ValueError(f"cycle must be a whole number of epochs, got {self.cycle!r}")
        return self

    def on_epoch_end(self, net: Net, **kwargs: Any) -> None:
        """Take in the weights, if it is time."""
        since = len(net.history) - self._first(net)
        if since <= 0:
            self.average_.reset()  # an earlier call of fit may have averaged as well
        if since >= 0 and since % self.cycle == 0:
            self.average_.update(bare(net.module_))

    def finalize(self, net: Net, module: nn.Module) -> None:
        """Put the means into the module."""
        if net.history and not self.average_.n_averaged:
            warn(
                f"SWA averaged no weights: training ended with epoch {len(net.history)}, averaging "
                f"begins with epoch {self._first(net)}. Predictions are those of the weights as "
                "they are; lower start, or plan fewer epochs"
            )
        super().finalize(net, module)

    def _first(self, net):
        """Number of the first epoch whose weights are averaged."""
        return max(1, math.ceil(self.start * net.planned_))


class AsTrained(nn.Module):
    """The module as training evaluates it: on the net's device and in its precision."""

    def __init__(self, net: Net, module: nn.Module) -> None:
        super().__init__()
        self.net, self.module = net, module
        self.training = module.training

    def forward(self, X: Any) -> Any:
        """Output of the module."""
        return self.net.forward_again(X)


@torch.no_grad()
def share_statistics(module, group):
    """Give all processes the mean of their running statistics, each from its share of the data."""
    for name, buffer in module.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            buffer.copy_(mean_over_processes(buffer, 1, group))


def training_inputs(net):
    """Inputs of the training batches, in an order as in training, each in a tuple of its own."""
    for batch in net.get_iterator(net.training_set_, training=True):
        X, _ = unpack_data(batch)
        yield (X[INPUTS] if is_labelled(X) else X,)
