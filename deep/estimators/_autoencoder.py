"""Codes of few numbers, as a scikit-learn transformer."""

from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.model_selection import ShuffleSplit
from sklearn.utils import check_array, gen_batches
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import nn

from skreg._sklearn import Interval, _check_sample_weight
from skreg._state import all_or_nothing

from ..frame._frozen_copy import bare
from ..frame._nets import RegularizedNetRegressor
from ..frame._regularizer import NamedRegularizers
from ._estimator import DeepEstimator
from ._inputs import converted
from ._modules import MLPAutoencoder
from ._parameters import ATTRIBUTES, PARAMETERS
from ._preparation import finite


class DeepAutoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, DeepEstimator):
    __doc__ = (
        """Neural network that learns codes from which the data can be reconstructed.

    Minimizes the mean squared error of ``decode(encode(X))`` to ``X``, both standardized. Builds a
    `RegularizedNetRegressor` in ``fit``, whose targets are its inputs, and keeps it in `net_`.
    With linear functions the codes span the space of the first principal components.

    Parameters
    ----------
    n_components : int, default=2
        Number of numbers in a code, for a `module` that takes it as an argument."""
        + PARAMETERS.format(criterion="``torch.nn.MSELoss``", target="")
        .replace(
            "By default a `ResidualMLP` for tables and a `SmallCNN` for images\n"
            "        of shape (n, channels, height, width), (n, height, width, channels) with 1, "
            "3 or 4\n        channels, or (n, height, width).",
            "It needs methods ``encode`` and\n        ``decode``, and a ``forward`` that applies "
            "both. By default an `MLPAutoencoder`.",
        )
        .replace("``n_outputs`` of a class", "``n_components`` of a class")
        + """
    Attributes
    ----------"""
        + ATTRIBUTES.format(net="RegularizedNetRegressor")
        + """
    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skreg.deep import DeepAutoencoder
    >>> X, _ = load_iris(return_X_y=True, as_frame=True)
    >>> model = DeepAutoencoder(n_components=2, max_epochs=20, random_state=0).fit(X)
    >>> model.transform(X).shape
    (150, 2)
    >>> bool(model.score(X) > -0.2)  # a fifth of the variance
    True
    """
    )

    _net_class = RegularizedNetRegressor
    _split_class = ShuffleSplit
    _own_built_in = ("n_components",)
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **DeepEstimator._parameter_constraints,
        "n_components": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        n_components: int = 2,
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
        self.n_components = n_components

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []  # codes have the type of the network
        return tags

    @all_or_nothing
    def fit(
        self,
        X: Any,
        y: None = None,
        sample_weight: ArrayLike | None = None,
        *,
        sample_index: ArrayLike | None = None,
        X_val: Any = None,
    ) -> Self:
        """Fit the network.

        Parameters
        ----------
        X : array, DataFrame or Tensor of shape (n, n_features), or what `module` takes
            The data.
        y : None
            Ignored.
        sample_weight : array of shape (n,), default=None
            Weights.
        sample_index : array of int of shape (n,), default=None
            Numbers under which regularizers remember the rows, as for `DeepClassifier`.
        X_val : array as `X`, default=None
            Data for the validation loss, and for early stopping if it is on, in place of a part of
            the training data; standardized as these are.

        Returns
        -------
        DeepAutoencoder
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
        X, _ = self._checked(X, None, reset=reset)
        validation = self._checked_validation(X_val, None)
        return self._fit(X, None, sample_weight, sample_index, validation, epochs=None, reset=reset)

    @all_or_nothing
    def partial_fit(
        self,
        X: Any,
        y: None = None,
        sample_weight: ArrayLike | None = None,
        *,
        sample_index: ArrayLike | None = None,
    ) -> Self:
        """Make one pass over the data, going on from where the last call ended.

        Parameters
        ----------
        X : array, DataFrame or Tensor of shape (n, n_features), or what `module` takes
            The data. The first call sets the sizes and scales.
        y : None
            Ignored.
        sample_weight : array of shape (n,), default=None
            Weights.
        sample_index : array of int of shape (n,), default=None
            As for `fit`; without it the rows of each call are new samples.

        Returns
        -------
        DeepAutoencoder
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
        X, _ = self._checked(X, None, reset=reset)
        validation = self._checked_validation(None, None)
        return self._fit(X, None, sample_weight, sample_index, validation, epochs=1, reset=reset)

    def _checked_arrays(self, X, y, *, reset):
        return validate_data(self, X, allow_nd=True, reset=reset), None

    def _require_module(self, X):
        raise ValueError(f"{type(self).__name__} needs X as one array, got a {type(X).__name__}")

    def _targets(self, _y, inputs):
        return inputs

    def _factory(self):
        if self.module is None and len(self._form) != 1:
            raise ValueError(
                f"the default network takes tables (n, n_features), got X of shape (n, "
                f"{', '.join(map(str, self._form))}): give a module with encode and decode"
            )
        return MLPAutoencoder if self.module is None else self.module

    def _own_sizes(self):
        return {"n_components": self.n_components}

    def _task_arguments(self):
        return {}

    def _begin(self):
        super()._begin()
        module = bare(self.net_.module_)
        missing = [name for name in ("encode", "decode") if not hasattr(module, name)]
        if missing:
            raise ValueError(
                f"the module of a DeepAutoencoder needs methods encode and decode; "
                f"{type(module).__name__} has no {' and no '.join(missing)}"
            )

    def transform(self, X: Any) -> np.ndarray:
        """Codes.

        Parameters
        ----------
        X : array, DataFrame or Tensor of shape (n, n_features), or what `module` takes
            Data.

        Returns
        -------
        ndarray of shape (n, n_components)
            The codes.
        """
        return self._through("encode", self._asked(X))

    def inverse_transform(self, X: ArrayLike) -> np.ndarray:
        """Data that have given codes.

        Parameters
        ----------
        X : array of shape (n, n_components)
            Codes.

        Returns
        -------
        ndarray of shape (n, n_features)
            The data, in the units of the training data.
        """
        check_is_fitted(self)
        code = check_array(X, allow_nd=True, input_name="X")
        data = self._through("decode", converted(code, self._dtype, "X"))
        if self._input_scaling is not None:
            data = self._input_scaling.inverse_transform(data)
        return data

    def score(self, X: Any, y: None = None, sample_weight: ArrayLike | None = None) -> float:
        """Negative mean squared error of the reconstruction of the standardized data.

        Zero is best; on the training data, minus one is what the mean alone achieves. One plus
        it is thus the share of the variance that the codes explain, as principal components do.

        Parameters
        ----------
        X : array, DataFrame or Tensor of shape (n, n_features), or what `module` takes
            Data.
        y : None
            Ignored.
        sample_weight : array of shape (n,), default=None
            Weights.

        Returns
        -------
        float
            The score.
        """
        inputs = self._asked(X)
        weight = _check_sample_weight(sample_weight, inputs, dtype=np.float64)
        again = self._through("decode", self._through("encode", inputs))
        errors = np.square(again - inputs, dtype=np.float64).reshape(len(inputs), -1)
        return -float(np.average(errors.mean(axis=1), weights=weight))

    @property
    def _n_features_out(self):
        return self._through("encode", np.zeros((1, *self._form), dtype=self._dtype)).shape[1]

    def _through(self, method, values):
        """Apply a method of the module to rows, in batches."""
        module = bare(self.net_.module_).eval()
        apply = getattr(module, method)
        parts = []
        with torch.inference_mode():
            for batch in gen_batches(len(values), self.net_.batch_size):
                rows = torch.tensor(values[batch], device=self._device())
                parts.append(apply(rows).cpu().numpy())
        return finite(np.concatenate(parts))
