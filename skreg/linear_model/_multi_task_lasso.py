"""The estimators `MultiTaskLasso` and `MultiTaskLassoCV`."""

from collections.abc import Callable
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike

from skreg.linear_model._base import (
    ALPHA_CONSTRAINTS,
    SOLVER_CONSTRAINTS,
    WEIGHTS_CONSTRAINTS,
    RowPerOutput,
    SparseRegressor,
)
from skreg.linear_model._cross_validation import CV_CONSTRAINTS, CrossValidated
from skreg.linear_model._input import PenaltyWeights, check_penalty_weights
from skreg.linear_model._least_squares import mean_squared_errors, squared_error
from skreg.linear_model._path import Paths
from skreg.linear_model._prediction import LinearRegressor
from skreg.optim import GroupL2, Quadratic


class MultiTaskLasso(RowPerOutput, Paths, SparseRegressor):
    r"""Least squares for several outputs that share their features.

    Minimises over a matrix W of coefficients, with one row :math:`W_j` for each feature, and
    unpenalised intercepts b

    .. math::
        P(W, b) = \frac{1}{2 n} \sum_i s_i \|y_i - W^\top x_i - b\|_2^2
            + \alpha \sum_j \omega_j \|W_j\|_2,

    with sample weights s that are scaled to sum to n; the same objective as that of
    `sklearn.linear_model.MultiTaskLasso`. A feature is used for all outputs or for none.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength :math:`\alpha` of the penalty; 0 gives least squares.
    fit_intercept : bool, default=True
        Fit an unpenalised intercept.
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
    coef_ : ndarray of shape (n_outputs, n_features)
        Coefficients; zeros are exact.
    intercept_ : ndarray of shape (n_outputs,)
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
    MultiTaskLassoCV : Chooses `alpha` by cross-validation.
    Lasso : Fits each output on its own; explains `tol`.
    sklearn.linear_model.MultiTaskLasso : Cyclic coordinate descent.

    References
    ----------
    .. [1] G. Obozinski, B. Taskar, M. I. Jordan, "Joint Covariate Selection and Joint Subspace
       Selection for Multiple Classification Problems", Statistics and Computing 20, 2010.

    Examples
    --------
    >>> from skreg.linear_model import MultiTaskLasso
    >>> X = [[-1, 0.5], [0, -0.5], [1, 0.0]]
    >>> Y = [[-3, -4], [0, 0], [3, 4]]
    >>> model = MultiTaskLasso(alpha=1.0, tol=1e-12).fit(X, Y)
    >>> model.coef_.round(6) + 0.0
    array([[2.1, 0. ],
           [2.8, 0. ]])
    """

    _parameter_constraints: ClassVar[dict] = {
        **ALPHA_CONSTRAINTS,
        **WEIGHTS_CONSTRAINTS,
        **SOLVER_CONSTRAINTS,
    }

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        fit_intercept: bool = True,
        penalty_weights: PenaltyWeights = None,
        tol: float = 1e-6,
        max_iter: int = 100,
        warm_start: bool = False,
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.penalty_weights = penalty_weights
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start

    def _loss(self) -> Any:
        return Quadratic()

    def _penalty(self) -> Any:
        return GroupL2(1.0, None, check_penalty_weights(self.penalty_weights, self))

    def _encode(self, y: np.ndarray) -> np.ndarray:
        target = super()._encode(y)
        if target.ndim == 1:
            raise ValueError(
                f"y must have shape (n_samples, n_outputs), not {target.shape}; "
                "for one output use Lasso, or reshape y to a column"
            )
        return target

    def _held_out_error(self, prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
        return squared_error(prediction, target)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = False
        return tags


class MultiTaskLassoCV(CrossValidated, LinearRegressor):
    """Multi-task lasso with its strength chosen by cross-validation.

    Every fold is fitted along one path of decreasing strengths, each warm-started from the last.

    Parameters
    ----------
    eps : float, default=1e-3
        Ratio of the smallest strength to the largest, in (0, 1].
    alphas : int or array-like of shape (n_alphas,), default=100
        Strengths, or how many to place in geometric progression below `alpha_max`.
    fit_intercept : bool, default=True
        Fit an unpenalised intercept.
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
        Scorer of scikit-learn. None takes the mean squared error over the outputs.
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
    mse_path_ : ndarray of shape (n_alphas, n_folds)
        Mean squared errors on the folds, if `scoring` is None.
    coef_ : ndarray of shape (n_outputs, n_features)
        Coefficients; zeros are exact.
    intercept_ : ndarray of shape (n_outputs,)
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
    MultiTaskLasso : The objective.
    RegularizationPathDisplay : Picture of the path and the scores.

    Examples
    --------
    >>> from sklearn.datasets import load_linnerud
    >>> from skreg.linear_model import MultiTaskLassoCV
    >>> X, Y = load_linnerud(return_X_y=True)
    >>> model = MultiTaskLassoCV(alphas=20, cv=4).fit(X, Y)
    >>> model.coef_.shape, model.mse_path_.shape
    ((3, 3), (20, 4))
    """

    _parameter_constraints: ClassVar[dict] = {
        **CV_CONSTRAINTS,
        **WEIGHTS_CONSTRAINTS,
        **SOLVER_CONSTRAINTS,
    }
    _model_class = MultiTaskLasso
    _error_name = "mean squared error"
    mse_path_ = property(mean_squared_errors)

    def __init__(
        self,
        *,
        eps: float = 1e-3,
        alphas: int | ArrayLike = 100,
        fit_intercept: bool = True,
        penalty_weights: PenaltyWeights = None,
        tol: float = 1e-8,
        max_iter: int = 100,
        cv: Any = None,
        scoring: str | Callable | None = None,
        selection_rule: Literal["min", "one_standard_error"] = "min",
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.penalty_weights = penalty_weights
        self.tol = tol
        self.max_iter = max_iter
        self.cv = cv
        self.scoring = scoring
        self.selection_rule = selection_rule
        self.n_jobs = n_jobs
        self.verbose = verbose
