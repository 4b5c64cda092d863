"""Fits from whatever gives the means and covariances of the columns."""

from collections.abc import Iterable
from numbers import Real
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_array, validate_data

from skreg._sklearn import _fit_context
from skreg._state import all_or_nothing
from skreg.causal._linear_dag import LinearDAG
from skreg.causal._missing import em_moments
from skreg.causal._validation import checked_covariance, refuse_missing, validate_rows
from skreg.moments import Moments, moments, with_exact_constants
from skreg.rows import as_dask_array, checked_weights, dask_rows, is_dask_collection

ONE_PASS = (
    "streams and dask collections are read once, which missing='em' cannot do with; leave such "
    "rows out, or fit rows in memory"
)


class MomentsDAG(LinearDAG):
    """Base of estimators that see rows through `Moments` only, by `_fit_described`."""

    missing: Literal["raise", "em"]
    feature_names_in_: np.ndarray

    def _fit_described(self, names: list[str], data: Moments) -> Any:
        """Fit to `Moments` of columns with these names, with checks and warnings."""
        raise NotImplementedError

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.missing == "em"
        return tags

    def _described(self, X, sample_weight):
        """Names of the columns, and `Moments` of the rows."""
        if is_dask_collection(X):
            return self._described_by_dask(X, sample_weight)
        by_em = self.missing == "em"
        X, sample_weight = validate_rows(self, X, sample_weight, allow_nan=by_em)
        if by_em and np.isnan(X).any():
            return self._names(), em_moments(X, sample_weight, self._names())
        return self._names(), moments(X, sample_weight)

    def _described_by_dask(self, X, sample_weight):
        by = type(self).__name__
        n_columns = as_dask_array(X, by).shape[-1]
        head = X._meta if hasattr(X, "columns") else np.empty((0, n_columns))
        validate_data(self, head, skip_check_array=True)
        rows = dask_rows(X, sample_weight=sample_weight, by=by)
        return self._names(), _merged(rows.reduce(_moments_of_chunk, Moments.merge))

    @_fit_context(prefer_skip_nested_validation=True)
    @all_or_nothing
    def fit_stream(self, blocks: Iterable[Any]) -> Self:
        """Fit to blocks of rows that are never in memory together.

        Parameters
        ----------
        blocks : iterable of array-like or of tuple
            Rows of shape (n_rows, n_features) each, or pairs (rows, weights of the rows), read
            once. Data frames must have the same columns. Beside one block, memory holds a matrix of
            shape (n_features, n_features).

        Returns
        -------
        Self
            The fitted estimator, as after `fit` on all rows up to rounding.

        Raises
        ------
        ValueError
            If there are no blocks, one has NaN or infinity or other columns than the first, a
            weight is negative, or a column is constant over all blocks.
        """
        whole = None
        for number, block in enumerate(blocks):
            rows, weights = block if isinstance(block, tuple) else (block, None)
            try:
                part = self._moments_of_block(rows, weights, first=number == 0)
            except ValueError as error:
                error.add_note(f"in block {number} of the stream, counted from 0")
                raise
            whole = part if whole is None else whole.merge(part)
        if whole is None:
            raise ValueError("blocks is empty: there are no rows to fit to")
        self._fit_described(self._names(), _merged(whole))
        return self

    def _moments_of_block(self, rows, weights, first):
        X = validate_data(
            self, rows, dtype=np.float64, reset=first, ensure_all_finite="allow-nan",
            ensure_min_samples=0, ensure_min_features=2,
        )  # fmt: skip
        refuse_missing(X, ONE_PASS)
        return moments(X, checked_weights(weights, X, all_zero=True))

    @_fit_context(prefer_skip_nested_validation=True)
    @all_or_nothing
    def fit_covariance(
        self,
        covariance: ArrayLike,
        n_samples: float,
        *,
        mean: ArrayLike | None = None,
        feature_names: ArrayLike | None = None,
    ) -> Self:
        """Fit to a covariance matrix and a number of rows.

        Parameters
        ----------
        covariance : array-like of shape (n_features, n_features)
            Covariance matrix with the divisor `n_samples`; of a data frame, the names of the
            columns are used. A matrix of correlations has lost what told the directions.
        n_samples : float
            Number of rows that it is from, or the sum of their weights.
        mean : array-like of shape (n_features,), default=None
            Means of the columns; 0 if None.
        feature_names : array-like of shape (n_features,), default=None
            Names of the columns, instead of those of a data frame.

        Returns
        -------
        Self
            The fitted estimator, as after `fit` on the rows up to rounding.

        Raises
        ------
        ValueError
            If the matrix is not symmetric, not positive semidefinite or not finite, a variance is
            0, an argument has another size, or a name stands twice.
        """
        C = checked_covariance(covariance)
        if not isinstance(n_samples, Real) or not 2 <= n_samples < np.inf:
            raise ValueError(f"n_samples={n_samples!r} must be a number of at least 2")
        centre = np.zeros(len(C))
        if mean is not None:
            centre = check_array(mean, dtype=np.float64, ensure_2d=False, input_name="mean")
            if centre.shape != (len(C),):
                raise ValueError(f"mean has shape {centre.shape}, but covariance {C.shape}")
        columns = getattr(covariance, "columns", ())
        if feature_names is None and any(isinstance(name, str) for name in columns):
            feature_names = columns
        self._set_columns(len(C), feature_names)
        self._fit_described(self._names(), Moments(float(n_samples), centre, C * n_samples))
        return self

    def _set_columns(self, n_columns, names):
        """What `validate_data` learns from rows: the number of columns, and names that are text."""
        self.n_features_in_ = n_columns
        if hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        if names is None:
            return
        given = np.asarray(names, dtype=object)
        texts = given.shape == (n_columns,) and all(isinstance(name, str) for name in given)
        if not texts or len(set(given)) < n_columns:
            raise ValueError(f"feature_names must be {n_columns} different texts; it is {names!r}")
        self.feature_names_in_ = given


def _merged(data):
    if not data.weight > 0:
        raise ValueError("there are no rows of positive weight to fit to")
    return with_exact_constants(data)


def _moments_of_chunk(chunk):
    X = check_array(
        chunk.X, dtype=np.float64, ensure_all_finite="allow-nan", ensure_min_samples=0,
        ensure_min_features=2,
    )  # fmt: skip
    refuse_missing(X, ONE_PASS)
    return moments(X, checked_weights(chunk.sample_weight, X, all_zero=True))
