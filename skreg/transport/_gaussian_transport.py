"""The optimal map of one distribution to another as if both were normal."""

from collections.abc import Mapping
from numbers import Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.exceptions import RankWarning
from numpy.typing import ArrayLike
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from skreg._estimator import Estimator
from skreg._sklearn import HasMethods, Interval, StrOptions
from skreg._state import all_or_nothing
from skreg._warnings import warn
from skreg.rows import checked_weights
from skreg.transport._gaussian_map import gaussian_map
from skreg.transport._interpolation import between, checked_alpha, inverse_map
from skreg.transport._sample_covariance import INTENSITIES, SampleMoments
from skreg.transport._sides import (
    FLOATS,
    ROLES,
    Record,
    checked_target,
    estimates_by,
    estimates_of,
    records_of,
    regularized,
    target_of,
    with_more_rows,
)


class GaussianTransport(OneToOneFeatureMixin, TransformerMixin, Estimator):
    """Move rows of one distribution to another by the optimal map between normal distributions.

    Among all maps that give rows the mean and the covariance of the target, this one moves them
    least, in squared distance. Both samples may have any number of rows, in any order: nothing is
    paired. Rows can also go part of the way, which trades closeness to themselves (alpha = 1)
    against closeness to the target (alpha = 0):

        x_alpha = (1 - alpha) (mu_t + A (x - mu_s) + noise) + alpha x.

    The noise is there only where the source has no variance in directions in which the target has
    some (numerically singular covariances, as of fewer rows than columns without shrinkage).

    Parameters
    ----------
    covariance : {"empirical", "ledoit_wolf", "oas"} or estimator, default="empirical"
        How the covariances of both sides are estimated: as they are, shrunk towards a multiple of
        the identity (for few rows), or by an estimator of `sklearn.covariance`, which is cloned.
        Sums are divided by the sum of the weights, as in scikit-learn.
    reg : float, default=0.0
        This multiple of the identity is added to both covariances.
    noise : {"auto", "none"}, default="auto"
        Whether to add the noise that a singular source lacks, a draw for every row.
    alpha : float, default=0.0
        How much of themselves rows keep: 0 moves them entirely, 1 returns them as they are. Values
        beyond both ends extrapolate.
    rtol : float, default=1e-10
        Eigenvalues of the source's covariance below this share of the largest count as 0.
    random_state : int, RandomState instance or None, default=None
        Seed of the noise.

    Attributes
    ----------
    source_mean_, target_mean_ : ndarray of shape (n_features,)
        Means of both sides.
    source_covariance_, target_covariance_ : ndarray of shape (n_features, n_features)
        Covariances of both sides.
    operator_ : ndarray of shape (n_features, n_features)
        The matrix A; symmetric and positive semidefinite if the source has full rank.
    noise_covariance_ : ndarray of shape (n_features, n_features) or None
        Covariance of the noise, None if there is none.
    wasserstein_distance_ : float
        Distance W2 between both normal distributions, not squared.
    shrinkage_source_, shrinkage_target_ : float or None
        Weight of the identity in each covariance; None if an estimator does not tell.
    n_samples_seen_ : tuple of two int
        Numbers of rows of positive weight, of the source and of the target.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns of X, if they are all strings.

    See Also
    --------
    LinearTransportRestorer : The same in the coordinates of an encoder, or on patches of images.

    Notes
    -----
    Where both sides have together fewer rows than columns, everything happens within their span
    and costs memory in proportion to rows times columns; the attributes that are matrices are
    formed when they are asked for. The rows are kept then, so that `partial_fit` can go on;
    otherwise only sums are.

    References
    ----------
    M. Gelbrich, "On a formula for the L2 Wasserstein metric between measures on Euclidean and
    Hilbert spaces", Mathematische Nachrichten 147, 1990.

    T. J. Adrai, G. Ohayon, M. Elad and T. Michaeli, "Deep Optimal Transport: A Practical Algorithm
    for Photo-realistic Image Restoration", NeurIPS 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.transport import GaussianTransport
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 2)) * [1.0, 3.0]
    >>> X_target = 5.0 + rng.normal(size=(300, 2)) @ [[1.0, 0.5], [0.0, 1.0]]
    >>> transport = GaussianTransport().fit(X, X_target=X_target)
    >>> moved = transport.transform(X)
    >>> bool(np.allclose(np.cov(moved.T, ddof=0), np.cov(X_target.T, ddof=0)))
    True
    >>> half_way = transport.transform(X, alpha=0.5)
    """

    _parameter_constraints: ClassVar[dict] = {
        "covariance": [StrOptions(set(INTENSITIES)), HasMethods("fit")],
        "reg": [Interval(Real, 0, None, closed="left")],
        "noise": [StrOptions({"auto", "none"})],
        "alpha": [Interval(Real, None, None, closed="neither")],
        "rtol": [Interval(Real, 0, 1, closed="left")],
        "random_state": ["random_state"],
    }

    _records: Mapping[str, Record]

    def __init__(
        self,
        covariance: Any = "empirical",
        *,
        reg: float = 0.0,
        noise: Literal["auto", "none"] = "auto",
        alpha: float = 0.0,
        rtol: float = 1e-10,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.covariance = covariance
        self.reg = reg
        self.noise = noise
        self.alpha = alpha
        self.rtol = rtol
        self.random_state = random_state

    @all_or_nothing
    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        X_target: Any = None,
        sample_weight: ArrayLike | None = None,
        target_weight: ArrayLike | None = None,
    ) -> Self:
        """Learn the map from the rows of two distributions.

        Parameters
        ----------
        X : array-like of shape (n_source, n_features)
            Rows of the source.
        y : array-like, default=None
            The target, if it is a matrix and `X_target` is None; labels are ignored, also those in
            a single column.
        X_target : array-like of shape (n_target, n_features), default=None
            Rows of the target. Without any, the target is the standard normal distribution, and
            the map is the whitening that moves rows least (ZCA).
        sample_weight : array-like of shape (n_source,), default=None
            Weights of the source's rows: an integer counts copies.
        target_weight : array-like of shape (n_target,), default=None
            Weights of the target's rows.

        Returns
        -------
        GaussianTransport
            The fitted estimator.

        Raises
        ------
        ValueError
            If a side has fewer than two rows, numbers that are not finite or another number of
            columns, or if its covariance overflows.
        """
        self._validate_params()
        X = validate_data(self, X, dtype=FLOATS, ensure_min_samples=2)
        rows = {"source": (X, checked_weights(sample_weight, X))}
        X_target = target_of(y, X_target, X.shape[1])
        if X_target is not None:
            X_target = checked_target(self, X_target)
            rows["target"] = (X_target, checked_weights(target_weight, X_target))
        elif target_weight is not None:
            raise ValueError("target_weight needs the rows that it weights: give X_target too")
        for role, (_, weight) in rows.items():
            if np.count_nonzero(weight) < 2:
                raise ValueError(
                    f"the {role} has {np.count_nonzero(weight)} rows of positive weight, "
                    "but a covariance needs at least two"
                )
        if isinstance(self.covariance, str):
            self._records = records_of(rows)
            self._learn(estimates_of(self._records, self.covariance))
        elif sample_weight is not None or target_weight is not None:
            raise ValueError(
                f"{type(self.covariance).__name__} takes no weights; weighted rows need "
                f"covariance to be one of {sorted(INTENSITIES)}"
            )
        else:
            self.__dict__.pop("_records", None)
            self._learn(estimates_by(self.covariance, rows))
        self.n_samples_seen_ = tuple(
            np.count_nonzero(rows[role][1]) if role in rows else 0 for role in ROLES
        )
        return self

    @all_or_nothing
    def partial_fit(
        self,
        X: Any,
        y: Any = None,  # noqa: ARG002  scikit-learn's convention
        *,
        role: Literal["source", "target"] = "source",
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Learn from further rows of one side; any order of batches gives what one `fit` gives.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
            Further rows.
        y : object, default=None
            Ignored.
        role : {"source", "target"}, default="source"
            Which side they belong to. Until a target comes, it is the standard normal distribution.
        sample_weight : array-like of shape (n,), default=None
            Their weights.

        Returns
        -------
        GaussianTransport
            The estimator, fitted as soon as each side has two rows.

        Raises
        ------
        ValueError
            As `fit`; and if `covariance` is an estimator, which needs all rows at once.
        """
        self._validate_params()
        if role not in ROLES:
            raise ValueError(f"role must be 'source' or 'target'; got {role!r}")
        if not isinstance(self.covariance, str):
            raise ValueError(
                f"{type(self.covariance).__name__} needs all rows at once: call fit, or choose "
                f"covariance among {sorted(INTENSITIES)}"
            )
        first = not hasattr(self, "_records")
        X = validate_data(self, X, dtype=FLOATS, reset=first)
        weight = checked_weights(sample_weight, X)
        more = SampleMoments.of_rows(X, weight)
        self._records = records = with_more_rows({} if first else self._records, role, more)
        seen = {role: record.n_rows for role, record in records.items()}
        self.n_samples_seen_ = tuple(seen.get(role, 0) for role in ROLES)
        if "source" in seen and min(seen.values()) > 1:
            self._learn(estimates_of(records, self.covariance))
        return self

    def _learn(self, estimates):
        source, target = (regularized(estimates[role], self.reg) for role in ROLES)
        for role, side in zip(ROLES, (source, target), strict=True):
            if not np.isfinite(side.covariance.inside).all():
                raise ValueError(
                    f"the covariance of the {role} is not finite: divide all columns by their scale"
                )
        self._covariances = source.covariance, target.covariance
        self._map = gaussian_map(*self._covariances, self.rtol)
        self.source_mean_, self.target_mean_ = source.mean, target.mean
        self.shrinkage_source_, self.shrinkage_target_ = source.shrinkage, target.shrinkage
        apart = source.mean - target.mean
        self.wasserstein_distance_ = float(np.sqrt(apart @ apart + self._map.cost))
        if not np.isfinite(self._map.operator.inside).all():
            raise ValueError(
                "the map is not finite: the source varies far less than the target; divide both by "
                "their scales, or raise reg or rtol"
            )
        if self._map.noise is not None and self.noise == "none" and self.covariance == "empirical":
            warn(
                "The covariance of the source is singular where that of the target is not, and "
                "without noise what is moved varies less than the target. Shrink by "
                "covariance='ledoit_wolf', add reg, or allow noise='auto'.",
                RankWarning,
            )

    def __sklearn_is_fitted__(self) -> bool:
        """Whether both sides have two rows."""
        return hasattr(self, "_map")

    def _require_map(self):
        if hasattr(self, "_records") and not hasattr(self, "_map"):
            raise NotFittedError(
                f"{type(self).__name__} has seen {self.n_samples_seen_[0]} rows of the source and "
                f"{self.n_samples_seen_[1]} of the target; partial_fit needs at least two of each"
            )
        check_is_fitted(self)

    def transform(self, X: Any, alpha: float | None = None) -> np.ndarray:
        """Move rows of the source towards the target.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
            Rows.
        alpha : float, default=None
            In place of the parameter `alpha`.

        Returns
        -------
        ndarray of shape (n, n_features)
            Moved rows; X itself for alpha = 1.

        Raises
        ------
        ValueError
            If `alpha` is not a finite number.
        """
        self._require_map()
        alpha = checked_alpha(self.alpha if alpha is None else alpha)
        X = validate_data(self, X, dtype=FLOATS, reset=False)
        moved = self._moved(X, self._map, self.source_mean_, self.target_mean_)
        return between(moved, X, alpha)

    def inverse_transform(self, X: Any, alpha: float | None = None) -> np.ndarray:
        """Move rows back: the optimal map from what `transform` returns to the source.

        Between normal distributions of full rank and for alpha from 0 to 1 this undoes `transform`.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
            Rows of the distribution that `transform` gives at `alpha`, the target's for 0.
        alpha : float, default=None
            In place of the parameter `alpha`.

        Returns
        -------
        ndarray of shape (n, n_features)
            Rows of the source.

        Raises
        ------
        ValueError
            If `alpha` is not a finite number.
        """
        self._require_map()
        alpha = checked_alpha(self.alpha if alpha is None else alpha)
        X = check_array(X, dtype=FLOATS, input_name="X", estimator=self)
        if X.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {X.shape[1]} features, but {type(self).__name__} was fitted with "
                f"{self.n_features_in_}"
            )
        back = inverse_map(self._map, self._covariances[0], alpha, self.rtol)
        mean = between(self.target_mean_, self.source_mean_, alpha)
        return self._moved(X, back, mean, self.source_mean_).astype(X.dtype, copy=False)

    def _moved(self, X, optimal, source_mean, target_mean):
        moved = target_mean + optimal.operator.rows_times(X - source_mean)
        if optimal.noise is not None and self.noise == "auto":
            draws = check_random_state(self.random_state).standard_normal(X.shape)
            moved += optimal.noise.root().rows_times(draws)
        return moved

    @property
    def source_covariance_(self) -> np.ndarray:
        """Covariance of the source, shape (n_features, n_features)."""
        self._require_map()
        return self._covariances[0].dense()

    @property
    def target_covariance_(self) -> np.ndarray:
        """Covariance of the target, shape (n_features, n_features)."""
        self._require_map()
        return self._covariances[1].dense()

    @property
    def operator_(self) -> np.ndarray:
        """The matrix A, shape (n_features, n_features)."""
        self._require_map()
        return self._map.operator.dense()

    @property
    def noise_covariance_(self) -> np.ndarray | None:
        """Covariance of the noise, shape (n_features, n_features), or None."""
        self._require_map()
        return None if self._map.noise is None else self._map.noise.dense()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
