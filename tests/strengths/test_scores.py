"""Paths fitted and scored on folds."""

import functools
import warnings

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_score

from skreg.strengths import score_folds, split_rows, warn_of_inexact_fits

ALPHAS = [10.0, 1.0, 0.1]
X, y = load_diabetes(return_X_y=True)


def ridge_path(fit_intercept, fold):
    """R squared along a path of ridge regression; the first fit counts as inexact."""
    models = [Ridge(alpha, fit_intercept=fit_intercept) for alpha in ALPHAS]
    fitted = [model.fit(X[fold.train], y[fold.train]) for model in models]
    return [model.score(X[fold.test], y[fold.test]) for model in fitted], 1


PATHS = [functools.partial(ridge_path, intercept) for intercept in (True, False)]


@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.parametrize("verbose", [0, 1])
def test_scores_are_those_of_scikit_learn(n_jobs, verbose, capsys):
    folds = split_rows(4, X, y, classifier=False)
    found = score_folds(PATHS, folds, by="Ridge", n_jobs=n_jobs, verbose=verbose)
    for path, intercept in enumerate((True, False)):
        for i, alpha in enumerate(ALPHAS):
            expected = cross_val_score(Ridge(alpha, fit_intercept=intercept), X, y, cv=4)
            assert_allclose(found.scores[path, i], expected)
    assert found.n_inexact == 8
    shown = capsys.readouterr()
    assert shown.out == ""
    assert ("Ridge" in shown.err and "8/8" in shown.err) == bool(verbose)


@pytest.mark.parametrize("backend", ["threading", "multiprocessing", "loky"])
def test_backends_of_joblib_give_the_same_scores(backend):
    folds = split_rows(2, X, y, classifier=False)
    alone = score_folds(PATHS, folds, by="Ridge")
    with joblib.parallel_config(backend, n_jobs=2):
        assert np.array_equal(score_folds(PATHS, folds, by="Ridge").scores, alone.scores)


def test_scores_that_are_no_numbers_are_reported():
    folds = split_rows(2, X, y, classifier=False)
    with pytest.raises(ValueError, match="scoring='mine' gave nan on 2 fits"):
        score_folds([lambda fold: ([1.0, np.nan], 0)], folds, by="Ridge", scoring="mine")


def test_inexact_fits_are_told_at_the_line_of_the_user():
    with pytest.warns(ConvergenceWarning, match=r"Ridge: 3 fits .* tol=0.1\. Increase") as caught:
        warn_of_inexact_fits("Ridge", 3, 0.1)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_inexact_fits("Ridge", 0, 0.1)
