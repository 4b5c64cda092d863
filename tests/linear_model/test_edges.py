"""A strength at the edge of its grid: said where a wider grid would choose a better one."""

import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes

from skreg.linear_model import (
    ElasticNetCV,
    GroupLassoCV,
    HuberLassoCV,
    LassoCV,
    MultiTaskLassoCV,
    SparseLogisticRegressionCV,
    SparsePoissonRegressorCV,
)

ALL = [
    LassoCV(),
    ElasticNetCV(l1_ratio=[0.5, 1.0]),
    GroupLassoCV(groups=2),
    HuberLassoCV(delta=1.0),
    MultiTaskLassoCV(),
    SparsePoissonRegressorCV(),
    SparseLogisticRegressionCV(),
]


def strong_signal(model):
    """Every feature matters, little noise: no shrinkage is best."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4))
    signal = X @ [1.0, -0.5, 0.5, 0.25]
    name = type(model).__name__
    if "Poisson" in name:
        return X, rng.poisson(np.exp(2 + signal))
    if "Logistic" in name:
        return X, signal + 0.05 * rng.logistic(size=300) > 0
    y = signal + 0.1 * rng.normal(size=300)
    return X, np.column_stack([y, -y]) if "Multi" in name else y


@pytest.mark.parametrize("model", ALL, ids=lambda model: type(model).__name__)
def test_a_grid_that_ends_too_early_is_told(model):
    X, y = strong_signal(model)
    short = clone(model).set_params(alphas=5, eps=0.3)
    with pytest.warns(UserWarning, match=f"{type(model).__name__} chose .*smallest of the 5"):
        short.fit(X, y)
    assert short.alpha_at_edge_
    assert short.alpha_ == np.min(short.alphas_[..., -1])
    # below it there is a strength whose mean score is better by more than a standard error
    wide = clone(model).set_params(alphas=20, eps=1e-3).fit(X, y)
    last, best = short.score_path_[..., -1, :], wide.score_path_
    gain = best.mean(axis=-1).max() - last.mean(axis=-1).max()
    assert gain > np.atleast_2d(last).std(axis=1, ddof=1).max() / np.sqrt(5)


def test_the_smallest_strength_of_a_flat_score_is_no_edge():
    """Twenty features of twenty matter: the best of the default strengths is often the last."""
    at_the_end = 0
    for seed in range(6):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(200, 20))
        y = X @ rng.normal(size=20) + rng.normal(size=200)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model = LassoCV(alphas=40).fit(X, y)
        assert not model.alpha_at_edge_
        at_the_end += model.alpha_ == model.alphas_[-1]
    assert at_the_end >= 1


@pytest.mark.parametrize("rule", ["min", "one_standard_error"])
def test_pure_noise_ends_at_the_null_model_which_is_no_edge(rule):
    ended = 0
    for seed in range(5):
        rng = np.random.default_rng(seed)
        X, y = rng.normal(size=(80, 5)), rng.normal(size=80)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model = LassoCV(selection_rule=rule).fit(X, y)
        at_null = model.alpha_ == model.alphas_[0]
        assert at_null is not model.coef_.any()
        ended += at_null
    assert ended >= 1


def test_given_strengths_that_begin_too_late_are_told():
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(60, 30)), 0.2 * rng.normal(size=60)
    with pytest.warns(UserWarning, match="largest of the 3 .* above"):
        assert LassoCV(alphas=[1e-2, 1e-3, 1e-4]).fit(X, y).alpha_at_edge_


def test_the_unit_of_the_target_does_not_matter():
    X, y = load_diabetes(return_X_y=True)
    for factor in (1.0, 1e-6, 1e6):
        with pytest.warns(UserWarning, match="smallest of the 10"):
            assert LassoCV(alphas=10, eps=0.5).fit(X, factor * y).alpha_at_edge_
