"""Self-knowledge distillation in the training step."""

from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from ..frame._batches import check_choice, check_number
from ..frame._frozen_copy import FrozenCopy
from ..frame._regularizer import Batch, Net, Regularizer
from ..frame._targets import as_probabilities
from ._ps_kd import PSKDTargets, progressive_alpha


class PSKD(Regularizer):
    """Softens each target by the network's own prediction of the epoch before (Kim et al. 2021).

    The weight of the prediction grows linearly from ``alpha / T`` in the first epoch to `alpha` in
    the last of T planned ones. Choose `alpha` by the validation log-loss: where strong augmentation
    already leaves the network under-confident, PS-KD makes it worse. The memory keeps what the
    network said of the augmented inputs of the epoch before; with ``teacher="model"`` the network
    of that epoch is asked about the present ones. Probabilities are those of the criterion. Beside
    a regularizer that mixes samples it comes first, and the network is asked about the samples
    unmixed when an epoch ends, which takes another pass over them.

    Parameters
    ----------
    alpha : float, default=0.8
        Weight of the prediction in the last epoch, in [0, 1).
    teacher : {"memory", "model"}, default="memory"
        A memory of shape (n_samples, n_classes), or a copy of the network, which needs a second
        forward pass.
    max_epochs : int, default=None
        Number of planned epochs T; that of the net if None. Epochs beyond keep `alpha`.

    Attributes
    ----------
    alpha_ : float
        Weight in the latest epoch.
    predictions_ : ndarray of shape (n_samples, n_classes)
        With ``teacher="memory"``: the latest predictions for the training samples.

    References
    ----------
    .. [1] K. Kim, B. Ji, D. Yoon, S. Hwang, "Self-Knowledge Distillation with Progressive
       Refinement of Targets", ICCV 2021.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skreg.deep import DeepClassifier
    >>> from skreg.deep.regularizers import PSKD
    >>> X, y = load_iris(return_X_y=True)
    >>> model = DeepClassifier(regularizers=[("ps_kd", PSKD())], max_epochs=20, random_state=0)
    >>> dict(model.fit(X, y).net_.regularizers)["ps_kd"].alpha_
    0.8
    """

    tasks = ("classification",)
    softens_targets = True
    mixes_inputs = False
    beside_mixing = "before"

    @property
    def needs_index(self) -> bool:  # type: ignore[override]  # declared by a property
        """Whether predictions are kept by number."""
        return self.teacher == "memory"

    def __init__(
        self,
        alpha: float = 0.8,
        teacher: Literal["memory", "model"] = "memory",
        max_epochs: int | None = None,
    ) -> None:
        self.alpha = alpha
        self.teacher = teacher
        self.max_epochs = max_epochs

    def state(self, net: Net) -> nn.Module | None:
        """Make the memory."""
        check_number("alpha", self.alpha, 0.0, 1.0, below=True)
        check_choice("teacher", self.teacher, ("memory", "model"))
        if self.max_epochs is not None:
            check_number("max_epochs", self.max_epochs, 1)
        self.teacher_: FrozenCopy | None = None
        self.mixed_: Any = PSKDTargets() if self.teacher == "memory" else None
        return self.mixed_

    def on_epoch_begin(self, net: Net, **kwargs: Any) -> None:
        """Set the weight of the epoch, and copy the network if it is the teacher."""
        self.asks_afterwards_ = any(other.mixes_inputs for _, other in net.regularizers_)
        epoch = len(net.history)
        self.alpha_ = progressive_alpha(self.alpha, epoch, self.max_epochs or net.max_epochs)
        if self.teacher == "model" and epoch > 1:
            if self.teacher_ is None:
                self.teacher_ = FrozenCopy(net.module_)
            else:
                self.teacher_.follow(net.module_)

    def on_train_end(self, net: Net, **kwargs: Any) -> None:
        """Drop the copy of the network."""
        self.teacher_ = None

    def inputs(self, net: Net, batch: Batch, X: Any) -> Any:
        """Ask the teacher, before other regularizers mix the samples."""
        if self.teacher_ is not None and self.alpha:
            with torch.no_grad():
                batch.extras[self] = net.probabilities(self.teacher_(X))
        return X

    def targets(self, net: Net, batch: Batch, y: torch.Tensor) -> torch.Tensor:
        """Mix the targets with the earlier prediction."""
        if self.alpha == 0:
            return y
        if self in batch.extras:
            q = batch.extras[self]
            return torch.lerp(as_probabilities(y, q.shape[1]).to(q.dtype), q, self.alpha_)
        if self.mixed_ is None or not self.mixed_.memory.values.shape[1]:
            return y
        self.mixed_.memory.allocate(net.n_samples_, self.mixed_.memory.values.shape[1])
        return self.mixed_(y, batch.index, self.alpha_)

    def penalty(self, net: Net, batch: Batch, y_pred: Any, features: Any) -> None:
        """Keep the predictions for the next epoch; adds nothing to the loss."""
        if self.mixed_ is not None and batch.first_pass and not self.asks_afterwards_:
            self._remember(net, y_pred, batch.index)

    def on_epoch_end(self, net: Net, **kwargs: Any) -> None:
        """Where other regularizers mix the samples, ask the network about them unmixed."""
        if self.mixed_ is not None and self.asks_afterwards_:
            training = net.training_outputs()
            self._remember(net, training.outputs, training.index)

    def _remember(self, net, y_pred, index):
        self.mixed_.memory.allocate(net.n_samples_, y_pred.shape[1], like=y_pred)
        self.mixed_.remember(net.probabilities(y_pred.detach()), index)

    @property
    def predictions_(self) -> np.ndarray:
        """Latest predictions for the training samples."""
        return self.mixed_.memory.values.cpu().numpy()
