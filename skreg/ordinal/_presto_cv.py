"""The estimator `PrestoClassifierCV`."""

import copy
import warnings
from collections.abc import Callable
from functools import partial
from numbers import Integral
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import check_scoring, get_scorer_names

from skreg._sklearn import (
    MetadataRouter,
    StrOptions,
    _check_method_params,
    _fit_context,
    _raise_for_params,
)
from skreg._state import all_or_nothing
from skreg._warnings import warn
from skreg.ordinal._base import check_penalty_weights
from skreg.ordinal._held_out_scores import BUILT_IN_SCORES, score_by, score_path
from skreg.ordinal._presto import (
    PRESTO_CONSTRAINTS,
    IncrementsClassifier,
    PrestoClassifier,
    presto_problem,
)
from skreg.ordinal._presto_path import GRID_CONSTRAINTS, collect_path, decreasing_alphas
from skreg.ordinal._problem import Coefficients
from skreg.ordinal._solve_path import alpha_max, null_solution
from skreg.strengths import (
    SELECTION_RULES,
    choose_by_scores,
    routed_to_folds,
    router_of_folds,
    score_folds,
    scorer_of_classes,
    split_rows,
    warn_of_inexact_fits,
)


class PrestoClassifierCV(IncrementsClassifier):
    """`PrestoClassifier` with `alpha` chosen by cross-validation along the path.

    The alphas come from all data. Each training fold is standardised on its own and fitted along
    the whole path with warm starts; the best mean score over the folds wins, ties go to the larger
    alpha, and the model is fitted on all data there.

    Parameters
    ----------
    alphas : int or array-like of shape (n_alphas,), default=20
        Strengths of the penalty, or how many to place from `presto_alpha_max` down to `eps` times
        it, in equal steps of the logarithm.
    eps : float, default=1e-2
        Ratio of the smallest alpha to the largest, if `alphas` is a number.
    cv : int, cross-validation generator or iterable, default=5
        An integer is the number of stratified folds, without shuffling. Pass
        ``StratifiedKFold(5, shuffle=True, random_state=0)`` if the order of the rows matters.
    scoring : str or callable, default="brier"
        What the folds are scored by, higher is better. "brier" is minus the Brier score summed over
        the classes, as in the paper. "neg_log_loss", of probabilities of at least 1e-8, judges
        small ones on their own scale, and came closer to the true rare probabilities in the
        paper's simulations. Any other scorer of scikit-learn, by name or as
        ``scorer(estimator, X, y)``, works too, and is told all classes where it asks for them: a
        fold may test without one.
    selection_rule : {"min", "one_standard_error"}, default="min"
        Take the alpha of the best mean score, or the largest alpha whose mean score is within one
        standard error (over the folds) of it.
    link : {"logit", "probit", "cloglog", "loglog"}, default="logit"
        As in `PrestoClassifier`.
    l1_ratio : float, default=1.0
        As in `PrestoClassifier`.
    first_penalty : float, default=1.0
        As in `PrestoClassifier`.
    penalty_weights : array-like of shape (n_features,) or dict, default=None
        As in `PrestoClassifier`.
    proportional : array-like or "all", default=None
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
    verbose : int, default=0
        Whether to show the progress over the folds on stderr.

    Attributes
    ----------
    alpha_ : float
        The chosen alpha.
    alpha_best_ : float
        Alpha of the best mean score.
    alpha_one_standard_error_ : float
        Largest alpha whose mean score is within one standard error of the best.
    alpha_at_edge_ : bool
        Whether `alpha_` lies at an edge of the alphas, so that a better one may lie beyond: at the
        smallest, or at the largest if that is below `presto_alpha_max`.
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
    selected_features_ : ndarray of str of shape (n_selected,)
        Names of the features with a nonzero increment; ``x0``, ``x1``, ... if X has no names.
    n_iter_ : int
        Iterations of the chosen fit.
    dual_gap_ : float
        Relative duality gap of the chosen fit, as in `PrestoClassifier`.
    kkt_residual_ : float
        Relative violation of the optimality conditions of the chosen fit, as in
        `PrestoClassifier`.
    link_ : str
        The `link` of the fit.
    crossing_rate_ : float
        Weighted share of the training rows at which boundaries cross.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
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
            "verbose": ["verbose"],
        }
    )

    def __init__(
        self,
        alphas: int | ArrayLike = 20,
        *,
        eps: float = 1e-2,
        cv: Any = 5,
        scoring: str | Callable[..., float] = "brier",
        selection_rule: Literal["min", "one_standard_error"] = "min",
        link: Literal["logit", "probit", "cloglog", "loglog"] = "logit",
        l1_ratio: float = 1.0,
        first_penalty: float = 1.0,
        penalty_weights: ArrayLike | dict[str, float] | None = None,
        proportional: ArrayLike | Literal["all"] | None = None,
        standardize: bool = True,
        class_order: ArrayLike | None = None,
        tol: float = 1e-4,
        max_iter: int = 100,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.alphas = alphas
        self.eps = eps
        self.cv = cv
        self.scoring = scoring
        self.selection_rule = selection_rule
        self.link = link
        self.l1_ratio = l1_ratio
        self.first_penalty = first_penalty
        self.penalty_weights = penalty_weights
        self.proportional = proportional
        self.standardize = standardize
        self.class_order = class_order
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    @all_or_nothing
    def fit(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        offset: ArrayLike | None = None,
        **params: Any,
    ) -> Self:
        """Choose alpha on the folds and fit all data there.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,)
            Labels: numbers, strings, or an ordered categorical.
        sample_weight : array-like of shape (n_samples,), default=None
            Nonnegative weights of the rows, in the fits and in the scores.
        offset : array-like of shape (n_samples,), default=None
            Known part of the predictors, as in `PrestoClassifier.fit`, in the fits and in the
            scores.
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
            if there is an offset, but `scoring` is a scorer of scikit-learn, which cannot pass it
            on, and as `PrestoClassifier.fit`.

        Warns
        -----
        ConvergenceWarning
            If `tol` was not reached in a fold or on all data.
        UserWarning
            If a class has fewer members than there are folds, if a fold tests rows without weight
            only, if the chosen alpha lies at an edge of the alphas, and if the order of the classes
            was guessed or is easily lost, as in `PrestoClassifier.fit`.
        """
        _raise_for_params(params, self, "fit")
        given = sample_weight is not None
        data = self._validate(X, y, sample_weight, offset)
        self._check_scoring_of_offset()
        splitting, scoring = routed_to_folds(self, params, data.sample_weight if given else None)
        model = self._single(data)
        alphas, from_null = _alphas_of(model, data, self.alphas, self.eps)
        score_params = partial(_check_method_params, data.X, scoring)
        scored = score_folds(
            [partial(_score_fold, model, data, alphas, self._score(), score_params)],
            self._folds(data, splitting, self._score_weight(data, scoring)),
            by=type(self).__name__,
            scoring=self.scoring,
            n_jobs=self.n_jobs,
            verbose=self.verbose,
        )
        warn_of_inexact_fits(type(self).__name__, scored.n_inexact, self.tol)
        choice = choose_by_scores(
            alphas,
            scored.scores,
            by=type(self).__name__,
            selection_rule=self.selection_rule,
            from_null=from_null,
        )
        choice.store(self)
        self.path_ = _path_of(model, data, alphas)
        return self._store_at(int(np.flatnonzero(alphas == choice.alpha)[0]), data)

    def _check_scoring_of_offset(self):
        if self._has_offset and self._fold_scorer() is not None:
            raise ValueError(
                f"offset needs scoring among {sorted(BUILT_IN_SCORES)}, got {self.scoring!r}: "
                "scorers of scikit-learn predict held-out rows without an offset"
            )

    def _single(self, data):
        """Estimator of one strength that lacks nothing but coefficients."""
        names = PrestoClassifier._get_param_names()
        shared = {k: v for k, v in self.get_params(deep=False).items() if k in names}
        shared["penalty_weights"] = check_penalty_weights(
            self.penalty_weights, data.X.shape[1], getattr(self, "feature_names_in_", None)
        )
        shared["proportional"] = self._proportional_features()
        model = PrestoClassifier(**shared)
        model.n_features_in_ = self.n_features_in_
        model.classes_, model.class_order_ = self.classes_, self.class_order_
        model.link_ = self.link_
        return model

    def _score_weight(self, data, scoring):
        return data.sample_weight if self._fold_scorer() is None else scoring.get("sample_weight")

    def _folds(self, data, splitting, score_weight):
        """Training and test rows; what is wrong with them is said."""
        codes = data.labels.codes
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The least populated class", UserWarning)
            folds = split_rows(
                self.cv,
                data.X,
                codes,
                classifier=True,
                params=splitting,
                fit_weight=data.sample_weight,
                score_weight=score_weight,
            )
        _warn_if_rare(data, len(folds))
        for number, fold in enumerate(folds):
            _check_training_fold(number, data.rows(fold.train))
        return folds

    def _score(self):
        """Score of (model with coefficients, rows, metadata of the rows)."""
        scorer = self._fold_scorer()
        if scorer is None:
            return BUILT_IN_SCORES[str(self.scoring)]
        return partial(score_by, scorer=scorer_of_classes(scorer, self.classes_))

    def _fold_scorer(self):
        if isinstance(self.scoring, str) and self.scoring in BUILT_IN_SCORES:
            return None
        return check_scoring(self, scoring=self.scoring)

    def get_metadata_routing(self) -> MetadataRouter:
        """Metadata that the splitter and the scorer ask for.

        Returns
        -------
        MetadataRouter
            Router of scikit-learn.
        """
        return router_of_folds(self, self._fold_scorer())

    def _store_at(self, chosen, data):
        """Take over the fit at one position of the path."""
        path = self.path_
        self.n_iter_ = int(path.n_iter[chosen])
        self.dual_gap_ = float(path.dual_gaps[chosen])
        self.kkt_residual_ = float(path.kkt_residuals[chosen])
        fields = (path.intercepts, path.coefs, path.coef_diffs)
        return self._store(Coefficients(*(field[..., chosen].copy() for field in fields)), data)


def _score_fold(model, data, alphas, score, score_params, fold):
    """(scores of a path on a fold's held-out rows, number of inexact fits)."""
    score = partial(score, params=score_params(indices=fold.test))
    return score_path(copy.copy(model), data.rows(fold.train), data.rows(fold.test), alphas, score)


def _alphas_of(model, data, alphas, eps):
    """(decreasing alphas, whether the largest leaves no penalised increment in the model)."""
    problem = presto_problem(model, data)
    null = null_solution(problem, tol=model.tol, max_iter=model.max_iter)
    alphas = decreasing_alphas(alphas, eps, problem, null)
    return alphas, bool(alphas[0] >= alpha_max(problem, null))


def _path_of(model, data, alphas):
    """Path on all rows, whose sorted copy the folds did not have to carry."""
    limits = {"tol": model.tol, "max_iter": model.max_iter}
    problem = presto_problem(model, data)
    null = null_solution(problem, **limits)
    return collect_path(problem, null, alphas, data.labels.order, **limits)


def _warn_if_rare(data, n_folds):
    labels = data.labels
    sizes = np.bincount(labels.codes[data.sample_weight > 0.0], minlength=len(labels.order))
    if sizes.min() < n_folds:
        warn(
            f"class {labels.order.tolist()[sizes.argmin()]!r} has {sizes.min()} members, fewer "
            f"than the {n_folds} folds: some folds test without it"
        )


def _check_training_fold(number, rows):
    labels = rows.labels
    total = np.bincount(labels.codes, weights=rows.sample_weight, minlength=len(labels.order))
    if not np.all(total > 0):
        raise ValueError(
            f"training fold {number} of cv lacks the class "
            f"{labels.order.tolist()[total.argmin()]!r}: merge rare classes or use fewer folds"
        )
