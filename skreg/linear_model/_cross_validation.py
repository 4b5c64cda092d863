"""Choice of the penalty strength by cross-validation along paths."""

import copy
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import check_scoring, get_scorer_names
from sklearn.utils.extmath import safe_sparse_dot

from skreg._sklearn import (
    Interval,
    MetadataRouter,
    StrOptions,
    _check_method_params,
    _fit_context,
    _raise_for_params,
)
from skreg._state import all_or_nothing
from skreg._warnings import warn
from skreg.linear_model._base import Data
from skreg.linear_model._path import Paths, check_progression
from skreg.linear_model._prediction import LinearModel
from skreg.optim import Solution
from skreg.strengths import (
    SELECTION_RULES,
    ChosenStrength,
    Fold,
    FoldScores,
    RegularizationPath,
    choose_by_scores,
    routed_to_folds,
    router_of_folds,
    score_folds,
    scorer_of_classes,
    split_rows,
    warn_of_inexact_fits,
)

CV_CONSTRAINTS = {
    "eps": [Interval(Real, 0, 1, closed="right")],
    "alphas": [Interval(Integral, 1, None, closed="left"), "array-like"],
    "cv": ["cv_object"],
    "scoring": [StrOptions(set(get_scorer_names())), callable, None],
    "selection_rule": [StrOptions(SELECTION_RULES)],
    "n_jobs": [Integral, None],
    "verbose": ["verbose"],
}
L1_RATIOS_CONSTRAINTS = {"l1_ratio": [Interval(Real, 0, 1, closed="both"), "array-like"]}


class CrossValidated(LinearModel):
    """A model of one strength and the choice of that strength: paths on the folds, then a fit.

    The model's class is `_model_class`, and `_error_name` names the error of ``scoring=None``. What
    the chosen model has learned becomes the state of this one.
    """

    _model_class: ClassVar[type[Paths]]
    _error_name: ClassVar[str]
    eps: float
    alphas: int | ArrayLike
    tol: float
    cv: Any
    scoring: Any
    selection_rule: str
    n_jobs: int | None
    verbose: int

    @_fit_context(prefer_skip_nested_validation=True)
    @all_or_nothing
    def fit(self, X: Any, y: Any, sample_weight: Any = None, **params: Any) -> Self:
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
            If the held-out rows of a fold have no weight; the fold is left out. If the best score
            lies at an end of the strengths and still rises there, so that ten times beyond it would
            gain more than a standard error.
        """
        _raise_for_params(params, self, "fit")
        check_progression(self.alphas, self.eps)
        X, y, sample_weight = self._check_input(X, y, sample_weight)
        models = self._models()
        data = self._data(models, X, y, sample_weight)
        alphas = self._strengths(models, data)
        scored = self._score(models, alphas, data, params)
        choice = choose_by_scores(
            alphas,
            scored.scores,
            by=type(self).__name__,
            selection_rule=self.selection_rule,
            from_null=isinstance(self.alphas, Integral),
        )
        model = models[choice.path]
        (solution,) = model._solve(data, [choice.alpha])
        model._store(solution, data.X.dtype)
        self._learn(model, choice)
        warn_of_inexact_fits(type(self).__name__, scored.n_inexact, self.tol)
        if not solution.converged:
            warn(model._not_converged(type(self).__name__), ConvergenceWarning)
        return self

    def path(
        self,
        X: Any,
        y: Any,
        *,
        alphas: int | ArrayLike | None = None,
        eps: float | None = None,
        sample_weight: Any = None,
        verbose: int = 0,
    ) -> RegularizationPath:
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
        verbose : int, default=0
            Whether to show progress over the strengths (needs tqdm).

        Returns
        -------
        RegularizationPath
            Strengths, coefficients, intercepts and certificates.
        """
        if alphas is None:
            grids: Any = getattr(self, "alphas_", self.alphas)
            alphas = grids if np.ndim(grids) < 2 else grids[self._chosen_ratio()]
        eps = self.eps if eps is None else eps
        return self._single().path(
            X, y, alphas=alphas, eps=eps, sample_weight=sample_weight, verbose=verbose
        )

    def alpha_max(self, X: Any, y: Any, sample_weight: Any = None) -> float:
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

    def _models(self) -> list[Paths]:
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

    def _chosen_ratio(self) -> int:
        ratios = np.atleast_1d(getattr(self, "l1_ratio", 1.0))
        return int(np.argmax(ratios == getattr(self, "l1_ratio_", ratios[0])))

    def _single(self) -> Paths:
        return self._models()[self._chosen_ratio()]

    def _data(self, models: list[Paths], X: Any, y: np.ndarray, sample_weight: Any) -> Data:
        """Input in the layout of the engine; the models learn what there is to know of it."""
        for model in models:
            for name in ("n_features_in_", "feature_names_in_"):
                if hasattr(self, name):
                    setattr(model, name, getattr(self, name))
            target = model._encode(y)
        return Data(X, y, target, sample_weight)

    def _strengths(self, models: list[Paths], data: Data) -> np.ndarray:
        """Strengths of all models if they are given, else those of each model."""
        grids = [model._alphas(data, self.alphas, self.eps) for model in models]
        shared = len(models) == 1 or not isinstance(self.alphas, Integral)
        return grids[0] if shared else np.array(grids)

    def _score(
        self, models: list[Paths], alphas: np.ndarray, data: Data, params: dict[str, Any]
    ) -> FoldScores:
        """Scores of the models' paths on the folds."""
        splitting, scoring = routed_to_folds(self, params, data.sample_weight)
        scorer = self._fold_scorer()
        if scorer is not None and is_classifier(self):
            scorer = scorer_of_classes(scorer, models[0].classes_)
        folds = split_rows(
            self.cv,
            data.X,
            data.y,
            classifier=is_classifier(self),
            params=splitting,
            fit_weight=data.sample_weight,
            score_weight=data.sample_weight if scorer is None else scoring.get("sample_weight"),
        )
        grids = np.broadcast_to(alphas, (len(models), alphas.shape[-1]))
        paths = [
            partial(_score_path, model, data, grid, scorer, scoring)
            for model, grid in zip(models, grids, strict=True)
        ]
        return score_folds(
            paths,
            folds,
            by=type(self).__name__,
            scoring=self.scoring,
            n_jobs=self.n_jobs,
            verbose=self.verbose,
        )

    def _learn(self, model: Paths, choice: ChosenStrength) -> None:
        """Take over what the chosen model has learned."""
        for name, value in vars(model).items():
            if name.endswith("_"):
                setattr(self, name, value)
        choice.store(self)
        if hasattr(model, "l1_ratio"):
            self.l1_ratio_ = float(model.l1_ratio)

    def _fold_scorer(self) -> Any:
        return None if self.scoring is None else check_scoring(self, scoring=self.scoring)

    def get_metadata_routing(self) -> MetadataRouter:
        """Metadata that the splitter and the scorer ask for.

        Returns
        -------
        MetadataRouter
            Router of scikit-learn.
        """
        return router_of_folds(self, self._fold_scorer())

    def __sklearn_tags__(self) -> Any:
        tags = self._model_class().__sklearn_tags__()
        if tags.target_tags.single_output:
            tags.target_tags.multi_output = False
        return tags


def _score_path(
    model: Paths, data: Data, alphas: np.ndarray, scorer: Any, scoring: dict[str, Any], fold: Fold
) -> tuple[np.ndarray, int]:
    """(scores of a path on a fold's held-out samples, number of inexact fits)."""
    solutions = model._solve(data.rows(fold.train), alphas)
    inexact = sum(not solution.converged for solution in solutions)
    test = data.rows(fold.test)
    if scorer is None:
        return -_held_out_errors(model, solutions, test), inexact
    model = copy.copy(model)  # other folds are scored in other threads
    if hasattr(model, "feature_names_in_"):
        del model.feature_names_in_  # the rows of a fold have no names
    params = _check_method_params(data.X, scoring, indices=fold.test)
    scores = np.empty(len(solutions))
    for i, solution in enumerate(solutions):
        model._store(solution, test.X.dtype)
        scores[i] = scorer(model, test.X, test.y, **params)
    return scores, inexact


def _held_out_errors(model: Paths, solutions: list[Solution], test: Data) -> np.ndarray:
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
