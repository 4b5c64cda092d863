"""Early-learning regularization in the training step."""

from typing import Any

import numpy as np
import torch
from torch import nn

from ..frame._memory import SampleMemory
from ..frame._regularizer import Batch, Net, Regularizer
from ._elr import ELRPenalty, label_issues, label_quality


class ELR(Regularizer):
    """Keeps early predictions alive, against wrong training labels (Liu et al. 2020).

    Adds `skreg.deep.torch.ELRPenalty` to the loss. The training loss becomes negative: stop by the
    validation loss, which has no penalty.

    Parameters
    ----------
    lam : float, default=3.0
        Strength, lambda in the paper; 1 to 10 there, higher for more classes.
    beta : float, default=0.7
        Memory of the running average of predictions, in [0, 1).
    clamp : float, default=1e-4
        Distance that probabilities keep from zero and one.

    Attributes
    ----------
    targets_ : ndarray of shape (n_samples, n_classes)
        Running averages of the predictions for the training samples; zero where never seen.
    label_issues_ : ndarray of shape (n_samples,), bool
        Training samples whose label disagrees with the running average.
    label_quality_ : ndarray of shape (n_samples,)
        Running average at the label, from 0 (surely wrong) to 1; NaN where never seen.

    References
    ----------
    .. [1] S. Liu, J. Niles-Weed, N. Razavian, C. Fernandez-Granda, "Early-Learning Regularization
       Prevents Memorization of Noisy Labels", NeurIPS 2020.

    Examples
    --------
    A tenth of the labels is wrong:

    >>> import numpy as np
    >>> from sklearn.datasets import make_blobs
    >>> from skreg.deep import DeepClassifier
    >>> from skreg.deep.regularizers import ELR
    >>> X, truth = make_blobs(300, centers=3, random_state=0, cluster_std=0.6)
    >>> y = np.where(np.arange(300) % 10 == 0, (truth + 1) % 3, truth)
    >>> model = DeepClassifier(regularizers=[("elr", ELR())], max_epochs=30, random_state=0)
    >>> elr = dict(model.fit(X, y).net_.regularizers)["elr"]
    >>> float(np.mean(elr.label_issues_ == (y != truth))) > 0.95
    True
    """

    tasks = ("classification",)
    needs_index = True
    beside_mixing = "never"

    def __init__(self, lam: float = 3.0, beta: float = 0.7, clamp: float = 1e-4) -> None:
        self.lam = lam
        self.beta = beta
        self.clamp = clamp

    def state(self, net: Net) -> nn.Module | None:
        """Make the memory of predictions and labels."""
        self.penalty_ = ELRPenalty(lam=self.lam, beta=self.beta, clamp=self.clamp)
        self.labels_ = SampleMemory(dtype=torch.int64)
        return nn.ModuleDict({"penalty": self.penalty_, "labels": self.labels_})

    def penalty(self, net: Net, batch: Batch, y_pred: Any, features: Any) -> torch.Tensor:
        """Update the running averages and return the penalty."""
        self.penalty_.memory.allocate(net.n_samples_, y_pred.shape[1], like=y_pred)
        if batch.first_pass:
            self.labels_.allocate(net.n_samples_, 1, like=y_pred)
            self.labels_.write(batch.index, batch.y[:, None])
        return self.penalty_(
            y_pred,
            batch.index,
            weight=batch.sample_weight,
            update=batch.first_pass,
            nonlinearity=net.probabilities,
        )

    @property
    def targets_(self) -> np.ndarray:
        """Running averages of the predictions."""
        return self.penalty_.memory.values.cpu().numpy()

    @property
    def label_issues_(self) -> np.ndarray:
        """Which labels disagree with the running averages."""
        return label_issues(*self._seen()).cpu().numpy()

    @property
    def label_quality_(self) -> np.ndarray:
        """Running averages at the labels."""
        return label_quality(*self._seen()).cpu().numpy()

    def _seen(self):
        memory = self.penalty_.memory
        return memory.values, memory.written, self.labels_.values[:, 0]
