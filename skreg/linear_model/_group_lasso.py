"""The estimators `GroupLasso` and `GroupLassoCV`."""

from collections.abc import Callable
from numbers import Integral
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike

from skreg._sklearn import Interval
from skreg.linear_model._base import (
    ALPHA_CONSTRAINTS,
    SOLVER_CONSTRAINTS,
    WEIGHTS_CONSTRAINTS,
    SparseRegressor,
)
from skreg.linear_model._cross_validation import CV_CONSTRAINTS, CrossValidated
from skreg.linear_model._groups import group_labels
from skreg.linear_model._input import PenaltyWeights, check_weights, fill_by_name, is_by_name
from skreg.linear_model._least_squares import mean_squared_errors, squared_error
from skreg.linear_model._path import Paths
from skreg.linear_model._prediction import LinearRegressor
from skreg.optim import GroupL2, Quadratic, Solution

_GROUP_CONSTRAINTS = {
    "groups": ["array-like", dict, Interval(Integral, 1, None, closed="left"), None],
}


class GroupLasso(Paths, SparseRegressor):
    r"""Least squares that selects groups of features, solved to a certified duality gap.

    Minimises over coefficients w and an unpenalised intercept b

    .. math::
        P(w, b) = \frac{1}{2 n} \sum_i s_i (y_i - x_i^\top w - b)^2
            + \alpha \sum_g \omega_g \|w_g\|_2,

    with sample weights s that are scaled to sum to n. The coefficients :math:`w_g` of a group are
    all zero or, in general, all nonzero [1]_.

    Parameters
    ----------
    groups : None, int, array-like, list of lists, dict or Series, default=None
        Groups: a size of contiguous groups; the label of each feature's group, of any kind, in the
        order of the features or by the names of the columns in a dict or a pandas Series; or the
        list of the features of each group, by position or by name. None makes each feature a
        group. Names need an X that has some, such as a data frame.
    alpha : float, default=1.0
        Strength :math:`\alpha` of the penalty; 0 gives least squares.
    penalty_weights : array-like of shape (n_groups,), dict or Series, default=None
        Weights :math:`\omega_g \ge 0`, by sorted label or in the order of the lists, or by label in
        a dict or a pandas Series: 0 leaves a group unpenalised, infinity excludes it. None, for all
        groups or for those that a dict does not name, means the square root of the group's size,
        with which groups of pure noise enter equally often whatever their size.
    fit_intercept : bool, default=True
        Fit an unpenalised intercept.
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
    groups_ : ndarray of shape (n_features,)
        Label of each feature's group; the number of the group, or of the list, where there were no
        labels.
    active_groups_ : ndarray
        Labels of the groups with a nonzero coefficient.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if X has string column names.

    See Also
    --------
    GroupLassoCV : Chooses `alpha` by cross-validation.
    Lasso : Groups of one feature; explains `tol`.

    References
    ----------
    .. [1] M. Yuan, Y. Lin, "Model Selection and Estimation in Regression with Grouped Variables",
       JRSS B 68, 2006.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.linear_model import GroupLasso
    >>> X = np.random.default_rng(0).normal(size=(50, 6))
    >>> y = X[:, 2] - 2 * X[:, 3]
    >>> model = GroupLasso(["a", "a", "b", "b", "c", "c"], alpha=0.5).fit(X, y)
    >>> model.active_groups_, model.active_set_
    (array(['b'], dtype='<U1'), array([2, 3]))
    """

    _parameter_constraints: ClassVar[dict] = {
        **_GROUP_CONSTRAINTS,
        **WEIGHTS_CONSTRAINTS,
        **ALPHA_CONSTRAINTS,
        **SOLVER_CONSTRAINTS,
    }

    def __init__(
        self,
        groups: Any = None,
        *,
        alpha: float = 1.0,
        penalty_weights: PenaltyWeights = None,
        fit_intercept: bool = True,
        tol: float = 1e-6,
        max_iter: int = 100,
        warm_start: bool = False,
    ) -> None:
        self.groups = groups
        self.alpha = alpha
        self.penalty_weights = penalty_weights
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start

    def _loss(self) -> Any:
        return Quadratic()

    def _encode(self, y: np.ndarray) -> np.ndarray:
        self.groups_ = group_labels(self.groups, self)
        return super()._encode(y)

    def _penalty(self) -> GroupL2:
        labels, members, sizes = np.unique(self.groups_, return_inverse=True, return_counts=True)
        weights = np.sqrt(sizes)
        if self.penalty_weights is not None:
            given: Any = self.penalty_weights
            if is_by_name(given):
                given = fill_by_name(given, labels.tolist(), weights, "penalty_weights", "groups")
            weights = check_weights(given, len(sizes))
        return GroupL2(1.0, members, weights)

    def _store(self, solution: Solution, dtype: Any) -> None:
        super()._store(solution, dtype)
        self.active_groups_ = np.unique(self.groups_[self.active_set_])

    def _held_out_error(self, prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
        return squared_error(prediction, target)


class GroupLassoCV(CrossValidated, LinearRegressor):
    """Group lasso with its strength chosen by cross-validation.

    Every fold is fitted along one path of decreasing strengths, each warm-started from the last.

    Parameters
    ----------
    groups : None, int, array-like, list of lists, dict or Series, default=None
        Groups, as for `GroupLasso`.
    penalty_weights : array-like of shape (n_groups,), dict or Series, default=None
        Weights of the groups, as for `GroupLasso`.
    eps : float, default=1e-3
        Ratio of the smallest strength to the largest, in (0, 1].
    alphas : int or array-like of shape (n_alphas,), default=100
        Strengths, or how many to place in geometric progression below `alpha_max`.
    fit_intercept : bool, default=True
        Fit an unpenalised intercept.
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
    alphas_ : ndarray of shape (n_alphas,)
        Strengths in decreasing order.
    score_path_ : ndarray of shape (n_alphas, n_folds)
        Scores on the folds; greater is better.
    mse_path_ : ndarray of shape (n_alphas, n_folds)
        Mean squared errors on the folds, if `scoring` is None.
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
    groups_ : ndarray of shape (n_features,)
        Label of each feature's group; the number of the group, or of the list, where there were no
        labels.
    active_groups_ : ndarray
        Labels of the groups with a nonzero coefficient.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if X has string column names.

    See Also
    --------
    GroupLasso : The objective.
    RegularizationPathDisplay : Picture of the path and the scores.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.linear_model import GroupLassoCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(50, 6))
    >>> y = X[:, 2] - 2 * X[:, 3] + rng.normal(size=50)
    >>> model = GroupLassoCV(groups=2, selection_rule="one_standard_error").fit(X, y)
    >>> model.active_set_
    array([2, 3])
    """

    _parameter_constraints: ClassVar[dict] = {
        **_GROUP_CONSTRAINTS,
        **WEIGHTS_CONSTRAINTS,
        **CV_CONSTRAINTS,
        **SOLVER_CONSTRAINTS,
    }
    _model_class = GroupLasso
    _error_name = "mean squared error"
    mse_path_ = property(mean_squared_errors)

    def __init__(
        self,
        groups: Any = None,
        *,
        penalty_weights: PenaltyWeights = None,
        eps: float = 1e-3,
        alphas: int | ArrayLike = 100,
        fit_intercept: bool = True,
        tol: float = 1e-8,
        max_iter: int = 100,
        cv: Any = None,
        scoring: str | Callable | None = None,
        selection_rule: Literal["min", "one_standard_error"] = "min",
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.groups = groups
        self.penalty_weights = penalty_weights
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.cv = cv
        self.scoring = scoring
        self.selection_rule = selection_rule
        self.n_jobs = n_jobs
        self.verbose = verbose
