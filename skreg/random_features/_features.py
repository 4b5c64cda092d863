"""The transformer `RandomFeatures`."""

from collections.abc import Callable, Iterator
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from skreg._estimator import Estimator
from skreg._sklearn import Interval, StrOptions
from skreg._state import all_or_nothing
from skreg._warnings import warn
from skreg.random_features._maps import (
    KINDS,
    independent_rows,
    landmark_features,
    limit_kernel,
    projections,
)
from skreg.random_features._variance import variance_of_entries

FLOATS = (np.float64, np.float32)
COLUMNS = 4096  # features that `blocks` makes at once
DRAWS = ("weights", "rows")
Draw = Literal["weights", "rows"]
FeatureFunction = Callable[[Any, np.random.Generator, int], np.ndarray]


class RandomFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Estimator):
    r"""Random features whose inner products approximate a kernel.

    Feature j of a row x is :math:`g(w_j, x) / \sqrt{k}` with random weights :math:`w_j`, so that
    inner products of the k features tend to :math:`E_w[g(w, x) g(w, y)]` as k grows:

    ============== ========================================================== =====================
    kind           features g                                                 limit kernel
    ============== ========================================================== =====================
    ``"relu"``     max(0, w.x), w ~ N(0, 2/d)                                 arc-cosine, degree 1
    ``"fourier"``  sqrt(2) cos(w.x + u), w ~ N(0, 2 gamma), u ~ U(0, 2 pi)    exp(-gamma (x - y)^2)
    ``"erf"``      erf(w.x), w ~ N(0, 2 gamma)                                arc-sine
    ``"gaussian"`` w.x, w ~ N(0, 1)                                           x.y
    ============== ========================================================== =====================

    With ``draw="rows"`` no weights are drawn but k rows of X, the landmarks L. The features are
    :math:`C^{-1} k(L, x)` with the limit kernel k of the kind and :math:`K_{LL} = C C^\top`, not
    divided by anything: their inner products are the kernel's wherever one of two rows is a
    landmark, those of :class:`sklearn.kernel_approximation.Nystroem`.

    Parameters
    ----------
    n_components : int or "inf", default=1000
        Number k of features. With "inf" there is only the `limit_kernel`.
    kind : {"relu", "fourier", "erf", "gaussian"} or callable, default="relu"
        The features; a callable ``kind(X, rng, k)`` returns k features of each row, not divided by
        sqrt(k). It is called with a generator of the same state each time, and must draw weights
        from it in a way that does not depend on the number of rows.
    gamma : float or "scale", default="scale"
        Of "fourier" and "erf". "scale" is 1 / (n_features * variance of all entries of X), as in
        :class:`sklearn.svm.SVC`.
    bias : bool, default=False
        Whether X gets a further column of ones, of "relu", "erf" and "gaussian". The phase of
        "fourier" makes one needless.
    draw : {"weights", "rows"}, default="weights"
        What is drawn at random. Weights cost less, and are known before the rows are. Rows make
        features for these rows, of which smooth kernels need fewer for the same error. Rows that
        depend on others, as copies do, add none; a callable kind has no landmarks.
    random_state : int, RandomState instance or None, default=None
        Seed of the draw. Of one seed, the first k' features of random weights, times
        sqrt(k / k'), are those of n_components = k'.

    Attributes
    ----------
    random_weights_ : ndarray of shape (n_features, n_components) or None
        The weights; None for a callable, for "inf" and for landmarks.
    random_offset_ : ndarray of shape (n_components,) or None
        Phases of "fourier" or weights of the bias, None if there are none.
    landmarks_ : {ndarray, sparse matrix} of shape (n_landmarks, n_features) or None
        The rows that were drawn, less those that depend on others, for ``draw="rows"``.
    gamma_ : float
        The gamma in use.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns of X, if they are all strings.

    See Also
    --------
    RandomFeatureRidge : Ridge regression on these features, with its strength chosen exactly.
    sklearn.kernel_approximation.RBFSampler : The kind "fourier".
    sklearn.kernel_approximation.Nystroem : Landmarks, for any kernel.

    References
    ----------
    J. B. Simon, D. Karkada, N. Ghosh, M. Belkin, "More is Better in Modern Machine Learning: when
    Infinite Overparameterization is Optimal and Overfitting is Obligatory", ICLR 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.random_features import RandomFeatures
    >>> X = np.random.default_rng(0).normal(size=(5, 3))
    >>> features = RandomFeatures(20_000, random_state=0).fit(X)
    >>> Z = features.transform(X)
    >>> bool(np.abs(Z @ Z.T - features.limit_kernel(X)).max() < 0.1)
    True
    """

    n_components: Any
    kind: Any
    random_weights_: Any
    random_offset_: Any
    landmarks_: Any
    _factor: Any

    _parameter_constraints: ClassVar[dict] = {
        "n_components": [Interval(Integral, 1, None, closed="left"), StrOptions({"inf"})],
        "kind": [StrOptions(set(KINDS)), callable],
        "gamma": [Interval(Real, 0, None, closed="neither"), StrOptions({"scale"})],
        "bias": ["boolean"],
        "draw": [StrOptions(set(DRAWS))],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_components: int | Literal["inf"] = 1000,
        *,
        kind: str | FeatureFunction = "relu",
        gamma: float | Literal["scale"] = "scale",
        bias: bool = False,
        draw: Draw = "weights",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_components = n_components
        self.kind = kind
        self.gamma = gamma
        self.bias = bias
        self.draw = draw
        self.random_state = random_state

    @all_or_nothing
    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002  scikit-learn's convention
        """Draw the weights, or the landmarks.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n, n_features)
            Rows. Of random weights only their number of columns, their variance and their
            precision matter.
        y : object, default=None
            Ignored.

        Returns
        -------
        RandomFeatures
            The fitted transformer.

        Raises
        ------
        ValueError
            If X has values that are not finite, or a parameter makes no sense.

        Warns
        -----
        UserWarning
            If there are fewer rows than landmarks to draw.
        """
        self._validate_params()
        X = validate_data(self, X, accept_sparse="csr", dtype=FLOATS)
        return self._drawn(X.shape[1], variance_of_entries(X, None), X.dtype, X)

    def _drawn(self, n_features: int, variance: float, dtype: Any, X: Any) -> Self:
        """Draw weights for so many columns, whose entries have the given variance, or rows of X."""
        self._refuse_needless()
        self.n_features_in_ = n_features
        self.gamma_ = self._gamma_for(n_features, variance)
        self._seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self._variance = np.nan
        self.random_weights_ = self.random_offset_ = self.landmarks_ = self._factor = None
        if callable(self.kind):
            return self
        self._variance = KINDS[self.kind].weight_variance(n_features, self.gamma_)
        if self.n_components == "inf":
            return self
        if self.draw == "rows":
            self._draw_rows(X, dtype)
        else:
            self._draw_weights(n_features, dtype)
        return self

    def _draw_rows(self, X, dtype):
        n = X.shape[0]
        if n < self.n_components:
            warn(
                f"draw='rows' has {n} rows to draw from, and makes as many features, not "
                f"n_components={self.n_components}. For the kernel itself set n_components='inf'."
            )
        order = np.random.default_rng(np.random.SeedSequence(self._seed)).permutation(n)
        drawn = X[order[: self.n_components]].astype(dtype)
        positions, self._factor = independent_rows(self._limit(drawn, drawn))
        self.landmarks_ = drawn[positions]

    def _draw_weights(self, n_features, dtype):
        scale, k = np.sqrt(self._variance), self.n_components
        of_weights, of_offset = map(
            np.random.default_rng, np.random.SeedSequence(self._seed).spawn(2)
        )
        # drawn feature by feature, so that more features leave the first ones as they are
        weights = of_weights.standard_normal((k, n_features)).T
        self.random_weights_ = (scale * weights).astype(dtype, copy=False)
        if self.kind == "fourier":
            self.random_offset_ = of_offset.uniform(0.0, 2.0 * np.pi, k).astype(dtype)
        elif self.bias:
            self.random_offset_ = (scale * of_offset.standard_normal(k)).astype(dtype)

    def _refuse_needless(self):
        if self.bias and (callable(self.kind) or self.kind == "fourier"):
            name = "fourier" if self.kind == "fourier" else "a callable"
            raise ValueError(
                f"bias=True is for kind='relu', 'erf' or 'gaussian'; got kind={name}: leave it out"
            )
        if callable(self.kind) and self.n_components == "inf":
            raise ValueError(
                "n_components='inf' needs a limit kernel, which a callable kind has not: give a "
                f"number of components, or a kind among {sorted(KINDS)}"
            )
        if callable(self.kind) and self.draw == "rows":
            raise ValueError(
                "draw='rows' needs a limit kernel, which a callable kind has not: choose "
                f"draw='weights', or a kind among {sorted(KINDS)}"
            )

    def _gamma_for(self, n_features, variance):
        if self.gamma != "scale":
            return float(self.gamma)
        return 1.0 / (n_features * variance) if variance > 0.0 else 1.0

    def transform(self, X: Any) -> np.ndarray:
        """Compute the features.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n, n_components)
            Features; those of random weights are divided by sqrt(n_components).

        Raises
        ------
        ValueError
            If `n_components` is "inf", or a callable kind returns another shape.
        """
        check_is_fitted(self)
        if self.n_components == "inf":
            raise ValueError(
                "infinitely many features cannot be computed: use limit_kernel, or give a number "
                "for n_components"
            )
        X = validate_data(self, X, accept_sparse="csr", dtype=FLOATS, reset=False)
        return self._features(X)

    def _features(self, X: Any, columns: slice = slice(None)) -> np.ndarray:
        """Features of validated rows, all or some of them."""
        X = X.astype(self._precision, copy=False)
        if self.landmarks_ is not None:  # small eigenvalues of their kernel need all digits
            features = landmark_features(self._limit(X, self.landmarks_), self._factor)
            return features[:, columns].astype(self._precision, copy=False)
        scale = 1.0 / np.sqrt(self.n_components)
        if callable(self.kind):
            return self._called(X)[:, columns] * scale
        offset = None if self.random_offset_ is None else self.random_offset_[columns]
        z = projections(X, self.random_weights_[:, columns], offset)
        features = KINDS[self.kind].activation(z)
        features *= scale
        return features

    @property
    def _precision(self):
        drawn = self.random_weights_ if self.landmarks_ is None else self.landmarks_
        return np.float64 if drawn is None else drawn.dtype

    def _called(self, X):
        k = self.n_components
        features = np.asarray(self.kind(X, np.random.default_rng(self._seed), k))
        if features.shape != (X.shape[0], k):
            raise ValueError(
                f"kind(X, rng, k) must return shape ({X.shape[0]}, {k}), features of each row; it "
                f"returned {features.shape}"
            )
        return features

    def _blocks(self, X: Any) -> Iterator[np.ndarray]:
        """All features of validated rows in float64, some columns at a time where that pays."""
        width = self._n_features_out
        step = COLUMNS if self.landmarks_ is None and not callable(self.kind) else width
        for start in range(0, width, step):
            columns = slice(start, min(start + step, width))
            yield self._features(X, columns).astype(np.float64, copy=False)

    def _in_double(self, X: Any) -> np.ndarray:
        """All features of validated rows in float64."""
        return self._features(X).astype(np.float64, copy=False)

    def limit_kernel(self, X: Any, Y: Any = None) -> np.ndarray:
        """Kernel to which inner products of the features tend as their number grows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n, n_features)
            Rows.
        Y : {array-like, sparse matrix} of shape (m, n_features), default=None
            Other rows; X itself if None.

        Returns
        -------
        ndarray of shape (n, m)
            The kernel, in float64.

        Raises
        ------
        ValueError
            If `kind` is a callable, whose limit is not known.
        """
        check_is_fitted(self)
        if callable(self.kind):
            raise ValueError(
                f"the limit kernel of a callable kind is not known; it is for {sorted(KINDS)}"
            )
        X = validate_data(self, X, accept_sparse="csr", dtype=FLOATS, reset=False)
        if Y is None:
            return self._limit(X, X)
        Y = validate_data(self, Y, accept_sparse="csr", dtype=FLOATS, reset=False)
        return self._limit(X, Y)

    def _limit(self, X, Y):
        return limit_kernel(X, Y, KINDS[self.kind], self._variance, float(self.bias))

    @property
    def _n_features_out(self) -> int:
        if self.landmarks_ is not None:
            return self.landmarks_.shape[0]
        return 0 if self.n_components == "inf" else self.n_components

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
