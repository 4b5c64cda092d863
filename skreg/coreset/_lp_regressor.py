"""l_p regression as an estimator."""

from copy import copy
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import check_is_fitted, validate_data

from skreg._estimator import Estimator
from skreg._sklearn import Interval, _fit_context
from skreg._warnings import warn
from skreg.coreset._lp_solvers import null_norm, p_norm, solve_lp
from skreg.coreset._rows import Rows, image
from skreg.coreset._whitening import qr_whitening, triangular_factor
from skreg.rows import checked_weights

_LINEAR_PROGRAM_TOL = 1e-6  # relative gap; HiGHS stops at absolute violations of 1e-7


class LpRegressor(RegressorMixin, Estimator):
    r"""Linear regression in the l_p norm, for p from one to infinity.

    .. math::
        \min_{\beta, b} \sum_i \omega_i |y_i - x_i^\top \beta - b|^p + \alpha \|\beta\|_p^p

    p = 1 is least absolute deviations, p = 2 least squares, p = inf minimises the largest
    absolute residual.

    Parameters
    ----------
    p : float, default=1.5
        The power, in [1, inf].
    alpha : float, default=0.0
        Factor of the penalty. For p = inf the objective is the larger of the largest absolute
        residual and alpha times the largest absolute coefficient.
    fit_intercept : bool, default=True
        Whether to fit the intercept b, which is not penalised.
    tol : float, default=1e-8
        Stop when the duality gap is at most `tol` times the objective reached. `dual_gap_` is then
        at most `tol` too, as the null model's objective is no smaller. (The latter alone is no
        criterion for large p: at p = 30 powers are so unequal that 1e-8 of it may be a thousand
        times the smallest objective.) Linear programs (p = 1 and inf) are solved to HiGHS's own
        tolerance.
    max_iter : int, default=200
        Largest number of Newton steps for 1 < p < inf.
    warm_start : bool, default=False
        Start from the coefficients of the last fit, for 1 < p < inf.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
        Coefficients :math:`\beta`.
    intercept_ : float
        Intercept b.
    n_iter_ : int
        Number of Newton steps, or of iterations of the linear program.
    objective_ : float
        Value of the objective; for p = inf the largest absolute residual.
    dual_gap_ : float
        Duality gap, relative to the objective of the null model: the best constant with
        `fit_intercept`, else zero (or to `objective_` in a fit worse than that). Times that, it
        bounds the difference between `objective_` and the smallest possible value. The units of y
        and of the weights do not matter.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if they are all strings.

    See Also
    --------
    SensitivitySampler : Reduces the rows before the fit.
    sklearn.linear_model.QuantileRegressor : The case p = 1 as a quantile regression.

    Notes
    -----
    Columns are made orthonormal by a rank-revealing QR decomposition, so that collinear features
    are allowed: of all coefficients (with intercept) of equal predictions those of least norm are
    taken. Weights :math:`\omega_i` multiply rows and target by :math:`\omega_i^{1/p}`; for
    p = inf only whether they are zero matters. p = 1 solves the dual program :math:`\max y^\top z`,
    :math:`A^\top z = 0`, :math:`|z_i| \leq \omega_i`.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.coreset import LpRegressor
    >>> X = np.arange(5.0)[:, None]
    >>> y = np.array([1.0, 3.0, 5.0, 7.0, 99.0])
    >>> robust = LpRegressor(p=1).fit(X, y)
    >>> robust.coef_.round(6), round(robust.intercept_, 6)
    (array([2.]), 1.0)
    """

    _parameter_constraints: ClassVar[dict] = {
        "p": [Interval(Real, 1, np.inf, closed="both")],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "fit_intercept": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
    }

    def __init__(
        self,
        p: float = 1.5,
        alpha: float = 0.0,
        fit_intercept: bool = True,
        tol: float = 1e-8,
        max_iter: int = 200,
        warm_start: bool = False,
    ) -> None:
        self.p = p
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,)
            Target.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights :math:`\\omega_i` of the p-th powers.

        Returns
        -------
        LpRegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            If the input is not finite, or if weights are negative, not finite or all zero.

        Warns
        -----
        ConvergenceWarning
            If the duality gap did not reach `tol` times the objective (for p = 1 and inf, 1e-6
            times), or is negative or NaN.
        """
        fresh = copy(self)
        fresh._fit(X, y, sample_weight)
        self.__dict__ = fresh.__dict__  # in one step: errors leave the last fit whole
        return self

    def _fit(self, X, y, sample_weight):
        X, y = validate_data(self, X, y, accept_sparse="csr", y_numeric=True, dtype=np.float64)
        A, target = self._weighted_rows(X, y, sample_weight)
        factor = self.alpha if np.isinf(self.p) else self.alpha ** (1 / self.p)
        penalty = factor * np.eye(A.n_columns)[: X.shape[1] if factor else 0]
        R = np.linalg.qr(np.concatenate([triangular_factor(A), penalty]), mode="r")
        W = in_row_space(qr_whitening(R, A.n_rows), R)
        U = np.concatenate([image(A, W), penalty @ W])
        b = np.concatenate([target, np.zeros(len(penalty))])
        solution = solve_lp(U, b, float(self.p), self.tol, self.max_iter, self._start(W))
        self._warn(solution)
        self._store(W @ solution.y, solution, self._null_norm(A, target))

    def _weighted_rows(self, X, y, sample_weight):
        """Rows [X, 1] and target, both times omega^{1/p}, of the rows with positive weight."""
        omega = np.ones(X.shape[0])
        if sample_weight is not None:
            omega = checked_weights(sample_weight, X)
            kept = np.flatnonzero(omega)
            X, y, omega = X[kept], y[kept], omega[kept]
        scale = omega ** (1 / self.p)
        ones = np.ones((X.shape[0], 1)) if self.fit_intercept else None
        return Rows(X, ones, scale), scale * y

    def _null_norm(self, A, target):
        """Norm of the weighted residuals of the null model."""
        return null_norm(target, A.scale, self.p) if self.fit_intercept else p_norm(target, self.p)

    def _start(self, W):
        if not (self.warm_start and hasattr(self, "coef_")):
            return None
        coefficients = np.r_[self.coef_, self.intercept_] if self.fit_intercept else self.coef_
        if len(coefficients) != len(W):  # the last fit had other features
            return None
        return np.linalg.lstsq(W, coefficients)[0]

    def _warn(self, solution):
        tolerance = self.tol if 1 < self.p < np.inf else max(self.tol, _LINEAR_PROGRAM_TOL)
        if not abs(solution.relative_gap) <= tolerance:
            warn(
                f"the duality gap is {solution.relative_gap:.2e} of the objective after "
                f"{solution.n_iter} steps; a gap between 0 and {tolerance:.0e} was asked for. "
                "Raise max_iter or tol, or rescale the data",
                ConvergenceWarning,
            )

    def _store(self, coefficients, solution, null):
        n_features = self.n_features_in_
        self.coef_ = coefficients[:n_features]
        self.intercept_ = float(coefficients[n_features]) if self.fit_intercept else 0.0
        order = 1.0 if np.isinf(self.p) else self.p
        with np.errstate(over="ignore"):
            self.objective_ = float(np.float64(solution.norm) ** order)
        if -self.tol <= solution.relative_gap <= 0.0:  # rounding
            self.dual_gap_ = 0.0
        else:
            share = solution.norm / max(solution.norm, null)  # a constant target: both are rounding
            self.dual_gap_ = float(solution.relative_gap * share**order)
        self.n_iter_ = int(solution.n_iter)

    def predict(self, X: Any) -> np.ndarray:
        """Predict the target.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        ndarray of shape (n_samples,)
            Predictions.
        """
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=np.float64, reset=False)
        return safe_sparse_dot(X, self.coef_, dense_output=True) + self.intercept_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def in_row_space(W, R):
    """W projected onto the row space of R, which is the range of R^T R W: A W stays as it is."""
    if W.shape[1] == W.shape[0]:
        return W
    basis = np.linalg.qr(R.T @ (R @ W))[0]
    return basis @ (basis.T @ W)
