"""RandomFeatureRidgeClassifier: indicators, labels, weights, dask."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.linear_model import Ridge, RidgeClassifierCV
from sklearn.model_selection import cross_val_score

from skreg.random_features import RandomFeatureRidgeClassifier


def classifier(k=40, **params):
    return RandomFeatureRidgeClassifier(k, **({"random_state": 0} | params))


def problem(n=90, n_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    return X, np.digitize(X[:, 0] + 0.3 * rng.normal(size=n), [-0.5, 0.5][: n_classes - 1])


@pytest.mark.parametrize("k", [20, 200])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_scores_are_ridge_regressions_of_indicators(k, n_classes):
    X, y = problem(n_classes=n_classes)
    model = classifier(k, alpha=0.3).fit(X, y)
    targets = 2.0 * y - 1.0 if n_classes == 2 else np.eye(n_classes)[y]
    Z = model.feature_map_.transform(X)
    wanted = Ridge(alpha=0.3, solver="svd").fit(Z, targets).predict(Z)
    np.testing.assert_allclose(model.decision_function(X), wanted, atol=1e-8)
    codes = wanted > 0.0 if n_classes == 2 else wanted.argmax(axis=1)
    np.testing.assert_array_equal(model.predict(X), codes)
    assert model.coef_.shape == (1 if n_classes == 2 else n_classes, k)


def test_the_strength_of_two_classes_is_that_of_scikit_learn():
    X, y = problem(n_classes=2)
    alphas = np.geomspace(1e-2, 10, 5)
    model = classifier(20, alphas=alphas).fit(X, y)
    theirs = RidgeClassifierCV(alphas).fit(model.feature_map_.transform(X), y)
    assert model.alpha_ == theirs.alpha_


def test_digits():
    X, y = load_digits(return_X_y=True)
    assert cross_val_score(classifier(1000), X[:900] / 16, y[:900], cv=3).min() > 0.9


def test_labels_of_any_kind():
    X, y = problem()
    wanted = classifier().fit(X, y).predict(X)
    names = np.array(["c", "a", "b"])
    order = np.argsort(names)
    for labels in (names, names.astype(object), np.array([7, -1, 3])):
        found = classifier().fit(X, labels[y]).predict(X)
        np.testing.assert_array_equal(found, labels[wanted])
    assert list(classifier().fit(X, names[y]).classes_) == list(names[order])
    frame = pd.DataFrame(X, columns=list("pqrs"))
    assert list(classifier().fit(frame, pd.Series(y)).feature_names_in_) == list("pqrs")


def test_a_class_without_weight_is_not_predicted():
    X, y = problem()
    weight = (y != 1).astype(float)
    model = classifier().fit(X, y, sample_weight=weight)
    assert list(model.classes_) == [0, 1, 2]
    assert 1 not in model.predict(X)


@pytest.mark.parametrize("k", [15, 200])
def test_weights_are_copies(k):
    X, y = problem(40)
    weight = np.random.default_rng(0).integers(0, 3, 40)
    copies = np.repeat(np.arange(40), weight)
    got = classifier(k).fit(X, y, sample_weight=weight)
    wanted = classifier(k).fit(X[copies], y[copies])
    np.testing.assert_allclose(got.decision_function(X), wanted.decision_function(X), atol=1e-5)


def test_sparse_and_infinite():
    X, y = problem()
    X = np.where(X > 0, X, 0.0)
    model = classifier("inf", kind="fourier").fit(sparse.csr_array(X), y)
    wanted = classifier("inf", kind="fourier").fit(X, y)
    np.testing.assert_allclose(
        model.decision_function(sparse.csr_array(X)), wanted.decision_function(X), atol=1e-8
    )


@pytest.mark.parametrize("n_classes", [2, 3])
def test_dask_arrays_give_what_arrays_give(n_classes):
    da = pytest.importorskip("dask.array")
    X, y = problem(n_classes=n_classes)
    names = np.array(["low", "mid", "top"])[y]
    model = classifier(15, alpha="gcv")
    wanted = classifier(15, alpha="gcv").fit(X, names)
    blocks = da.from_array(X, chunks=(30, 4))
    model.fit(blocks, da.from_array(names, chunks=30))
    np.testing.assert_array_equal(model.predict(blocks).compute(), wanted.predict(X))
    np.testing.assert_allclose(
        model.decision_function(blocks).compute(), wanted.decision_function(X), atol=1e-8
    )


def test_one_class_and_numbers_are_refused():
    X, _ = problem()
    with pytest.raises(ValueError, match="one class"):
        classifier().fit(X, np.zeros(90))
    with pytest.raises(ValueError, match="continuous"):
        classifier().fit(X, X[:, 0])
