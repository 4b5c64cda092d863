"""From the data of a user to those of the net: checks, scaling, conversion."""

from __future__ import annotations

import functools

import numpy as np
import torch
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.validation import check_is_fitted, validate_data
from skorch.dataset import Dataset

from skreg._estimator import Estimator

from ..frame._frozen_copy import bare
from ._inputs import (
    Conversion,
    ConvertedDataset,
    check_parts,
    form_of,
    has_channels_last,
    is_one_array,
    n_rows,
    takes_tokens,
    unpacked,
)
from ._standardize import Standardization


def finite(outputs):
    """The outputs of a network, unless there are some that are no numbers.

    Raises
    ------
    ValueError
        If they are not finite.
    """
    strange = np.flatnonzero(~np.isfinite(outputs).reshape(len(outputs), -1).all(axis=1))
    if len(strange):
        raise ValueError(
            f"the network overflows for {len(strange)} of {len(outputs)} rows of X, the first of "
            f"which is row {strange[0]}: these inputs are too far from the training data"
        )
    return outputs


class PreparesData(Estimator):
    """The part of an estimator that checks and converts inputs and targets."""

    def _checked(self, X, y, *, reset):
        """Inputs and targets; arrays as scikit-learn checks them."""
        if reset:
            self._is_default = self.module is None
        X, y = unpacked(X, y)
        if is_one_array(X):
            X = self._channels_first(X, reset=reset)
            X, y = self._checked_arrays(X, y, reset=reset)
        else:
            self._require_module(X)
            check_parts(X)
            y = self._checked_targets_alone(X, y, reset=reset)
        if reset:
            self._form = form_of(X)
        self._check_form(X)
        return X, y

    def _check_form(self, X):
        form = form_of(X)
        if form != self._form:
            raise ValueError(
                f"X must have shape (n, {self._form}), got {getattr(X, 'shape', f'(n, {form})')}"
            )

    def _checked_arrays(self, X, y, *, reset):
        return validate_data(self, X, y, allow_nd=True, reset=reset, **self._target_checks)

    def _checked_targets_alone(self, X, y, *, reset):
        """Targets of what scikit-learn does not validate."""
        if reset:
            for name in ("n_features_in_", "feature_names_in_"):
                self.__dict__.pop(name, None)
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but neither y was given nor do "
                "the samples of the data set come with targets"
            )
        y = check_array(y, ensure_2d=False, dtype=None, input_name="y", estimator=self)
        check_consistent_length(np.empty(n_rows(X)), y)
        return y

    def _require_module(self, X):
        kind = f"a {type(X).__name__}"
        if self._is_default:
            raise ValueError(
                f"the default network takes tables and images as arrays, got {kind}: give a module"
            )
        if self.standardize is True:
            raise ValueError(f"standardize=True needs X as one array, got {kind}")

    def _channels_first(self, X, *, reset):
        """Images whose channels come last as torch has them, for the default network."""
        X = np.asarray(X) if isinstance(X, list | tuple) else X
        four_axes = self._is_default and getattr(X, "ndim", 0) == 4
        if reset:
            self._channels_last = four_axes and has_channels_last(X.shape)
        return np.moveaxis(X, 3, 1) if four_axes and self._channels_last else X

    def _checked_validation(self, X_val, y_val):
        """Own data for validation: those of ``fit``, or skorch's ``predefined_split``."""
        split = (self.net_params or {}).get("train_split")
        own = split.keywords.get("valid_ds") if isinstance(split, functools.partial) else None
        if X_val is None and y_val is not None:
            raise ValueError("y_val was given without X_val")
        if X_val is None and own is None:
            return None
        if X_val is not None and own is not None:
            raise ValueError(
                "X_val and a predefined_split in net_params['train_split'] are two sets of "
                "validation data: leave one out"
            )
        return self._checked(own if X_val is None else X_val, y_val, reset=False)

    def _prepared(self, X, y):
        """The data set for the net, and its targets once more."""
        if isinstance(X, torch.utils.data.Dataset):
            targets = self._targets(y, None)
            return ConvertedDataset(X, self._conversion(), targets), targets
        inputs = self._inputs(X)
        targets = self._targets(y, inputs)
        return Dataset(inputs, targets), targets

    def _scale(self, X, _y, weight):
        wanted = self._is_default if self.standardize == "auto" else self.standardize
        X = self._with_channels(X)
        self._input_scaling = Standardization(X, weight) if wanted else None

    def _inputs(self, X):
        """What the module gets."""
        if self._input_scaling is None:
            return self._conversion()(self._with_channels(X))
        with np.errstate(over="ignore"):
            inputs = self._input_scaling.transform(self._with_channels(X), self._dtype)
        return finite(inputs)

    def _conversion(self):
        return Conversion(self._dtype, takes_tokens(bare(self.net_.module_)))

    def _with_channels(self, X):
        """Images without channels get one, if the default network takes them."""
        return X[:, None] if self._is_default and getattr(X, "ndim", 0) == 3 else X

    def _asked(self, X):
        """What the net is asked about: checked and converted inputs."""
        check_is_fitted(self)
        X, _ = unpacked(X, ())
        if is_one_array(X):
            X = self._channels_first(X, reset=False)
            X = validate_data(self, X, allow_nd=True, reset=False)
        else:
            self._require_module(X)
            check_parts(X)
        self._check_form(X)
        if isinstance(X, torch.utils.data.Dataset):
            return ConvertedDataset(X, self._conversion())
        return self._inputs(X)

    def _raw_predictions(self, X):
        """What the net predicts."""
        X = self._asked(X)
        return finite(self.net_.predict_proba(X))
