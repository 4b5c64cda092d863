"""Coresets of a stream by merge-and-reduce."""

from copy import copy, deepcopy
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.utils import assert_all_finite, check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from skreg._estimator import Estimator
from skreg._sklearn import Interval, StrOptions
from skreg.coreset._rows import Rows, power_scale
from skreg.coreset._sampling import draw, mixed_scores
from skreg.coreset._scores import SCORES, Score, scores_of_rows
from skreg.coreset._target import checked_target, residual_columns
from skreg.rows import checked_weights, stack_rows

_KINDS = {
    "_has_y": "a coreset with y and one without",
    "_has_labels": "a coreset whose y holds labels and one whose y holds numbers",
    "_sparse": "a coreset of sparse rows and one of dense rows",
}


class StreamingCoreset(Estimator):
    """A weighted coreset of rows that arrive in batches, in logarithmic memory.

    Rows are collected until a buffer is full and then reduced to about `n_samples` weighted rows, a
    coreset of level 0. Two coresets of one level are put together and reduced to one of the next
    level. So at most one coreset of each level is held, and the distortion grows with the number of
    levels, the logarithm of the number of buffers. Parameters that are set between two batches act
    from the next batch on.

    Parameters
    ----------
    p : float, default=2
        The power of the loss, p >= 1.
    n_samples : int, default=1000
        Expected number of rows of each coreset.
    buffer_size : int, default=None
        Number of rows that are collected before they are reduced; four times `n_samples` if None.
    scores : str, default="lewis"
        As in `SensitivitySampler`.
    floor : float, default=0.01
        Share of uniform sampling that is added to the normalised scores.
    fit_intercept : bool, default=True
        Append a column of ones to the scored matrix.
    include_y : {"regression"} or None, default="regression"
        Append y to the scored matrix, or keep it beside the rows only (labels that are no numbers).
        Two classes encoded as 0 and 1 are appended too, so that the rows of a rare one are kept.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws.

    Attributes
    ----------
    n_samples_seen_ : int
        Number of rows seen.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns of X, if they are all strings.

    See Also
    --------
    SensitivitySampler : One reduction of all rows.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.coreset import StreamingCoreset
    >>> rng = np.random.default_rng(0)
    >>> stream = StreamingCoreset(p=1, n_samples=200, random_state=0)
    >>> for _ in range(10):
    ...     X = rng.standard_normal((1000, 3))
    ...     stream = stream.partial_fit(X, X @ [1.0, 2.0, 3.0])
    >>> X, y, weight = stream.get_coreset()
    >>> len(y) < 2000, bool(abs(weight.sum() / 10000 - 1) < 0.1)
    (True, True)
    """

    _parameter_constraints: ClassVar[dict] = {
        "p": [Interval(Real, 1, None, closed="left")],
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "buffer_size": [Interval(Integral, 1, None, closed="left"), None],
        "scores": [StrOptions(set(SCORES))],
        "floor": [Interval(Real, 0, None, closed="left")],
        "fit_intercept": ["boolean"],
        "include_y": [StrOptions({"regression"}), None],
        "random_state": ["random_state"],
    }

    _seed: Any

    def __init__(
        self,
        p: float = 2,
        n_samples: int = 1000,
        buffer_size: int | None = None,
        scores: Score = "lewis",
        floor: float = 0.01,
        fit_intercept: bool = True,
        include_y: Literal["regression"] | None = "regression",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.p = p
        self.n_samples = n_samples
        self.buffer_size = buffer_size
        self.scores = scores
        self.floor = floor
        self.fit_intercept = fit_intercept
        self.include_y = include_y
        self.random_state = random_state

    def fit(
        self, X: Any, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Forget all rows and take these.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n, n_features)
            Rows.
        y : array-like of shape (n,), default=None
            Targets.
        sample_weight : array-like of shape (n,), default=None
            Weights of the rows.

        Returns
        -------
        StreamingCoreset
            The coreset itself.

        Raises
        ------
        ValueError
            As `partial_fit`, or if all weights are zero.
        """
        self._validate_params()
        fresh = copy(self)
        fresh.__dict__.pop("_levels", None)
        fresh._take(X, y, sample_weight, all_zero=False)
        return self._become(fresh)

    def partial_fit(
        self, X: Any, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Take further rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n, n_features)
            Rows.
        y : array-like of shape (n,), default=None
            Targets; in every call or in none.
        sample_weight : array-like of shape (n,), default=None
            Weights of the rows; those of a whole batch may be zero.

        Returns
        -------
        StreamingCoreset
            The coreset itself, unchanged if an error is raised or the call is interrupted.

        Raises
        ------
        ValueError
            If the input is not finite, weights are negative, or y comes in some calls only.
        """
        self._validate_params()  # also of a fitted estimator, whose parameters may have been set
        fresh = copy(self) if not hasattr(self, "_levels") else self._copied()
        fresh._take(X, y, sample_weight, all_zero=True)
        return self._become(fresh)

    def _copied(self):
        """A copy that can go on without changing this coreset; rows once taken never change."""
        fresh = copy(self)
        fresh._levels, fresh._buffer = list(self._levels), list(self._buffer)
        fresh._rng = deepcopy(self._rng)
        return fresh

    def _become(self, fresh):
        """Take over all of a copy in one step: errors and interrupts leave all as it was."""
        self.__dict__ = fresh.__dict__
        return self

    def _take(self, X, y, sample_weight, all_zero):
        first = not hasattr(self, "_levels")
        X = validate_data(self, X, accept_sparse="csr", reset=first, dtype=[np.float64, np.float32])
        weight = np.ones(X.shape[0])
        if sample_weight is not None:
            weight = checked_weights(sample_weight, X, all_zero=all_zero)
        if y is not None:
            check_consistent_length(X, y)
            y = self._checked_target(y)
        if first:
            self._levels, self._buffer, self._n_buffered = [], [], 0
            self._has_y, self._sparse = y is not None, sparse.issparse(X)
            self._has_labels = _are_labels(y)
            self.n_samples_seen_ = 0
        if first or self._seed != self.random_state:
            self._seed = self.random_state
            self._rng = np.random.default_rng(check_random_state(self._seed).randint(2**31))
        if self._has_y != (y is not None):
            raise ValueError("y must be given in every call of partial_fit or in none")
        if self._has_labels != _are_labels(y):
            raise ValueError("y must hold numbers in every call of partial_fit, or labels in every")
        if sparse.issparse(X) != self._sparse:
            X = sparse.csr_array(X) if self._sparse else X.toarray()
        self.n_samples_seen_ += X.shape[0]
        batch = X, y, weight
        self._collect(batch if weight.all() else _rows_of(batch, np.flatnonzero(weight)))

    def _checked_target(self, y):
        """y as an array; numbers are checked now, as rows once taken cannot be given back."""
        if self.include_y is None:
            return np.asarray(y)
        y = checked_target(y)
        residual_columns(len(y), y, self.include_y, fit_intercept=False)
        assert_all_finite(y, input_name="y")
        return y

    def _collect(self, batch):
        """Fill the buffer with the batch, and reduce it as often as it is full.

        It may hold more than fits, if its size was lowered since it was filled.
        """
        size = 4 * self.n_samples if self.buffer_size is None else self.buffer_size
        while self._n_buffered + batch[0].shape[0] >= size:
            room = max(size - self._n_buffered, 0)
            taken, batch = _rows_of(batch, slice(None, room)), _rows_of(batch, slice(room, None))
            self._carry(self._reduced(_stack([*self._buffer, taken])), 0)
            self._buffer, self._n_buffered = [], 0
        nothing_yet = not (self._levels or self._buffer)
        if batch[0].shape[0] or nothing_yet:
            # copied: the caller may fill the same array with the next batch
            self._buffer.append(tuple(None if part is None else part.copy() for part in batch))
            self._n_buffered += batch[0].shape[0]

    def _carry(self, coreset, level):
        """Put a coreset on its level, merging upwards like the carry of a binary counter."""
        self._levels += [None] * (level + 1 - len(self._levels))
        while self._levels[level] is not None:
            coreset = self._reduced(_stack([self._levels[level], coreset]))
            self._levels[level] = None
            level += 1
            self._levels += [None] * (level + 1 - len(self._levels))
        self._levels[level] = coreset

    def _reduced(self, rows):
        """About n_samples of the weighted rows, by scores of omega_i^{1/p} a_i, times 1 / q_i."""
        X, y, weight = rows
        kind = None if y is None else self.include_y
        columns = residual_columns(X.shape[0], y, kind, self.fit_intercept)
        A = Rows(X, columns, power_scale(weight, self.p))
        legacy = np.random.RandomState(self._rng.integers(2**31))
        scores = scores_of_rows(A, self.p, self.scores, legacy)
        if self.n_samples < scores.rank:
            raise ValueError(
                f"n_samples={self.n_samples} is below the rank {scores.rank} of the scored matrix"
            )
        mixed = mixed_scores(scores.values, self.floor, weight)
        _, kept, factor = draw(mixed, self.n_samples, "bernoulli", self._rng.integers(2**31))
        X, y, weight = _rows_of(rows, kept)
        return X, y, weight * factor

    def merge(self, other: Self) -> Self:
        """Return a coreset of the rows of both, of different data; ``a + b`` does the same.

        Parameters
        ----------
        other : StreamingCoreset
            A coreset with the same parameters.

        Returns
        -------
        StreamingCoreset
            A new coreset; this one and `other` are left as they are.

        Raises
        ------
        TypeError
            If `other` is no StreamingCoreset.
        ValueError
            If the parameters, the number or names of features or the presence of y differ.
        """
        self._require_mergeable(other)
        both = self._copied()
        for level, coreset in enumerate(other._levels):
            if coreset is not None:
                both._carry(coreset, level)
        for part in other._buffer:
            both._collect(part)
        both.n_samples_seen_ += other.n_samples_seen_
        return both

    def _require_mergeable(self, other):
        if type(other) is not type(self):
            raise TypeError(
                f"cannot merge {type(self).__name__} with {type(other).__name__}: both must be "
                "fitted coresets of one class"
            )
        check_is_fitted(self)
        check_is_fitted(other)
        if other is self:
            raise ValueError("a coreset cannot be merged with itself: its rows would count twice")
        mine, theirs = self.get_params(), other.get_params()
        for params in (mine, theirs):
            del params["random_state"]
        if mine != theirs or self.n_features_in_ != other.n_features_in_:
            raise ValueError(
                f"coresets of {mine} with {self.n_features_in_} features and of {theirs} with "
                f"{other.n_features_in_} features cannot be merged"
            )
        names: Any = getattr(self, "feature_names_in_", None)
        others: Any = getattr(other, "feature_names_in_", None)
        if not np.array_equal(names, others):
            raise ValueError(
                f"coresets with the feature names {names} and {others} cannot be merged"
            )
        for kind, difference in _KINDS.items():
            if getattr(self, kind) != getattr(other, kind):
                raise ValueError(f"{difference} cannot be merged")

    def __add__(self, other: Self) -> Self:
        """Return what `merge` returns."""
        return self.merge(other) if type(other) is type(self) else NotImplemented

    def get_coreset(self, *, reduce: bool = False) -> tuple[Any, np.ndarray | None, np.ndarray]:
        """Return the rows that stand for all rows seen.

        The coreset is left as it is; equal calls return equal rows.

        Parameters
        ----------
        reduce : bool, default=False
            Reduce the union of all levels and the buffer to about `n_samples` rows.

        Returns
        -------
        X : {ndarray, sparse matrix} of shape (m, n_features)
            Rows.
        y : ndarray of shape (m,), or None
            Targets.
        sample_weight : ndarray of shape (m,)
            Weights.
        """
        check_is_fitted(self)
        union = _stack([level for level in self._levels if level is not None] + self._buffer)
        return self._copied()._reduced(union) if reduce and len(union[2]) else union

    def __sklearn_is_fitted__(self):
        return hasattr(self, "_levels")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _are_labels(y):
    return y is not None and y.dtype.kind not in "biuf"


def _rows_of(batch, rows):
    X, y, weight = batch
    return X[rows], None if y is None else y[rows], weight[rows]


def _stack(parts):
    return tuple(stack_rows(column) for column in zip(*parts, strict=True))
