"""Folds of cross-validation as positions of rows."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from sklearn.model_selection import check_cv

from skreg._warnings import warn


class Fold(NamedTuple):
    """Positions of a fold's rows.

    Parameters
    ----------
    train, test : ndarray of int
        Training rows and held-out rows.
    """

    train: np.ndarray
    test: np.ndarray


def split_rows(
    cv: Any,
    X: Any,
    y: np.ndarray,
    *,
    classifier: bool,
    params: dict[str, Any] | None = None,
    fit_weight: np.ndarray | None = None,
    score_weight: np.ndarray | None = None,
) -> list[Fold]:
    """Folds of a splitter that have something to fit and something to score.

    Parameters
    ----------
    cv : int, splitter, iterable or None
        Cross-validation as in scikit-learn.
    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
        Features.
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Target.
    classifier : bool
        Whether a number of folds means stratified ones.
    params : dict, default=None
        What the splitter is told besides, such as groups.
    fit_weight, score_weight : ndarray of shape (n_samples,), default=None
        Weights in the fits and in the scores, ones if None.

    Returns
    -------
    list of Fold
        At least one fold.

    Raises
    ------
    ValueError
        If there is no fold, if one has no training or no held-out rows, or if the training rows of
        a fold, or the held-out rows of all of them, have no weight.

    Warns
    -----
    UserWarning
        If the held-out rows of a fold have no weight; the fold is left out.
    """
    splits = check_cv(cv, y, classifier=classifier).split(X, y, **(params or {}))
    folds = folds_of(splits, X.shape[0])
    counted = weighted_folds(folds, fit_weight, score_weight)
    if len(counted) < len(folds):
        warn(
            f"{len(folds) - len(counted)} of the {len(folds)} folds hold out rows without weight "
            "only; they are left out, as if these rows were not there"
        )
    return counted


def folds_of(splits: Iterable[tuple[Any, Any]], n_samples: int) -> list[Fold]:
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


def _positions(chosen: Any, rows: np.ndarray) -> np.ndarray:
    if isinstance(chosen, slice):
        return rows[chosen]
    chosen = np.asarray(chosen)
    return rows[chosen] if chosen.size else rows[:0]


def weighted_folds(
    folds: list[Fold], fit_weight: np.ndarray | None, score_weight: np.ndarray | None
) -> list[Fold]:
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
