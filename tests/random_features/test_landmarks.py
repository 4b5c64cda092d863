"""Ridge regression on features of landmarks, against scikit-learn's Nystroem and kernel ridge."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.kernel_approximation import Nystroem
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline

from skreg.random_features import (
    LearningCurveTheoryDisplay,
    RandomFeatureRidge,
    RandomFeatureRidgeClassifier,
    RandomFeatures,
)

ALPHAS = np.geomspace(1e-2, 1e2, 7)
SIDES = ("gram", "kernel", "svd")


def problem(n=60, d=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    return X, 5.0 + np.sin(2.0 * X[:, 0]) + X[:, 1] + 0.3 * rng.normal(size=n)


def ridge(k=15, **params):
    common = {"kind": "fourier", "gamma": 0.2, "alphas": ALPHAS, "random_state": 0}
    return RandomFeatureRidge(k, draw="rows", **(common | params))


@pytest.mark.parametrize("solver", SIDES)
@pytest.mark.parametrize("given", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
def test_it_is_nystroem_with_ridge_cv(solver, given):
    X, y = problem()
    new = given(problem(seed=1)[0])
    model = ridge(solver=solver).fit(given(X), y)
    theirs = make_pipeline(Nystroem(gamma=0.2, n_components=15), RidgeCV(ALPHAS, gcv_mode="svd"))
    theirs[0].fit(model.feature_map_.landmarks_)
    theirs[1].set_params(store_cv_results=True).fit(theirs[0].transform(given(X)), y)
    wanted = theirs[1].cv_results_.mean(axis=0)
    np.testing.assert_allclose(model.cv_values_, wanted, rtol=1e-7)
    assert model.alpha_ == theirs[1].alpha_
    np.testing.assert_allclose(model.predict(new), theirs.predict(new), rtol=1e-6)


@pytest.mark.parametrize("solver", SIDES)
def test_all_rows_as_landmarks_are_kernel_ridge(solver):
    X, y = problem()
    new = problem(seed=1)[0]
    model = ridge(len(y), alpha=0.3, fit_intercept=False, solver=solver).fit(X, y)
    wanted = KernelRidge(alpha=0.3, kernel="rbf", gamma=0.2).fit(X, y).predict(new)
    np.testing.assert_allclose(model.predict(new), wanted, rtol=1e-6)
    with pytest.warns(UserWarning, match="has 60 rows to draw from"):
        more = ridge(100, alpha=0.3, fit_intercept=False, solver=solver).fit(X, y)
    assert more.coef_.shape == (60,)
    np.testing.assert_allclose(more.predict(new), wanted, rtol=1e-6)
    limit = ridge("inf", alpha=0.3, fit_intercept=False).fit(X, y)  # draws nothing
    np.testing.assert_allclose(limit.predict(new), wanted, rtol=1e-6)


def test_landmarks_have_smaller_errors_than_as_many_weights_for_a_smooth_kernel():
    ratios = []
    for seed in range(8):
        X = np.random.default_rng(seed).normal(size=(1500, 8))
        y = np.sin(X[:, 0] + X[:, 1]) + 0.5 * X[:, 2] * X[:, 3]
        model = ridge(150, gamma=0.05, random_state=seed, alphas=np.geomspace(1e-6, 1e2, 13))
        errors = [
            np.mean((model.set_params(draw=draw).fit(X[:750], y[:750]).predict(X) - y)[750:] ** 2)
            for draw in ("rows", "weights")
        ]
        ratios.append(np.log(errors[0] / errors[1]))
    assert np.mean(ratios) + 3.0 * np.std(ratios, ddof=1) / np.sqrt(8) < 0.0


def test_rows_without_weight_are_no_landmarks():
    X, y = problem()
    weight = np.ones(len(y))
    weight[::2] = 0.0
    model = ridge(20).fit(X, y, sample_weight=weight)
    rest = clone(model).fit(X[1::2], y[1::2])
    np.testing.assert_array_equal(model.feature_map_.landmarks_, rest.feature_map_.landmarks_)
    np.testing.assert_allclose(model.predict(X), rest.predict(X), rtol=1e-9)


def test_memory_maps_and_single_precision(tmp_path):
    X, y = problem()
    wanted = ridge().fit(X, y).predict(X)
    np.save(tmp_path / "X.npy", X)
    mapped = ridge().fit(np.load(tmp_path / "X.npy", mmap_mode="r"), y)
    np.testing.assert_allclose(mapped.predict(X), wanted, rtol=1e-10)
    single = ridge(dtype="float32").fit(X, y)
    assert single.feature_map_.landmarks_.dtype == np.float32
    np.testing.assert_allclose(single.predict(X), wanted, rtol=1e-3)


def test_the_scale_of_gamma_is_that_of_all_rows():
    X, y = problem()
    model = ridge(gamma="scale").fit(X, y)
    assert model.feature_map_.gamma_ == pytest.approx(1.0 / (4 * X.var()))
    features = RandomFeatures(15, kind="fourier", draw="rows", random_state=0).fit(X)
    np.testing.assert_array_equal(features.landmarks_, model.feature_map_.landmarks_)
    np.testing.assert_allclose(features.transform(X), model.feature_map_.transform(X), rtol=1e-12)


def test_classes_by_landmarks():
    X, y = problem(200)
    labels = np.array(["low", "middle", "high"])[np.digitize(y, [4.5, 5.5])]
    model = RandomFeatureRidgeClassifier(60, kind="fourier", draw="rows", random_state=0)
    assert model.fit(X[:150], labels[:150]).score(X[150:], labels[150:]) > 0.6


def test_what_landmarks_cannot_do_is_refused():
    da = pytest.importorskip("dask.array")
    X, y = problem()
    with pytest.raises(ValueError, match="rows in memory, and got a dask array"):
        ridge().fit(da.from_array(X, chunks=20), da.from_array(y, chunks=20))
    with pytest.raises(ValueError, match="before all rows are known"):
        ridge(alpha="gcv").partial_fit(X, y)
    with pytest.raises(ValueError, match="theory is that of random weights"):
        LearningCurveTheoryDisplay.from_estimator(ridge(), X, y)
    with pytest.raises(ValueError, match="draw"):
        ridge().set_params(draw="columns").fit(X, y)
