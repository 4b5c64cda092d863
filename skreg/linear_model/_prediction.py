"""What a fitted sparse linear model knows and predicts, at one strength or at a chosen one."""

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import RegressorMixin
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import check_is_fitted, validate_data

from skreg._estimator import Estimator
from skreg._selected_features import SelectsFeatures
from skreg._warnings import warn
from skreg.linear_model._input import check_sample_weight, plain_numbers
from skreg.optim.solver import columns_of_few_digits

FLOATS = [np.float64, np.float32]


class LinearModel(Estimator):
    """Coefficients of which many are zero."""

    fit_intercept: bool
    coef_: np.ndarray
    intercept_: np.ndarray
    active_set_: np.ndarray
    penalty = SelectsFeatures.penalty  # tells SelectFromModel that zeros are meant

    @property
    def selected_features_(self) -> np.ndarray:
        """Names of the features of `active_set_`; x0, x1, .. if X had no names."""
        check_is_fitted(self)
        return feature_names(self)[self.active_set_]

    @property
    def sparse_coef_(self) -> sparse.csr_array:
        """Sparse copy of `coef_`, a CSR array of shape (n_outputs, n_features)."""
        return sparse.csr_array(np.atleast_2d(self.coef_))

    def _check_input(self, X: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
        """X by columns, y, and the weights, None where all are equal."""
        tags = self.__sklearn_tags__()
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse="csc",
            dtype=FLOATS,
            order="F",
            force_writeable=True,
            multi_output=tags.target_tags.multi_output,
            y_numeric=tags.estimator_type == "regressor",
        )
        sample_weight = check_sample_weight(sample_weight, X)
        if self.fit_intercept:
            self._warn_of_few_digits(X, sample_weight)
        return X, plain_numbers(y), sample_weight

    def _warn_of_few_digits(self, X: Any, sample_weight: np.ndarray | None) -> None:
        weight = np.ones(X.shape[0]) if sample_weight is None else sample_weight
        few = columns_of_few_digits(X, weight)
        if len(few):
            names = getattr(self, "feature_names_in_", np.arange(X.shape[1]))[few[:5]]
            warn(
                f"{len(few)} columns of X ({', '.join(map(str, names))}, ..) lie so far from zero "
                f"that {X.dtype} holds less than four digits of how they vary. Subtract a "
                "constant from them where they are computed.",
                UserWarning,
            )

    def _linear_predictor(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=["csr", "csc"], dtype=FLOATS, reset=False)
        return safe_sparse_dot(X, self.coef_.T, dense_output=True) + self.intercept_

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class LinearRegressor(RegressorMixin, LinearModel):
    """Regression whose prediction is the linear predictor."""

    def predict(self, X: Any) -> np.ndarray:
        """Predict the target.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predictions.
        """
        return self._linear_predictor(X)


def feature_names(model: Any) -> np.ndarray:
    """Names of the columns that a model was fitted on, as `get_feature_names_out` gives them.

    Parameters
    ----------
    model : estimator
        Estimator with `n_features_in_`.

    Returns
    -------
    ndarray of str of shape (n_features,)
        The names; x0, x1, .. where there were none.
    """
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        names = [f"x{j}" for j in range(model.n_features_in_)]
    return np.asarray(names, dtype=object)
