"""The estimators `SparseLogisticRegression` and `SparseLogisticRegressionCV`."""

from collections.abc import Callable
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.base import ClassifierMixin
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from skreg.linear_model._base import (
    ALPHA_CONSTRAINTS,
    L1_RATIO_CONSTRAINTS,
    SOLVER_CONSTRAINTS,
    WEIGHTS_CONSTRAINTS,
    Data,
    RowPerOutput,
)
from skreg.linear_model._cross_validation import (
    CV_CONSTRAINTS,
    L1_RATIOS_CONSTRAINTS,
    CrossValidated,
)
from skreg.linear_model._input import PenaltyWeights, check_penalty_weights, plain_numbers
from skreg.linear_model._least_squares import separable_penalty
from skreg.linear_model._path import Paths
from skreg.linear_model._prediction import LinearModel
from skreg.optim import GroupL2, Logistic, Multinomial, Solution

_ROW_CONSTRAINTS = {"row_groups": ["boolean"]}


class LinearClassifier(ClassifierMixin, LinearModel):
    """Classification by the logistic function, or the softmax, of linear scores."""

    classes_: np.ndarray

    def decision_function(self, X: Any) -> np.ndarray:
        """Linear scores.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Log-odds of the second class, or the score of each class.
        """
        scores = self._linear_predictor(X)
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def predict(self, X: Any) -> np.ndarray:
        """Predict the most probable class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels.
        """
        scores = self.decision_function(X)
        choice = scores.argmax(axis=1) if scores.ndim == 2 else (scores > 0).astype(np.intp)
        return self.classes_[choice]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities, in the order of `classes_`.
        """
        scores = self.decision_function(X)
        if scores.ndim == 2:
            return softmax(scores, axis=1)
        return np.stack([expit(-scores), expit(scores)], axis=1)

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Logarithms of the probabilities of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Log-probabilities, in the order of `classes_`.
        """
        scores = self.decision_function(X)
        if scores.ndim == 2:
            return log_softmax(scores, axis=1)
        return np.stack([log_expit(-scores), log_expit(scores)], axis=1)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Share of the samples whose label is predicted.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights.

        Returns
        -------
        float
            Weighted mean accuracy.
        """
        return super().score(X, plain_numbers(column_or_1d(y)), sample_weight)


class SparseLogisticRegression(RowPerOutput, Paths, LinearClassifier):
    r"""Sparse logistic regression, binary or multinomial, solved to a certified duality gap.

    Minimises the mean negative log-likelihood plus a penalty,

    .. math::
        P(W, b) = -\frac{1}{n} \sum_i s_i \log p(y_i \mid x_i; W, b) + \alpha \, \Omega(W),

    over coefficients W and unpenalised intercepts b, with sample weights s that are scaled to sum
    to n. With two classes the log-odds of the second are :math:`x^\top w + b`; with more, the
    probabilities are the softmax of one linear score for each class. The penalty is one of

    .. math::
        \Omega &= \sum_{jk} \omega_j (\rho |W_{jk}| + (1 - \rho) W_{jk}^2 / 2), \\
        \Omega &= \sum_j \omega_j (\rho \|W_j\|_2 + (1 - \rho) \|W_j\|_2^2 / 2),

    the second, of the rows of W, with `row_groups`: a feature is then used for all classes or for
    none. With two classes they are the same.

    Parameters
    ----------
    alpha : float, default=0.01
        Strength :math:`\alpha` of the penalty; 0 gives logistic regression. The inverse strength of
        `sklearn.linear_model.LogisticRegression`, whose loss is a sum, is ``C = 1 / (alpha * n)``,
        with n the number of samples (the sum of their weights).
    l1_ratio : float, default=1.0
        Share :math:`\rho` of the norm, in [0, 1]; 1 for the lasso, less for the elastic net.
    row_groups : bool, default=False
        Penalise the coefficients of a feature in all classes as one group.
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
        Start from the coefficients of the last fit, if it had as many features and these classes.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Coefficients; zeros are exact.
    intercept_ : ndarray of shape (1,) or (n_classes,)
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
    SparseLogisticRegressionCV : Chooses `alpha` by cross-validation.
    Lasso : Explains `tol`.
    sklearn.linear_model.LogisticRegression : Several solvers, without a certificate.

    Notes
    -----
    P(0) in the relative duality gap is the entropy of the class frequencies. With more than two
    classes the intercepts sum to zero, and so do the coefficients of an unpenalised feature.

    References
    ----------
    .. [1] J. Friedman, T. Hastie, R. Tibshirani, "Regularization Paths for Generalized Linear
       Models via Coordinate Descent", Journal of Statistical Software 33, 2010.
    .. [2] J. Nutini, I. Laradji, M. Schmidt, "Let's Make Block Coordinate Descent Converge Faster:
       Faster Greedy Rules, Message-Passing, Active-Set Complexity, and Superlinear Convergence",
       JMLR 23, 2022.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skreg.linear_model import SparseLogisticRegression
    >>> X, y = load_iris(return_X_y=True)
    >>> model = SparseLogisticRegression(alpha=0.05, row_groups=True).fit(X, y)
    >>> model.active_set_
    array([2])
    >>> model.predict_proba(X[:1]).round(2)
    array([[0.96, 0.04, 0.  ]])
    """

    _parameter_constraints: ClassVar[dict] = {
        **_ROW_CONSTRAINTS,
        **ALPHA_CONSTRAINTS,
        **L1_RATIO_CONSTRAINTS,
        **WEIGHTS_CONSTRAINTS,
        **SOLVER_CONSTRAINTS,
    }

    def __init__(
        self,
        alpha: float = 0.01,
        *,
        l1_ratio: float = 1.0,
        row_groups: bool = False,
        fit_intercept: bool = True,
        penalty_weights: PenaltyWeights = None,
        tol: float = 1e-6,
        max_iter: int = 100,
        warm_start: bool = False,
    ) -> None:
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.row_groups = row_groups
        self.fit_intercept = fit_intercept
        self.penalty_weights = penalty_weights
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start

    def _loss(self) -> Any:
        return Logistic() if len(self.classes_) == 2 else Multinomial()

    def _penalty(self) -> Any:
        weights = check_penalty_weights(self.penalty_weights, self)
        if self.row_groups and len(self.classes_) > 2:
            return GroupL2(1.0, None, weights, self.l1_ratio)
        return separable_penalty(self.l1_ratio, False, weights)

    def _encode(self, y: np.ndarray) -> np.ndarray:
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        n_classes = len(self.classes_)
        if n_classes < 2:
            raise ValueError(
                "y must have at least two classes, "
                f"the data contain one class: {self.classes_.tolist()[0]!r}"
            )
        return 2.0 * labels - 1.0 if n_classes == 2 else np.eye(n_classes)[labels]

    def _solve(
        self, data: Data, alphas: Any, coef: Any = None, intercept: Any = None, verbose: int = 0
    ) -> list[Solution]:
        solutions = super()._solve(data, alphas, coef, intercept, verbose)
        if len(self.classes_) == 2:
            return solutions
        weights = check_penalty_weights(self.penalty_weights, self)
        free = np.zeros(data.X.shape[1], dtype=bool) if weights is None else weights == 0.0
        return [
            centred(s, free | (alpha == 0.0)) for s, alpha in zip(solutions, alphas, strict=True)
        ]


def centred(solution: Solution, free: np.ndarray) -> Solution:
    """The solution whose intercepts and unpenalised coefficients sum to zero over the classes.

    The softmax does not see what is common to all classes.
    """
    coef = solution.coef - np.where(free, solution.coef.mean(axis=0), 0.0)
    intercept = np.asarray(solution.intercept)
    return solution._replace(coef=coef, intercept=intercept - intercept.mean())


class SparseLogisticRegressionCV(CrossValidated, LinearClassifier):
    """Sparse logistic regression with its strength chosen by cross-validation.

    Every fold is fitted along one path of decreasing strengths for each `l1_ratio`, each
    warm-started from the last.

    Parameters
    ----------
    l1_ratio : float or array-like of float, default=1.0
        Share of the norm, in [0, 1]. Of several values the one with the best mean score is chosen;
        0 needs explicit `alphas`.
    row_groups : bool, default=False
        Penalise the coefficients of a feature in all classes as one group.
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
        Scorer of scikit-learn. None takes the log-loss.
    selection_rule : {"min", "one_standard_error"}, default="min"
        Take the strength of the best mean score, or the largest strength whose mean score is
        within one standard error of it.
    n_jobs : int, default=None
        Number of threads over the folds.
    verbose : int, default=0
        1 shows a bar of progress over the fits on the folds; needs tqdm.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
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
    l1_ratio_ : float
        Chosen share of the L1 norm.
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Coefficients; zeros are exact.
    intercept_ : ndarray of shape (1,) or (n_classes,)
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
    SparseLogisticRegression : The objective.
    RegularizationPathDisplay : Picture of the path and the scores.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.preprocessing import scale
    >>> from skreg.linear_model import SparseLogisticRegressionCV
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = SparseLogisticRegressionCV(alphas=20, selection_rule="one_standard_error")
    >>> len(model.fit(scale(X), y).active_set_) < 20
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        **_ROW_CONSTRAINTS,
        **CV_CONSTRAINTS,
        **L1_RATIOS_CONSTRAINTS,
        **WEIGHTS_CONSTRAINTS,
        **SOLVER_CONSTRAINTS,
    }
    _model_class = SparseLogisticRegression
    _error_name = "log-loss"

    def __init__(
        self,
        *,
        l1_ratio: float | ArrayLike = 1.0,
        row_groups: bool = False,
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
        self.l1_ratio = l1_ratio
        self.row_groups = row_groups
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
