"""Smoothed labels in the training step."""

from typing import Self

import torch

from ..frame._batches import check_number
from ..frame._regularizer import Batch, Net, Regularizer
from ._label_smoothing import smooth_targets


class LabelSmoothing(Regularizer):
    """Trains on labels that lean towards the uniform distribution (Szegedy et al. 2016).

    The targets become (1 - s) y + s / n_classes. The smoothing s goes in a straight line from
    `smoothing` to `final` over the planned training. Validation and prediction use the labels as
    they are. A constant smoothing gives what ``torch.nn.CrossEntropyLoss(label_smoothing=s)`` does,
    but acts on the targets, and so composes with what mixes or softens them. Only under class
    weights do they differ, by a factor for each batch: the mean is divided by the weights of the
    smoothed targets, torch divides by those of the labels.

    Parameters
    ----------
    smoothing : float, default=0.1
        Weight of the uniform distribution, in [0, 1].
    final : float, default=None
        Weight at the end of the planned training; None keeps `smoothing`.

    References
    ----------
    .. [1] C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens, Z. Wojna, "Rethinking the Inception
       Architecture for Computer Vision", CVPR 2016.
    .. [2] R. Müller, S. Kornblith, G. Hinton, "When Does Label Smoothing Help?", NeurIPS 2019.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skreg.deep import DeepClassifier
    >>> from skreg.deep.regularizers import LabelSmoothing
    >>> X, y = load_iris(return_X_y=True)
    >>> smoothing = LabelSmoothing(0.2, final=0.0)
    >>> model = DeepClassifier(regularizers=[("smooth", smoothing)], max_epochs=20, random_state=0)
    >>> model.fit(X, y).score(X, y) > 0.9
    True
    """

    tasks = ("classification",)
    softens_targets = True

    def __init__(self, smoothing: float = 0.1, final: float | None = None) -> None:
        self.smoothing = smoothing
        self.final = final

    def initialize(self) -> Self:
        check_number("smoothing", self.smoothing, 0.0, 1.0)
        if self.final is not None:
            check_number("final", self.final, 0.0, 1.0)
        return self

    def targets(self, net: Net, batch: Batch, y: torch.Tensor) -> torch.Tensor:
        """Smooth the targets."""
        final = self.smoothing if self.final is None else self.final
        now = self.smoothing + batch.progress * (final - self.smoothing)
        return smooth_targets(y, net.n_outputs_, now)
