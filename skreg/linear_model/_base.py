"""What all estimators of the folder share: validate, solve, store, predict.

An estimator says which loss and which penalty it has and how it encodes its target. The
rest is here and calls the engine on validated arrays.
"""

from abc import ABC, abstractmethod
from numbers import Integral, Number, Real
from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import check_is_fitted, validate_data

from skreg._selected_features import SelectsFeatures
from skreg._sklearn import Interval, _check_sample_weight, _fit_context
from skreg._state import all_or_nothing
from skreg._warnings import warn
from skreg.optim import Solution, as_design, solve_path
from skreg.optim.losses import loss_value
from skreg.optim.solver._units import columns_of_few_digits

SOLVER_CONSTRAINTS = {
    "fit_intercept": ["boolean"],
    "tol": [Interval(Real, 0, None, closed="left")],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
}
ALPHA_CONSTRAINTS = {
    "alpha": [Interval(Real, 0, None, closed="left")],
    "warm_start": ["boolean"],
}
L1_RATIO_CONSTRAINTS = {"l1_ratio": [Interval(Real, 0, 1, closed="both")]}
SIGN_CONSTRAINTS = {"positive": ["boolean"]}
WEIGHTS_CONSTRAINTS = {"penalty_weights": ["array-like", None]}


class Data(NamedTuple):
    """Validated input: X by columns, y as given, and the target in the layout of the loss."""

    X: np.ndarray | sparse.csc_matrix
    y: np.ndarray
    target: np.ndarray
    sample_weight: np.ndarray | None

    def rows(self, indices):
        """The samples with the given indices; dense X stays in column order."""
        X = self.X[indices] if sparse.issparse(self.X) else np.take(self.X.T, indices, axis=1).T
        weight = None if self.sample_weight is None else self.sample_weight[indices]
        return Data(X, self.y[indices], self.target[indices], weight)


class SparseLinearModel(SelectsFeatures, BaseEstimator, ABC):
    """A loss of a linear predictor plus a penalty of its coefficients."""

    @abstractmethod
    def _loss(self):
        """Loss of the engine."""

    @abstractmethod
    def _penalty(self, n_features):
        """Penalty of the engine at strength one."""

    @abstractmethod
    def _encode(self, y):
        """Target in the layout of the loss; may set `classes_`."""

    @_fit_context(prefer_skip_nested_validation=True)
    @all_or_nothing
    def fit(self, X, y, sample_weight=None):
        """Fit the coefficients and the intercept at the penalty strength `alpha`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features. Writable Fortran-ordered float arrays and CSC matrices are not copied.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Nonnegative weights. Only their ratios matter: the loss is their weighted mean. A
            number, which must be positive, gives all samples the same weight.

        Returns
        -------
        object
            The fitted estimator.

        Raises
        ------
        ValueError
            If X, y or a weight is not finite or has the wrong shape, if a weight is negative, or if
            no weight is positive. The estimator then stays as it was.

        Warns
        -----
        ConvergenceWarning
            If `tol` was not reached within `max_iter` working sets.
        UserWarning
            If a column lies so far from zero that few digits of its variation are left.
        """
        last = vars(self).copy()
        data = self._validate(X, y, sample_weight)
        (solution,) = self._solve(data, [self._strength()], *self._start(data, last))
        self._store(solution, data.X.dtype)
        if not solution.converged:
            warn(self._not_converged(), ConvergenceWarning)
        return self

    def _strength(self):
        return self.alpha

    def _held_out_error(self, prediction, target):
        """Error of each sample by which strengths are compared, the loss unless overridden."""
        return loss_value(self._loss(), prediction, target)

    def _validate(self, X, y, sample_weight):
        """Check the input and bring it into the layout of the engine."""
        tags = self.__sklearn_tags__()
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse="csc",
            dtype=[np.float64, np.float32],
            order="F",
            force_writeable=True,
            multi_output=tags.target_tags.multi_output,
            y_numeric=tags.estimator_type == "regressor",
        )
        y = plain_numbers(y)
        data = Data(X, y, self._encode(y), check_sample_weight(sample_weight, X))
        if self.fit_intercept:
            self._warn_of_few_digits(data)
        return data

    def _warn_of_few_digits(self, data):
        weight = np.ones(data.X.shape[0]) if data.sample_weight is None else data.sample_weight
        few = columns_of_few_digits(data.X, weight)
        if len(few):
            names = getattr(self, "feature_names_in_", np.arange(data.X.shape[1]))[few[:5]]
            warn(
                f"{len(few)} columns of X ({', '.join(map(str, names))}, ..) lie so far from zero "
                f"that {data.X.dtype} holds less than four digits of how they vary. Subtract a "
                "constant from them where they are computed.",
                UserWarning,
            )

    def _start(self, data, last):
        """Coefficients and intercept to start from: those of the last fit if they fit the problem.

        They do if there are as many features and outputs, and the same classes, as there were.
        """
        n_features = data.X.shape[1]
        shape = (n_features,) if data.target.ndim == 1 else (data.target.shape[1], n_features)
        coef = np.asarray(last.get("coef_", np.nan), dtype=np.float64)
        same_outputs = np.atleast_2d(coef).shape == (shape if len(shape) == 2 else (1, *shape))
        same_classes = np.array_equal(last.get("classes_", 0), getattr(self, "classes_", 0))
        if not (self.warm_start and same_outputs and same_classes and np.isfinite(coef).all()):
            return None, None
        return coef.reshape(shape), last["intercept_"] if self.fit_intercept else None

    def _solve(self, data, alphas, coef=None, intercept=None):
        """One solution for each strength, started from the last one."""
        penalty = self._penalty(data.X.shape[1])
        return solve_path(
            as_design(data.X),
            data.target,
            self._loss(),
            [penalty._replace(alpha=float(alpha)) for alpha in alphas],
            sample_weight=data.sample_weight,
            fit_intercept=self.fit_intercept,
            coef_init=coef,
            intercept_init=intercept,
            tol=self.tol,
            max_iter=self.max_iter,
        )

    def _fields(self, solution, dtype):
        """(coefficients, intercept, gap, residual, iterations) in the shapes of the attributes."""
        coef = np.asarray(solution.coef, dtype=dtype)
        return coef, solution.intercept, solution.gap, solution.kkt, solution.n_iter

    def _store(self, solution, dtype):
        (
            self.coef_,
            self.intercept_,
            self.dual_gap_,
            self.kkt_residual_,
            self.n_iter_,
        ) = self._fields(solution, dtype)
        self.active_set_ = np.flatnonzero(np.atleast_2d(self.coef_).any(axis=0))

    def _not_converged(self):
        certified = not np.isnan(self.dual_gap_).any()
        name = "relative duality gap" if certified else "relative KKT residual"
        reached = np.max(self.dual_gap_ if certified else self.kkt_residual_)
        return (
            f"{type(self).__name__} did not converge: the {name} is {reached:.3g} after "
            f"{np.max(self.n_iter_)} working sets, wanted is tol={self.tol:.3g}. "
            f"Increase max_iter={self.max_iter} or tol, or scale the features."
        )

    def _linear_predictor(self, X):
        check_is_fitted(self)
        X = validate_data(
            self, X, accept_sparse=["csr", "csc"], dtype=[np.float64, np.float32], reset=False
        )
        return safe_sparse_dot(X, self.coef_.T, dense_output=True) + self.intercept_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class SparseRegressor(RegressorMixin, SparseLinearModel):
    """Regression whose prediction is the linear predictor."""

    def _encode(self, y):
        return check_array(y, dtype=np.float64, ensure_2d=False, input_name="y")

    def predict(self, X):
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

    @property
    def sparse_coef_(self):
        """Sparse copy of `coef_`, a CSR array of shape (n_outputs, n_features)."""
        return sparse.csr_array(np.atleast_2d(self.coef_))


class SeparateOutputs:
    """Mixin: a target of several columns is fitted column by column."""

    def _encode(self, y):
        target = super()._encode(y)
        return target[:, 0] if target.ndim == 2 and target.shape[1] == 1 else target

    def _solve(self, data, alphas, coef=None, intercept=None):
        if data.target.ndim == 1:
            return super()._solve(data, alphas, coef, intercept)
        paths = []
        for k, column in enumerate(data.target.T):
            start = (None, None) if coef is None else (coef[k], np.atleast_1d(intercept)[k])
            paths.append(super()._solve(data._replace(target=column), alphas, *start))
        return [stack_outputs(solutions) for solutions in zip(*paths, strict=True)]

    def _alpha_max(self, data):
        one_output = super()._alpha_max
        columns = np.atleast_2d(data.target.T)
        return max(one_output(data._replace(target=column)) for column in columns)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class RowPerOutput:
    """Mixin: `coef_` has two dimensions and `intercept_` one, also for a single output."""

    def _fields(self, solution, dtype):
        coef, intercept, *certificate = super()._fields(solution, dtype)
        return np.atleast_2d(coef), np.atleast_1d(intercept), *certificate


def stack_outputs(solutions):
    """One solution from those of separate outputs."""
    fields = [np.stack(values) for values in zip(*solutions, strict=True)]
    stacked = Solution(*fields)
    return stacked._replace(converged=bool(stacked.converged.all()))


def plain_numbers(y):
    """Numbers in an array of objects in their own dtype; other arrays as they are.

    scikit-learn does not take numbers of dtype object for labels.
    """
    if y.dtype == object and all(isinstance(entry, Real) for entry in y.flat):
        return np.array(y.tolist())
    return y


def check_sample_weight(weight, X):
    """Weights of the samples as an array, None where all are equal."""
    if weight is None:
        return None
    if isinstance(weight, Number):
        if not (isinstance(weight, Real) and 0.0 < weight < np.inf):
            raise ValueError(
                f"sample_weight={weight!r} must be positive and finite if it is a number; "
                "give nonnegative weights of the samples as an array"
            )
        return None
    weight = _check_sample_weight(weight, X, dtype=np.float64, ensure_non_negative=True)
    with np.errstate(over="ignore"):
        return weight if np.isfinite(weight.sum()) else weight / weight.max()


def check_penalty_weights(weights, n_features):
    """Weights of the penalty as an array, None for ones."""
    return None if weights is None else check_weights(weights, n_features, "penalty_weights")


def check_weights(weights, size, name):
    """Nonnegative weights, infinite ones included."""
    weights = check_array(
        weights, dtype=np.float64, ensure_2d=False, ensure_all_finite=False, input_name=name
    )
    if weights.shape != (size,):
        raise ValueError(f"{name} must have shape ({size},), not {weights.shape}")
    if not np.all(weights >= 0.0):
        raise ValueError(
            f"{name} must be nonnegative (0 frees, inf excludes), not {weights.min():.3g}"
        )
    return weights
