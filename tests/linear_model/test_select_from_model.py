"""`SelectFromModel` keeps the features that a sparse model uses."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.feature_selection import SelectFromModel
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg.linear_model import (
    ElasticNet,
    ElasticNetCV,
    GroupLasso,
    GroupLassoCV,
    HuberLasso,
    HuberLassoCV,
    Lasso,
    LassoCV,
    MultiTaskLasso,
    MultiTaskLassoCV,
    NonNegativeLeastSquares,
    SparseLogisticRegression,
    SparseLogisticRegressionCV,
    SparsePoissonRegressor,
    SparsePoissonRegressorCV,
)

CV = {"alphas": 4, "cv": 2, "selection_rule": "one_standard_error"}
MODELS = [
    Lasso(0.05),
    ElasticNet(0.05),
    ElasticNet(0.05, l1_ratio=0.1, positive=True),
    GroupLasso(2, alpha=0.05),
    HuberLasso(0.05),
    MultiTaskLasso(0.05),
    NonNegativeLeastSquares(),
    SparsePoissonRegressor(0.02),
    SparsePoissonRegressor(0.05, l1_ratio=0.5),
    SparseLogisticRegression(),
    SparseLogisticRegression(row_groups=True),
    SparseLogisticRegression(0.05, l1_ratio=0.5),
    LassoCV(**CV),
    ElasticNetCV(**CV, l1_ratio=[0.5, 0.9]),
    GroupLassoCV(2, **CV),
    HuberLassoCV(**CV),
    MultiTaskLassoCV(**CV),
    SparsePoissonRegressorCV(**CV),
    SparseLogisticRegressionCV(**CV, row_groups=True),
    SparseLogisticRegressionCV(**CV, l1_ratio=[0.5, 0.9]),
]


def data(model):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 8))
    z = X @ [1.0, 0.5, 0.1, -0.1, 0.2, 0, 0, 0] + 0.5 * rng.normal(size=120)
    if not model.__sklearn_tags__().target_tags.single_output:
        return X, np.column_stack([z, -z])
    if "Logistic" in type(model).__name__:
        return X, np.digitize(z, [-1, 1])
    return X, rng.poisson(np.exp(z)) if "Poisson" in type(model).__name__ else z


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_selected_features_are_those_with_a_nonzero_coefficient(model):
    X, y = data(model)
    selector = SelectFromModel(clone(model)).fit(X, y)
    used = selector.estimator_.active_set_
    size = np.linalg.norm(np.atleast_2d(selector.estimator_.coef_), axis=0, ord=1)
    assert size[used].min() < size.mean()  # the mean would drop it
    assert np.array_equal(selector.get_support(indices=True), used)
    assert np.array_equal(selector.transform(X), X[:, used])
    pipe = make_pipeline(StandardScaler(), SelectFromModel(clone(model)), LinearRegression())
    pipe.fit(X, y if np.issubdtype(y.dtype, np.number) else y.astype(float))
    inner = pipe[1]
    assert np.array_equal(inner.get_support(indices=True), inner.estimator_.active_set_)
    prefit = SelectFromModel(selector.estimator_, prefit=True).fit(X, y)
    assert np.array_equal(prefit.get_support(indices=True), used)
    assert pickle.loads(pickle.dumps(selector)).estimator_.penalty == "l1"


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_thresholds_that_are_given_act(model):
    X, y = data(model)
    for threshold in ["mean", "median", 0.3]:
        selector = SelectFromModel(clone(model), threshold=threshold).fit(X, y)
        size = np.linalg.norm(np.atleast_2d(selector.estimator_.coef_), axis=0, ord=1)
        bar = {"mean": size.mean(), "median": np.median(size)}.get(threshold, 0.3)
        assert np.array_equal(selector.get_support(), size >= bar)


@pytest.mark.parametrize(
    "model",
    [
        ElasticNet(0.05, l1_ratio=0.0),
        SparsePoissonRegressor(0.02, l1_ratio=0.0),
        SparseLogisticRegression(l1_ratio=0.0),
    ],
    ids=repr,
)
def test_ridge_penalties_which_only_shrink_keep_the_mean_as_threshold(model):
    X, y = data(model)
    selector = SelectFromModel(model).fit(X, y)
    size = np.linalg.norm(np.atleast_2d(selector.estimator_.coef_), axis=0, ord=1)
    assert np.array_equal(selector.get_support(), size >= size.mean())
