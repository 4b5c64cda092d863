"""`SelectFromModel` keeps the features that a sparse model uses."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.feature_selection import SelectFromModel
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
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
    SparseLogisticRegression(penalty="row_groups"),
    SparseLogisticRegression(penalty="row_groups", l1_ratio=0.0),
    SparseLogisticRegression(0.05, penalty="elasticnet"),
    LassoCV(**CV),
    ElasticNetCV(**CV, l1_ratio=[0.5, 0.9]),
    GroupLassoCV(2, **CV),
    HuberLassoCV(**CV),
    MultiTaskLassoCV(**CV),
    SparsePoissonRegressorCV(**CV),
    SparseLogisticRegressionCV(**CV, penalty="row_groups"),
    SparseLogisticRegressionCV(**CV, penalty="elasticnet", l1_ratio=[0.5, 0.9]),
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
        SparseLogisticRegression(penalty="elasticnet", l1_ratio=0.0),
    ],
    ids=repr,
)
def test_ridge_penalties_which_only_shrink_keep_the_mean_as_threshold(model):
    X, y = data(model)
    selector = SelectFromModel(model).fit(X, y)
    size = np.linalg.norm(np.atleast_2d(selector.estimator_.coef_), axis=0, ord=1)
    assert np.array_equal(selector.get_support(), size >= size.mean())


@pytest.mark.parametrize("penalty", ["l1", "elasticnet", "row_groups"])
def test_the_name_of_a_penalty_stays_a_parameter_like_any_other(penalty):
    X, y = data(SparseLogisticRegression())
    model = SparseLogisticRegression(penalty=penalty)
    assert model.penalty == penalty and str(model.penalty) == penalty
    assert clone(model).get_params()["penalty"] is penalty
    assert type(clone(model.fit(X, y)).get_params()["penalty"]) is str
    assert f"{penalty!r}" in repr(model) or penalty == "l1"
    search = GridSearchCV(model, {"penalty": ["l1", "row_groups"]}, cv=2).fit(X, y)
    assert list(search.cv_results_["param_penalty"]) == ["l1", "row_groups"]
    one, other = (clone(model).set_params(penalty=name) for name in ("l1", "row_groups"))
    assert not np.array_equal(one.fit(X, y).coef_, other.fit(X, y).coef_)
