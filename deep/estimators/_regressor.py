"""Regression with regularized networks, as a scikit-learn estimator."""

from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import RegressorMixin
from sklearn.model_selection import ShuffleSplit
from sklearn.utils.validation import validate_data

from ..frame._nets import RegularizedNetRegressor
from ._estimator import ATTRIBUTES, PARAMETERS, DeepEstimator, as_array, converted
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
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **DeepEstimator._parameter_constraints,
        "standardize_target": ["boolean"],
    }

    def __init__(
        self,
        module=None,
        regularizers=None,
        *,
        criterion=None,
        optimizer=torch.optim.AdamW,
        lr=1e-3,
        max_epochs=100,
        batch_size=128,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        accumulation_steps=1,
        mixed_precision=None,
        compile=False,
        standardize="auto",
        standardize_target=True,
        device="auto",
        dtype="float32",
        callbacks=None,
        net_params=None,
        warm_start=False,
        random_state=None,
        verbose=0,
    ):
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
            random_state=random_state,
            verbose=verbose,
        )
        self.standardize_target = standardize_target

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X, y, sample_weight=None):
        """Fit the network.

        Parameters
        ----------
        X : array, DataFrame or Tensor of shape (n, n_features), or what `module` takes
            Inputs.
        y : array of shape (n,) or (n, n_targets)
            Targets.
        sample_weight : array of shape (n,), default=None
            Weights.

        Returns
        -------
        DeepRegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter, the data or the weights are not valid.
        """
        return self._fit_targets(X, y, sample_weight, self.max_epochs, not self._goes_on())

    def partial_fit(self, X, y, sample_weight=None):
        """Make one pass over the data, going on from where the last call ended.

        Parameters
        ----------
        X : array, DataFrame or Tensor of shape (n, n_features), or what `module` takes
            Inputs. The first call sets the sizes and scales.
        y : array of shape (n,) or (n, n_targets)
            Targets.
        sample_weight : array of shape (n,), default=None
            Weights.

        Returns
        -------
        DeepRegressor
            The estimator.

        Raises
        ------
        ValueError
            If a parameter, the data or the weights are not valid, or `early_stopping` is on.
        """
        self._forbid_early_stopping()
        return self._fit_targets(X, y, sample_weight, 1, not hasattr(self, "net_"))

    def _fit_targets(self, X, y, sample_weight, epochs, reset):
        self._validate_params()
        self.check_regularizers()
        X, y = validate_data(
            self,
            as_array(X),
            as_array(y),
            allow_nd=True,
            multi_output=True,
            y_numeric=True,
            reset=reset,
        )
        if reset:
            self._target_shape = y.shape[1:]
        elif y.shape[1:] != self._target_shape:
            raise ValueError(f"y must have shape (n, {self._target_shape}), got {y.shape}")
        return self._fit(X, y, sample_weight, epochs=epochs, reset=reset)

    def _scale(self, X, y, weight):
        super()._scale(X, y, weight)
        columns = y.reshape(len(y), -1)
        self._target_scaling = Standardization(columns, weight) if self.standardize_target else None

    def _targets(self, y):
        columns = y.reshape(len(y), -1)
        if self._target_scaling is None:
            return converted(columns, self.dtype, "y")
        return self._target_scaling.transform(columns, self.dtype)

    @property
    def _n_outputs(self):
        return int(np.prod(self._target_shape))

    def _task_arguments(self):
        return {}

    def predict(self, X):
        """Predicted targets.

        Parameters
        ----------
        X : array, DataFrame or Tensor of shape (n, n_features), or what `module` takes
            Inputs.

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
