"""The estimators `HuberLasso` and `HuberLassoCV`."""

from collections.abc import Callable
from numbers import Real
from typing import Any, ClassVar, Literal

from numpy.typing import ArrayLike

from skreg._sklearn import Interval
from skreg.linear_model._base import (
    ALPHA_CONSTRAINTS,
    SIGN_CONSTRAINTS,
    SOLVER_CONSTRAINTS,
    WEIGHTS_CONSTRAINTS,
    SparseRegressor,
)
from skreg.linear_model._cross_validation import CV_CONSTRAINTS, CrossValidated
from skreg.linear_model._input import PenaltyWeights, check_penalty_weights
from skreg.linear_model._least_squares import separable_penalty
from skreg.linear_model._path import Paths
from skreg.linear_model._prediction import LinearRegressor
from skreg.optim import Huber

_LOSS_CONSTRAINTS = {"delta": [Interval(Real, 0, None, closed="neither")]}


class HuberLasso(Paths, SparseRegressor):
    r"""Regression with Huber's loss and an L1 penalty, solved to a certified duality gap.

    Minimises over coefficients w and an unpenalised intercept b

    .. math::
        P(w, b) = \frac{1}{n} \sum_i s_i h_\delta(y_i - x_i^\top w - b)
            + \alpha \sum_j \omega_j |w_j|,
        \qquad h_\delta(r) = \begin{cases} r^2 / 2 & |r| \le \delta \\
            \delta |r| - \delta^2 / 2 & |r| > \delta, \end{cases}

    with sample weights s that are scaled to sum to n [1]_. Outliers pull with a force of at most
    :math:`\delta`, where in the lasso it grows with their residual.

    Parameters
    ----------
    alpha : float, default=0.1
        Strength :math:`\alpha` of the penalty; 0 gives Huber regression.
    delta : float, default=1.35
        Residual :math:`\delta` beyond which the loss is linear, in the unit of y. With normal
        errors of standard deviation one, 1.35 keeps 95 percent of the efficiency of least squares:
        divide y by a robust estimate of its noise, or choose `delta` by cross-validation.
    fit_intercept : bool, default=True
        Fit an unpenalised intercept.
    positive : bool, default=False
        Restrict the coefficients to be nonnegative.
    penalty_weights : array-like of shape (n_features,), dict or Series, default=None
        Weights :math:`\omega_j \ge 0`, in the order of the features or by the names of the columns
        in a dict or a pandas Series, which leaves the others at 1: 0 leaves a coefficient
        unpenalised, infinity excludes the feature. None means 1.
    tol : float, default=1e-6
        Relative duality gap at which to stop, as explained for `Lasso`.
    max_iter : int, default=100
        Largest number of working sets.
    warm_start : bool, default=False
        Start from the coefficients of the last fit, if it had as many features and outputs.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
        Coefficients; zeros are exact.
    intercept_ : float
        Intercept, 0 if none was asked for.
    dual_gap_ : float
        Relative duality gap that was reached; nan if too many columns are unpenalised to tell.
    kkt_residual_ : float
        Relative residual of the optimality conditions.
    n_iter_ : int
        Number of working sets.
    active_set_ : ndarray of int
        Features with a nonzero coefficient.
    selected_features_ : ndarray of str
        Their names; x0, x1, .. if X has none.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if X has string column names.

    See Also
    --------
    HuberLassoCV : Chooses `alpha` by cross-validation.
    Lasso : The limit of a large `delta`; explains `tol`.
    sklearn.linear_model.HuberRegressor : Squared L2 penalty, and a scale estimated with it.

    References
    ----------
    .. [1] P. J. Huber, "Robust Estimation of a Location Parameter", Annals of Mathematical
       Statistics 35, 1964.

    Examples
    --------
    >>> from skreg.linear_model import HuberLasso
    >>> X = [[0.0], [1.0], [2.0], [3.0], [4.0]]
    >>> y = [0.0, 1.0, 2.0, 3.0, 400.0]
    >>> HuberLasso(alpha=0.0, delta=0.1, tol=1e-10).fit(X, y).predict([[2.0]]).round(3)
    array([2.05])
    """

    _parameter_constraints: ClassVar[dict] = {
        **_LOSS_CONSTRAINTS,
        **ALPHA_CONSTRAINTS,
        **SIGN_CONSTRAINTS,
        **WEIGHTS_CONSTRAINTS,
        **SOLVER_CONSTRAINTS,
    }

    def __init__(
        self,
        alpha: float = 0.1,
        *,
        delta: float = 1.35,
        fit_intercept: bool = True,
        positive: bool = False,
        penalty_weights: PenaltyWeights = None,
        tol: float = 1e-6,
        max_iter: int = 100,
        warm_start: bool = False,
    ) -> None:
        self.alpha = alpha
        self.delta = delta
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.penalty_weights = penalty_weights
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start

    def _loss(self) -> Any:
        return Huber(float(self.delta))

    def _penalty(self) -> Any:
        weights = check_penalty_weights(self.penalty_weights, self)
        return separable_penalty(1.0, self.positive, weights)


class HuberLassoCV(CrossValidated, LinearRegressor):
    """Huber regression with an L1 penalty whose strength is chosen by cross-validation.

    Every fold is fitted along one path of decreasing strengths, each warm-started from the last.

    Parameters
    ----------
    delta : float, default=1.35
        Residual beyond which the loss is linear, in the unit of y.
    eps : float, default=1e-3
        Ratio of the smallest strength to the largest, in (0, 1].
    alphas : int or array-like of shape (n_alphas,), default=100
        Strengths, or how many to place in geometric progression below `alpha_max`.
    fit_intercept : bool, default=True
        Fit an unpenalised intercept.
    positive : bool, default=False
        Restrict the coefficients to be nonnegative.
    penalty_weights : array-like of shape (n_features,), dict or Series, default=None
        Weights of the penalty, in order or by the names of the columns: 0 leaves a coefficient
        unpenalised, infinity excludes the feature. None means 1.
    tol : float, default=1e-8
        Relative duality gap at which to stop, on the folds and at the end. The default is the
        largest power of ten whose choice scored within a hundredth of a standard error of that of
        1e-10 on all data that were tried; 1e-6 is enough where the target is noisy, but does not
        tell neighbouring strengths apart where the fit is nearly exact.
    max_iter : int, default=100
        Largest number of working sets of one strength.
    cv : int, splitter or iterable, default=None
        Cross-validation as in scikit-learn; five folds if None.
    scoring : str or callable, default=None
        Scorer of scikit-learn. None takes Huber's loss, less sensitive to outliers than squared
        errors.
    selection_rule : {"min", "one_standard_error"}, default="min"
        Take the strength of the best mean score, or the largest strength whose mean score is
        within one standard error of it.
    n_jobs : int, default=None
        Number of threads over the folds.
    verbose : int, default=0
        1 shows a bar of progress over the fits on the folds; needs tqdm.

    Attributes
    ----------
    alpha_ : float
        Chosen strength.
    alpha_best_ : float
        Strength of the best mean score.
    alpha_one_standard_error_ : float
        Largest strength whose mean score is within one standard error of the best.
    alpha_at_edge_ : bool
        Whether the choice was made at an end of the strengths and a better one may lie beyond it.
    alphas_ : ndarray of shape (n_alphas,)
        Strengths in decreasing order.
    score_path_ : ndarray of shape (n_alphas, n_folds)
        Scores on the folds; greater is better.
    coef_ : ndarray of shape (n_features,)
        Coefficients; zeros are exact.
    intercept_ : float
        Intercept, 0 if none was asked for.
    dual_gap_ : float
        Relative duality gap that was reached; nan if too many columns are unpenalised to tell.
    kkt_residual_ : float
        Relative residual of the optimality conditions.
    n_iter_ : int
        Number of working sets.
    active_set_ : ndarray of int
        Features with a nonzero coefficient.
    selected_features_ : ndarray of str
        Their names; x0, x1, .. if X has none.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if X has string column names.

    See Also
    --------
    HuberLasso : The objective.
    RegularizationPathDisplay : Picture of the path and the scores.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.linear_model import HuberLassoCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 10))
    >>> y = 3 * X[:, 4] + rng.standard_t(1.5, size=60)
    >>> model = HuberLassoCV(selection_rule="one_standard_error").fit(X, y)
    >>> bool(np.argmax(np.abs(model.coef_)) == 4)
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        **_LOSS_CONSTRAINTS,
        **CV_CONSTRAINTS,
        **SIGN_CONSTRAINTS,
        **WEIGHTS_CONSTRAINTS,
        **SOLVER_CONSTRAINTS,
    }
    _model_class = HuberLasso
    _error_name = "mean Huber loss"

    def __init__(
        self,
        *,
        delta: float = 1.35,
        eps: float = 1e-3,
        alphas: int | ArrayLike = 100,
        fit_intercept: bool = True,
        positive: bool = False,
        penalty_weights: PenaltyWeights = None,
        tol: float = 1e-8,
        max_iter: int = 100,
        cv: Any = None,
        scoring: str | Callable | None = None,
        selection_rule: Literal["min", "one_standard_error"] = "min",
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.delta = delta
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.penalty_weights = penalty_weights
        self.tol = tol
        self.max_iter = max_iter
        self.cv = cv
        self.scoring = scoring
        self.selection_rule = selection_rule
        self.n_jobs = n_jobs
        self.verbose = verbose
