"""ELR+ in the training step."""

import copy
from typing import Any

import numpy as np
import torch
from torch import nn

from ..frame._frozen_copy import bare
from ..frame._regularizer import Batch, Net, Regularizer
from ..frame._targets import as_probabilities
from ._elr_plus import ELRPlus as TwoNetworks

STRENGTHS = (
    "lam",
    "beta",
    "mixup_alpha",
    "ema_decay",
    "ema_rampup",
    "lam_rampup",
    "reweight_labels",
)


class ELRPlus(Regularizer):
    """Two networks, averaged weights and mixup around early-learning regularization.

    Puts a `skreg.deep.torch.ELRPlus` of the net's module and a second one in place of the module.
    The two train in turn, an epoch each: plan twice as many epochs as for one network. Predictions
    are those of both. The second network is built like the first and has other initial weights,
    unless the net was given a module with weights, which both then start from.

    The inputs must be one tensor. It comes before regularizers that reparametrize the module, and
    does not go together with regularizers that look at a layer or remember predictions: such lists
    are refused. Partners are drawn in proportion to sample weights, so that whole-number weights
    are on average samples given as often. ``DistributedDataParallel`` needs
    ``find_unused_parameters=True``, as one network waits in each epoch.

    Parameters
    ----------
    lam : float, default=3.0
        Strength, lambda in the paper.
    beta : float, default=0.7
        Memory of the running averages of predictions, in [0, 1).
    mixup_alpha : float, default=1.0
        Parameter of the beta distribution of mixup; zero turns it off.
    ema_decay : float, default=0.997
        Decay of the averaged weights, in [0, 1).
    ema_rampup : int, default=40000
        Steps of each network over which the decay rises to `ema_decay`.
    lam_rampup : int, default=0
        Steps of each network over which `lam` rises.
    reweight_labels : bool, default=False
        Multiply the labels by the targets, as the authors do for 100 classes.

    Attributes
    ----------
    networks_ : skreg.deep.torch.ELRPlus
        The module that holds both networks.
    targets_ : ndarray of shape (n_samples, n_classes)
        Mean of both running averages of predictions for the training samples.

    References
    ----------
    .. [1] S. Liu, J. Niles-Weed, N. Razavian, C. Fernandez-Granda, "Early-Learning Regularization
       Prevents Memorization of Noisy Labels", NeurIPS 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import make_blobs
    >>> from skreg.deep import DeepClassifier
    >>> from skreg.deep.regularizers import ELRPlus
    >>> X, truth = make_blobs(300, centers=3, random_state=0, cluster_std=0.6)
    >>> y = np.where(np.arange(300) % 10 == 0, (truth + 1) % 3, truth)
    >>> elr_plus = ELRPlus(ema_rampup=100)
    >>> model = DeepClassifier(regularizers=[("elr+", elr_plus)], max_epochs=60, random_state=0)
    >>> model.fit(X, y).score(X, truth) > 0.95
    True
    """

    tasks = ("classification",)
    needs_index = True
    mixes_inputs = True
    beside_mixing = "never"
    softens_targets = True
    replaces_module = True

    def __init__(
        self,
        lam: float = 3.0,
        beta: float = 0.7,
        mixup_alpha: float = 1.0,
        ema_decay: float = 0.997,
        ema_rampup: int = 40_000,
        lam_rampup: int = 0,
        reweight_labels: bool = False,
    ) -> None:
        self.lam = lam
        self.beta = beta
        self.mixup_alpha = mixup_alpha
        self.ema_decay = ema_decay
        self.ema_rampup = ema_rampup
        self.lam_rampup = lam_rampup
        self.reweight_labels = reweight_labels

    def reparametrize(self, net: Net, module: nn.Module) -> None:
        """Put both networks in place of the module."""
        twin = net.initialized_instance(net.module, net.get_params_for("module"))
        net.module_ = self.networks_ = TwoNetworks(
            module,
            copy.deepcopy(twin),
            **{name: getattr(self, name) for name in STRENGTHS},
        )

    def on_epoch_begin(self, net: Net, **kwargs: Any) -> None:
        """Let the other network train, with the strengths as they are now."""
        self.networks_ = bare(net.module_)
        for name in STRENGTHS:
            setattr(self.networks_, name, getattr(self, name))
        self.networks_.n_samples = net.n_samples_
        self.networks_.turn_to((len(net.history) - 1) % 2)

    @torch.no_grad()
    def inputs(self, net: Net, batch: Batch, X: Any) -> Any:
        """Ask the other network about the samples, then mix them."""
        t = self.networks_.beliefs(X, batch.index, nonlinearity=net.probabilities)
        mixing = self.networks_.draw(len(X), X.device, weight=batch.sample_weight)
        batch.extras[self] = mixing, mixing(t)
        return mixing.inputs(X)

    def targets(self, net: Net, batch: Batch, y: torch.Tensor) -> torch.Tensor:
        mixing, q = batch.extras[self]
        return self.networks_.labels(mixing(as_probabilities(y, q.shape[1]).to(q.dtype)), q)

    def penalty(self, net: Net, batch: Batch, y_pred: Any, features: Any) -> torch.Tensor:
        """Penalty against the mixed targets of the other network."""
        _, q = batch.extras[self]
        return self.networks_.penalty(
            y_pred, q, weight=batch.sample_weight, nonlinearity=net.probabilities
        )

    def after_step(self, net: Net, batch: Batch) -> None:
        """Average the weights."""
        self.networks_.update_average()

    @property
    def targets_(self) -> np.ndarray:
        """Mean of both running averages of predictions."""
        return self.networks_.targets.cpu().numpy()
