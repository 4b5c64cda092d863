"""Adaptively weighted consistency of views in the training step."""

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import torch
from torch import nn

from skreg._warnings import warn

from ..frame._batches import check_number
from ..frame._regularizer import Batch, Net, Regularizer
from ..frame._views import views
from ._adawac import AdaWACLoss, Mode, dice_loss, feature_consistency

UNSUPERVISED = 0.05


class AdaWAC(Regularizer):
    """Weighs, sample by sample, its label against the consistency of two views of it.

    Adaptively weighted augmentation consistency (Dong et al. 2023), for data in which a hidden part
    of the samples says little with its labels, such as slices of an organ with no labelled pixel.
    Each batch is seen in two views. The loss of a sample is that of its labels, the mean over the
    views, times its weight, and the mean squared difference of its features times one minus its
    weight; weights move as `skreg.deep.torch.AdaWACLoss` tells. Two forward passes.

    Both terms must be of a size: if the consistency is larger all the time, all weights fall to
    zero, and with them the influence of all labels. Lower `consistency_weight` then.

    Parameters
    ----------
    augment : callable
        ``augment(X, y)`` returns a random view of a batch of inputs and its labels (class numbers,
        -100 where ignored), by random numbers of torch. Views that turn or flip images are
        compared in features without turning them back, as in the paper's code: changes of
        brightness and noise are the safer ones.
    layer : str, default="penultimate"
        Layer whose features are compared; in a segmentation network the deepest one, which is
        ``"down.1"`` in `skreg.deep.SmallUNet`.
    consistency_weight : float, default=1.0
        Factor of the consistency.
    weight_lr : float, default=1.0
        Step of the weights, for each visit of a sample.
    init_beta : float, default=0.5
        Weights before the first visit.
    dice_weight : float, default=0.0
        Share of the Dice loss of both views in the loss, in [0, 1); it has no sample weights.
    mode : {"adawac", "pair", "dac", "reweight"}, default="adawac"
        The method, or a part of it: labels of both views only, equal weights, no consistency.

    Attributes
    ----------
    sample_weight_ : ndarray of shape (n_samples,)
        Weights of the labels of the training samples, from 0 to 1.

    Warns
    -----
    UserWarning
        If all weights are below 0.05 when training ends.

    References
    ----------
    .. [1] Y. Dong, Y. Xie, R. Ward, "Adaptively Weighted Data Augmentation Consistency
       Regularization for Robust Optimization under Concept Shift", ICML 2023.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from skreg.deep import DeepSegmenter
    >>> from skreg.deep.regularizers import AdaWAC
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.random((40, 2, 2)).repeat(6, axis=1).repeat(6, axis=2) > 0.5
    >>> truth[:20] = False  # nothing is labelled in half of the images
    >>> images = truth + rng.normal(0, 0.3, truth.shape)
    >>> def noisy(X, y):
    ...     return X + 0.1 * torch.randn_like(X), y
    >>> adawac = AdaWAC(noisy, layer="down.1")
    >>> model = DeepSegmenter(
    ...     regularizers=[("adawac", adawac)], max_epochs=20, lr=0.01, random_state=0
    ... ).fit(images, truth)
    >>> weights = dict(model.net_.regularizers)["adawac"].sample_weight_
    >>> bool(weights[20:].mean() > weights[:20].mean())
    True
    """

    tasks = ("classification", "dense")
    needs_index = True
    mixes_inputs = False
    beside_mixing = "never"

    def __init__(
        self,
        augment: Callable[..., Any],
        layer: str = "penultimate",
        *,
        consistency_weight: float = 1.0,
        weight_lr: float = 1.0,
        init_beta: float = 0.5,
        dice_weight: float = 0.0,
        mode: Mode = "adawac",
    ) -> None:
        self.augment = augment
        self.layer = layer
        self.consistency_weight = consistency_weight
        self.weight_lr = weight_lr
        self.init_beta = init_beta
        self.dice_weight = dice_weight
        self.mode = mode

    def initialize(self) -> Self:
        if not callable(self.augment):
            raise ValueError(
                "augment must be a function of inputs and labels that returns a view of both, got "
                f"{self.augment!r}"
            )
        check_number("consistency_weight", self.consistency_weight, 0)
        check_number("dice_weight", self.dice_weight, 0, 1, below=True)
        return self

    def state(self, net: Net) -> nn.Module | None:
        """Make the weights."""
        self.loss_ = AdaWACLoss(weight_lr=self.weight_lr, init_beta=self.init_beta, mode=self.mode)
        return self.loss_

    def inputs(self, net: Net, batch: Batch, X: Any) -> Any:
        """The first view; the second waits."""
        first, first_labels = views(X, self.augment, 1, y=batch.y)
        batch.extras[self] = first_labels, *views(X, self.augment, 1, y=batch.y)
        return first

    def targets(self, net: Net, batch: Batch, y: torch.Tensor) -> torch.Tensor:
        """Labels of the first view."""
        first, _, second = batch.extras[self]
        if torch.equal(first, batch.y) and torch.equal(second, batch.y):
            return y
        if y is not batch.y:
            raise ValueError(
                "AdaWAC moves labels together with the images, but another regularizer has changed "
                "them before: put AdaWAC first, or take views that leave labels as they are"
            )
        return first

    def losses(self, net: Net, batch: Batch, losses: torch.Tensor) -> torch.Tensor:
        first, view, second = batch.extras[self]
        moved = not torch.equal(first, second)
        outputs, features = net.forward_again(view, layer=self.layer)
        again = net.sample_losses(outputs, batch._replace(targets=second) if moved else batch)
        consistency = self.consistency_weight * feature_consistency(
            net.features(self.layer), features
        )
        self.loss_.moved.allocate(net.n_samples_, (), like=losses)
        weighted = self.loss_(
            (losses + again) / 2, consistency.to(losses.dtype), batch.index, batch.first_pass
        )
        if self.dice_weight:
            batch.extras[self, "second"] = outputs
        return (1 - self.dice_weight) * weighted

    def penalty(self, net: Net, batch: Batch, y_pred: Any, features: Any) -> torch.Tensor | None:
        """The Dice loss of both views."""
        if not self.dice_weight:
            return None
        first, _, second = batch.extras[self]
        pairs = (y_pred, first), (batch.extras[self, "second"], second)
        terms = [dice_loss(net.probabilities(outputs), labels) for outputs, labels in pairs]
        return self.dice_weight * (terms[0] + terms[1]) / 2

    def on_epoch_end(self, net: Net, **kwargs: Any) -> None:
        """Write the mean weight into the history."""
        if self.loss_.moved.n_samples:
            net.history.record("label_weight", float(self.loss_.beta.mean()))

    def finalize(self, net: Net, module: nn.Module) -> None:
        """Tell if labels have lost their influence."""
        if self.loss_.moved.n_samples and float(self.loss_.beta.max()) < UNSUPERVISED:
            warn(
                f"AdaWAC: the labels of all samples have weights below {UNSUPERVISED}, so that "
                "training has become unsupervised: the consistency is larger than the loss; lower "
                f"consistency_weight={self.consistency_weight!r} or weight_lr={self.weight_lr!r}"
            )

    @property
    def sample_weight_(self) -> np.ndarray:
        """Weights of the labels of the training samples."""
        return self.loss_.beta.cpu().numpy()
