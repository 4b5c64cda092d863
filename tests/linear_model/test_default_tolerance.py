"""The default tolerance of the twins chooses as well as a sharper one does."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, make_regression

from skreg.linear_model import ElasticNetCV, LassoCV


def nearly_exact(seed):
    return make_regression(60, 100, n_informative=5, noise=0.0, random_state=seed)


def noisy(seed):
    return make_regression(100, 200, n_informative=10, noise=10.0, random_state=seed)


def diabetes(seed):
    X, y = load_diabetes(return_X_y=True)
    rows = np.random.default_rng(seed).permutation(len(y))
    return X[rows], y[rows]


@pytest.mark.filterwarnings("ignore:.*CV chose alpha")  # nearly exact fits have no best strength
@pytest.mark.parametrize("model", [LassoCV(cv=3), ElasticNetCV(cv=3, l1_ratio=0.9)], ids=repr)
@pytest.mark.parametrize("data", [nearly_exact, noisy, diabetes])
@pytest.mark.parametrize("seed", range(3))
def test_the_choice_scores_as_that_of_a_gap_of_1e_10(model, data, seed):
    X, y = data(seed)
    default, sharp = clone(model).fit(X, y), clone(model).set_params(tol=1e-10).fit(X, y)
    mean = sharp.score_path_.mean(axis=1)
    best = sharp.score_path_[mean.argmax()]
    error = best.std(ddof=1) / np.sqrt(len(best))
    chosen = mean[default.alphas_ == default.alpha_best_]
    assert chosen >= mean.max() - 0.01 * error
    bar = mean.max() - error
    assert mean[default.alphas_ == default.alpha_one_standard_error_] >= bar - 0.05 * error
