"""A monitor of numerical stability in the training step."""

from collections.abc import Iterable
from typing import Any

import skorch
import torch
from torch import nn

from ..frame._processes import mean_over_processes
from ..frame._regularizer import Batch, Net, Regularizer
from ..frame._weights import one_loss_per_sample
from ._orthogonal_gradient import weight_gradient_cosine
from ._stablemax import softmax_collapse_rate


class StabilityMonitor(Regularizer):
    """Writes signs of numerical trouble into the history; changes nothing.

    The means over the batches of each epoch, in ``net.history`` (`history_` of `DeepClassifier`):

    - ``softmax_collapse``: share of samples whose softmax is exactly one class in floating point,
      also where the criterion takes no softmax.
    - ``zero_loss``: share of samples whose loss at their label is exactly zero, by the net's
      criterion, which must give one loss for each sample if its ``reduction`` is ``"none"``.
    - ``logit_scale``: largest absolute logit of a sample.
    - ``weight_descent_cosine``: cosine between the weights and the direction of descent; near one,
      the network only scales its weights up. Of the gradient at the weights, where an optimizer
      looks at others as well.

    References
    ----------
    .. [1] L. Prieto, M. Barsbey, P. Mediano, T. Birdal, "Grokking at the Edge of Numerical
       Stability", ICLR 2025.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skreg.deep import DeepClassifier
    >>> from skreg.deep.regularizers import StabilityMonitor
    >>> X, y = load_iris(return_X_y=True)
    >>> monitor = ("monitor", StabilityMonitor())
    >>> model = DeepClassifier(regularizers=[monitor], max_epochs=3, random_state=0).fit(X, y)
    >>> model.history_["softmax_collapse"].tolist()
    [0.0, 0.0, 0.0]
    """

    tasks = ("classification",)

    def on_epoch_begin(self, net: Net, **kwargs: Any) -> None:
        self.sums_: dict[str, Any] = {}
        self.cosine_: Any = 0.0
        self.n_samples_ = self.n_gradients_ = 0

    def penalty(self, net: Net, batch: Batch, y_pred: Any, features: Any) -> None:
        self.is_first_pass_ = batch.first_pass
        if not batch.first_pass or not len(y_pred):
            return
        logits = y_pred.detach()
        signs = {
            "softmax_collapse": softmax_collapse_rate(logits),
            "zero_loss": (losses_at_labels(net, logits, batch.y) == 0).float().mean(),
            "logit_scale": logits.abs().amax(1).mean(),
        }
        for name, sign in signs.items():
            self.sums_[name] = self.sums_.get(name, 0.0) + len(y_pred) * sign
        self.n_samples_ += len(y_pred)

    def on_grad_computed(
        self, net: Net, named_parameters: Iterable[tuple[str, nn.Parameter]], **kwargs: Any
    ) -> None:
        if not self.is_first_pass_:
            return
        self.cosine_ = self.cosine_ + weight_gradient_cosine(p for _, p in named_parameters)
        self.n_gradients_ += 1

    def on_epoch_end(self, net: Net, **kwargs: Any) -> None:
        for name, total in self.sums_.items():
            mean = mean_over_processes(total / self.n_samples_, self.n_samples_, net.process_group)
            net.history.record(name, float(mean))
        if self.n_gradients_:
            cosine = torch.as_tensor(self.cosine_) / self.n_gradients_
            net.history.record("weight_descent_cosine", float(cosine))


@torch.no_grad()
def losses_at_labels(net, logits, y):
    """The criterion's loss of each sample at its label."""
    with one_loss_per_sample(net.criterion_):
        return skorch.NeuralNetClassifier.get_loss(net, logits, y)
