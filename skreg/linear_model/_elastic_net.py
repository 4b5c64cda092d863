"""The estimators `ElasticNet` and `ElasticNetCV`."""

from collections.abc import Callable
from typing import Any, ClassVar, Literal

from numpy.typing import ArrayLike

from skreg.linear_model._base import (
    ALPHA_CONSTRAINTS,
    L1_RATIO_CONSTRAINTS,
    SIGN_CONSTRAINTS,
    SOLVER_CONSTRAINTS,
    WEIGHTS_CONSTRAINTS,
    SeparateOutputs,
)
from skreg.linear_model._cross_validation import (
    CV_CONSTRAINTS,
    L1_RATIOS_CONSTRAINTS,
    CrossValidated,
)
from skreg.linear_model._input import PenaltyWeights
from skreg.linear_model._least_squares import SeparableLeastSquares, mean_squared_errors
from skreg.linear_model._path import Paths
from skreg.linear_model._prediction import LinearRegressor


class ElasticNet(SeparateOutputs, Paths, SeparableLeastSquares):
    r"""Least squares with L1 and squared L2 penalties, solved to a certified duality gap.

    Minimises over coefficients w and an unpenalised intercept b

    .. math::
        P(w, b) = \frac{1}{2 n} \sum_i s_i (y_i - x_i^\top w - b)^2 + \alpha \sum_j \omega_j
            \Bigl(\rho |w_j| + \frac{1 - \rho}{2} w_j^2\Bigr),

    with sample weights s that are scaled to sum to n and penalty weights :math:`\omega`, both 1 by
    default; the same objective as that of `sklearn.linear_model.ElasticNet`.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength :math:`\alpha` of the penalty; 0 gives least squares.
    l1_ratio : float, default=0.5
        Share :math:`\rho` of the L1 norm, in [0, 1].
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
    coef_ : ndarray of shape (n_features,) or (n_outputs, n_features)
        Coefficients; zeros are exact.
    intercept_ : float or ndarray of shape (n_outputs,)
        Intercept, 0 if none was asked for.
    dual_gap_ : float or ndarray of shape (n_outputs,)
        Relative duality gap that was reached; nan if too many columns are unpenalised to tell.
    kkt_residual_ : float or ndarray of shape (n_outputs,)
        Relative residual of the optimality conditions.
    n_iter_ : int or ndarray of shape (n_outputs,)
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
    ElasticNetCV : Chooses `alpha` and `l1_ratio` by cross-validation.
    Lasso : The case ``l1_ratio=1``; explains `tol`.
    sklearn.linear_model.ElasticNet : Cyclic coordinate descent.

    References
    ----------
    .. [1] H. Zou, T. Hastie, "Regularization and Variable Selection via the Elastic Net", JRSS B
       67, 2005.

    Examples
    --------
    >>> from skreg.linear_model import ElasticNet
    >>> X, y = [[-1], [0], [1]], [-1, 0, 1]
    >>> model = ElasticNet(alpha=0.5, l1_ratio=0.5, tol=1e-10).fit(X, y)
    >>> model.coef_.round(4)
    array([0.4545])
    """

    _parameter_constraints: ClassVar[dict] = {
        **ALPHA_CONSTRAINTS,
        **L1_RATIO_CONSTRAINTS,
        **SIGN_CONSTRAINTS,
        **WEIGHTS_CONSTRAINTS,
        **SOLVER_CONSTRAINTS,
    }

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        l1_ratio: float = 0.5,
        fit_intercept: bool = True,
        positive: bool = False,
        penalty_weights: PenaltyWeights = None,
        tol: float = 1e-6,
        max_iter: int = 100,
        warm_start: bool = False,
    ) -> None:
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.penalty_weights = penalty_weights
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start


class ElasticNetCV(CrossValidated, LinearRegressor):
    """Elastic net with its strength, and its mixture, chosen by cross-validation.

    Every fold is fitted along one path of decreasing strengths for each `l1_ratio`, each
    warm-started from the last.

    Parameters
    ----------
    l1_ratio : float or array-like of float, default=0.5
        Share of the L1 norm, in [0, 1]. Of several values the one with the best mean score is
        chosen; 0 needs explicit `alphas`.
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
        Scorer of scikit-learn. None takes the mean squared error.
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
    alphas_ : ndarray of shape (n_alphas,) or (n_l1_ratios, n_alphas)
        Strengths in decreasing order.
    score_path_ : ndarray of shape (n_alphas, n_folds) or (n_l1_ratios, n_alphas, n_folds)
        Scores on the folds; greater is better.
    mse_path_ : ndarray of shape (n_alphas, n_folds) or (n_l1_ratios, n_alphas, n_folds)
        Mean squared errors on the folds, if `scoring` is None.
    l1_ratio_ : float
        Chosen share of the L1 norm.
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
    ElasticNet : The objective.
    RegularizationPathDisplay : Picture of the path and the scores.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skreg.linear_model import ElasticNetCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = ElasticNetCV(l1_ratio=[0.1, 0.5, 1.0], alphas=20).fit(X, y)
    >>> model.l1_ratio_, model.score_path_.shape
    (1.0, (3, 20, 5))
    """

    _parameter_constraints: ClassVar[dict] = {
        **CV_CONSTRAINTS,
        **L1_RATIOS_CONSTRAINTS,
        **SIGN_CONSTRAINTS,
        **WEIGHTS_CONSTRAINTS,
        **SOLVER_CONSTRAINTS,
    }
    _model_class = ElasticNet
    _error_name = "mean squared error"
    mse_path_ = property(mean_squared_errors)

    def __init__(
        self,
        *,
        l1_ratio: float | ArrayLike = 0.5,
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
        self.l1_ratio = l1_ratio
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
