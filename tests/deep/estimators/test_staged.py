"""Training in stages, and training some of the parameters only."""

import copy
import pickle

import numpy as np
import pytest
import sklearn
import torch
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from skreg.deep import (
    DeepAutoencoder,
    DeepClassifier,
    DeepRegressor,
    LossCurveDisplay,
    Regularizer,
    StagedTraining,
)

X, y = load_iris(return_X_y=True)
SMALL = {"max_epochs": 3, "random_state": 0, "lr": 0.01, "net_params": {"module__width": 8}}
HEAD = ("head", {"trainable": ["head.*"], "max_epochs": 2})


class Shrink(Regularizer):
    def __init__(self, strength=0.1):
        self.strength = strength

    def penalty(self, net, batch, y_pred, features):
        return self.strength * y_pred.square().mean()


def parameters(model):
    return {name: p.detach().clone() for name, p in model.net_.module_.named_parameters()}


# trainable


@pytest.mark.parametrize("optimizer", [torch.optim.AdamW, torch.optim.SGD])
def test_only_what_is_named_moves(optimizer):
    start = parameters(DeepClassifier(**{**SMALL, "max_epochs": 0}, optimizer=optimizer).fit(X, y))
    model = DeepClassifier(
        **SMALL, trainable=["head.*", "norm.bias"], optimizer=optimizer, warm_start=True
    ).fit(X, y)
    end = parameters(model)
    moved = {name for name in start if not torch.equal(start[name], end[name])}
    assert moved == {"head.weight", "head.bias", "norm.bias"}
    assert all(p.requires_grad for p in model.net_.module_.parameters())
    later = parameters(model.set_params(trainable=None).fit(X, y))
    assert not any(torch.equal(end[name], later[name]) for name in end)


def test_a_head_alone_is_logistic_regression_on_fixed_features():
    torch.manual_seed(0)
    body, head = nn.Sequential(nn.Linear(4, 6), nn.ReLU()), nn.Linear(6, 3)
    module = nn.Sequential(*body, head)
    model = DeepClassifier(
        module, trainable=["2.*"], optimizer=torch.optim.LBFGS, lr=1.0, batch_size=1000,
        max_epochs=30, dtype="float64", net_params={"optimizer__line_search_fn": "strong_wolfe"},
    ).set_params(optimizer__max_iter=50)  # fmt: skip
    noisy = np.random.default_rng(0).permutation(y)  # not separable: a finite optimum
    model.fit(X, noisy)
    # not in single precision, whose rounding is a feature to a regression without a penalty
    features = copy.deepcopy(body).double()(torch.as_tensor(X)).detach()
    plain = sklearn.linear_model.LogisticRegression(C=np.inf, tol=1e-10, max_iter=20000)
    expected = plain.fit(features, noisy).predict_proba(features)
    np.testing.assert_allclose(model.predict_proba(X), expected, atol=2e-3)


def test_what_the_module_freezes_stays_frozen():
    module = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))
    module[0].requires_grad_(False)
    model = DeepClassifier(module, max_epochs=1, trainable=["*"]).fit(X, y)
    assert torch.equal(model.net_.module_[0].weight, module[0].weight)
    assert not model.net_.module_[0].weight.requires_grad


def test_names_that_are_not_there():
    with pytest.raises(ValueError, match=r"no parameter has a name like \['haed.\*'\].*head.bias"):
        DeepClassifier(**SMALL, trainable=["haed.*"]).fit(X, y)


# stages


def test_stages_are_warm_starts():
    stages = [HEAD, ("all", {"lr": 0.02}), ("shrunk", {"regularizers__shrink__strength": 3.0})]
    base = DeepClassifier(**SMALL, regularizers=[("shrink", Shrink())])
    staged = StagedTraining(base, stages).fit(X, y)
    by_hand = clone(base).set_params(warm_start=True, **HEAD[1]).fit(X, y)
    by_hand.set_params(trainable=None, max_epochs=3, lr=0.02).fit(X, y)
    by_hand.set_params(lr=0.01, regularizers__shrink__strength=3.0).fit(X, y)
    np.testing.assert_array_equal(staged.predict_proba(X), by_hand.predict_proba(X))
    assert staged.history_["stage"].tolist() == 2 * ["head"] + 3 * ["all"] + 3 * ["shrunk"]
    assert staged.n_iter_ == 8
    assert not hasattr(base, "net_")
    assert base.regularizers[0][1].strength == 0.1
    assert staged.classes_.tolist() == [0, 1, 2]
    assert staged.n_features_in_ == 4


def test_one_stage_is_the_estimator():
    staged = StagedTraining(DeepRegressor(**SMALL), [("once", {})]).fit(X, y)
    alone = DeepRegressor(**SMALL).fit(X, y)
    np.testing.assert_array_equal(staged.predict(X), alone.predict(X))
    assert staged.score(X, y) == alone.score(X, y)
    assert np.array_equal(staged.fit(X, y).predict(X), alone.predict(X))


def test_kind_and_methods_are_those_of_the_estimator():
    classifier, regressor, coder = (
        StagedTraining(kind(**SMALL), [HEAD])
        for kind in (DeepClassifier, DeepRegressor, DeepAutoencoder)
    )
    assert is_classifier(classifier)
    assert is_regressor(regressor)
    assert hasattr(classifier, "predict_proba")
    assert not hasattr(regressor, "predict_proba")
    assert hasattr(coder, "transform")
    assert not hasattr(coder, "predict")
    coder.stages = [("encoder", {"trainable": ["encoder.*"]}), ("all", {})]
    code = coder.set_output(transform="pandas").fit_transform(X)
    assert code.shape == (150, 2)
    assert coder.inverse_transform(code.to_numpy()).shape == X.shape


def test_weights_validation_data_and_numbers_pass_through():
    weight = np.arange(150) % 2
    staged = StagedTraining(DeepClassifier(**SMALL), [HEAD, ("all", {})])
    staged.fit(X, y, weight, X_val=X[::5], y_val=y[::5], sample_index=np.arange(150) + 7)
    assert staged.history_["valid_loss"].notna().all()
    assert staged.estimator_._numbering.index[0] == 7
    with sklearn.config_context(enable_metadata_routing=True):
        routed = clone(staged).set_fit_request(sample_weight=True)
        pipeline = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), routed)
        pipeline.fit(X, y, sample_weight=(y > 0) * 1.0)
    assert set(pipeline.predict(X)) <= {1, 2}


def test_copies_searches_and_pictures():
    staged = StagedTraining(DeepClassifier(**SMALL), [HEAD, ("all", {})])
    grid = {"estimator__lr": [1e-9, 0.02], "stages": [[HEAD, ("all", {})]]}
    search = GridSearchCV(staged, grid, cv=2).fit(X, y)
    assert search.best_params_["estimator__lr"] == 0.02
    for again in (copy.deepcopy(search), pickle.loads(pickle.dumps(search))):
        np.testing.assert_array_equal(again.predict_proba(X), search.predict_proba(X))
    results = cross_validate(staged, X, y, cv=2, return_estimator=True)
    assert all(inner.n_iter_ == 5 for inner in results["estimator"])
    line = LossCurveDisplay.from_estimator(search).lines_[0]
    assert len(line.get_xdata()) == 5


def test_a_stage_that_fails_leaves_the_last_fit():
    staged = StagedTraining(DeepClassifier(**SMALL), [HEAD, ("all", {})]).fit(X, y)
    before = staged.predict_proba(X)
    staged.set_params(stages=[("all", {}), ("other", {"module__width": 4})])
    with pytest.raises(ValueError, match="cannot go on with module__width=4"):
        staged.fit(X, y)
    np.testing.assert_array_equal(staged.predict_proba(X), before)


@pytest.mark.parametrize(
    ("stages", "words"),
    [
        ([], "stages must have one name or more"),
        ([HEAD, HEAD], "all different"),
        ([("a", 3)], "stages must be pairs"),
        ([("a", {"warm_start": False})], "sets warm_start"),
        ([("a", {"nonsense": 1})], "Invalid parameter 'nonsense'"),
        ("head", "The 'stages' parameter"),
    ],
)
def test_bad_stages(stages, words):
    with pytest.raises(ValueError, match=words):
        StagedTraining(DeepClassifier(**SMALL), stages).fit(X, y)


def test_other_estimators_have_no_stages():
    with pytest.raises(ValueError, match="The 'estimator' parameter of StagedTraining"):
        StagedTraining(StandardScaler(), [HEAD]).fit(X)
