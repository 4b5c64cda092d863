"""Codes from which the data can be reconstructed."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from skreg.deep import DeepAutoencoder, LossCurveDisplay, Regularizer

X, y = load_iris(return_X_y=True)
SMALL = {"max_epochs": 5, "random_state": 0, "lr": 0.01, "net_params": {"module__width": 16}}


class LinearCodes(nn.Module):
    def __init__(self, n_inputs, n_components):
        super().__init__()
        self.encode = nn.Linear(n_inputs, n_components)
        self.decode = nn.Linear(n_components, n_inputs)

    def forward(self, X):
        return self.decode(self.encode(X))


LBFGS = {
    "optimizer": torch.optim.LBFGS,
    "net_params": {"optimizer__line_search_fn": "strong_wolfe"},
    "batch_size": 1000,
    "lr": 1.0,
    "dtype": "float64",
    "random_state": 0,
}


@pytest.mark.parametrize("n_components", [1, 2])
def test_linear_codes_are_principal_components(n_components):
    Z = StandardScaler().fit_transform(X)
    pca = PCA(n_components).fit(Z)
    model = DeepAutoencoder(
        n_components, LinearCodes, standardize=True, max_epochs=40, **LBFGS
    ).fit(X)
    assert 1 + model.score(X) == pytest.approx(pca.explained_variance_ratio_.sum(), abs=1e-6)
    code = model.transform(X)
    assert code.shape == (len(X), n_components)
    again = StandardScaler().fit(X).inverse_transform(pca.inverse_transform(pca.transform(Z)))
    np.testing.assert_allclose(model.inverse_transform(code), again, atol=1e-2)


def test_weighted_codes_are_those_of_repeated_rows():
    weight = np.random.default_rng(0).integers(0, 3, len(X))
    settings = {"standardize": True, "max_epochs": 15, **LBFGS}
    weighted = DeepAutoencoder(2, LinearCodes, **settings).fit(X, sample_weight=weight)
    repeated = DeepAutoencoder(2, LinearCodes, **settings).fit(np.repeat(X, weight, axis=0))
    np.testing.assert_allclose(weighted.score(X), repeated.score(X), rtol=1e-3)
    assert weighted.score(X, sample_weight=weight) == pytest.approx(
        weighted.score(np.repeat(X, weight, axis=0))
    )


def test_one_number_describes_a_circle_better_than_a_line_does():
    angle = np.random.default_rng(0).uniform(0, 5, 400)
    circle = np.column_stack([np.cos(angle), np.sin(angle)])
    model = DeepAutoencoder(1, max_epochs=60, lr=0.01, random_state=0).fit(circle)
    line = PCA(1).fit(StandardScaler().fit_transform(circle)).explained_variance_ratio_[0]
    assert 1 + model.score(circle) > (1 + line) / 2


def test_early_stopping_and_own_validation_data():
    model = DeepAutoencoder(**SMALL, early_stopping=True).fit(X)
    assert "valid_loss" in model.history_
    model.set_params(early_stopping=False).fit(X[::2], X_val=X[1::2])
    assert model.history_.valid_loss.iloc[-1] == pytest.approx(-model.score(X[1::2]), rel=1e-5)
    assert len(LossCurveDisplay.from_estimator(model).lines_) == 2


class SmallCodes(Regularizer):
    def __init__(self, strength=1.0):
        self.strength = strength

    def penalty(self, net, batch, y_pred, features):
        return self.strength * net.module_.encode(batch.X).square().mean()


def test_regularizers_act():
    free = DeepAutoencoder(**SMALL).fit(X)
    tied = DeepAutoencoder(**SMALL, regularizers=[("small", SmallCodes(100.0))]).fit(X)
    assert np.abs(tied.transform(X)).mean() < 0.5 * np.abs(free.transform(X)).mean()
    tied.set_params(regularizers__small__strength=0.0, max_epochs=30).partial_fit(X)


def test_in_a_pipeline_and_a_grid_search():
    pipeline = make_pipeline(DeepAutoencoder(**SMALL), LogisticRegression())
    grid = {"deepautoencoder__n_components": [1, 3], "deepautoencoder__module__width": [8]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, y)
    assert search.score(X, y) > 0.6
    alone = GridSearchCV(DeepAutoencoder(**SMALL), {"lr": [1e-9, 0.01]}, cv=2).fit(X)
    assert alone.best_params_ == {"lr": 0.01}


def test_names_frames_and_copies():
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = DeepAutoencoder(3, **SMALL).set_output(transform="pandas").fit(frame)
    code = model.transform(frame)
    assert list(code.columns) == [f"deepautoencoder{i}" for i in range(3)]
    for again in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        pd.testing.assert_frame_equal(again.transform(frame), code)
        pd.testing.assert_frame_equal(
            again.partial_fit(frame).transform(frame),
            copy.deepcopy(model).partial_fit(frame).transform(frame),
        )


def test_images_of_an_own_module():
    class Flat(nn.Module):
        def __init__(self):
            super().__init__()
            self.encode = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
            self.decode = nn.Sequential(nn.Linear(2, 12), nn.Unflatten(1, (1, 3, 4)))

        def forward(self, X):
            return self.decode(self.encode(X))

    images = np.random.default_rng(0).normal(size=(30, 1, 3, 4))
    model = DeepAutoencoder(module=Flat(), max_epochs=2, standardize=True).fit(images)
    assert model.inverse_transform(model.transform(images)).shape == images.shape


@pytest.mark.parametrize(
    ("model", "data", "words"),
    [
        (DeepAutoencoder(0), X, "The 'n_components' parameter"),
        (DeepAutoencoder(module=nn.Linear(4, 4)), X, "has no encode and no decode"),
        (DeepAutoencoder(), X.reshape(-1, 2, 2), "the default network takes tables"),
        (DeepAutoencoder(), {"X": X}, "needs X as one array, got a dict"),
    ],
)
def test_bad_input(model, data, words):
    with pytest.raises(ValueError, match=words):
        model.fit(data)


def test_the_number_of_components_is_built_in():
    model = DeepAutoencoder(1, **SMALL, warm_start=True).fit(X).set_params(n_components=2)
    with pytest.raises(ValueError, match="n_components=1 and cannot go on with n_components=2"):
        model.fit(X)
