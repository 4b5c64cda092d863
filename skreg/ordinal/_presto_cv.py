"""The estimator `PrestoClassifierCV`."""

import warnings
from numbers import Integral

import numpy as np
from joblib import Parallel, delayed
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import check_scoring, get_scorer_names
from sklearn.model_selection import check_cv

from skreg._sklearn import StrOptions, _check_method_params, _fit_context, _raise_for_params
from skreg._state import all_or_nothing
from skreg._warnings import warn
from skreg.ordinal._base import (
    CumulativeLogitClassifier,
    crossing_rate,
    linear_predictors,
)
from skreg.ordinal._likelihood import log_class_probabilities, repair_crossing
from skreg.ordinal._presto import PRESTO_CONSTRAINTS, PrestoClassifier, presto_problem
from skreg.ordinal._presto_path import GRID_CONSTRAINTS, check_alphas, collect_path
from skreg.ordinal._problem import original_scale
from skreg.ordinal._solve_path import null_solution, solve_path
from skreg.strengths import (
    SELECTION_RULES,
    RoutedFolds,
    check_scores,
    choose_strength,
    folds_of,
)

SMALLEST_PROBABILITY = 1e-8


def negative_brier(log_probability, codes, weight):
    """Minus the weighted mean of sum_k (1[y = k] - pi_k)^2."""
    error = np.exp(log_probability)
    error[np.arange(len(codes)), codes] -= 1.0
    return -np.average((error**2).sum(axis=1), weights=weight)


def negative_brier_of_scikit_learn(log_probability, codes, weight):
    """Half of that for two classes, whose two terms are equal, as in scikit-learn."""
    share = 0.5 if log_probability.shape[1] == 2 else 1.0
    return share * negative_brier(log_probability, codes, weight)


def negative_log_loss(log_probability, codes, weight):
    """Weighted mean of log pi of the observed class, with pi at least 1e-8."""
    observed = log_probability[np.arange(len(codes)), codes]
    return np.average(np.maximum(observed, np.log(SMALLEST_PROBABILITY)), weights=weight)


# also on folds that test without some class, of which scikit-learn's scorers would not know
BUILT_IN_SCORES = {
    "brier": negative_brier,
    "neg_brier_score": negative_brier_of_scikit_learn,
    "neg_log_loss": negative_log_loss,
}


def _warn_if_rare(labels, sample_weight, n_folds):
    sizes = np.bincount(labels.codes[sample_weight > 0.0], minlength=len(labels.order))
    if sizes.min() < n_folds:
        warn(
            f"class {labels.order.tolist()[sizes.argmin()]!r} has {sizes.min()} members, fewer "
            f"than the {n_folds} folds: some folds test without it"
        )


class PrestoClassifierCV(RoutedFolds, CumulativeLogitClassifier):
    """`PrestoClassifier` with `alpha` chosen by cross-validation along the path.

    The alphas come from all data. Each training fold is standardised on its own and fitted along
    the whole path with warm starts; the best mean score over the folds wins, ties go to the larger
    alpha, and the model is fitted on all data there.

    Parameters
    ----------
    alphas : array-like of shape (n_alphas,), default=None
        Strengths of the penalty. If None, `n_alphas` values from `presto_alpha_max` down to `eps`
        times it, in equal steps of the logarithm.
    n_alphas : int, default=20
        Number of alphas of the default grid.
    eps : float, default=1e-2
        Ratio of the smallest alpha of the default grid to the largest.
    cv : int, cross-validation generator or iterable, default=5
        An integer is the number of stratified folds, without shuffling. Pass
        ``StratifiedKFold(5, shuffle=True, random_state=0)`` if the order of the rows matters.
    scoring : str or callable, default="brier"
        What the folds are scored by, higher is better. "brier" is minus the Brier score summed over
        the classes, as in the paper, and so is "neg_brier_score", but for two classes, where it is
        half of that; "neg_log_loss" judges small probabilities on their own scale, and came closer
        to the true rare probabilities in the paper's simulations. These know all classes even where
        a fold tests without one. Any other scorer of scikit-learn, by name or as
        ``scorer(estimator, X, y)``, works too.
    selection_rule : {"min", "one_standard_error"}, default="min"
        Take the alpha of the best mean score, or the largest alpha whose mean score is within one
        standard error (over the folds) of it.
    l1_ratio : float, default=1.0
        As in `PrestoClassifier`.
    first_penalty : float, default=1.0
        As in `PrestoClassifier`.
    penalty_weights : array-like of shape (n_features,), default=None
        As in `PrestoClassifier`.
    standardize : bool, default=True
        As in `PrestoClassifier`.
    class_order : array-like of shape (n_classes,), default=None
        As in `PrestoClassifier`.
    tol : float, default=1e-4
        As in `PrestoClassifier`, for each fit.
    max_iter : int, default=100
        Largest number of iterations of each fit.
    n_jobs : int, default=None
        Number of folds fitted at once, in threads.

    Attributes
    ----------
    alpha_ : float
        The chosen alpha.
    alpha_best_ : float
        Alpha of the best mean score.
    alpha_one_standard_error_ : float
        Largest alpha whose mean score is within one standard error of the best.
    alphas_ : ndarray of shape (n_alphas,)
        Alphas, decreasing.
    score_path_ : ndarray of shape (n_alphas, n_folds)
        Scores of the folds, higher is better.
    path_ : PrestoPath
        Coefficients on all data, from the largest alpha to the smallest.
    classes_ : ndarray of shape (n_classes,)
        Sorted labels, the columns of `predict_proba`.
    class_order_ : ndarray of shape (n_classes,)
        Labels in the order of the model.
    coef_ : ndarray of shape (n_classes - 1, n_features)
        Coefficients of each boundary; positive ones make *lower* classes more probable.
    intercept_ : ndarray of shape (n_classes - 1,)
        Intercepts.
    coef_diff_ : ndarray of shape (n_classes - 1, n_features)
        Increments between boundaries, with exact zeros; row 0 is ``coef_[0]``.
    violates_proportional_odds_ : ndarray of shape (n_features,)
        Whether the effect of a feature differs between boundaries.
    n_iter_ : int
        Iterations of the chosen fit.
    dual_gap_ : float
        Duality gap of the chosen fit; NaN where some increment is not penalised.
    kkt_residual_ : float
        Largest violation of the optimality conditions of the chosen fit, per standard deviation of
        the feature.
    crossing_rate_ : float
        Weighted share of the training rows at which boundaries cross.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if X has string column names.

    See Also
    --------
    PrestoClassifier : For one alpha.
    PrestoPathDisplay : Draws the path and the choice.

    Notes
    -----
    A warning is given when a class has fewer members than there are folds, since some folds then
    test without it. A training fold without a member of some class is an error. Folds that test
    rows without weight only are left out.

    References
    ----------
    .. [1] G. Faletto, J. Bien, "Predicting Rare Events by Shrinking Towards Proportional Odds",
       ICML 2023.

    Examples
    --------
    >>> from skreg.datasets import make_ordinal
    >>> from skreg.ordinal import PrestoClassifierCV
    >>> X, y, probability = make_ordinal(random_state=0)
    >>> model = PrestoClassifierCV(scoring="neg_log_loss").fit(X, y)
    >>> error = ((model.predict_proba(X)[:, -1] - probability[:, -1]) ** 2).mean()
    >>> f"{error:.1e}"
    '1.5e-05'
    """

    _parameter_constraints: dict = (
        PRESTO_CONSTRAINTS
        | GRID_CONSTRAINTS
        | {
            "cv": ["cv_object"],
            "scoring": [StrOptions(set(BUILT_IN_SCORES) | set(get_scorer_names())), callable],
            "selection_rule": [StrOptions(SELECTION_RULES)],
            "n_jobs": [None, Integral],
        }
    )

    def __init__(
        self,
        alphas=None,
        *,
        n_alphas=20,
        eps=1e-2,
        cv=5,
        scoring="brier",
        selection_rule="min",
        l1_ratio=1.0,
        first_penalty=1.0,
        penalty_weights=None,
        standardize=True,
        class_order=None,
        tol=1e-4,
        max_iter=100,
        n_jobs=None,
    ):
        self.alphas = alphas
        self.n_alphas = n_alphas
        self.eps = eps
        self.cv = cv
        self.scoring = scoring
        self.selection_rule = selection_rule
        self.l1_ratio = l1_ratio
        self.first_penalty = first_penalty
        self.penalty_weights = penalty_weights
        self.standardize = standardize
        self.class_order = class_order
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=True)
    @all_or_nothing
    def fit(self, X, y, sample_weight=None, **params):
        """Choose alpha on the folds and fit all data there.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,)
            Labels: numbers, strings, or an ordered categorical.
        sample_weight : array-like of shape (n_samples,), default=None
            Nonnegative weights of the rows, in the fits and in the scores.
        **params : dict
            Parameters of the splitter and the scorer, if metadata routing is enabled.

        Returns
        -------
        PrestoClassifierCV
            The fitted estimator.

        Raises
        ------
        ValueError
            If a training fold lacks a class, if `alphas` has a negative entry, if a score is nan,
            and as `PrestoClassifier.fit`.

        Warns
        -----
        ConvergenceWarning
            If `tol` was not reached in a fold or on all data.
        UserWarning
            If a class has fewer members than there are folds, if a fold tests rows without weight
            only, and if the order of the classes was guessed or is easily lost, as in
            `PrestoClassifier.fit`.
        """
        _raise_for_params(params, self, "fit")
        weighted = sample_weight is not None
        X, labels, sample_weight = self._validate(X, y, sample_weight)
        splitting, scoring = self._routed(params, sample_weight if weighted else None)
        limits = {"tol": self.tol, "max_iter": self.max_iter}
        problem = presto_problem(self, X, labels, sample_weight)
        null = null_solution(problem, **limits)
        self.alphas_ = check_alphas(self.alphas, problem, null, self.n_alphas, self.eps)
        del problem, null  # a copy of X and of the rows, which the folds have too
        folds = self._folds(X, labels, sample_weight, splitting)
        results = Parallel(n_jobs=self.n_jobs, prefer="threads")(
            delayed(self._score_fold)(X, labels, sample_weight, scoring, *fold) for fold in folds
        )
        scores, missed = zip(*results, strict=True)
        if any(missed):
            warn(
                f"{sum(missed)} fits on the folds did not reach tol={self.tol}. Increase max_iter "
                "or tol, or leave out the smallest alphas.",
                ConvergenceWarning,
            )
        self.score_path_ = np.column_stack(scores)
        check_scores(self.score_path_, self.scoring)
        problem = presto_problem(self, X, labels, sample_weight)
        null = null_solution(problem, **limits)
        self.path_ = collect_path(problem, null, self.alphas_, labels.order, **limits)
        return self._choose(X, sample_weight)

    def _folds(self, X, labels, sample_weight, splitting):
        """Pairs of training and test rows; what is wrong with them is said."""
        cv = check_cv(self.cv, labels.codes, classifier=True)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The least populated class", UserWarning)
            folds = folds_of(cv.split(X, labels.codes, **splitting), X.shape[0])
        _warn_if_rare(labels, sample_weight, len(folds))
        tested = [fold for fold in folds if np.any(sample_weight[fold[1]] > 0.0)]
        if not tested:
            raise ValueError("sample_weight gives no row of any test fold a weight")
        if len(tested) < len(folds):
            warn(
                f"{len(folds) - len(tested)} of the {len(folds)} folds test rows without weight "
                "only; they are left out, as if these rows were not there"
            )
        for number, (train, _) in enumerate(tested):
            self._check_training_fold(number, labels, sample_weight, train)
        return tested

    def _check_training_fold(self, number, labels, sample_weight, train):
        total = np.bincount(
            labels.codes[train], weights=sample_weight[train], minlength=len(labels.order)
        )
        if not np.all(total > 0):
            raise ValueError(
                f"training fold {number} of cv={self.cv!r} lacks the class "
                f"{labels.order.tolist()[total.argmin()]!r}: merge rare classes or use fewer folds"
            )

    def _score_fold(self, X, labels, sample_weight, scoring, train, test):
        """Scores of all alphas on one fold, shape (n_alphas,), and the number of inexact fits."""
        inside = np.zeros_like(sample_weight)
        inside[train] = sample_weight[train]
        problem = presto_problem(self, X, labels, inside)
        scoring = _check_method_params(X, scoring, indices=test)
        score = self._scorer(X[test], labels, labels.codes[test], sample_weight[test], scoring)
        scores, missed, limits = [], 0, {"tol": self.tol, "max_iter": self.max_iter}
        null = null_solution(problem, **limits)
        for solution in solve_path(problem, null, self.alphas_, **limits):
            scores.append(score(original_scale(problem, solution.point.theta)))
            missed += not solution.converged
        return scores, missed

    def _fold_scorer(self):
        if isinstance(self.scoring, str) and self.scoring in BUILT_IN_SCORES:
            return None
        return check_scoring(self, scoring=self.scoring)

    def _scorer(self, X, labels, codes, weight, scoring):
        """Function of coefficients that scores them on held-out rows."""
        scorer = self._fold_scorer()
        if scorer is None:
            built_in = BUILT_IN_SCORES[self.scoring]

            def score(fit):
                eta = repair_crossing(linear_predictors(X, fit.coef, fit.intercept))
                return built_in(log_class_probabilities(eta), codes, weight)

            return score
        model, y = self._template(), labels.order[codes]

        def score(fit):
            model.intercept_, model.coef_ = fit.intercept, fit.coef
            return scorer(model, X, y, **scoring)

        return score

    def _template(self):
        """A `PrestoClassifier` that lacks nothing but coefficients."""
        model = PrestoClassifier(class_order=self.class_order)
        model.classes_, model.class_order_ = self.classes_, self.class_order_
        model.n_features_in_ = self.n_features_in_
        return model

    def _choose(self, X, sample_weight):
        path, choice = self.path_, choose_strength(self.score_path_)
        self.alpha_best_ = float(self.alphas_[choice.best])
        self.alpha_one_standard_error_ = float(self.alphas_[choice.one_standard_error])
        best = choice.best if self.selection_rule == "min" else choice.one_standard_error
        self.alpha_ = float(self.alphas_[best])
        self.intercept_, self.coef_ = path.intercepts[best], path.coefs[best]
        self.coef_diff_ = path.coef_diffs[best]
        self.violates_proportional_odds_ = np.any(self.coef_diff_[1:] != 0.0, axis=0)
        self.n_iter_ = int(path.n_iters[best])
        self.dual_gap_ = float(path.dual_gaps[best])
        self.kkt_residual_ = float(path.kkt_residuals[best])
        self.crossing_rate_ = crossing_rate(X, self.coef_, self.intercept_, sample_weight)
        return self
