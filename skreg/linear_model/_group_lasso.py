"""The estimators `GroupLasso` and `GroupLassoCV`, and how groups are given."""

from collections.abc import Callable
from numbers import Integral
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike

from skreg._sklearn import Interval, is_pandas_na
from skreg.linear_model._base import (
    ALPHA_CONSTRAINTS,
    SOLVER_CONSTRAINTS,
    SparseRegressor,
)
from skreg.linear_model._cross_validation import CV_CONSTRAINTS, CrossValidated
from skreg.linear_model._input import PenaltyWeights, check_weights
from skreg.linear_model._least_squares import mean_squared_errors, squared_error
from skreg.linear_model._path import Paths
from skreg.linear_model._prediction import LinearRegressor
from skreg.optim import GroupL2, Quadratic

_GROUP_CONSTRAINTS = {
    "groups": ["array-like", Interval(Integral, 1, None, closed="left"), None],
    "penalty_weights": ["array-like", None],
}


def group_labels(groups, n_features):
    """Label 0, 1, .. of each feature's group.

    Parameters
    ----------
    groups : None, int, array-like of shape (n_features,) or list of array-like of int
        Each feature alone; contiguous groups of that size; labels of any kind, numbered in sorted
        order; or the lists of the features of each group, a partition.
    n_features : int
        Number of features.

    Returns
    -------
    ndarray of int of shape (n_features,)
        Labels.

    Raises
    ------
    ValueError
        If the groups do not place each feature in exactly one group, or if a label is missing.
    """
    if groups is None:
        return np.arange(n_features)
    if isinstance(groups, Integral):
        if n_features % groups:
            raise ValueError(f"groups={groups} does not divide the number {n_features} of features")
        return np.arange(n_features) // groups
    if len(groups) and all(np.ndim(group) == 1 for group in groups):
        return _labels_of_partition(groups, n_features)
    if len(groups) != n_features or any(np.ndim(label) for label in groups):
        raise ValueError(
            f"groups must hold one label for each of the {n_features} features, or lists of "
            f"features; it holds {len(groups)} entries, here the first: {list(groups)[:3]}"
        )
    return _labels_of_kinds(groups)


def _labels_of_kinds(groups):
    missing = [j for j, label in enumerate(groups) if _is_missing(label)]
    if missing:
        raise ValueError(
            f"groups has no label for the features {missing[:10]} (nan or None); give a feature "
            "that is alone a label of its own"
        )
    kinds = {isinstance(label, str) for label in groups}
    if len(kinds) > 1:
        raise ValueError("labels in groups must be all text or all numbers, they are mixed")
    return np.unique(np.asarray(groups), return_inverse=True)[1]


def _is_missing(label):
    return label is None or is_pandas_na(label) or label != label


def _labels_of_partition(groups, n_features):
    members = np.concatenate([np.asarray(group) for group in groups])
    if not np.array_equal(np.sort(members), np.arange(n_features)):
        raise ValueError(
            f"groups must be a partition of the features 0, .., {n_features - 1}: "
            "each in exactly one list"
        )
    labels = np.empty(n_features, dtype=np.intp)
    labels[members.astype(np.intp)] = np.repeat(
        np.arange(len(groups)), [len(group) for group in groups]
    )
    if any(len(group) == 0 for group in groups):
        raise ValueError("groups must not hold an empty list")
    return labels


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
    groups : None, int, array-like of shape (n_features,) or list of lists of int, default=None
        Groups: a size of contiguous groups; the label of each feature's group, of any kind; or
        the list of features of each group. None makes each feature a group.
    alpha : float, default=1.0
        Strength :math:`\alpha` of the penalty; 0 gives least squares.
    penalty_weights : array-like of shape (n_groups,), default=None
        Weights :math:`\omega_g \ge 0`, by sorted label or in the order of the lists: 0 leaves a
        group unpenalised, infinity excludes it. None means the square root of the group's size,
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
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
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
    >>> model.active_set_
    array([2, 3])
    """

    _parameter_constraints: ClassVar[dict] = {
        **_GROUP_CONSTRAINTS,
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

    def _penalty(self) -> Any:
        labels = group_labels(self.groups, self.n_features_in_)
        sizes = np.bincount(labels)
        if self.penalty_weights is None:
            return GroupL2(1.0, labels, np.sqrt(sizes))
        weights = check_weights(self.penalty_weights, len(sizes))
        return GroupL2(1.0, labels, weights)

    def _held_out_error(self, prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
        return squared_error(prediction, target)


class GroupLassoCV(CrossValidated, LinearRegressor):
    """Group lasso with its strength chosen by cross-validation.

    Every fold is fitted along one path of decreasing strengths, each warm-started from the last.

    Parameters
    ----------
    groups : None, int, array-like of shape (n_features,) or list of lists of int, default=None
        Groups, as for `GroupLasso`.
    penalty_weights : array-like of shape (n_groups,), default=None
        Weights of the groups; None means the square root of the group's size.
    eps : float, default=1e-3
        Ratio of the smallest strength to the largest, in (0, 1].
    alphas : int or array-like of shape (n_alphas,), default=100
        Strengths, or how many to place in geometric progression below `alpha_max`.
    fit_intercept : bool, default=True
        Fit an unpenalised intercept.
    tol : float, default=1e-10
        Relative duality gap at which to stop, on the folds and at the end. It is relative to the
        objective without features: where the fit is nearly exact, a larger one cannot tell
        neighbouring strengths apart.
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
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
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
        tol: float = 1e-10,
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
