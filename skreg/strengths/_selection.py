"""Choice of a penalty strength by its scores on held-out folds."""

import copy
from abc import ABC, abstractmethod
from inspect import signature
from typing import NamedTuple

import numpy as np
from sklearn.model_selection import check_cv

from skreg._sklearn import MetadataRouter, MethodMapping, _routing_enabled, process_routing

SELECTION_RULES = {"min", "one_standard_error"}


class Choice(NamedTuple):
    """Positions of the chosen strengths on a decreasing sequence."""

    best: int
    one_standard_error: int


def choose_strength(scores):
    """Best mean score, and the strongest penalty within one standard error of it.

    The standard error is that of the mean of the best strength's scores over the folds. Ties are
    broken in favour of the stronger penalty.

    Parameters
    ----------
    scores : ndarray of shape (n_alphas, n_folds)
        Scores of decreasing strengths on the folds; greater is better.

    Returns
    -------
    Choice
        Positions along the first axis.
    """
    mean = scores.mean(axis=1)
    best = int(np.argmax(mean))
    n_folds = scores.shape[1]
    error = scores[best].std(ddof=1) / np.sqrt(n_folds) if n_folds > 1 else 0.0
    return Choice(best, int(np.argmax(mean >= mean[best] - error)))


def check_scores(scores, scoring):
    """Raise ValueError if a score is nan."""
    if np.isnan(scores).any():
        raise ValueError(f"scoring={scoring!r} gave nan on {np.isnan(scores).sum()} fits")


class Fold(NamedTuple):
    """Positions of a fold's training and held-out rows."""

    train: np.ndarray
    test: np.ndarray


def folds_of(splits, n_samples):
    """Folds of a splitter: positions, boolean masks and slices all become positions.

    Parameters
    ----------
    splits : iterable of pairs
        Training and held-out rows of each fold.
    n_samples : int
        Number of rows.

    Returns
    -------
    list of Fold
        At least one fold, each with rows on both sides.

    Raises
    ------
    ValueError
        If there is no fold, or one without training or held-out rows.
    """
    rows = np.arange(n_samples)
    folds = [Fold(_positions(train, rows), _positions(test, rows)) for train, test in splits]
    if not folds:
        raise ValueError("cv gives no folds; an iterator gives them once, pass a list instead")
    for number, fold in enumerate(folds):
        for side, positions in zip(("training", "held-out"), fold, strict=True):
            if len(positions) == 0:
                raise ValueError(f"fold {number} of cv has no {side} rows")
    return folds


def _positions(chosen, rows):
    if isinstance(chosen, slice):
        return rows[chosen]
    chosen = np.asarray(chosen)
    return rows[chosen] if chosen.size else rows[:0]


def weighted_folds(folds, fit_weight, score_weight):
    """Folds that count: those whose held-out rows have no weight are left out.

    A row of weight zero is a row that is not there, thus such a fold holds nothing to score. One
    whose training rows have no weight cannot be fitted, which is for the user to decide upon.

    Parameters
    ----------
    folds : list of Fold
        Folds.
    fit_weight : ndarray of shape (n_samples,) or None
        Weights in the fits, None for ones.
    score_weight : ndarray of shape (n_samples,) or None
        Weights in the scores, None for ones.

    Returns
    -------
    list of Fold
        At least one fold.

    Raises
    ------
    ValueError
        If the training rows of a fold, or the held-out rows of all folds, have no weight.
    """
    if score_weight is not None:
        score_weight = np.asarray(score_weight)
        folds = [fold for fold in folds if score_weight[fold.test].sum() > 0.0]
        if not folds:
            raise ValueError("cv holds out no row whose sample_weight is positive")
    if fit_weight is not None:
        for fold in folds:
            if not fit_weight[fold.train].sum() > 0.0:
                raise ValueError(
                    f"a fold of cv trains on {len(fold.train)} rows whose sample_weight is zero: "
                    "leave rows without weight out, or shuffle the folds"
                )
    return folds


def scorer_of_classes(scorer, classes):
    """The scorer, told which classes there are where its function asks for them.

    A fold may lack a class, but the columns of probabilities are those of all. As
    `sklearn.linear_model.LogisticRegressionCV` does, `labels` are all classes, and of two classes
    the second is the positive one; what the scorer was made with stays.

    Parameters
    ----------
    scorer : callable
        Scorer of scikit-learn, or any function of (estimator, X, y), which is returned as it is.
    classes : ndarray of shape (n_classes,)
        Class labels.

    Returns
    -------
    callable
        Scorer.
    """
    function = getattr(scorer, "_score_func", None)
    if function is None:
        return scorer
    known = {"labels": classes}
    if len(classes) == 2:
        known["pos_label"] = classes[1]
    asked = {name: known[name] for name in known.keys() & signature(function).parameters.keys()}
    scorer = copy.copy(scorer)
    scorer._kwargs = {**asked, **scorer._kwargs}
    return scorer


class RoutedFolds(ABC):
    """Mixin of estimators with `cv` and `scoring`: metadata for the splitter and the scorer."""

    @abstractmethod
    def _fold_scorer(self):
        """Scorer of scikit-learn, or None where `scoring` names an error of our own."""

    def _routed(self, params, sample_weight):
        """Parameters of the splitter and of the scorer."""
        if not _routing_enabled():
            return {}, {} if sample_weight is None else {"sample_weight": sample_weight}
        if sample_weight is not None:
            params = {**params, "sample_weight": sample_weight}
        if not params:
            return {}, {}
        routed = process_routing(self, "fit", **params)
        return routed.splitter.split, routed.scorer.score if "scorer" in routed else {}

    def get_metadata_routing(self):
        """Metadata that the splitter and the scorer ask for.

        Returns
        -------
        MetadataRouter
            Router of scikit-learn.
        """
        router = MetadataRouter(owner=self).add_self_request(self)
        splits_are_given = not (
            self.cv is None or hasattr(self.cv, "split") or np.isscalar(self.cv)
        )
        router.add(
            splitter=check_cv([] if splits_are_given else self.cv),  # an iterator is left for fit
            method_mapping=MethodMapping().add(caller="fit", callee="split"),
        )
        scorer = self._fold_scorer()
        if scorer is not None:
            router.add(
                scorer=scorer, method_mapping=MethodMapping().add(caller="fit", callee="score")
            )
        return router
