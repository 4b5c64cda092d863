"""Ridge regression on random features, with its strength chosen in one decomposition."""

from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from skreg._estimator import Estimator
from skreg._sklearn import Interval, StrOptions
from skreg._state import all_or_nothing
from skreg._warnings import warn
from skreg.random_features._criteria import gcv
from skreg.random_features._features import (
    DRAWS,
    FLOATS,
    Draw,
    FeatureFunction,
    RandomFeatures,
)
from skreg.random_features._maps import KINDS
from skreg.random_features._rows import (
    CheckedRows,
    Targets,
    as_columns,
    rows_in_memory,
)
from skreg.random_features._solve import (
    Rule,
    Solution,
    solve_gathered,
    solve_gram,
    solve_limit,
    solve_rows,
)
from skreg.random_features._spectrum import Gathered, effective_dof, gather, training_error
from skreg.random_features._variance import variance_of, variance_of_entries
from skreg.rows import (
    READ_BYTES,
    checked_weights,
    chunk_slices,
    dask_rows,
    is_dask_collection,
    map_rows,
    rows_per_chunk,
)
from skreg.strengths import warn_at_edge

SCALED = ("fourier", "erf")  # kinds whose weights depend on gamma


def _without_rows(self):
    if self.alpha == "loo":
        raise AttributeError(
            "partial_fit keeps no rows, which alpha='loo' needs: set alpha='gcv', or to a number"
        )
    if self.solver not in ("auto", "gram") or self.n_components == "inf":
        raise AttributeError(
            "partial_fit needs solver='gram' or 'auto', and a number of components; got "
            f"solver={self.solver!r}, n_components={self.n_components!r}"
        )
    return True


class FeatureRidge(Estimator):
    """What regression and classification on random features share."""

    n_components: Any
    intercept_: Any
    _single: bool
    _gathered: Gathered

    _parameter_constraints: ClassVar[dict] = {
        "n_components": [Interval(Integral, 1, None, closed="left"), StrOptions({"inf"})],
        "kind": [StrOptions(set(KINDS)), callable],
        "gamma": [Interval(Real, 0, None, closed="neither"), StrOptions({"scale"})],
        "bias": ["boolean"],
        "draw": [StrOptions(set(DRAWS))],
        "alphas": [Interval(Integral, 2, None, closed="left"), "array-like"],
        "alpha": [Interval(Real, 0, None, closed="left"), StrOptions({"loo", "gcv"})],
        "fit_intercept": ["boolean"],
        "random_state": ["random_state"],
        "dtype": [StrOptions({"float32", "float64"}), type, np.dtype, None],
        "solver": [StrOptions({"auto", "gram", "kernel", "svd"})],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_components: int | Literal["inf"] = 1000,
        *,
        kind: str | FeatureFunction = "relu",
        gamma: float | Literal["scale"] = "scale",
        bias: bool = False,
        draw: Draw = "weights",
        alphas: int | ArrayLike = 60,
        alpha: float | Literal["loo", "gcv"] = "loo",
        fit_intercept: bool = True,
        random_state: int | np.random.RandomState | None = None,
        dtype: Any = None,
        solver: Literal["auto", "gram", "kernel", "svd"] = "auto",
        verbose: int = 0,
    ) -> None:
        self.n_components = n_components
        self.kind = kind
        self.gamma = gamma
        self.bias = bias
        self.draw = draw
        self.alphas = alphas
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.random_state = random_state
        self.dtype = dtype
        self.solver = solver
        self.verbose = verbose

    def _fit_in_memory(self, X, y, sample_weight):
        """Fit to validated rows and columns of targets (n, n_outputs)."""
        used = sample_weight > 0.0
        if not used.all():
            X, y, sample_weight = X[used], y[used], sample_weight[used]
        self._require_rows(len(y))
        rule, solver = self._rule(), self._solver_for(len(y))
        variance = variance_of_entries(X, sample_weight) if self._needs_variance else np.nan
        features = self._new_features(X.shape[1], variance, X.dtype, X)
        if solver == "gram":
            rows = rows_in_memory(
                X, y, sample_weight, self.n_components, self.verbose, type(self).__name__
            )
            found = solve_gram(rows, features, as_columns, rule, n_kept=len(y))
        elif self._infinite:
            found = solve_limit(X, y, sample_weight, features, rule)
            self.X_fit_ = X
        else:
            found = solve_rows(X, y, sample_weight, features, rule, solver)
        self._store(found, features, rule, solver)

    def _fit_dask(self, X, y, sample_weight, targets: Targets):
        """Fit to rows on dask's workers; only moments and errors leave these."""
        by = type(self).__name__
        if hasattr(X, "to_dask_array"):  # blocks are arrays without names
            raise ValueError(
                "X must be a dask array; for a dask dataframe give X.to_dask_array(lengths=True)"
            )
        rows = CheckedRows(dask_rows(X, y, sample_weight, by=by))
        if self._solver_for(np.inf) != "gram":
            raise ValueError(
                f"a dask array needs solver='gram' or 'auto', and a number of components; got "
                f"solver={self.solver!r}, n_components={self.n_components!r}"
            )
        if self.draw == "rows":
            raise ValueError(
                "draw='rows' takes its features from rows in memory, and got a dask array: choose "
                "draw='weights', or give an array or a memory map"
            )
        variance = variance_of(rows) if self._needs_variance else np.nan
        features = self._new_features(X.shape[1], variance, X.dtype)
        self.__dict__.pop("feature_names_in_", None)
        self.n_features_in_ = X.shape[1]
        rule = self._rule()
        found = solve_gram(rows, features, targets, rule, n_kept=None)
        self._store(found, features, rule, "gram")

    def _require_rows(self, n_rows):
        if n_rows < 2 and isinstance(self.alpha, str):
            raise ValueError(
                f"alpha={self.alpha!r} needs at least 2 rows of positive weight; got 1 sample: "
                "give more, or a number for alpha"
            )

    def _rule(self):
        if not isinstance(self.alpha, str):
            return Rule("loo", np.array([float(self.alpha)]), self.fit_intercept)
        return Rule(self.alpha, self._checked_alphas(), self.fit_intercept)

    def _checked_alphas(self):
        if isinstance(self.alphas, Integral):
            return int(self.alphas)
        alphas = np.asarray(self.alphas, dtype=np.float64)
        if alphas.ndim != 1 or not alphas.size:
            raise ValueError(
                f"alphas must be a list of strengths, or their number; got {self.alphas!r}"
            )
        if not (np.isfinite(alphas).all() and alphas.min() >= 0.0):
            raise ValueError(f"alphas must be finite and not negative; got {self.alphas!r}")
        return alphas

    def _solver_for(self, n_rows):
        """The smaller of B^T B (k x k) and B B^T (n x n), unless the user has chosen."""
        if self._infinite:
            if self.solver in ("gram", "svd"):
                raise ValueError(
                    f"solver={self.solver!r} needs the features, of which n_components='inf' has "
                    "too many: choose solver='kernel' or 'auto'"
                )
            return "kernel"
        if self.solver != "auto":
            return self.solver
        return "gram" if n_rows >= self.n_components else "kernel"

    @property
    def _needs_variance(self):
        return self.gamma == "scale" and self.kind in SCALED

    def _map_params(self):
        names = ("n_components", "kind", "gamma", "bias", "draw", "random_state")
        return {name: getattr(self, name) for name in names}

    def _new_features(self, n_features, variance, dtype, X=None):
        features = RandomFeatures(**self._map_params())
        return features._drawn(n_features, variance, self._precision_of(dtype), X)

    def _precision_of(self, dtype):
        if self.dtype is None:
            return np.dtype(dtype if dtype in FLOATS else np.float64)
        if np.dtype(self.dtype) not in FLOATS:
            raise ValueError(f"dtype must be float32, float64 or None; got {self.dtype!r}")
        return np.dtype(self.dtype)

    def _store(self, found: Solution, features, rule, solver):
        spectrum, choice = found.spectrum, found.choice
        self.feature_map_, self.solver_ = features, solver
        self.alpha_, self.alphas_, self.cv_values_ = choice.alpha, choice.alphas, choice.errors
        order = np.argsort(-choice.alphas, kind="stable")
        best = int(np.flatnonzero(order == np.argmin(choice.errors))[0])
        self.alpha_at_edge_ = warn_at_edge(
            type(self).__name__,
            choice.alphas[order],
            best,
            from_null=isinstance(rule.alphas, int),
        )
        if not np.isfinite(choice.error):
            warn(
                f"{type(self).__name__} cannot tell its error from "
                f"{spectrum.n_observations:g} observation(s), and has not chosen alpha by it: "
                "give more rows."
            )
        self.train_mse_ = float(np.mean(training_error(spectrum, choice.alpha)))
        self.gcv_mse_ = float(np.mean(gcv(spectrum, np.array([choice.alpha]))))
        self.loo_mse_ = choice.error if rule.criterion == "loo" else None
        self.fitting_ratio_ = _ratio(self.train_mse_, choice.error)
        self.effective_dof_ = effective_dof(spectrum, choice.alpha)
        self.intercept_ = float(found.intercept[0]) if self._single else found.intercept
        coef = found.coef[:, 0] if self._single else np.ascontiguousarray(found.coef.T)
        for name in ("coef_", "dual_coef_", "_gathered", *(() if self._infinite else ("X_fit_",))):
            self.__dict__.pop(name, None)
        setattr(self, "dual_coef_" if self._infinite else "coef_", coef)

    @property
    def _infinite(self):
        return self.n_components == "inf"

    def _outputs(self, X: Any) -> np.ndarray:
        """Predicted columns for validated rows, (n, n_outputs), chunk by chunk."""
        coef = np.atleast_2d(self.dual_coef_ if hasattr(self, "X_fit_") else self.coef_).T
        width = max(len(coef), X.shape[1])
        out = np.empty((X.shape[0], coef.shape[1]))
        for rows in chunk_slices(X.shape[0], rows_per_chunk(width, n_bytes=READ_BYTES)):
            out[rows] = self._columns(X[rows]) @ coef
        out += self.intercept_
        return out

    def _columns(self, X):
        features = self.feature_map_
        return features._limit(X, self.X_fit_) if hasattr(self, "X_fit_") else features._features(X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class RandomFeatureRidge(RegressorMixin, MultiOutputMixin, FeatureRidge):
    r"""Ridge regression on random features, with its strength chosen exactly in one decomposition.

    With features :math:`\\psi(x)_j = g(w_j, x) / \\sqrt{k}` of :class:`RandomFeatures`,

    .. math::
        \\min_{\\theta, b} \\sum_i w_i (y_i - b - \\theta^\\top \\psi(x_i))^2
            + \\delta \\lVert \\theta \\rVert^2 .

    One decomposition gives coefficients and exact leave-one-out errors at all strengths, 0
    included. More features cost time and, with the strength chosen, no accuracy.

    Parameters
    ----------
    n_components : int or "inf", default=1000
        Number k of random features. "inf" is the ridge regression of their limit kernel.
    kind : {"relu", "fourier", "erf", "gaussian"} or callable, default="relu"
        The features, see :class:`RandomFeatures`.
    gamma : float or "scale", default="scale"
        Of "fourier" and "erf"; "scale" is 1 / (n_features * variance of all entries of X).
    bias : bool, default=False
        Whether X gets a further column of ones, of "relu", "erf" and "gaussian".
    draw : {"weights", "rows"}, default="weights"
        What is drawn at random: weights of features, or rows that are landmarks of features, of
        which smooth kernels need fewer, see :class:`RandomFeatures`. The errors that choose the
        strength are exact for the features as they were drawn: landmarks that are left out stay
        landmarks. `RidgeEigenframework` knows random weights only.
    alphas : int or array-like of shape (n_alphas,), default=60
        Strengths among which `alpha` chooses. A number stands for 0 and that many from 1e-8 of
        the mean squared singular value to 1e3 times the largest, and for a refinement of the best.
    alpha : float, "loo" or "gcv", default="loo"
        The strength delta of the penalty on the **sum** of squared errors, for features that are
        divided by sqrt(k); or how it is chosen: by leave-one-out errors, which are exact, or by
        generalised cross-validation. 0 is the interpolation of least norm, or least squares.
    fit_intercept : bool, default=True
        Whether to fit an intercept, which is not penalised.
    random_state : int, RandomState instance or None, default=None
        Seed of the features.
    dtype : {float32, float64} or None, default=None
        Precision in which features are computed; that of X if None. All sums are of float64.
    solver : {"auto", "gram", "kernel", "svd"}, default="auto"
        Which matrix is decomposed: B^T B (k x k), filled chunk by chunk; B B^T (n x n); or the
        features B themselves, which takes several times as long and keeps more digits where
        singular values span more than six decades and `alpha` is tiny. "auto" is the smaller of
        the first two.
    verbose : int, default=0
        Whether to show a bar for each pass over the rows.

    Attributes
    ----------
    coef_ : ndarray of shape (k,) or (n_outputs, k)
        Weights of the features; not there for infinitely many.
    dual_coef_, X_fit_ : ndarray
        Weights of the training rows, shape (n,) or (n_outputs, n), and these; only there for
        infinitely many features.
    intercept_ : float or ndarray of shape (n_outputs,)
        Intercept.
    alpha_ : float
        The strength in use.
    alphas_ : ndarray of shape (n_alphas,)
        Strengths that were compared, before refinement.
    cv_values_ : ndarray of shape (n_alphas,)
        Their mean squared leave-one-out errors, or values of generalised cross-validation.
    alpha_at_edge_ : bool
        Whether the best strength may lie beyond `alphas_`; then there is a warning.
    train_mse_ : float
        Mean squared error on the training rows.
    loo_mse_ : float or None
        Mean squared leave-one-out error; None for ``alpha="gcv"`` and after `partial_fit`.
    gcv_mse_ : float
        Its estimate by generalised cross-validation.
    fitting_ratio_ : float
        `train_mse_` over `loo_mse_` (or `gcv_mse_`): 0 if the model interpolates, near 1 if it
        fits no more than it predicts.
    effective_dof_ : float
        Trace of the hat matrix, intercept included.
    solver_ : {"gram", "kernel", "svd"}
        What was decomposed.
    feature_map_ : RandomFeatures
        The features, fitted.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns of X, if they are all strings.

    See Also
    --------
    RandomFeatureRidgeClassifier : The same for classes.
    RidgeEigenframework : What its errors will be, without training.
    sklearn.linear_model.RidgeCV : Ridge regression on given features.

    Notes
    -----
    Weights count copies of rows, of which one is left out; of a row of weight below one the whole.
    So weights that are no counts should have a mean of one: divide them by it. Landmarks are drawn
    from all rows of positive weight alike.

    Rows beyond memory come as a memory map or as a dask array (then with y of one dimension): the
    Gram matrix is summed up in chunks of 64 MiB. "gcv" reads the rows once, "loo" a second time
    and twice more to refine its choice.

    References
    ----------
    J. B. Simon, D. Karkada, N. Ghosh, M. Belkin, "More is Better in Modern Machine Learning: when
    Infinite Overparameterization is Optimal and Overfitting is Obligatory", ICLR 2024.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.preprocessing import scale
    >>> from skreg.random_features import RandomFeatureRidge
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = RandomFeatureRidge(2000, random_state=0).fit(scale(X), y)
    >>> model.solver_, bool(model.train_mse_ < model.loo_mse_ < y.var())
    ('kernel', True)
    """

    @all_or_nothing
    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the coefficients and choose the strength.

        Parameters
        ----------
        X : {array-like, sparse matrix, dask array} of shape (n, n_features)
            Features.
        y : array-like of shape (n,) or (n, n_outputs)
            Targets. All outputs share one strength, that of the least mean error.
        sample_weight : array-like of shape (n,), default=None
            Weights: an integer counts copies.

        Returns
        -------
        RandomFeatureRidge
            The fitted estimator.

        Raises
        ------
        ValueError
            If X or y have values that are not finite, if no row has positive weight, if a strength
            is to be chosen from one row, or if a parameter makes no sense.
        """
        self._validate_params()
        if is_dask_collection(X):
            self._single = True
            self._fit_dask(X, y, sample_weight, as_columns)
            return self
        X, y = validate_data(
            self, X, y, accept_sparse="csr", dtype="numeric", multi_output=True, y_numeric=True
        )
        self._single = y.ndim == 1
        self._fit_in_memory(X, as_columns(y), checked_weights(sample_weight, X))
        return self

    @available_if(_without_rows)
    @all_or_nothing
    def partial_fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Add a batch of rows; any split into batches gives one model. After `fit` it begins anew.

        Only the moments of the features are kept, k x k numbers, which are decomposed after each
        batch: large batches cost least. The strength is `alpha` or chosen by "gcv"; "loo" needs
        the rows. The first batch draws the features, and sets the scale of gamma.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n, n_features)
            Features of the batch.
        y : array-like of shape (n,) or (n, n_outputs)
            Its targets.
        sample_weight : array-like of shape (n,), default=None
            Its weights.

        Returns
        -------
        RandomFeatureRidge
            The updated estimator.

        Raises
        ------
        ValueError
            As `fit`; also if the number of outputs, the features or `fit_intercept` differ from
            those of earlier batches, or for ``draw="rows"``.
        """
        self._validate_params()
        if self.draw == "rows":
            raise ValueError(
                "partial_fit draws the features before all rows are known: set draw='weights'"
            )
        first = not hasattr(self, "_gathered")
        X, y = validate_data(
            self, X, y, accept_sparse="csr", dtype="numeric", multi_output=True, y_numeric=True,
            reset=first,
        )  # fmt: skip
        weight = checked_weights(sample_weight, X)
        used = weight > 0.0
        X, columns, weight = X[used], as_columns(y)[used], weight[used]
        if first:
            variance = variance_of_entries(X, weight) if self._needs_variance else np.nan
            features, self._single = self._new_features(X.shape[1], variance, X.dtype), y.ndim == 1
        else:
            features = self.feature_map_
            self._require_same(features, columns.shape[1])
        gathered = gather(features._features(X), columns, weight, centre=self.fit_intercept)
        if not first:
            gathered = self._gathered.merge(gathered)
        rule = self._rule()._replace(criterion="gcv")
        self._store(solve_gathered(gathered, rule), features, rule, "gram")
        self._gathered, self._gathered_centred = gathered, self.fit_intercept
        return self

    def _require_same(self, features, n_outputs):
        """What batches have in common."""
        before = features.get_params() | {"fit_intercept": self._gathered_centred}
        now = self._map_params() | {"fit_intercept": self.fit_intercept}
        changed = [
            name
            for name, value in now.items()
            if value is not before[name] and value != before[name]
        ]
        if changed:
            raise ValueError(
                f"{' and '.join(changed)} changed since the first batch: call fit to begin anew"
            )
        known = self._gathered.moments.targets.mean.size
        if n_outputs != known:
            raise ValueError(f"y has {n_outputs} outputs, but earlier batches had {known}")

    def predict(self, X: Any) -> Any:
        """Predict the targets.

        Parameters
        ----------
        X : {array-like, sparse matrix, dask array} of shape (n, n_features)
            Features.

        Returns
        -------
        ndarray of shape (n,) or (n, n_outputs)
            Predictions.
        """
        check_is_fitted(self)
        if is_dask_collection(X):
            width = None if self._single else len(self.intercept_)
            return map_rows(self.predict, X, np.float64, width, by=type(self).__name__)
        X = validate_data(self, X, accept_sparse="csr", dtype=FLOATS, reset=False)
        outputs = self._outputs(X)
        return outputs[:, 0] if self._single else outputs


def _ratio(train, test):
    """R = train / test, at most 1 but for rounding; 0 where both vanish."""
    return float(np.minimum(train / test, 1.0)) if test != 0.0 else 0.0
