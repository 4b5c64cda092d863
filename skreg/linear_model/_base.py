"""What all models of one strength share: solve and store.

An estimator says which loss and which penalty it has and how it encodes its target. The
rest is here and calls the engine on validated arrays.
"""

from abc import ABC, abstractmethod
from numbers import Integral, Real
from typing import Any, NamedTuple, Self

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from skreg._sklearn import Interval, _fit_context
from skreg._state import all_or_nothing
from skreg._warnings import warn
from skreg.linear_model._input import check_numbers
from skreg.linear_model._prediction import LinearModel, LinearRegressor
from skreg.optim import Solution, as_design, solve_path
from skreg.optim.losses import loss_value

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
WEIGHTS_CONSTRAINTS = {"penalty_weights": ["array-like", dict, None]}


class Data(NamedTuple):
    """Validated input: X by columns, y as given, and the target in the layout of the loss."""

    X: np.ndarray | sparse.csc_matrix
    y: np.ndarray
    target: np.ndarray
    sample_weight: np.ndarray | None

    def rows(self, indices: np.ndarray) -> "Data":
        """The samples with the given indices; dense X stays in column order."""
        X = self.X[indices] if sparse.issparse(self.X) else np.take(self.X.T, indices, axis=1).T
        weight = None if self.sample_weight is None else self.sample_weight[indices]
        return Data(X, self.y[indices], self.target[indices], weight)


class SparseLinearModel(LinearModel, ABC):
    """A loss of a linear predictor plus a penalty of its coefficients, at one strength."""

    @abstractmethod
    def _loss(self) -> Any:
        """Loss of the engine."""

    @abstractmethod
    def _penalty(self) -> Any:
        """Penalty of the engine at strength one."""

    @abstractmethod
    def _encode(self, y: np.ndarray) -> np.ndarray:
        """Target in the layout of the loss; may learn what comes before a fit, as `classes_`."""

    @_fit_context(prefer_skip_nested_validation=True)
    @all_or_nothing
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
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
            warn(self._not_converged(type(self).__name__), ConvergenceWarning)
        return self

    def _strength(self) -> float:
        return self.alpha

    def _separate(self, data: Data) -> list[Data]:
        """The problems that are solved on their own: one, or one for each output."""
        return [data]

    def _held_out_error(self, prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Error of each sample by which strengths are compared, the loss unless overridden."""
        return loss_value(self._loss(), prediction, target)

    def _validate(self, X: Any, y: Any, sample_weight: Any) -> Data:
        """Check the input and bring it into the layout of the engine."""
        X, y, sample_weight = self._check_input(X, y, sample_weight)
        return Data(X, y, self._encode(y), sample_weight)

    def _start(self, data: Data, last: dict[str, Any]) -> tuple[Any, Any]:
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

    def _solve(
        self, data: Data, alphas: Any, coef: Any = None, intercept: Any = None, verbose: int = 0
    ) -> list[Solution]:
        """One solution for each strength, started from the last one."""
        penalty = self._penalty()
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
            verbose=verbose,
        )

    def _fields(self, solution: Solution, dtype: Any) -> tuple[Any, ...]:
        """(coefficients, intercept, gap, residual, iterations) in the shapes of the attributes."""
        coef = np.asarray(solution.coef, dtype=dtype)
        return coef, solution.intercept, solution.gap, solution.kkt, solution.n_iter

    def _store(self, solution: Solution, dtype: Any) -> None:
        (
            self.coef_,
            self.intercept_,
            self.dual_gap_,
            self.kkt_residual_,
            self.n_iter_,
        ) = self._fields(solution, dtype)
        self.active_set_ = np.flatnonzero(np.atleast_2d(self.coef_).any(axis=0))

    def _not_converged(self, by: str) -> str:
        certified = not np.isnan(self.dual_gap_).any()
        name = "relative duality gap" if certified else "relative KKT residual"
        reached = np.max(self.dual_gap_ if certified else self.kkt_residual_)
        return (
            f"{by} did not converge: the {name} is {reached:.3g} after "
            f"{np.max(self.n_iter_)} working sets, wanted is tol={self.tol:.3g}. "
            f"Increase max_iter={self.max_iter} or tol, or scale the features."
        )


class SparseRegressor(SparseLinearModel, LinearRegressor):
    """Regression at one strength."""

    def _encode(self, y: np.ndarray) -> np.ndarray:
        return check_numbers(y)


class SeparateOutputs(SparseRegressor):
    """Mixin: a target of several columns is fitted column by column."""

    def _encode(self, y: np.ndarray) -> np.ndarray:
        target = super()._encode(y)
        return target[:, 0] if target.ndim == 2 and target.shape[1] == 1 else target

    def _separate(self, data: Data) -> list[Data]:
        return [data._replace(target=column) for column in np.atleast_2d(data.target.T)]

    def _solve(
        self, data: Data, alphas: Any, coef: Any = None, intercept: Any = None, verbose: int = 0
    ) -> list[Solution]:
        if data.target.ndim == 1:
            return super()._solve(data, alphas, coef, intercept, verbose)
        paths = []
        for k, output in enumerate(self._separate(data)):
            w, b = (None, None) if coef is None else (coef[k], np.atleast_1d(intercept)[k])
            paths.append(super()._solve(output, alphas, w, b, verbose))
        return [stack_outputs(solutions) for solutions in zip(*paths, strict=True)]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class RowPerOutput(SparseLinearModel):
    """Mixin: `coef_` has two dimensions and `intercept_` one, also for a single output."""

    def _fields(self, solution: Solution, dtype: Any) -> tuple[Any, ...]:
        coef, intercept, *certificate = super()._fields(solution, dtype)
        return np.atleast_2d(coef), np.atleast_1d(intercept), *certificate


def stack_outputs(solutions: tuple[Solution, ...]) -> Solution:
    """One solution from those of separate outputs."""
    stacked = Solution._make(np.stack(values) for values in zip(*solutions, strict=True))
    return stacked._replace(converged=bool(np.all(stacked.converged)))
