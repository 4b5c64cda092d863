"""The estimators `SparsePoissonRegressor` and `SparsePoissonRegressorCV`."""

from collections.abc import Callable
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import RegressorMixin
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.utils import check_consistent_length, column_or_1d

from skreg._warnings import warn
from skreg.linear_model._base import (
    ALPHA_CONSTRAINTS,
    L1_RATIO_CONSTRAINTS,
    SIGN_CONSTRAINTS,
    SOLVER_CONSTRAINTS,
    WEIGHTS_CONSTRAINTS,
)
from skreg.linear_model._cross_validation import (
    CV_CONSTRAINTS,
    L1_RATIOS_CONSTRAINTS,
    CrossValidated,
)
from skreg.linear_model._input import (
    PenaltyWeights,
    check_numbers,
    check_penalty_weights,
    check_sample_weight,
)
from skreg.linear_model._least_squares import separable_penalty
from skreg.linear_model._path import Paths
from skreg.linear_model._prediction import LinearModel
from skreg.optim import Poisson
from skreg.optim.losses import loss_value

_NEGLIGIBLE = 1e-12  # deviance, relative to constant counts, that is rounding


def deviance(prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Poisson deviance of each count from its predicted logarithm, twice the loss."""
    return 2.0 * loss_value(Poisson(), np.atleast_2d(prediction), np.atleast_2d(target))


def check_counts(y: Any) -> np.ndarray:
    """Nonnegative target."""
    y = check_numbers(y)
    if y.min() < 0.0:
        raise ValueError(f"y must be nonnegative, its smallest value is {y.min():.6g}")
    return y


class CountRegressor(RegressorMixin, LinearModel):
    """Regression whose linear predictor is the logarithm of a mean count."""

    def predict(self, X: Any) -> np.ndarray:
        """Predict the mean of the counts.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        ndarray of shape (n_samples,)
            Means, ``exp(X @ coef_ + intercept_)``.
        """
        return np.exp(self._linear_predictor(X))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Share of the deviance that is explained, the deviance's analogue of R squared.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,)
            Counts.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights.

        Returns
        -------
        float
            One minus the ratio of the deviance to that of the best constant.

        Raises
        ------
        ValueError
            If y is negative or not finite, or if a weight is negative or not finite.

        Warns
        -----
        UndefinedMetricWarning
            If y is constant, where the best constant has no deviance. As for
            `sklearn.linear_model.PoissonRegressor`, the score is then minus infinity, and nan for
            predictions without deviance.
        """
        prediction = self._linear_predictor(X)
        y = check_counts(column_or_1d(y))
        check_consistent_length(prediction, y)
        weight = check_sample_weight(sample_weight, X)
        left = np.average(deviance(prediction, y), weights=weight)
        counted = y if weight is None else y[weight > 0.0]
        if np.ptp(counted) == 0.0:
            warn(
                f"D^2 is not defined for constant y, here {counted[0]:.6g}: score more samples, or "
                "take sklearn.metrics.mean_poisson_deviance",
                UndefinedMetricWarning,
            )
            return np.nan if left <= _NEGLIGIBLE * (counted[0] or 1.0) else -np.inf
        null = np.full_like(prediction, np.log(np.average(y, weights=weight)))
        return float(1.0 - left / np.average(deviance(null, y), weights=weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = True
        return tags


class SparsePoissonRegressor(Paths, CountRegressor):
    r"""Poisson regression with an L1 or elastic-net penalty, solved to a certified duality gap.

    The mean of a count is :math:`\mu_i = \exp(x_i^\top w + b)`. Minimises half the mean deviance
    plus a penalty,

    .. math::
        P(w, b) = \frac{1}{n} \sum_i s_i \Bigl(\mu_i - y_i + y_i \log \frac{y_i}{\mu_i}\Bigr)
            + \alpha \sum_j \omega_j \Bigl(\rho |w_j| + \frac{1 - \rho}{2} w_j^2\Bigr),

    over coefficients w and an unpenalised intercept b, with sample weights s that are scaled to sum
    to n. With ``l1_ratio=0`` this is the objective of `sklearn.linear_model.PoissonRegressor`.

    Parameters
    ----------
    alpha : float, default=0.01
        Strength :math:`\alpha` of the penalty; 0 gives Poisson regression.
    l1_ratio : float, default=1.0
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
    SparsePoissonRegressorCV : Chooses `alpha` by cross-validation.
    Lasso : Explains `tol`.
    sklearn.linear_model.PoissonRegressor : Squared L2 penalty only.

    References
    ----------
    .. [1] J. Friedman, T. Hastie, R. Tibshirani, "Regularization Paths for Generalized Linear
       Models via Coordinate Descent", Journal of Statistical Software 33, 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.linear_model import SparsePoissonRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 10))
    >>> y = rng.poisson(np.exp(0.8 * X[:, 3]))
    >>> model = SparsePoissonRegressor(alpha=0.2).fit(X, y)
    >>> model.active_set_
    array([3])
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
        alpha: float = 0.01,
        *,
        l1_ratio: float = 1.0,
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

    def _loss(self) -> Any:
        return Poisson()

    def _penalty(self) -> Any:
        weights = check_penalty_weights(self.penalty_weights, self)
        return separable_penalty(self.l1_ratio, self.positive, weights)

    def _encode(self, y: np.ndarray) -> np.ndarray:
        return check_counts(y)

    def _held_out_error(self, prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
        return deviance(prediction, target)


class SparsePoissonRegressorCV(CrossValidated, CountRegressor):
    """Sparse Poisson regression with its strength chosen by cross-validation.

    Every fold is fitted along one path of decreasing strengths for each `l1_ratio`, each
    warm-started from the last.

    Parameters
    ----------
    l1_ratio : float or array-like of float, default=1.0
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
        Scorer of scikit-learn. None takes the mean Poisson deviance.
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
    SparsePoissonRegressor : The objective.
    RegularizationPathDisplay : Picture of the path and the scores.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.linear_model import SparsePoissonRegressorCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 10))
    >>> y = rng.poisson(np.exp(0.8 * X[:, 3]))
    >>> model = SparsePoissonRegressorCV(alphas=20, selection_rule="one_standard_error")
    >>> model.fit(X, y).active_set_
    array([3])
    """

    _parameter_constraints: ClassVar[dict] = {
        **CV_CONSTRAINTS,
        **L1_RATIOS_CONSTRAINTS,
        **SIGN_CONSTRAINTS,
        **WEIGHTS_CONSTRAINTS,
        **SOLVER_CONSTRAINTS,
    }
    _model_class = SparsePoissonRegressor
    _error_name = "mean Poisson deviance"

    def __init__(
        self,
        *,
        l1_ratio: float | ArrayLike = 1.0,
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
