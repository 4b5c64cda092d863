"""Distances, projections and robust accuracy, against attacks and convex programs."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.datasets import load_iris, make_blobs
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg.probe import LinearNaiveBayes
from skreg.robustness import (
    boundary_distance,
    mirror_through_boundary,
    project_to_boundary,
    robust_accuracy_score,
)

NORMS = (1, 1.5, 2, 3, np.inf)


def two_classes(seed=0, n=120, d=6):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, size=n)
    return rng.normal(size=(n, d)) + 0.7 * y[:, None], np.array(["no", "yes"])[y]


def three_classes(seed=0):
    X, y = make_blobs(90, 4, centers=3, cluster_std=2.5, center_box=(-3, 3), random_state=seed)
    return X, np.array(["a", "b", "c"])[y]


def steepest(w, p):
    """The direction of length 1 in the norm p in which w.x grows most."""
    if p == np.inf:
        return np.sign(w)
    if p == 1:
        return np.sign(w) * (np.arange(len(w)) == np.abs(w).argmax())
    q = p / (p - 1)
    direction = np.sign(w) * np.abs(w) ** (q - 1)
    return direction / np.linalg.norm(direction, ord=p)


@pytest.mark.parametrize("p", NORMS)
def test_a_step_of_that_length_changes_the_class_and_a_shorter_one_does_not(p):
    X, y = two_classes()
    model = LogisticRegression(C=10).fit(X, y)
    d = boundary_distance(model, X, p=p)
    np.testing.assert_array_equal(d > 0, model.predict(X) == "yes")
    step = -np.multiply.outer(d, steepest(model.coef_[0], p))
    np.testing.assert_allclose(np.linalg.norm(step, ord=p, axis=1), np.abs(d), rtol=1e-12)
    np.testing.assert_array_equal(model.predict(X + 0.999 * step), model.predict(X))
    assert np.all(model.predict(X + 1.001 * step) != model.predict(X))
    np.testing.assert_array_equal(boundary_distance(model, X, p=p, signed=False), np.abs(d))


@pytest.mark.parametrize("p", [1, 2, np.inf])
def test_distance_to_the_cell_of_another_class_is_that_of_a_convex_program(p):
    import cvxpy as cp

    X, y = three_classes()
    model = LogisticRegression(C=1.0).fit(X, y)
    W, b = model.coef_, model.intercept_
    found = boundary_distance(model, X[:6], p=p)
    for x, distance, label in zip(X[:6], found, model.predict(X[:6]), strict=True):
        c = list(model.classes_).index(label)
        wanted = []
        for k in set(range(3)) - {c}:
            z = cp.Variable(4)
            over = [(W[k] - W[j]) @ z + b[k] - b[j] >= 0 for j in range(3) if j != k]
            problem = cp.Problem(cp.Minimize(cp.norm(z - x, p)), over)
            wanted.append(problem.solve(solver="CLARABEL"))
        assert distance == pytest.approx(min(wanted), rel=1e-6)


@pytest.mark.parametrize("p", NORMS)
def test_distances_of_many_classes_are_reached_and_not_less(p):
    X, y = three_classes()
    model = LogisticRegression(C=1.0).fit(X, y)
    d, predicted = boundary_distance(model, X, p=p), model.predict(X)
    reached = np.zeros(len(X), dtype=bool)
    codes = np.searchsorted(model.classes_, predicted)
    for k in range(3):
        for c in set(range(3)) - {k}:
            direction = steepest(model.coef_[k] - model.coef_[c], p)
            rows = codes == c
            near, far = (X[rows] + f * np.outer(d[rows], direction) for f in (0.999, 1.001))
            np.testing.assert_array_equal(model.predict(near), predicted[rows])
            reached[rows] |= model.predict(far) != predicted[rows]
    assert reached.all()


def test_mirror_and_projection():
    X, y = two_classes()
    model = LogisticRegression(C=10).fit(X, y)
    d = boundary_distance(model, X)
    projected, mirrored = project_to_boundary(model, X), mirror_through_boundary(model, X)
    np.testing.assert_allclose(boundary_distance(model, projected), 0.0, atol=1e-14)
    np.testing.assert_allclose(project_to_boundary(model, projected), projected, atol=1e-14)
    np.testing.assert_allclose(boundary_distance(model, mirrored), -d, atol=1e-14)
    np.testing.assert_allclose(mirror_through_boundary(model, mirrored), X, atol=1e-14)
    np.testing.assert_allclose(np.linalg.norm(X - projected, axis=1), np.abs(d), atol=1e-14)
    np.testing.assert_allclose((X + mirrored) / 2, projected, atol=1e-14)
    p, p_mirrored = model.predict_proba(X), model.predict_proba(mirrored)
    np.testing.assert_allclose(p, p_mirrored[:, ::-1], atol=1e-13)


def test_points_keep_container_and_precision():
    X, y = two_classes()
    frame = pd.DataFrame(X, columns=list("abcdef"), index=np.arange(len(X))[::-1])
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(frame, y)
    moved = mirror_through_boundary(model, frame)
    assert list(moved.columns) == list("abcdef")
    assert moved.index.equals(frame.index)
    np.testing.assert_allclose(boundary_distance(model, moved), -boundary_distance(model, frame))
    model = LogisticRegression().fit(X, y)
    before = X.copy()
    single = project_to_boundary(model, X.astype(np.float32))
    assert single.dtype == np.float32
    dense = project_to_boundary(model, sparse.csr_array(X))
    np.testing.assert_allclose(dense, project_to_boundary(model, X))
    np.testing.assert_array_equal(X, before)
    one = project_to_boundary(model, X[:1])
    np.testing.assert_allclose(one, dense[:1])


# ------------------------------------------------------------------------------------------------
# robust accuracy


def attacked(model, X, y, eps, p):
    """Accuracy after the best attack of length eps on each row, towards each other class."""
    classes = list(model.classes_)
    W = model.coef_ if len(classes) > 2 else np.vstack([-model.coef_, model.coef_]) / 2
    right = model.predict(X) == y
    for c, label in enumerate(classes):
        for k in set(range(len(classes))) - {c}:
            rows = y == label
            step = eps * steepest(W[k] - W[c], p)
            right[rows] &= model.predict(X[rows] + step) == label
    return right.mean()


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("problem", [two_classes, three_classes])
def test_robust_accuracy_is_that_under_the_best_attack(p, problem):
    X, y = problem()
    model = LogisticRegression(C=1.0).fit(X, y)
    lengths = [0.0, 0.01, 0.1, 0.3, 1.0, 3.0, 30.0]
    found = robust_accuracy_score(model, X, y, lengths, p=p)
    assert found[0] == model.score(X, y)
    assert np.all(np.diff(found) <= 0.0)
    assert found[-1] == 0.0
    np.testing.assert_allclose(found, [attacked(model, X, y, e, p) for e in lengths])
    assert robust_accuracy_score(model, X, y, 0.1, p=p) == found[2]
    assert isinstance(robust_accuracy_score(model, X, y, 0.1, p=p), float)


def test_rows_on_the_boundary_belong_to_the_first_class():
    model = LogisticRegression().fit([[-1.0], [1.0]], [0, 1])
    model.coef_, model.intercept_ = np.array([[1.0]]), np.zeros(1)
    X, y = [[0.0], [0.0]], [0, 1]
    assert robust_accuracy_score(model, X, y, 0.0) == model.score(X, y) == 0.5
    X, y = [[-1.0], [1.0]], [0, 1]  # a step of 1 leads onto the boundary
    assert robust_accuracy_score(model, X, y, 1.0) == 0.5
    assert robust_accuracy_score(model, X, y, np.nextafter(1.0, 0.0)) == 1.0
    X, y = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=1000).fit(X, y)
    model.coef_, model.intercept_ = np.eye(3, 4), np.zeros(3)
    ties = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [1, 0, 1, 0], [1, 1, 1, 0.0]])
    for labels in ([0, 1, 0, 0], [1, 2, 2, 1], [2, 0, 0, 2]):
        assert robust_accuracy_score(model, ties, labels, 0.0) == model.score(ties, labels)


def test_a_class_without_samples_is_never_reached():
    """Its intercept is minus infinity: the others are as without it."""
    X, y = three_classes()
    codes = np.searchsorted(["a", "b", "c"], y)
    probe = LinearNaiveBayes().partial_fit(X, codes, classes=[0, 1, 2, 3])
    plain = LinearNaiveBayes().fit(X, codes)
    np.testing.assert_allclose(boundary_distance(probe, X), boundary_distance(plain, X))
    lengths = [0.0, 0.2, 1.0]
    found, wanted = (robust_accuracy_score(m, X, codes, lengths) for m in (probe, plain))
    np.testing.assert_allclose(found, wanted)


def test_classes_of_equal_weights_are_never_reached():
    model = LogisticRegression().fit(np.eye(3), [0, 1, 2])
    model.coef_ = np.array([[1.0, 0, 0], [0, 1.0, 0], [0, 1.0, 0]])
    model.intercept_ = np.array([0.0, 0.0, -1.0])
    X = np.array([[2.0, 1.0, 0.0], [0.0, 3.0, 0.0]])
    np.testing.assert_allclose(boundary_distance(model, X), [1, 3] / np.sqrt(2))
    assert robust_accuracy_score(model, X, [2, 2], [0.0, 9.0]).tolist() == [0.0, 0.0]
    assert robust_accuracy_score(model, X, [0, 1], [0.7, 2.0, 2.2]).tolist() == [1.0, 0.5, 0.0]


@pytest.mark.parametrize("eps", [-0.1, np.nan, np.inf, [0.1, -1.0], [[0.1]], "0.1x", None])
def test_lengths_that_are_none_are_refused(eps):
    X, y = two_classes()
    model = LogisticRegression().fit(X, y)
    with pytest.raises(ValueError, match="eps"):
        robust_accuracy_score(model, X, y, eps)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, X, _: boundary_distance(m, X, p=0.9), "p=0.9"),
        (lambda m, X, _: boundary_distance(m, X[:, :3]), "3 features"),
        (lambda m, X, _: boundary_distance(m, X[0]), "1D array"),
        (lambda m, X, _: boundary_distance(m, X[:0]), "0 sample"),
        (lambda m, X, _: project_to_boundary(m, X * np.nan), "NaN"),
        (lambda m, X, y: robust_accuracy_score(m, X, y, 0.1, p=0), "p=0"),
        (lambda m, X, y: robust_accuracy_score(m, X, y[:5], 0.1), "inconsistent"),
        (lambda m, X, y: robust_accuracy_score(m, X, np.char.upper(y), 0.1), "NO"),
    ],
)
def test_bad_input_is_refused(call, message):
    X, y = two_classes()
    with pytest.raises(ValueError, match=message):
        call(LogisticRegression().fit(X, y), X, y)


@pytest.mark.parametrize("move", [project_to_boundary, mirror_through_boundary])
def test_points_are_for_two_classes(move):
    X, y = three_classes()
    with pytest.raises(ValueError, match=f"{move.__name__} is for two classes, .* has 3"):
        move(LogisticRegression().fit(X, y), X)
    probe = LinearNaiveBayes().partial_fit(X, np.zeros(len(X)), classes=[0, 1])
    probe.partial_fit(X[:1] + 1.0, [1])
    assert np.isfinite(move(probe, X)).all()
