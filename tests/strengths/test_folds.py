"""Folds as positions of rows, and those that weights leave out."""

import warnings

import numpy as np
import pytest
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold

from skreg.strengths import folds_of, split_rows

N = 60
X, y = np.zeros((N, 2)), np.arange(N) % 3


def rows_of(folds):
    return [(train.tolist(), test.tolist()) for train, test in folds]


@pytest.mark.parametrize(
    "as_split",
    [
        lambda rows: rows,
        lambda rows: np.isin(np.arange(N), rows),
        lambda rows: np.isin(np.arange(N), rows).tolist(),
        lambda rows: slice(rows[0], rows[-1] + 1),
        list,
    ],
    ids=["positions", "mask", "list of bool", "slice", "list"],
)
def test_splits_of_every_kind_become_positions(as_split):
    first, second = np.arange(N // 3), np.arange(N // 3, N)
    splits = [(as_split(first), as_split(second)), (as_split(second), as_split(first))]
    assert rows_of(folds_of(splits, N)) == rows_of([(first, second), (second, first)])


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ([], "no folds"),
        ([(np.arange(N), [])], "fold 0 of cv has no held-out rows"),
        ([([], np.arange(N))], "fold 0 of cv has no training rows"),
        ([(np.zeros(N, bool), np.ones(N, bool))], "fold 0 of cv has no training rows"),
    ],
)
def test_empty_folds_are_named(splits, message):
    with pytest.raises(ValueError, match=message):
        split_rows(splits, X, y, classifier=False)


@pytest.mark.parametrize(
    ("cv", "classifier", "params", "reference"),
    [
        (None, False, {}, KFold(5)),
        (4, True, {}, StratifiedKFold(4)),
        (GroupKFold(3), False, {"groups": y}, GroupKFold(3)),
    ],
    ids=["default", "stratified", "groups"],
)
def test_splitters_are_those_of_scikit_learn(cv, classifier, params, reference):
    folds = split_rows(cv, X, y, classifier=classifier, params=params)
    assert rows_of(folds) == rows_of(reference.split(X, y, **params))


def test_a_fold_whose_held_out_rows_have_no_weight_is_left_out():
    weight = np.r_[np.zeros(N // 5), np.ones(N - N // 5)]
    with pytest.warns(UserWarning, match="1 of the 5 folds hold out rows without weight") as caught:
        folds = split_rows(5, X, y, classifier=False, fit_weight=weight, score_weight=weight)
    assert caught[0].filename == __file__
    assert rows_of(folds) == rows_of(KFold(5).split(X))[1:]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(split_rows(5, X, y, classifier=False, fit_weight=weight)) == 5


def test_weights_that_leave_nothing_to_fit_or_to_score_are_an_error():
    weight = np.r_[np.ones(N // 5), np.zeros(N - N // 5)]
    with pytest.raises(ValueError, match="trains on 48 rows whose sample_weight is zero"):
        split_rows(5, X, y, classifier=False, fit_weight=weight, score_weight=weight)
    halves = [(np.arange(30), np.arange(30, N))]
    with pytest.raises(ValueError, match="holds out no row whose sample_weight is positive"):
        split_rows(halves, X, y, classifier=False, fit_weight=weight, score_weight=weight)
