"""The contrastive regularizer for regression in the training step."""

from collections.abc import Callable
from typing import Any, Literal, Self

import torch

from ..frame._regularizer import Batch, Net, Regularizer
from ..frame._views import views
from ._conr import ConRLoss


class ConR(Regularizer):
    """Contrasts features by the targets of an imbalanced regression (Keramati et al. 2024).

    Adds `skreg.deep.torch.ConRLoss` of the features of a layer. Sample weights, e.g. from
    `skreg.deep.torch.density_weights`, also weight its anchors. There they are importances, as in
    the paper, and no repetitions: a row given twice would also be the near neighbour of its copy.
    The pairs are those of a batch: in several processes, those of each process's own.

    `window` and ``1 / push`` are in units of the targets that the net trains on: `DeepRegressor`
    standardizes them unless ``standardize_target=False``. The defaults suit standardized targets;
    the paper has 1 and 0.01 for ages in years.

    Parameters
    ----------
    beta : float, default=4.0
        Strength.
    window : float, default=0.05
        Half-width of "near" targets and predictions, omega in the paper.
    temperature : float, default=0.07
        Temperature of the similarities.
    push : float, default=0.2
        Rate at which negatives are pushed harder the farther their targets are.
    push_form : {"exp", "linear"}, default="exp"
        How the push grows with the distance.
    reduction : {"mean", "valid"}, default="mean"
        Mean over all samples, or over those that have positives and negatives.
    official : bool, default=False
        Follow the authors' code for ages where it departs from the formula; not together with
        ``push_form="linear"``.
    augment : callable, default=None
        ``augment(X)`` returns a random view of a batch of inputs. If given, the loss is taken on
        two views of the batch, as in the paper, in a second forward pass; else on the batch itself,
        where a sample without near neighbours in the batch adds nothing.
    layer : str, default="penultimate"
        The layer whose output are the features; ``"penultimate"`` is the input of the last linear
        layer.

    References
    ----------
    .. [1] M. Keramati, L. Meng, R. D. Evans, "ConR: Contrastive Regularizer for Deep Imbalanced
       Regression", ICLR 2024.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skreg.deep import DeepRegressor
    >>> from skreg.deep.regularizers import ConR
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = DeepRegressor(
    ...     regularizers=[("conr", ConR(beta=0.1))], max_epochs=20, random_state=0
    ... )
    >>> model.fit(X, y).score(X, y) > 0.3
    True
    """

    tasks = ("regression",)
    beside_mixing = "never"

    def __init__(
        self,
        beta: float = 4.0,
        window: float = 0.05,
        temperature: float = 0.07,
        push: float = 0.2,
        push_form: Literal["exp", "linear"] = "exp",
        reduction: Literal["mean", "valid"] = "mean",
        official: bool = False,
        augment: Callable[..., Any] | None = None,
        layer: str = "penultimate",
    ) -> None:
        self.beta = beta
        self.window = window
        self.temperature = temperature
        self.push = push
        self.push_form = push_form
        self.reduction = reduction
        self.official = official
        self.augment = augment
        self.layer = layer

    def initialize(self) -> Self:
        self.loss_ = ConRLoss(
            window=self.window,
            temperature=self.temperature,
            push=self.push,
            push_form=self.push_form,
            reduction=self.reduction,
            official=self.official,
        )
        return self

    def penalty(self, net: Net, batch: Batch, y_pred: Any, features: Any) -> torch.Tensor:
        """Contrast the features of the batch, or of two views of it."""
        y, weight = batch.y, batch.sample_weight
        if self.augment is not None:
            two_views = views(batch.X, self.augment)
            y_pred, features = net.forward_again(two_views, layer=self.layer)
            y = torch.cat([y, y])
            weight = None if weight is None else torch.cat([weight, weight])
        return self.beta * self.loss_(features.flatten(1), y, y_pred, weight)
