"""The estimator `NonNegativeLeastSquares`."""

from typing import Any, ClassVar

from skreg.linear_model._base import SOLVER_CONSTRAINTS, SeparateOutputs
from skreg.optim import NonNegative, Quadratic


class NonNegativeLeastSquares(SeparateOutputs):
    r"""Least squares with nonnegative coefficients.

    Minimises over coefficients :math:`w \ge 0` and an intercept b of any sign

    .. math::
        P(w, b) = \frac{1}{2 n} \sum_i s_i (y_i - x_i^\top w - b)^2,

    with sample weights s that are scaled to sum to n. There is no penalty, thus no strength to
    choose; the nonnegative lasso is ``Lasso(positive=True)``.

    Parameters
    ----------
    fit_intercept : bool, default=True
        Fit an unpenalised intercept.
    tol : float, default=1e-6
        Relative residual of the optimality conditions at which to stop.
    max_iter : int, default=100
        Largest number of working sets.
    warm_start : bool, default=False
        Start from the coefficients of the last fit, if it had as many features and outputs.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_outputs, n_features)
        Coefficients; zeros are exact.
    intercept_ : float or ndarray of shape (n_outputs,)
        Intercept, 0 if none was asked for.
    kkt_residual_ : float or ndarray of shape (n_outputs,)
        Relative residual of the optimality conditions: the largest violation divided by the
        largest gradient at w = 0.
    dual_gap_ : float or ndarray of shape (n_outputs,)
        Always nan: the constraint alone gives no finite duality gap.
    n_iter_ : int or ndarray of shape (n_outputs,)
        Number of working sets.
    active_set_ : ndarray of int
        Features with a positive coefficient.
    selected_features_ : ndarray of str
        Their names; x0, x1, .. if X has none.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if X has string column names.

    See Also
    --------
    Lasso : With ``positive=True``, nonnegative and penalised.
    scipy.optimize.nnls : Active sets, dense, without intercept and weights.

    References
    ----------
    .. [1] C. L. Lawson, R. J. Hanson, "Solving Least Squares Problems", SIAM, 1995, chapter 23.

    Examples
    --------
    >>> from skreg.linear_model import NonNegativeLeastSquares
    >>> X, y = [[1, 0], [1, 0], [0, 1]], [2, 1, -1]
    >>> model = NonNegativeLeastSquares(fit_intercept=False).fit(X, y)
    >>> model.coef_
    array([1.5, 0. ])
    """

    _parameter_constraints: ClassVar[dict] = {**SOLVER_CONSTRAINTS, "warm_start": ["boolean"]}

    def __init__(
        self,
        *,
        fit_intercept: bool = True,
        tol: float = 1e-6,
        max_iter: int = 100,
        warm_start: bool = False,
    ) -> None:
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start

    def _strength(self) -> float:
        return 0.0

    def _loss(self) -> Any:
        return Quadratic()

    def _penalty(self) -> Any:
        return NonNegative(0.0)
