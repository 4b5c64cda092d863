"""skorch nets whose training step asks regularizers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import skorch
import torch
from torch import nn

from ._frozen_copy import bare
from ._needs import check_needs
from ._net_answers import in_shape_of
from ._regularizer import NamedRegularizers
from ._training import RegularizedNet, in_full


class RegularizedNetClassifier(RegularizedNet, skorch.NeuralNetClassifier):
    """skorch's classifier whose training step asks regularizers.

    Everything that skorch's class takes works here: callbacks, learning-rate schedules,
    checkpoints, ``module__WIDTH``, ``torch.compile`` by ``compile=True``. ``fit`` and
    ``partial_fit`` also take `sample_weight`, and `sample_index`, the number of each row by which
    regularizers know it again. Without it ``fit`` numbers rows by their position, and a later
    ``partial_fit`` goes on from the largest number, so that its rows are new samples. A training
    loss that is not finite raises ValueError before the optimizer moves: a grid search then scores
    that candidate as failed instead of averaging NaN.

    Parameters
    ----------
    module : type or torch.nn.Module
        The network; its output are logits of shape (n, n_classes).
    *args : tuple
        Positional arguments of `skorch.NeuralNetClassifier`.
    criterion : type, default=torch.nn.CrossEntropyLoss
        The loss. With sample weights it must return one loss for each sample when its attribute
        ``reduction`` is ``"none"``, as torch's losses do.
    regularizers : list of (str, Regularizer), default=None
        The regularizers by name, asked in this order; None in place of one leaves it out.
        ``set_params`` and grid searches reach ``regularizers__NAME__PARAM``.
    accumulation_steps : int, default=1
        Number of batches whose gradients come together in one step of the optimizer. The last
        step of an epoch takes the batches that are left.
    mixed_precision : {None, "bfloat16", "float16"}, default=None
        Type of ``torch.autocast`` in the forward pass; losses and penalties get the module's
        output in single precision. ``"float16"`` scales the gradients, which allows no optimizer
        that evaluates the loss more than once in a step.
    **kwargs : dict
        Keyword arguments of `skorch.NeuralNetClassifier`. ``predict_nonlinearity="auto"``, the
        default, is the criterion's ``predict_nonlinearity`` if it has one, otherwise skorch's
        rule for ``NLLLoss`` and the binary losses, and softmax for all others.

    Attributes
    ----------
    n_samples_ : int
        One more than the largest number of a training sample, known once training has begun.
    n_outputs_ : int or None
        Number of outputs of the module, known once the first batch has been through it.
    steps_ : int
        Number of optimizer steps so far.

    Examples
    --------
    >>> import torch
    >>> from sklearn.datasets import load_iris
    >>> from skreg.deep import RegularizedNetClassifier, Regularizer
    >>> class SmallLogits(Regularizer):
    ...     def __init__(self, strength=0.1):
    ...         self.strength = strength
    ...
    ...     def penalty(self, net, batch, y_pred, features):
    ...         return self.strength * y_pred.square().mean()
    >>> X, y = load_iris(return_X_y=True)
    >>> _ = torch.manual_seed(0)
    >>> net = RegularizedNetClassifier(
    ...     torch.nn.Linear,
    ...     module__in_features=4,
    ...     module__out_features=3,
    ...     regularizers=[("small", SmallLogits())],
    ...     verbose=0,
    ... )
    >>> _ = net.fit(X.astype("float32"), y).set_params(regularizers__small__strength=1.0)
    """

    def __init__(
        self,
        module: nn.Module | Callable[..., nn.Module],
        *args: Any,
        criterion: type = nn.CrossEntropyLoss,
        regularizers: NamedRegularizers | None = None,
        accumulation_steps: int = 1,
        mixed_precision: Literal["bfloat16", "float16"] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            module,
            *args,
            criterion=criterion,
            regularizers=regularizers,
            accumulation_steps=accumulation_steps,
            mixed_precision=mixed_precision,
            **kwargs,
        )

    task_ = "classification"

    def train_step(self, batch: tuple[Any, ...], **fit_params: Any) -> dict[str, Any]:
        """Step; the first batch tells whether each sample has one class or many.

        Parameters
        ----------
        batch : tuple
            The batch.
        **fit_params : dict
            Further arguments of the module.

        Returns
        -------
        dict
            The loss and the predictions.
        """
        y = batch[1]
        is_dense = getattr(y, "ndim", 1) > 1 and not y.is_floating_point()
        if is_dense != (self.task_ == "dense"):
            self.task_ = "dense" if is_dense else "classification"
            check_needs(self.regularizers_, self.task_, type(self).__name__)
        return super().train_step(batch, **fit_params)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Class probabilities.

        Parameters
        ----------
        X : array, Tensor, Dataset, or what the module takes
            Inputs.

        Returns
        -------
        ndarray of shape (n, n_classes, ...)
            Probabilities.

        Raises
        ------
        ValueError
            If, with ``predict_nonlinearity="auto"``, they are none.
        """
        probabilities = super().predict_proba(X)
        if self.predict_nonlinearity == "auto":
            check_distribution(probabilities, self.criterion_)
        return probabilities

    def probabilities(self, y_pred: torch.Tensor) -> torch.Tensor:
        """Turn outputs of the module into class probabilities as `predict_proba` does.

        Parameters
        ----------
        y_pred : Tensor of shape (n, n_classes, ...)
            Outputs of the module.

        Returns
        -------
        Tensor of shape (n, n_classes, ...)
            Probabilities, with their graph, in full precision.
        """
        return self._nonlinearity()(in_full(y_pred))

    def _get_predict_nonlinearity(self):
        self.check_is_fitted()
        return self._nonlinearity()

    def _nonlinearity(self):
        if self.predict_nonlinearity != "auto":
            return super()._get_predict_nonlinearity()
        criterion = bare(self.criterion_)
        if hasattr(criterion, "predict_nonlinearity"):
            return criterion.predict_nonlinearity
        if isinstance(criterion, nn.NLLLoss | nn.BCELoss | nn.BCEWithLogitsLoss):
            return super()._get_predict_nonlinearity()
        return softmax_over_classes


class RegularizedNetSegmenter(RegularizedNetClassifier):
    """skorch's classifier for a class of each pixel, whose training step asks regularizers.

    The module returns logits of shape (n, n_classes, height, width), targets are class numbers of
    shape (n, height, width), or -100 where ``torch.nn.CrossEntropyLoss`` ignores them. Regularizers
    for pixels are accepted from the beginning; `RegularizedNetClassifier` learns from the first
    batch that there is a class for each pixel. Validation has no accuracy, which scikit-learn has
    for one label of each sample only.

    Parameters
    ----------
    module : type or torch.nn.Module
        The network.
    *args : tuple
        As for `RegularizedNetClassifier`.
    criterion : type, default=torch.nn.CrossEntropyLoss
        The loss.
    regularizers : list of (str, Regularizer), default=None
        As for `RegularizedNetClassifier`.
    accumulation_steps : int, default=1
        As for `RegularizedNetClassifier`.
    mixed_precision : {None, "bfloat16", "float16"}, default=None
        As for `RegularizedNetClassifier`.
    **kwargs : dict
        As for `RegularizedNetClassifier`.

    Attributes
    ----------
    n_samples_ : int
        One more than the largest number of a training sample, known once training has begun.
    n_outputs_ : int or None
        Number of classes, known once the first batch has been through the module.
    steps_ : int
        Number of optimizer steps so far.
    """

    task_ = "dense"

    @property
    def _default_callbacks(self):
        return [pair for pair in super()._default_callbacks if pair[0] != "valid_acc"]


class RegularizedNetRegressor(RegularizedNet, skorch.NeuralNetRegressor):
    """skorch's regressor whose training step asks regularizers.

    Parameters
    ----------
    module : type or torch.nn.Module
        The network; its output has the shape of the targets.
    *args : tuple
        Positional arguments of `skorch.NeuralNetRegressor`.
    criterion : type, default=torch.nn.MSELoss
        The loss, as for `RegularizedNetClassifier`.
    regularizers : list of (str, Regularizer), default=None
        As for `RegularizedNetClassifier`.
    accumulation_steps : int, default=1
        As for `RegularizedNetClassifier`.
    mixed_precision : {None, "bfloat16", "float16"}, default=None
        As for `RegularizedNetClassifier`.
    **kwargs : dict
        Keyword arguments of `skorch.NeuralNetRegressor`.

    Attributes
    ----------
    n_samples_ : int
        One more than the largest number of a training sample, known once training has begun.
    n_outputs_ : int or None
        Number of outputs of the module, known once the first batch has been through it.
    steps_ : int
        Number of optimizer steps so far.
    """

    def __init__(
        self,
        module: nn.Module | Callable[..., nn.Module],
        *args: Any,
        criterion: type = nn.MSELoss,
        regularizers: NamedRegularizers | None = None,
        accumulation_steps: int = 1,
        mixed_precision: Literal["bfloat16", "float16"] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            module,
            *args,
            criterion=criterion,
            regularizers=regularizers,
            accumulation_steps=accumulation_steps,
            mixed_precision=mixed_precision,
            **kwargs,
        )

    task_ = "regression"

    def get_loss(
        self,
        y_pred: torch.Tensor,
        y_true: torch.Tensor,
        X: dict[str, Any] | None = None,
        training: bool = False,
    ) -> torch.Tensor:
        """Loss of a batch; (n,) and (n, 1) are the same, and not broadcast to (n, n).

        Parameters
        ----------
        y_pred : Tensor
            Predictions.
        y_true : Tensor
            Targets.
        X : dict, default=None
            Inputs, indices and weights.
        training : bool, default=False
            Whether this is a training step.

        Returns
        -------
        Tensor of shape ()
            The loss.
        """
        y_pred = in_shape_of(y_true, y_pred)
        return super().get_loss(y_pred, y_true, X=X, training=training)


def softmax_over_classes(outputs):
    """Softmax along the axis of the classes: the second, as in torch's losses."""
    return outputs.softmax(1 if outputs.ndim > 1 else 0)


def check_distribution(probabilities, criterion):
    """Raise ValueError unless the second axis holds distributions."""
    total = probabilities.sum(axis=1)
    if not (probabilities.min(initial=0) >= 0 and np.allclose(total, 1, atol=1e-2)):
        of = type(bare(criterion)).__name__
        raise ValueError(
            f"the outputs are no class probabilities: they sum to between {total.min():.3g} and "
            f"{total.max():.3g}, the least is {probabilities.min():.3g}. Under {of} the module "
            "must return probabilities where skorch takes them as they are (NLLLoss: end it in a "
            "softmax, or use CrossEntropyLoss on logits); another rule can be given as "
            "predict_nonlinearity"
        )
