"""Boundaries turned back: angles, intercepts, and a classifier as others are."""

import pickle
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone, is_classifier
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skreg.robustness import boundary_distance, boundary_tilting, untilt
from skreg.robustness._tilting_untilt import UntiltedClassifier


def classes(seed=0, n=160, d=5, gap=0.7):
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.35).astype(int)
    return rng.normal(size=(n, d)) + gap * np.outer(y, np.arange(d)), y


@parametrize_with_checks([UntiltedClassifier(LogisticRegression(), t=0.5)])
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("t", [0.0, 0.25, 0.5, 1.0])
def test_the_angle_is_a_fraction(t):
    X, y = classes()
    model = LogisticRegression(C=100).fit(X, y)
    whole, part = (boundary_tilting(m, X, y) for m in (model, untilt(model, X, y, t)))
    assert part.angle == pytest.approx(t * whole.angle, abs=1e-14)
    plane = np.stack([whole.centroid_direction, whole.tilt_direction])
    inside = plane.T @ (plane @ part.unit_normal)
    np.testing.assert_allclose(inside, part.unit_normal, atol=1e-14)
    if t == 1.0:
        np.testing.assert_allclose(part.unit_normal, whole.unit_normal, atol=1e-14)


def brute_force_threshold(projection, y, weight):
    """Least weight on the wrong side over all thresholds, and the widest gap that has it."""
    places = np.unique(projection)
    gaps = list(pairwise(places))

    def error(threshold):
        return weight[(projection > threshold) != y].sum()

    least = min(error(threshold) for threshold in [-np.inf, *places])
    best = [(b - a, (a + b) / 2) for a, b in gaps if np.isclose(error((a + b) / 2), least)]
    return max(best)[1] if best else None


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("rounded", [False, True], ids=["", "ties"])
def test_the_intercept_has_the_least_training_error(seed, weighted, rounded):
    X, y = classes(seed, n=60, gap=0.2)
    X = X.round() if rounded else X
    weight = np.random.default_rng(seed).integers(0, 4, size=60) if weighted else np.ones(60)
    model = LogisticRegression(C=10).fit(X, y)
    part = untilt(model, X, y, 0.3, sample_weight=weight)
    projection = (X @ part.coef_[0]).round(9)
    counted = weight > 0
    wanted = brute_force_threshold(projection[counted], y[counted] == 1, weight[counted])
    if wanted is None:  # one side for all rows has fewer errors than any threshold between two
        centroids = [np.average(X[y == k], axis=0, weights=weight[y == k]) for k in (0, 1)]
        wanted = np.mean(centroids, axis=0) @ part.coef_[0]
    assert -part.intercept_[0] == pytest.approx(wanted, abs=1e-8)


def test_rare_classes_and_equal_projections_fall_back_to_the_midpoint():
    X = np.array([[0.0], [1.0], [0.0], [0.9]])
    y = np.array([0, 0, 0, 1])
    model = LogisticRegression().fit(X, y)
    weight = [5.0, 5.0, 5.0, 1.0]
    part = untilt(model, X, y, 0.0, sample_weight=weight)
    assert -part.intercept_[0] == pytest.approx((1 / 3 + 0.9) / 2)
    part = untilt(model, X, y, 0.0, sample_weight=[1.0, 1.0, 1.0, 5.0])
    assert -part.intercept_[0] == pytest.approx(0.45)


def test_no_threshold_lies_between_equal_projections():
    """Between the rows at 0 there would be no error; the best that there is lies at 0.5."""
    X, y = np.array([[0.0], [0.0], [1.0]]), np.array([0, 1, 1])
    part = untilt(LogisticRegression().fit(X, y), X, y, 0.0)
    assert -part.intercept_[0] == pytest.approx(0.5)


def test_it_is_a_classifier_as_others_are():
    X, y = classes()
    frame, labels = pd.DataFrame(X, columns=list("abcde")), np.array(["no", "yes"])[y]
    model = make_pipeline(StandardScaler(), LogisticRegression(C=100)).fit(frame, labels)
    part = untilt(model, frame, labels, 0.5)
    assert is_classifier(part)
    assert part.classes_.tolist() == ["no", "yes"]
    assert part.n_features_in_ == 5
    assert list(part.feature_names_in_) == list("abcde")
    assert part.coef_.shape == (1, 5)
    assert part.intercept_.shape == (1,)
    scores = part.decision_function(frame)
    np.testing.assert_array_equal(part.predict(frame), np.where(scores > 0, "yes", "no"))
    np.testing.assert_allclose(scores, boundary_distance(part, frame), atol=1e-13)
    assert part.score(frame, labels) > 0.8
    again = pickle.loads(pickle.dumps(part))
    np.testing.assert_array_equal(again.decision_function(frame), scores)
    whole = untilt(part, frame, labels, 1.0)
    np.testing.assert_allclose(whole.coef_, part.coef_, atol=1e-14)
    assert "UntiltedClassifier" in repr(part)


def test_fitted_anew_it_untilts_a_fit_of_its_own():
    X, y = classes()
    search = GridSearchCV(
        UntiltedClassifier(LogisticRegression(C=1e3)), {"t": [0.0, 0.5, 1.0]}, cv=3
    ).fit(X, y)
    by_hand = untilt(LogisticRegression(C=1e3).fit(X, y), X, y, search.best_params_["t"])
    np.testing.assert_allclose(search.best_estimator_.coef_, by_hand.coef_)
    assert np.isfinite(cross_val_score(by_hand, X, y, cv=3)).all()
    other = clone(by_hand).fit(X[::-1], y[::-1])
    np.testing.assert_allclose(other.coef_, by_hand.coef_)


def test_sparse_rows_weights_and_single_precision():
    X, y = classes()
    X[np.abs(X) < 0.5] = 0.0
    counts = np.random.default_rng(3).integers(0, 3, size=len(y))
    model = LogisticRegression(C=10).fit(X, y)
    wanted = untilt(model, X, y, 0.5)
    got = untilt(model, sparse.csr_array(X), y, 0.5)
    np.testing.assert_allclose(got.coef_, wanted.coef_)
    np.testing.assert_allclose(got.intercept_, wanted.intercept_)
    np.testing.assert_allclose(
        got.decision_function(sparse.csr_matrix(X)), wanted.decision_function(X)
    )
    weighted = untilt(model, X, y, 0.5, sample_weight=counts)
    copies = untilt(model, np.repeat(X, counts, axis=0), np.repeat(y, counts), 0.5)
    np.testing.assert_allclose(weighted.coef_, copies.coef_)
    np.testing.assert_allclose(weighted.intercept_, copies.intercept_)
    single = untilt(model, X.astype(np.float32), y, 0.5)
    np.testing.assert_allclose(single.coef_, wanted.coef_, rtol=1e-4, atol=1e-5)
    fitted = UntiltedClassifier(LogisticRegression()).fit(X, y, sample_weight=counts)
    repeated = clone(fitted).fit(np.repeat(X, counts, axis=0), np.repeat(y, counts))
    np.testing.assert_allclose(fitted.coef_, repeated.coef_, rtol=1e-3)


@pytest.mark.parametrize("t", [-0.1, 1.1, np.nan, "0.5", None, True])
def test_fractions_that_are_none_are_refused(t):
    X, y = classes()
    with pytest.raises(ValueError, match="t="):
        untilt(LogisticRegression().fit(X, y), X, y, t)


def test_what_cannot_be_turned_back_is_refused():
    X, y = load_iris(return_X_y=True)
    three = LogisticRegression(max_iter=1000).fit(X, y)
    with pytest.raises(ValueError, match="Only binary classification"):
        untilt(three, X, y, 0.5)
    with pytest.raises(ValueError, match="3 classes"):
        untilt(three, X[y < 2], y[y < 2], 0.5)
    two = LogisticRegression().fit(X[y < 2], y[y < 2])
    with pytest.raises(ValueError, match=r"no rows .* of class 1"):
        untilt(two, X[y < 1], y[y < 1], 0.5)
    with pytest.raises(NotFittedError):
        untilt(LogisticRegression(), X[y < 2], y[y < 2], 0.5)
    X, y = np.array([[-1.0, 0.0], [1.0, 0.0]]), [0, 1]
    backwards = LogisticRegression().fit(X, y)
    backwards.coef_ = -backwards.coef_
    with pytest.raises(ValueError, match="straight backwards"):
        untilt(backwards, X, y, 0.5)


def test_it_is_stored_by_skops():
    io = pytest.importorskip("skops.io")
    from skreg.export import skops_types

    X, y = classes()
    part = untilt(LogisticRegression().fit(X, y), X, y, 0.5)
    again = io.loads(io.dumps(part), trusted=skops_types())
    np.testing.assert_array_equal(again.decision_function(X), part.decision_function(X))


def test_a_failed_fit_leaves_the_last_one():
    X, y = classes()
    part = UntiltedClassifier(LogisticRegression()).fit(X, y)
    before = part.decision_function(X)
    with pytest.raises(ValueError, match="Only binary"):
        part.fit(np.eye(3), [0, 1, 2])
    np.testing.assert_array_equal(part.decision_function(X), before)


def test_what_is_frozen_is_not_fitted():
    X, y = classes()
    model = LogisticRegression(C=1e3).fit(X, y)
    part = UntiltedClassifier(FrozenEstimator(model)).fit(X[:80], y[:80])
    np.testing.assert_array_equal(part.estimator_.coef_, model.coef_)
