"""The recorder `RegretTracker`."""

from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.validation import column_or_1d

from skreg._estimator import Estimator
from skreg._sklearn import Interval, StrOptions
from skreg._state import all_or_nothing
from skreg.online._classes import codes_of
from skreg.online._hindsight import best_in_hindsight, values_and_slopes
from skreg.online._losses import CLASSIFICATION, REGRESSION, Loss
from skreg.rows import checked_weights

KINDS = {**REGRESSION, **CLASSIFICATION}


class RegretTracker(Estimator):
    """Regret of any learner's predictions along a stream, by solving for the best in hindsight.

    The regret after t rounds is the cumulative loss of what was predicted, less that of the best
    fixed coefficients of the domain for these t rounds (static), or of given ones that move
    (dynamic). The learner may be anything that predicts.

    Parameters
    ----------
    loss : str, default="squared_error"
        A loss of `OptimisticOMDRegressor`, or of `OptimisticOMDClassifier` with two classes.
    domain : {"l2", "box"}, default="l2"
        Among which coefficients, intercept included, the best ones are sought.
    radius : float, default=10.0
        Radius of the ball, or half the width of the box.
    comparator : {"static", "sequence"}, default="static"
        What is compared with: the best fixed coefficients, or those given to `update`.
    every : int, default=None
        Rounds between two solutions for the best fixed coefficients. None solves after each
        `update` only.
    fit_intercept : bool, default=True
        Whether coefficients have an intercept.
    epsilon : float, default=0.1
        As for `OptimisticOMDRegressor`.
    tol : float, default=1e-4
        To which share of the loss of zero coefficients the best ones are found.

    Attributes
    ----------
    t_ : int
        Number of rounds.
    cumulative_loss_ : ndarray of shape (n_rounds,)
        Loss of what was predicted, summed up to each round.
    gradient_variation_ : float
        Sum of squared distances of gradients to the ones before.
    checkpoints_ : ndarray of shape (n_checkpoints,)
        After how many rounds the best fixed coefficients were sought, for ``comparator="static"``.
    static_regret_ : ndarray of shape (n_checkpoints,)
        Regret there.
    gaps_ : ndarray of shape (n_checkpoints,)
        By how much each regret may be larger: the best coefficients are known up to this.
    best_coef_ : ndarray of shape (n_features,)
        The best fixed coefficients for all rounds.
    best_intercept_ : float
        Their intercept.
    dynamic_regret_ : ndarray of shape (n_rounds,)
        Regret up to each round against the given ones, for ``comparator="sequence"``.
    path_length_ : float
        How far these moved: the sum of the distances between neighbours.

    See Also
    --------
    RegretDisplay : A picture of the regret of several learners.

    Notes
    -----
    All rows are kept, as the best coefficients depend on all of them.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.online import OptimisticOMDRegressor, RegretTracker
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(400, 3))
    >>> y = X @ [1.0, -2.0, 0.5] + 0.1 * rng.normal(size=400)
    >>> model = OptimisticOMDRegressor(radius=3.0)
    >>> tracker = RegretTracker(radius=3.0, every=100)
    >>> tracker = tracker.update(X, y, model.progressive_fit_predict(X, y))
    >>> tracker.checkpoints_
    array([100, 200, 300, 400])
    >>> bool(tracker.static_regret_[-1] <= model.regret_certificate_)
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        "loss": [StrOptions(set(KINDS))],
        "domain": [StrOptions({"l2", "box"})],
        "radius": [Interval(Real, 0, None, closed="neither")],
        "comparator": [StrOptions({"static", "sequence"})],
        "every": [Interval(Integral, 1, None, closed="left"), None],
        "fit_intercept": ["boolean"],
        "epsilon": [Interval(Real, 0, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        loss: str = "squared_error",
        *,
        domain: Literal["l2", "box"] = "l2",
        radius: float = 10.0,
        comparator: Literal["static", "sequence"] = "static",
        every: int | None = None,
        fit_intercept: bool = True,
        epsilon: float = 0.1,
        tol: float = 1e-4,
    ) -> None:
        self.loss = loss
        self.domain = domain
        self.radius = radius
        self.comparator = comparator
        self.every = every
        self.fit_intercept = fit_intercept
        self.epsilon = epsilon
        self.tol = tol

    @all_or_nothing
    def update(
        self,
        X: Any,
        y: ArrayLike,
        predictions: ArrayLike,
        *,
        classes: ArrayLike | None = None,
        comparators: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Add rounds to the record.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n, n_features)
            Rows.
        y : array-like of shape (n,)
            Targets or labels.
        predictions : array-like of shape (n,)
            What was predicted of each row before it was learned: numbers, or decision values for
            the losses of classes.
        classes : array-like of shape (2,), default=None
            Both labels, if y does not have both from the first call on.
        comparators : array-like of shape (n, n_features) or (n, n_features + 1), default=None
            Coefficients to compare with, intercepts in the last column, if `comparator` is
            "sequence".
        sample_weight : array-like of shape (n,), default=None
            Factors of the losses.

        Returns
        -------
        RegretTracker
            The tracker.

        Raises
        ------
        ValueError
            If lengths differ, numbers are not finite, or comparators are missing.
        """
        self._validate_params()
        A = self._rows(X)
        said = column_or_1d(check_array(predictions, ensure_2d=False, dtype=np.float64))
        check_consistent_length(A, y, said)
        target = self._targets(y, classes)
        weight = checked_weights(sample_weight, A)
        kept = getattr(self, "_kept", None)
        if kept is not None and kept[0].shape[1] != A.shape[1]:
            raise ValueError(
                f"X has {A.shape[1]} columns with that of the intercept, but the rounds before had "
                f"{kept[0].shape[1]}"
            )
        new = (A, target, said, weight)
        first = 0 if kept is None else len(kept[1])
        joined = zip(kept, new, strict=True) if kept is not None else ()
        self._kept = tuple(map(np.concatenate, joined)) if kept is not None else new
        self._record_own()
        if self.comparator == "static":
            self._record_static(first)
        else:
            self._record_sequence(comparators, first)
        return self

    @property
    def _kind(self):
        return Loss(KINDS[self.loss], float(self.epsilon))

    def _rows(self, X):
        X = check_array(X, accept_sparse="csr", dtype=np.float64, input_name="X", estimator=self)
        X = X.toarray() if hasattr(X, "toarray") else X
        return np.column_stack([X, np.ones(len(X))]) if self.fit_intercept else X

    def _targets(self, y, classes):
        y = column_or_1d(y)
        if self.loss in REGRESSION:
            return check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
        if not hasattr(self, "classes_"):
            self.classes_ = np.unique(y if classes is None else classes)
        if len(self.classes_) != 2:
            raise ValueError(
                f"loss={self.loss!r} is of two classes; got {self.classes_.tolist()[:5]}: give "
                "both as classes"
            )
        return codes_of(y, self.classes_)

    def _record_own(self):
        A, y, z, weight = self._kept
        values, slopes = values_and_slopes(self._kind, z, y)
        self.t_ = len(y)
        self.cumulative_loss_ = np.cumsum(weight * values)
        gradients = (weight * slopes)[:, None] * A
        changes = np.diff(gradients, axis=0, prepend=0.0)
        self.gradient_variation_ = float(np.sum(changes**2))

    def _record_static(self, first):
        A, y, _, weight = self._kept
        n = len(y)
        ends = {n} if self.every is None else {*range(self.every, n + 1, self.every), n}
        before = getattr(self, "_solved", {})
        kept = {end: found for end, found in before.items() if end <= first and end in ends}
        start = kept[max(kept)].point if kept else None
        for end in sorted(ends - kept.keys()):
            kept[end] = best_in_hindsight(
                self.loss, self._kind, A[:end], y[:end], weight[:end],
                domain=self.domain, radius=self.radius, tol=self.tol, start=start,
            )  # fmt: skip
            start = kept[end].point
        self._solved = kept
        self.checkpoints_ = np.array(sorted(kept))
        best = np.array([kept[end].loss for end in self.checkpoints_])
        self.static_regret_ = self.cumulative_loss_[self.checkpoints_ - 1] - best
        self.gaps_ = np.array([kept[end].gap for end in self.checkpoints_])
        self.best_coef_, self.best_intercept_ = self._split(start)

    def _split(self, point):
        return (point[:-1], float(point[-1])) if self.fit_intercept else (point, 0.0)

    def _record_sequence(self, comparators, first):
        A, y, _, weight = self._kept
        if comparators is None:
            raise ValueError(
                "comparator='sequence' compares with coefficients that move: give update their "
                "values as comparators, a row for each of X"
            )
        points = check_array(comparators, dtype=np.float64, input_name="comparators")
        if points.shape == (len(y) - first, A.shape[1] - 1):
            points = np.column_stack([points, np.zeros(len(points))])
        if points.shape != (len(y) - first, A.shape[1]):
            raise ValueError(
                f"comparators has shape {points.shape}, but needs a row for each of the "
                f"{len(y) - first} rows and {A.shape[1]} columns, the intercept last"
            )
        before = getattr(self, "_comparators", points[:0])
        self._comparators = np.concatenate([before, points])
        z = np.sum(A * self._comparators, axis=1)
        theirs = weight * values_and_slopes(self._kind, z, y)[0]
        self.dynamic_regret_ = self.cumulative_loss_ - np.cumsum(theirs)
        steps = np.diff(self._comparators, axis=0)
        self.path_length_ = float(np.linalg.norm(steps, axis=1).sum())
