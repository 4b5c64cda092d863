"""Regression with regularized networks, as a scikit-learn estimator."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import RegressorMixin
from sklearn.model_selection import ShuffleSplit
from sklearn.utils import check_array
from torch import nn

from skreg._state import all_or_nothing

from ..frame._nets import RegularizedNetRegressor
from ..frame._regularizer import NamedRegularizers
from ._estimator import DeepEstimator
from ._inputs import converted
from ._parameters import ATTRIBUTES, PARAMETERS
from ._standardize import Standardization


class DeepRegressor(RegressorMixin, DeepEstimator):
    __doc__ = (
        """Neural network regressor with regularizers.

    Builds a `RegularizedNetRegressor` in ``fit`` and keeps it in `net_`. Rows with weight zero
    take no part; with one batch for all data, integer weights are the same as repeated rows, up to
    the rounding of `dtype`. Ctrl-C ends the training and keeps the network as it is.

    Parameters
    ----------"""
        + PARAMETERS.format(
            criterion="``torch.nn.MSELoss``",
            target="""
    standardize_target : bool, default=True
        Train on targets with mean zero and variance one, which the loss and the regularizers then
        see; predictions are transformed back.""",
        )
        + """
    Attributes
    ----------"""
        + ATTRIBUTES.format(net="RegularizedNetRegressor")
        + """
    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skreg.deep import DeepRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = DeepRegressor(max_epochs=20, random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.4)
    True
    """
    )

    _net_class = RegularizedNetRegressor
    _split_class = ShuffleSplit
    _target_checks: ClassVar[dict[str, bool]] = {"multi_output": True, "y_numeric": True}
    _own_built_in = ("standardize_target",)
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **DeepEstimator._parameter_constraints,
        "standardize_target": ["boolean"],
    }

    def __init__(
        self,
        module: nn.Module | Callable[..., nn.Module] | None = None,
        regularizers: NamedRegularizers | None = None,
        *,
        criterion: nn.Module | Callable[..., nn.Module] | None = None,
        optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.AdamW,
        lr: float = 1e-3,
        max_epochs: int = 100,
        batch_size: int = 128,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        accumulation_steps: int = 1,
        mixed_precision: Literal["bfloat16", "float16"] | None = None,
        compile: bool = False,
        standardize: bool | Literal["auto"] = "auto",
        standardize_target: bool = True,
        device: str | torch.device = "auto",
        dtype: Literal["float32", "float64"] = "float32",
        callbacks: Sequence[Any] | None = None,
        net_params: dict[str, Any] | None = None,
        warm_start: bool = False,
        trainable: Sequence[str] | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        super().__init__(
            module,
            regularizers,
            criterion=criterion,
            optimizer=optimizer,
            lr=lr,
            max_epochs=max_epochs,
            batch_size=batch_size,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            accumulation_steps=accumulation_steps,
            mixed_precision=mixed_precision,
            compile=compile,
            standardize=standardize,
            device=device,
            dtype=dtype,
            callbacks=callbacks,
            net_params=net_params,
            warm_start=warm_start,
            trainable=trainable,
            random_state=random_state,
            verbose=verbose,
        )
        self.standardize_target = standardize_target

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    @all_or_nothing
    def fit(
        self,
        X: Any,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        sample_index: ArrayLike | None = None,
        X_val: Any = None,
        y_val: Any = None,
    ) -> Self:
        """Fit the network.

        Parameters
        ----------
        X : array, DataFrame, Tensor, dict of arrays, or torch Dataset
            Inputs: tables of shape (n, n_features), images, or what `module` takes; the arrays of
            a dict are its keyword arguments.
        y : array of shape (n,) or (n, n_targets), default=None
            Targets. None only for a data set of pairs.
        sample_weight : array of shape (n,), default=None
            Weights.
        sample_index : array of int of shape (n,), default=None
            Numbers under which regularizers remember the rows, all different and none negative,
            e.g. of rows that come again in other company. By default rows are numbered on from the
            largest number so far; a warm start on the very data of the last call keeps theirs.
        X_val, y_val : as `X` and `y`, default=None
            Data for the validation loss, and for early stopping if it is on, in place of a part of
            the training data; prepared as these are. skorch's ``predefined_split`` in
            ``net_params["train_split"]`` does the same.

        Returns
        -------
        DeepRegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter, the data or the weights are not valid, or one that was changed cannot
            act on a warm start.
        """
        self._validate_params()
        self.check_regularizers()
        reset = not self._goes_on()
        X, y = self._checked(X, y, reset=reset)
        validation = self._checked_validation(X_val, y_val)
        return self._fit(X, y, sample_weight, sample_index, validation, epochs=None, reset=reset)

    @all_or_nothing
    def partial_fit(
        self,
        X: Any,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        sample_index: ArrayLike | None = None,
    ) -> Self:
        """Make one pass over the data, going on from where the last call ended.

        Parameters
        ----------
        X : array, DataFrame, Tensor, dict of arrays, or torch Dataset
            Inputs, as for `fit`. The first call sets the sizes and scales.
        y : array of shape (n,) or (n, n_targets), default=None
            Targets. None only for a data set of pairs.
        sample_weight : array of shape (n,), default=None
            Weights.
        sample_index : array of int of shape (n,), default=None
            As for `fit`; without it the rows of each call are new samples.

        Returns
        -------
        DeepRegressor
            The estimator.

        Raises
        ------
        ValueError
            If a parameter, the data or the weights are not valid, `early_stopping` is on, or a
            parameter that was changed cannot act on a network that is there.
        """
        self._validate_params()
        self._forbid_early_stopping()
        self.check_regularizers()
        reset = not hasattr(self, "net_")
        X, y = self._checked(X, y, reset=reset)
        validation = self._checked_validation(None, None)
        return self._fit(X, y, sample_weight, sample_index, validation, epochs=1, reset=reset)

    def _checked(self, X, y, *, reset):
        X, y = super()._checked(X, y, reset=reset)
        if reset:
            self._target_shape = y.shape[1:]
        elif y.shape[1:] != self._target_shape:
            raise ValueError(f"y must have shape (n, {self._target_shape}), got {y.shape}")
        return X, y

    def _checked_targets_alone(self, X, y, *, reset):
        y = super()._checked_targets_alone(X, y, reset=reset)
        return check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")

    def _scale(self, X, y, weight):
        super()._scale(X, y, weight)
        columns = y.reshape(len(y), -1)
        self._target_scaling = Standardization(columns, weight) if self.standardize_target else None

    def _targets(self, y, _inputs):
        columns = y.reshape(len(y), -1)
        if self._target_scaling is None:
            return converted(columns, self._dtype, "y")
        return self._target_scaling.transform(columns, self._dtype)

    @property
    def _n_outputs(self):
        return int(np.prod(self._target_shape))

    def _own_sizes(self):
        return {"n_outputs": self._n_outputs}

    def _task_arguments(self):
        return {}

    def predict(self, X: Any) -> np.ndarray:
        """Predicted targets.

        Parameters
        ----------
        X : array, DataFrame, Tensor, dict of arrays, or torch Dataset
            Inputs, as for `fit`.

        Returns
        -------
        ndarray of shape (n,) or (n, n_targets)
            Predictions.
        """
        raw = self._raw_predictions(X)
        columns = raw.reshape(-1, self._n_outputs)
        if self._target_scaling is not None:
            columns = self._target_scaling.inverse_transform(columns)
        return columns.reshape(-1, *self._target_shape)
