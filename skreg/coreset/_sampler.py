"""The sampler: a weighted subset of rows that keeps all l_p norms."""

from copy import copy
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from skreg._estimator import Estimator
from skreg._sklearn import Interval, StrOptions, _fit_context, _safe_indexing
from skreg.coreset._rows import Rows, power_scale
from skreg.coreset._sampling import draw, mixed_scores
from skreg.coreset._scores import SCORES, Score, sample_size, scores_of_rows
from skreg.coreset._strata import draw_from_each_class
from skreg.coreset._target import (
    checked_target,
    heaviest_of_each_class,
    residual_columns,
    target_kind,
)
from skreg.rows import checked_weights

_DEFAULT_EPS = 0.1


class SensitivitySampler(Estimator):
    r"""Draw a weighted subset of rows that keeps :math:`\|A x\|_p^p` for every x.

    Row i is kept with probability :math:`q_i = \min(1, c s_i)`, s its score, and gets the weight
    :math:`1/q_i`, so that sums over the subset are unbiased. Rows of high influence are
    kept for certain, with a weight of exactly one. The constant c makes the expected number of
    rows `n_samples`. The interface is that of imbalanced-learn's samplers, with weights.

    Parameters
    ----------
    p : float, default=2
        The power of the loss, p >= 1: 1 for least absolute deviations, 2 for least squares.
    scores : str, default="lewis"
        "uniform", "leverage", "root_leverage", "lewis", "sensitivity", "lewis+leverage",
        "sensitivity+leverage", or "distance" for clusterings; see `importance_scores`.
    n_samples : int, default=None
        Expected number of rows to keep, at least the rank. If it is not smaller than the number of
        rows, all are kept.
    eps : float, default=None
        Distortion to aim for, if `n_samples` is None: :math:`1.5\, T / \epsilon^2` rows are kept,
        T the sum of the scores (for Lewis weights at p > 2, :math:`d^{p/2}`). The factor is a
        heuristic; `subspace_distortion` verifies. None means 0.1.
    floor : float, default=0.01
        Share of uniform sampling that is added to the normalised scores.
    method : {"bernoulli", "systematic", "with_replacement"}, default="bernoulli"
        Keep every row independently; or with the same probabilities but a number of rows that is
        exact up to one; or draw `n_samples` times with replacement, which is worse.
    include_y : {"auto", "regression", "classification"} or None, default="auto"
        Whether y takes part in the residual: "regression" appends it as columns; "classification"
        appends an indicator of each class, so that the rows of a rare one weigh as much together
        as those of a frequent one, and keeps the row of highest score of each class for certain:
        no class is ever lost. "auto" takes labels, and integers of at most :math:`\sqrt n`
        different values, for classes, and other numbers, those in an array of objects too, for
        regression. None ignores y.
    fit_intercept : bool, default=True
        Append a column of ones to A.
    scale_rows : bool, default=False
        Return rows, and y, multiplied by :math:`w^{1/p}`, for estimators without sample weights
        whose loss is the p-th power of a residual without intercept.
    random_state : int, RandomState instance or None, default=None
        Seed of the draw.
    stratify : {"proportional", "equal"} or None, default=None
        Draw from each class of y by itself: a number of rows in proportion to its weight, or the
        same for each, all rows of those that have fewer. None draws from all rows together.

    Attributes
    ----------
    scores_ : ndarray of shape (n,)
        Scores of the rows, not normalised.
    inclusion_proba_ : ndarray of shape (n,)
        Probability :math:`q_i` that a row is kept.
    sample_indices_ : ndarray of shape (m,)
        The rows that were kept, increasing.
    sample_weight_ : ndarray of shape (m,)
        Their weights :math:`\omega_i / q_i`, :math:`\omega` the weights given to `fit`.
    total_score_ : float
        Sum of the scores: the rank for Lewis weights, the total sensitivity for sensitivities.
    n_samples_ : int
        Expected number of rows that was aimed for; the realised one is the length of
        `sample_indices_`.
    rank_ : int
        Rank of A.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns of X, if they are all strings.

    See Also
    --------
    CoresetEstimator : Fits any estimator on the subset.
    StreamingCoreset : For rows that arrive in batches.
    chunked_coreset : For data larger than memory.

    References
    ----------
    .. [1] D. P. Woodruff, T. Yasuda, "Sharper Bounds for l_p Sensitivity Sampling", ICML 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.coreset import SensitivitySampler
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((1000, 3))
    >>> X[:2] *= 100
    >>> sampler = SensitivitySampler(p=1, n_samples=100, random_state=0)
    >>> X_kept, _, weight = sampler.fit_resample_weighted(X)
    >>> weight[:2]
    array([1., 1.])
    >>> bool(abs(np.abs(X_kept).T @ weight / np.abs(X).sum(axis=0) - 1).max() < 0.2)
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        "p": [Interval(Real, 1, None, closed="left")],
        "scores": [StrOptions(set(SCORES))],
        "n_samples": [None, Interval(Integral, 1, None, closed="left")],
        "eps": [None, Interval(Real, 0, None, closed="neither")],
        "floor": [Interval(Real, 0, None, closed="left")],
        "method": [StrOptions({"bernoulli", "systematic", "with_replacement"})],
        "include_y": [StrOptions({"auto", "regression", "classification"}), None],
        "stratify": [StrOptions({"proportional", "equal"}), None],
        "fit_intercept": ["boolean"],
        "scale_rows": ["boolean"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        p: float = 2,
        scores: Score = "lewis",
        n_samples: int | None = None,
        eps: float | None = None,
        floor: float = 0.01,
        method: Literal["bernoulli", "systematic", "with_replacement"] = "bernoulli",
        include_y: Literal["auto", "regression", "classification"] | None = "auto",
        fit_intercept: bool = True,
        scale_rows: bool = False,
        random_state: int | np.random.RandomState | None = None,
        *,
        stratify: Literal["proportional", "equal"] | None = None,
    ) -> None:
        self.p = p
        self.scores = scores
        self.n_samples = n_samples
        self.eps = eps
        self.floor = floor
        self.method = method
        self.include_y = include_y
        self.fit_intercept = fit_intercept
        self.scale_rows = scale_rows
        self.random_state = random_state
        self.stratify = stratify

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Score the rows and draw the subset.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n, n_features)
            The rows.
        y : array-like of shape (n,) or (n, n_targets), default=None
            The target.
        sample_weight : array-like of shape (n,), default=None
            Weights of the rows in the loss. Rows of weight zero are never kept.

        Returns
        -------
        SensitivitySampler
            The fitted sampler.

        Raises
        ------
        ValueError
            If X or y has NaN or infinity, if y holds dates or a mixture of types, if weights are
            negative, or if `n_samples` is below the rank.
        """
        self._fit(X, y, sample_weight)
        return self

    def _fit(self, X, y, sample_weight):
        """Learn, all or nothing, and return X as an array or in CSR."""
        fresh = copy(self)
        array = fresh._learn(X, y, sample_weight)
        self.__dict__ = fresh.__dict__
        return array

    def _learn(self, X, y, sample_weight):
        rng = check_random_state(self.random_state)
        A, omega, classes = self._rows(X, y, sample_weight, reset=True)
        scores = scores_of_rows(A, self.p, self.scores, rng)
        self.scores_, self.rank_ = scores
        self.total_score_ = float(scores.values.sum())
        self._draw(self._target_size(scores), rng.randint(2**31), omega, classes)
        return A.X

    def _draw(self, n_samples, seed, omega, classes):
        """Draw the subset by the scores."""
        self.n_samples_ = n_samples
        if self.stratify is None:
            mixed = mixed_scores(self.scores_, self.floor, omega)
            certain = () if classes is None else heaviest_of_each_class(classes, mixed)
            drawn = draw(mixed, n_samples, self.method, seed, certain)
        elif classes is None or classes.ndim > 1:
            raise ValueError(
                f"stratify={self.stratify!r} needs one column y of classes: give one, and "
                "include_y='classification' if its labels are numbers"
            )
        else:
            drawn = draw_from_each_class(
                self.scores_, classes, omega, self.floor, n_samples, self.method, self.stratify,
                seed,
            )  # fmt: skip
        self.inclusion_proba_, self.sample_indices_, factor = drawn
        self.sample_weight_ = factor if omega is None else factor * omega[self.sample_indices_]

    def _redrawn(self, n_samples, seed, X, y, sample_weight):
        """A fitted sampler with another subset, of the same scores, and that subset."""
        other = copy(self)
        A, omega, classes = self._rows(X, y, sample_weight, reset=False)
        other._draw(n_samples, seed, omega, classes)
        return other, other._kept(X if hasattr(X, "columns") else A.X, y)

    def fit_resample(
        self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None
    ) -> tuple[Any, Any]:
        """Return the subset without its weights, as imbalanced-learn's samplers do.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n, n_features)
            The rows.
        y : array-like of shape (n,) or (n, n_targets), default=None
            The target.
        sample_weight : array-like of shape (n,), default=None
            Weights of the rows in the loss.

        Returns
        -------
        X_res : {ndarray, sparse matrix, dataframe} of shape (m, n_features)
            The rows that were kept, of the type of X.
        y_res : array-like of shape (m,) or (m, n_targets), or None
            Their targets. The weights are in `sample_weight_`.

        Raises
        ------
        ValueError
            As `fit`.
        """
        return self.fit_resample_weighted(X, y, sample_weight)[:2]

    def resample(
        self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None
    ) -> tuple[Any, Any]:
        """Do the same as `fit_resample`.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n, n_features)
            The rows.
        y : array-like of shape (n,) or (n, n_targets), default=None
            The target.
        sample_weight : array-like of shape (n,), default=None
            Weights of the rows in the loss.

        Returns
        -------
        X_res : {ndarray, sparse matrix, dataframe} of shape (m, n_features)
            The rows that were kept.
        y_res : array-like of shape (m,) or (m, n_targets), or None
            Their targets.

        Raises
        ------
        ValueError
            As `fit`.
        """
        return self.fit_resample(X, y, sample_weight)

    def fit_resample_weighted(
        self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None
    ) -> tuple[Any, Any, np.ndarray]:
        """Return the subset and its weights.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n, n_features)
            The rows.
        y : array-like of shape (n,) or (n, n_targets), default=None
            The target.
        sample_weight : array-like of shape (n,), default=None
            Weights of the rows in the loss.

        Returns
        -------
        X_res : {ndarray, sparse matrix, dataframe} of shape (m, n_features)
            The rows that were kept.
        y_res : array-like of shape (m,) or (m, n_targets), or None
            Their targets.
        w_res : ndarray of shape (m,)
            Their weights; ones if `scale_rows` is true, as the rows hold them then.

        Raises
        ------
        ValueError
            As `fit`, and if `scale_rows` meets an intercept or labels.
        """
        self._validate_params()
        array = self._fit(X, y, sample_weight)
        return self._kept(X if hasattr(X, "columns") else array, y)

    def _kept(self, X, y):
        """Rows that were kept, their targets and weights."""
        X_res = _safe_indexing(X, self.sample_indices_)
        y_res = None
        if y is not None:
            y = y if hasattr(y, "to_frame") or hasattr(y, "columns") else np.asarray(y)
            y_res = _safe_indexing(y, self.sample_indices_)
        if self.scale_rows:
            return self._scaled(X_res, y_res)
        return X_res, y_res, self.sample_weight_

    def distortion(
        self,
        X: Any,
        y: Any = None,
        sample_weight: ArrayLike | None = None,
        *,
        n_probes: int = 300,
        random_state: int | np.random.RandomState | None = None,
    ) -> float:
        """Measure the distortion of the fitted subset on all rows.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n, n_features)
            The rows given to `fit`.
        y : array-like of shape (n,) or (n, n_targets), default=None
            The target given to `fit`.
        sample_weight : array-like of shape (n,), default=None
            The weights given to `fit`.
        n_probes : int, default=300
            Number of random directions, for p other than 2.
        random_state : int, RandomState instance or None, default=None
            Seed of the directions.

        Returns
        -------
        float
            The distortion for p = 2, a lower bound of it otherwise; see `subspace_distortion`.

        Raises
        ------
        ValueError
            If the number of rows is not that of the fit.
        """
        from skreg.coreset._distortion import distortion_of_rows

        check_is_fitted(self)
        A = self._rows(X, y, sample_weight, reset=False)[0]
        if A.n_rows != len(self.scores_):
            raise ValueError(f"X has {A.n_rows} rows, but the fit had {len(self.scores_)}")
        return distortion_of_rows(
            A, self.sample_indices_, self.sample_weight_, self.p, n_probes,
            random_state=random_state,
        )  # fmt: skip

    def _rows(self, X, y, sample_weight, reset):
        """The scored rows, the weights, and y where it holds classes."""
        X = validate_data(
            self,
            X,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            ensure_all_finite=False,
            reset=reset,
        )
        omega = None
        if sample_weight is not None:
            omega = checked_weights(sample_weight, X)
        if y is not None:
            check_consistent_length(X, y)
            y = None if self.include_y is None else checked_target(y)
        kind = target_kind(y, self.include_y)
        columns = residual_columns(X.shape[0], y, kind, self.fit_intercept)
        rows = Rows(X, columns, power_scale(omega, self.p))
        return rows, omega, y if kind == "classification" else None

    def _target_size(self, scores):
        if self.n_samples is None and self.scores == "distance":
            raise ValueError(
                "scores='distance' needs n_samples: of the order d k log(k) / eps^2 for k clusters "
                "in d dimensions"
            )
        if self.n_samples is None:
            eps = _DEFAULT_EPS if self.eps is None else self.eps
            return sample_size(eps, self.p, self.scores, scores)
        if self.n_samples < scores.rank:
            raise ValueError(
                f"n_samples={self.n_samples} is below the rank {scores.rank} of the scored matrix "
                "(with intercept and target columns): no such subset keeps all norms"
            )
        return self.n_samples

    def _scaled(self, X_res, y_res):
        if self.fit_intercept:
            raise ValueError("scale_rows=True needs fit_intercept=False: append a column of ones")
        factor = self.sample_weight_ ** (1 / self.p)
        if y_res is not None:
            y_res = checked_target(y_res)
            if y_res.dtype.kind not in "iuf":
                raise ValueError("scale_rows=True needs a numeric target; got labels")
            y_res = y_res * (factor if y_res.ndim == 1 else factor[:, None])
        return _times(X_res, factor), y_res, np.ones(len(factor))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _times(X, factor):
    """Rows of an array, sparse matrix or data frame multiplied by a factor each."""
    if hasattr(X, "tocsr"):
        return X.multiply(factor[:, None]).tocsr()
    if hasattr(X, "with_columns"):  # polars
        return X.with_columns([X[name] * factor for name in X.columns])
    if hasattr(X, "iloc"):
        return X.mul(factor, axis=0)
    return X * factor[:, None]
