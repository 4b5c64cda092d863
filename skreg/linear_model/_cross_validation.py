"""Choice of the penalty strength by cross-validation along paths."""

import copy
from numbers import Integral, Real

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import check_scoring, get_scorer_names
from sklearn.model_selection import check_cv
from sklearn.utils.extmath import safe_sparse_dot

from skreg._sklearn import (
    Interval,
    StrOptions,
    _check_method_params,
    _fit_context,
    _raise_for_params,
)
from skreg._state import all_or_nothing
from skreg._warnings import warn
from skreg.linear_model._path import check_progression
from skreg.strengths import (
    SELECTION_RULES,
    RoutedFolds,
    check_scores,
    choose_strength,
    folds_of,
    scorer_of_classes,
    weighted_folds,
)

CV_CONSTRAINTS = {
    "eps": [Interval(Real, 0, 1, closed="right")],
    "alphas": [Interval(Integral, 1, None, closed="left"), "array-like"],
    "cv": ["cv_object"],
    "scoring": [StrOptions(set(get_scorer_names())), callable, None],
    "selection_rule": [StrOptions(SELECTION_RULES)],
    "n_jobs": [Integral, None],
}
L1_RATIOS_CONSTRAINTS = {"l1_ratio": [Interval(Real, 0, 1, closed="both"), "array-like"]}


class CrossValidated(RoutedFolds):
    """Mixin over a model: fits paths on the folds, chooses a strength, refits.

    The model class is `_model_class`, and `_error_name` names the error of ``scoring=None``.
    Folds without weight among their held-out rows are left out.
    """

    @_fit_context(prefer_skip_nested_validation=True)
    @all_or_nothing
    def fit(self, X, y, sample_weight=None, **params):
        """Choose the strength by cross-validation and fit with it.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Nonnegative weights, for fits and scores.
        **params : dict
            Parameters of the splitter and the scorer, if metadata routing is enabled.

        Returns
        -------
        object
            The fitted estimator.

        Raises
        ------
        ValueError
            If an argument is out of its range, if a fold has no training rows of positive weight,
            or if a score is nan. The estimator then stays as it was.

        Warns
        -----
        ConvergenceWarning
            If `tol` was not reached in a fold or in the final fit.
        UserWarning
            If the held-out rows of a fold have no weight; the fold is left out.
        """
        _raise_for_params(params, self, "fit")
        check_progression(self.alphas, self.eps)
        data = self._validate(X, y, sample_weight)
        models = [self._prepared(model) for model in self._models()]
        grids = [model._alphas(data, self.alphas, self.eps) for model in models]
        scores, missed = self._score_folds(models, grids, data, params)
        model = self._choose(models, grids, scores)
        (solution,) = model._solve(data, [self.alpha_])
        self._store(solution, data.X.dtype)
        if missed:
            warn(
                f"{type(self).__name__}: {missed} fits on the folds did not reach tol={self.tol}. "
                "Increase max_iter or tol, or leave out the smallest strengths.",
                ConvergenceWarning,
            )
        if not solution.converged:
            warn(self._not_converged(), ConvergenceWarning)
        return self

    def path(self, X, y, *, alphas=None, eps=None, sample_weight=None):
        """Fit a sequence of penalty strengths, each from the last answer.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target.
        alphas : int or array-like of shape (n_alphas,), default=None
            Strengths or their number; those of the estimator if None.
        eps : float, default=None
            Ratio of the smallest strength to the largest; that of the estimator if None.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Nonnegative weights.

        Returns
        -------
        RegularizationPath
            Strengths, coefficients, intercepts and certificates.
        """
        if alphas is None:
            alphas = getattr(self, "alphas_", self.alphas)
            alphas = alphas if np.ndim(alphas) < 2 else alphas[self._chosen_ratio()]
        eps = self.eps if eps is None else eps
        return self._single().path(X, y, alphas=alphas, eps=eps, sample_weight=sample_weight)

    def alpha_max(self, X, y, sample_weight=None):
        """Smallest strength at which every penalised coefficient is zero.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Nonnegative weights.

        Returns
        -------
        float
            The strength; with several `l1_ratio`, that of the chosen or else the first one.
        """
        return self._single().alpha_max(X, y, sample_weight)

    def _models(self):
        """Estimators of a single strength, one for each `l1_ratio`."""
        names = self._model_class._get_param_names()
        shared = {k: v for k, v in self.get_params(deep=False).items() if k in names}
        if "l1_ratio" not in shared:
            return [self._model_class(**shared)]
        ratios = np.atleast_1d(shared.pop("l1_ratio"))
        if len(ratios) == 0:
            raise ValueError("l1_ratio must hold at least one value, it is empty")
        models = [self._model_class(l1_ratio=ratio, **shared) for ratio in ratios]
        for model in models:
            model._validate_params()
        return models

    def _chosen_ratio(self):
        ratios = np.atleast_1d(getattr(self, "l1_ratio", 1.0))
        return int(np.argmax(ratios == getattr(self, "l1_ratio_", ratios[0])))

    def _single(self):
        return self._models()[self._chosen_ratio()]

    def _score_folds(self, models, grids, data, params):
        """Scores of shape (n_models, n_alphas, n_folds), and the number of inexact fits."""
        splitting, scoring = self._routed(params, data.sample_weight)
        scorer = self._fold_scorer()
        if scorer is not None and is_classifier(self):
            scorer = scorer_of_classes(scorer, self.classes_)
        cv = check_cv(self.cv, data.y, classifier=is_classifier(self))
        folds = folds_of(cv.split(data.X, data.y, **splitting), data.X.shape[0])
        score_weight = data.sample_weight if scorer is None else scoring.get("sample_weight")
        folds, n_splits = weighted_folds(folds, data.sample_weight, score_weight), len(folds)
        if len(folds) < n_splits:
            warn(
                f"{n_splits - len(folds)} of the {n_splits} folds hold out rows without weight "
                "only; they are left out, as if these rows were not there",
                UserWarning,
            )
        results = Parallel(n_jobs=self.n_jobs, prefer="threads")(
            delayed(_score_path)(
                copy.copy(model),
                data.rows(train),
                data.rows(test),
                alphas,
                scorer,
                _check_method_params(data.X, scoring, indices=test),
            )
            for model, alphas in zip(models, grids, strict=True)
            for train, test in folds
        )
        scores = np.array([scores for scores, _ in results])
        check_scores(scores, self.scoring)
        scores = scores.reshape(len(models), len(folds), -1).transpose(0, 2, 1)
        return scores, sum(missed for _, missed in results)

    def _prepared(self, model):
        """The model with what validation has found out, ready to be given coefficients."""
        model.n_features_in_ = self.n_features_in_
        if hasattr(self, "classes_"):
            model.classes_ = self.classes_
        return model

    def _choose(self, models, grids, scores):
        """Store scores and strengths; returns the chosen model."""
        choices = [choose_strength(table) for table in scores]
        chosen = int(np.argmax(scores.mean(axis=2).max(axis=1)))
        alphas, choice = grids[chosen], choices[chosen]
        self.alpha_best_ = float(alphas[choice.best])
        self.alpha_one_standard_error_ = float(alphas[choice.one_standard_error])
        self.alpha_ = (
            self.alpha_best_ if self.selection_rule == "min" else self.alpha_one_standard_error_
        )
        several = len(models) > 1
        self.score_path_ = scores if several else scores[0]
        same = not isinstance(self.alphas, Integral) or not several
        self.alphas_ = grids[0] if same else np.array(grids)
        if hasattr(models[chosen], "l1_ratio"):
            self.l1_ratio_ = float(models[chosen].l1_ratio)
        return models[chosen]

    def _fold_scorer(self):
        return None if self.scoring is None else check_scoring(self, scoring=self.scoring)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        if tags.target_tags.single_output:
            tags.target_tags.multi_output = False
        return tags


def _score_path(model, train, test, alphas, scorer, score_params):
    """(scores of a path on held-out samples, number of inexact fits)."""
    solutions = model._solve(train, alphas)
    missed = sum(not solution.converged for solution in solutions)
    if scorer is None:
        return -_held_out_errors(model, solutions, test), missed
    scores = np.empty(len(solutions))
    for i, solution in enumerate(solutions):
        model._store(solution, test.X.dtype)
        scores[i] = scorer(model, test.X, test.y, **score_params)
    return scores, missed


def _held_out_errors(model, solutions, test):
    """Mean error of each solution on held-out samples, from one product with their support."""
    coefs = np.stack([np.atleast_2d(solution.coef) for solution in solutions])
    support = np.flatnonzero(coefs.any(axis=(0, 1)))
    n_alphas, n_outputs = coefs.shape[:2]
    flat = coefs[:, :, support].reshape(n_alphas * n_outputs, len(support))
    products = safe_sparse_dot(test.X[:, support], flat.T, dense_output=True)
    target = np.atleast_2d(test.target.T)
    errors = np.empty(n_alphas)
    for i, solution in enumerate(solutions):
        prediction = products[:, i * n_outputs : (i + 1) * n_outputs].T
        prediction = prediction + np.reshape(solution.intercept, (n_outputs, 1))
        error = model._held_out_error(prediction, target)
        errors[i] = np.average(error, weights=test.sample_weight)
    return errors
