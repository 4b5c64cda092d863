"""Folds of cross-validation as positions of rows."""

from typing import NamedTuple

import numpy as np


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
