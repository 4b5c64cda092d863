"""Angle, strength and distances of a boundary: identities, closed forms, published figures."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skreg.robustness import (
    adversarial_strength,
    boundary_distance,
    boundary_tilting,
    robust_accuracy_score,
)

NORMS = (1, 1.5, 2, 4, np.inf)


class Given(ClassifierMixin, BaseEstimator):
    """A linear classifier with the weights that it is given."""

    def __init__(self, w=None, b=0.0, classes=(0, 1)):
        self.w, self.b, self.classes = w, b, classes

    def fit(self, X=None, y=None):
        self.coef_ = np.atleast_2d(np.asarray(self.w, dtype=float))
        self.intercept_ = np.atleast_1d(np.asarray(self.b, dtype=float))
        self.classes_ = np.asarray(self.classes)
        self.n_features_in_ = self.coef_.shape[1]
        return self

    def decision_function(self, X):
        scores = X @ self.coef_.T + self.intercept_
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def predict(self, X):
        scores = self.decision_function(X)
        codes = (scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)
        return self.classes_[codes]


def given(w, b=0.0, classes=(0, 1)):
    return Given(w, b, classes).fit()


def blobs(seed=0, n=200, d=5, shift=1.0, share=0.3):
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < share).astype(int)
    return rng.normal(size=(n, d)) + shift * np.outer(y, np.arange(1, d + 1) / d), y


def p_norm(v, p):
    return np.linalg.norm(v, ord=p)


@pytest.mark.parametrize("C", [1e-6, 1e-2, 1.0, 1e4])
@pytest.mark.parametrize("p", NORMS)
def test_adversarial_distance_is_the_balanced_mean_of_signed_distances(C, p):
    """Identity (5), on classes of unequal sizes; so is half of the distance times the cosine."""
    X, y = blobs()
    model = LogisticRegression(C=C, tol=1e-8).fit(X, y)
    tilting = boundary_tilting(model, X, y, p=p)
    d = boundary_distance(model, X, p=p)
    balanced = 0.5 * (d[y == 1].mean() - d[y == 0].mean())
    rounding = 3e-15 * (1.0 + abs(tilting.offset))  # distances are differences from the offset
    assert tilting.adversarial_distance == pytest.approx(balanced, abs=rounding)
    j_i = X[y == 1].mean(axis=0) - X[y == 0].mean(axis=0)
    assert tilting.max_adversarial_distance == pytest.approx(0.5 * p_norm(j_i, p), rel=1e-14)
    assert tilting.adversarial_distance <= tilting.max_adversarial_distance * (1 + 1e-14)
    ratio = tilting.max_adversarial_distance / tilting.adversarial_distance
    assert tilting.strength_p == pytest.approx(ratio, rel=1e-14)
    assert tilting.strength == pytest.approx(1.0 / np.cos(tilting.angle), rel=1e-12)
    if p == 2:
        expected = tilting.max_adversarial_distance * tilting.cos_angle
        assert tilting.adversarial_distance == pytest.approx(expected, abs=3e-15)


def test_parts_of_the_normal():
    X, y = blobs(d=7)
    model = LogisticRegression(C=10).fit(X, y)
    tilting = boundary_tilting(model, X, y)
    z, n, w = tilting.centroid_direction, tilting.tilt_direction, tilting.unit_normal
    for vector in (z, n, w):
        assert np.linalg.norm(vector) == pytest.approx(1.0, rel=1e-14)
    assert z @ n == pytest.approx(0.0, abs=1e-15)
    theta = tilting.angle
    np.testing.assert_allclose(w, np.cos(theta) * z + np.sin(theta) * n, atol=1e-14)
    np.testing.assert_allclose(w, model.coef_[0] / np.linalg.norm(model.coef_), rtol=1e-14)
    np.testing.assert_allclose(X @ w + tilting.offset, boundary_distance(model, X), atol=1e-13)
    np.testing.assert_allclose(tilting.centroids, [X[y == k].mean(axis=0) for k in (0, 1)])
    within = [X[y == k] - X[y == k].mean(axis=0) for k in (0, 1)]
    along_n, along_z = (sum(np.sum((part @ v) ** 2) for part in within) for v in (n, z))
    assert tilting.variance_ratio == pytest.approx(along_n / along_z, rel=1e-12)


def test_errors_are_those_of_the_classifier():
    X, y = blobs()
    model = LogisticRegression().fit(X, y)
    tilting = boundary_tilting(model, X, y)
    assert tilting.error_rate == pytest.approx(1.0 - model.score(X, y))
    d = np.where(y == 1, 1, -1) * boundary_distance(model, X)
    assert tilting.error_distance == pytest.approx(-d[d < 0].sum() / len(d), rel=1e-13)


def test_rows_on_the_boundary_belong_to_the_first_class():
    X, y = np.array([[-2.0], [0.0], [0.0], [0.0], [1.0]]), np.array([0, 0, 0, 1, 1])
    model = given([1.0])
    for pair in ((0, 1), (1, 0)):
        error_rate = boundary_tilting(model, X, y, pair=pair).error_rate
        assert error_rate == pytest.approx(np.mean(model.predict(X) != y)) == pytest.approx(0.2)


def test_two_dimensions_by_hand():
    X, y = np.array([[0.0, 0.0], [2.0, 0.0]]), [0, 1]
    model = given([1.0, 1.0], 3.0)
    root = np.sqrt(0.5)
    tilting = boundary_tilting(model, X, y)
    assert tilting.cos_angle == pytest.approx(root)
    assert tilting.strength == pytest.approx(np.sqrt(2.0))
    assert tilting.adversarial_distance == pytest.approx(root)
    assert adversarial_strength(model, X, y, p=np.inf) == pytest.approx(2.0)
    assert adversarial_strength(model, X, y, p=1) == pytest.approx(1.0)


@pytest.mark.parametrize("seed", range(3))
def test_the_nearest_centroid_is_not_tilted(seed):
    X, y = blobs(seed)
    i, j = (X[y == k].mean(axis=0) for k in (0, 1))
    for model in (given(j - i, -(j @ j - i @ i) / 2), NearestCentroid().fit(X, y)):
        tilting = boundary_tilting(model, X, y)
        assert tilting.angle < 1e-14
        assert tilting.strength == pytest.approx(1.0, abs=1e-15)
        assert not tilting.is_tilted
        np.testing.assert_array_equal(tilting.tilt_direction, 0.0)
        assert np.isnan(tilting.variance_ratio)


@pytest.mark.parametrize("angle", [1e-12, 1e-9, 1e-6, 1e-3, np.pi / 2 - 1e-9, np.pi - 1e-9])
def test_angles_keep_their_digits(angle):
    """That of e_1 with cos(angle) e_1 + sin(angle) e_2, where the arc cosine loses them."""
    X, y = np.array([[-1.0, 0.0], [1.0, 0.0]]), [0, 1]
    tilting = boundary_tilting(given([np.cos(angle), np.sin(angle)]), X, y)
    assert tilting.angle == pytest.approx(angle, rel=1e-7 if angle < np.pi / 2 else 1e-15)
    assert tilting.is_tilted == (1e-7 < angle < np.pi - 1e-7)


def test_the_direction_of_a_small_tilt_is_perpendicular_to_the_line():
    z, v = np.linalg.qr(np.random.default_rng(0).normal(size=(30, 2)))[0].T
    tilting = boundary_tilting(given(z + 1e-6 * v), np.array([-z, z]), [0, 1])
    assert abs(tilting.tilt_direction @ tilting.centroid_direction) < 1e-14
    assert tilting.tilt_direction @ v == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("t", [0.0, 0.5, 1.0, 1.3, 1.5])
def test_tilting_along_a_flat_direction_costs_no_accuracy(t):
    """Item 7: error stays, strength is 1 / cos t."""
    rng = np.random.default_rng(0)
    y = np.repeat([-1, 1], 1000)
    X = rng.normal(size=(2000, 3)) * [1.0, 1.0, 0.01] + 3.0 * np.outer(y, [1.0, 0.0, 0.0])
    model = given([np.cos(t), 0.0, np.sin(t)], classes=(-1, 1))
    straight = boundary_tilting(given([1.0, 0.0, 0.0], classes=(-1, 1)), X, y)
    tilting = boundary_tilting(model, X, y)
    assert tilting.error_rate <= straight.error_rate + 0.001
    assert tilting.strength == pytest.approx(1.0 / np.cos(t), rel=0.1)
    if t > 0.0:
        assert tilting.variance_ratio < 0.01


@pytest.mark.parametrize(
    ("lam", "cosine"), [(0.0, 0.804477), (0.1, 0.842633), (1.0, 0.960655), (100.0, 0.9999889)]
)
def test_shrunken_discriminants_have_the_closed_form(lam, cosine):
    """cos = z'Az / ||Az|| of A = (S + lam I)^-1, with S = diag(1, 0.01) and z = (0.6, 0.8)."""
    z = np.array([0.6, 0.8])
    w = np.linalg.solve(np.diag([1.0, 0.01]) + lam * np.eye(2), z)
    tilting = boundary_tilting(given(w), np.array([-z, z]), [0, 1])
    assert tilting.cos_angle == pytest.approx(cosine, abs=6e-7)


def test_ridge_regression_of_balanced_classes_is_a_shrunken_discriminant():
    X, y = blobs(share=0.5)
    X, y = np.vstack([X[y == 0][:80], X[y == 1][:80]]), np.repeat([0, 1], 80)
    i, j = (X[y == k].mean(axis=0) for k in (0, 1))
    within = sum((X[y == k] - m).T @ (X[y == k] - m) for k, m in enumerate((i, j)))
    last = np.pi
    for alpha in (0.01, 1.0, 100.0, 1e4):
        angle = boundary_tilting(RidgeClassifier(alpha=alpha).fit(X, y), X, y).angle
        w = np.linalg.solve(within + alpha * np.eye(5), j - i)
        wanted = np.arccos(w @ (j - i) / np.linalg.norm(w) / np.linalg.norm(j - i))
        assert angle == pytest.approx(wanted, abs=1e-7)
        assert angle < last
        last = angle


def test_limits_of_logistic_regression():
    """C to 0: the centroids' line, also of unequal classes; C to infinity: the hard margin."""
    X, y = blobs()
    strong = LogisticRegression(C=1e-6, tol=1e-10).fit(X, y)
    assert boundary_tilting(strong, X, y).angle < 1e-3
    X, y = blobs(shift=8.0)
    weak = LogisticRegression(C=1e8, tol=1e-12, max_iter=100_000, solver="newton-cholesky")
    hard = SVC(kernel="linear", C=1e6).fit(X, y)
    normals = [boundary_tilting(m.fit(X, y), X, y).unit_normal for m in (weak, hard)]
    assert normals[0] @ normals[1] > 0.995


# ------------------------------------------------------------------------------------------------
# invariances


def test_what_does_not_change_anything():
    X, y = blobs()
    rng = np.random.default_rng(1)
    w, b = rng.normal(size=5) + [1, 1, 1, 1, 1], 0.3
    base = boundary_tilting(given(w, b), X, y)
    for scale in (1e-200, 1e-3, 7.0, 1e200):
        other = boundary_tilting(given(scale * w, scale * b), X, y)
        for name in ("angle", "strength", "adversarial_distance", "offset", "error_distance"):
            assert other[name] == pytest.approx(base[name], rel=1e-12), name
    turn, _ = np.linalg.qr(rng.normal(size=(5, 5)))
    turned = boundary_tilting(given(w @ turn, b), X @ turn, y)
    moved = boundary_tilting(given(w, b - 100.0 * w.sum()), X + 100.0, y)
    farther = boundary_tilting(given(w, 1e3 * b), 1e3 * X, y)
    swapped = boundary_tilting(given(-w, -b), X, 1 - y)
    shifted = boundary_tilting(given(w, b + 5.0), X, y)
    for other in (turned, moved, farther, swapped, shifted):
        assert other.angle == pytest.approx(base.angle, rel=1e-9)
        assert other.variance_ratio == pytest.approx(base.variance_ratio, rel=1e-7)
    for other in (turned, moved, swapped, shifted):
        assert other.adversarial_distance == pytest.approx(base.adversarial_distance, rel=1e-9)
    assert farther.adversarial_distance == pytest.approx(1e3 * base.adversarial_distance)
    backwards = boundary_tilting(given(-w, -b), X, y)
    assert backwards.angle == pytest.approx(np.pi - base.angle)
    assert backwards.strength == np.inf
    assert backwards.adversarial_distance == pytest.approx(-base.adversarial_distance)


def measures(model, X, y, **params):
    tilting = boundary_tilting(model, X, y, p=3, **params)
    tilting.pop("classes")
    numbers = list(tilting.values())
    accuracy = robust_accuracy_score(model, X, y, [0.0, 0.1, 0.4], p=3, **params)
    return [*numbers, adversarial_strength(model, X, y, **params), accuracy]


def assert_equal_measures(got, wanted, rtol=1e-10):
    for one, other in zip(got, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=rtol, atol=rtol)


def test_weights_are_copies():
    X, y = blobs()
    counts = np.random.default_rng(2).integers(0, 4, size=len(y))
    model = LogisticRegression(C=10).fit(X, y)
    copies = np.repeat(X, counts, axis=0), np.repeat(y, counts)
    weighted = measures(model, X, y, sample_weight=counts)
    assert_equal_measures(weighted, measures(model, *copies))
    assert_equal_measures(measures(model, X, y, sample_weight=counts * 1e-9), weighted)


@pytest.mark.parametrize("kind", ["csr", "csc", "coo", "int64", "matrix"])
def test_sparse_rows_are_the_same_and_stay_sparse(kind, monkeypatch):
    X, y = blobs()
    X[np.random.default_rng(0).random(X.shape) < 0.6] = 0.0
    model = LogisticRegression(C=10).fit(X, y)
    wanted = measures(model, X, y)
    S = sparse.csr_matrix(X) if kind == "matrix" else sparse.csr_array(X)
    if kind == "int64":
        S.indices, S.indptr = S.indices.astype(np.int64), S.indptr.astype(np.int64)
    elif kind != "matrix":
        S = S.asformat(kind)
    np.testing.assert_allclose(boundary_distance(model, S), boundary_distance(model, X))
    for cls in (sparse.csr_array, sparse.csr_matrix, sparse.csc_array, sparse.coo_array):
        real = cls.toarray

        def small_only(self, *args, real=real, **kwargs):
            assert self.shape[0] <= 32, "rows were densified"
            return real(self, *args, **kwargs)

        monkeypatch.setattr(cls, "toarray", small_only)
        monkeypatch.setattr(cls, "todense", small_only)
    assert_equal_measures(measures(model, S, y), wanted)


def test_kinds_of_input_and_labels():
    X, y = blobs()
    model = LogisticRegression(C=10).fit(X, y)
    wanted = measures(model, X, y)
    frozen = X.copy()
    frozen.flags.writeable = False
    assert_equal_measures(measures(model, frozen, y), wanted)
    assert_equal_measures(measures(model, X.tolist(), y.tolist()), wanted)
    assert_equal_measures(measures(model, X.astype(np.float32), y), wanted, rtol=1e-4)
    frame = pd.DataFrame(X, columns=list("abcde"))
    for labels in (
        np.array(["no", "yes"])[y],
        np.array(["no", "yes"], dtype=object)[y],
        pd.Series(np.array(["no", "yes"])[y], dtype="category"),
        y.astype(bool),
        2.0 * y - 1.0,
    ):
        named = LogisticRegression(C=10).fit(frame, labels)
        assert_equal_measures(measures(named, frame, labels), wanted)


def test_the_result_prints_its_numbers_and_can_be_stored():
    X, y = blobs(d=50)
    tilting = boundary_tilting(LogisticRegression().fit(X, y), X, y)
    assert len(repr(tilting)) < 120
    assert f"angle={tilting.angle:.3g}" in repr(tilting)
    again = pickle.loads(pickle.dumps(tilting))
    assert again["strength"] == tilting.strength
    assert type(again) is type(tilting)


# ------------------------------------------------------------------------------------------------
# many classes


def test_pairs_of_many_classes():
    X, y = load_iris(return_X_y=True)
    model = LogisticRegression(C=10, max_iter=1000).fit(X, y)
    strengths = adversarial_strength(model, X, y)
    np.testing.assert_array_equal(np.isnan(strengths), np.eye(3, dtype=bool))
    np.testing.assert_array_equal(strengths, strengths.T)
    for a, b in ((0, 1), (0, 2), (2, 1)):
        tilting = boundary_tilting(model, X, y, pair=(a, b))
        assert tilting.strength == pytest.approx(strengths[a, b], rel=1e-12)
        w = model.coef_[b] - model.coef_[a]
        alone = given(w, model.intercept_[b] - model.intercept_[a], classes=(0, 1))
        rows = (y == a) | (y == b)
        two = boundary_tilting(alone, X[rows], y[rows] == b)
        for name in ("angle", "error_rate", "error_distance", "variance_ratio", "offset"):
            assert tilting[name] == pytest.approx(two[name], rel=1e-9), name
        assert list(tilting.classes) == [a, b]
    each = strengths[np.triu_indices(3, 1)]
    assert adversarial_strength(model, X, y, average="max") == each.max()
    assert adversarial_strength(model, X, y, average="mean") == pytest.approx(each.mean())


def test_a_pair_in_the_other_order_is_the_same_boundary():
    X, y = blobs()
    model = LogisticRegression().fit(X, y)
    one, other = (boundary_tilting(model, X, y, pair=pair) for pair in ((0, 1), (1, 0)))
    np.testing.assert_allclose(one.unit_normal, -other.unit_normal)
    assert one.offset == -other.offset
    for name in ("angle", "strength", "error_rate", "adversarial_distance"):
        assert one[name] == pytest.approx(other[name])


# ------------------------------------------------------------------------------------------------
# the article's figures ("A New Angle on L2 Regularization", linear SVMs on pairs of MNIST's digits)

# half distance of the centroids, then angle and strength at least test error and unregularized
PUBLISHED = {
    "0-1": (3.816, (0.794, 1.43), (1.065, 2.06)),
    "3-7": (2.629, (0.966, 1.76), (1.374, 5.11)),
    "3-5": (1.574, (1.132, 2.35), (1.470, 9.94)),
    "4-9": (1.249, (0.841, 1.50), (1.427, 6.98)),
    "7-9": (1.506, (0.727, 1.34), (1.485, 11.67)),
}


@pytest.mark.parametrize("digits", PUBLISHED)
@pytest.mark.parametrize("which", [1, 2], ids=["best", "unregularized"])
def test_figures_of_the_article(digits, which):
    """Strengths are those of their angles, up to the third decimal of these."""
    half, (angle, strength) = PUBLISHED[digits][0], PUBLISHED[digits][which]
    X = half * np.array([[-1.0, 0.0], [1.0, 0.0]])
    low, mid, high = (
        boundary_tilting(given([np.cos(a), np.sin(a)]), X, [0, 1])
        for a in (angle - 6e-4, angle, angle + 6e-4)
    )
    assert low.strength - 0.005 <= strength <= high.strength + 0.005
    assert mid.max_adversarial_distance == pytest.approx(half)
    assert mid.adversarial_distance == pytest.approx(half * np.cos(angle), abs=1e-12)
    if (digits, which) == ("3-7", 2):  # "falls from 2.63 to 0.515"
        assert mid.adversarial_distance == pytest.approx(0.515, abs=2e-3)


# ------------------------------------------------------------------------------------------------
# refusals


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"p": 0.5}, "p=0.5"),
        ({"p": np.nan}, "p=nan"),
        ({"p": "2"}, "p='2'"),
        ({"p": True}, "p=True"),
        ({"y": np.zeros(200)}, "no rows .* of class"),
        ({"y": np.full(200, 7)}, "label.*7"),
        ({"y": np.full(200, np.nan)}, "label.*nan"),
        ({"y": np.zeros(10)}, "inconsistent"),
        ({"X": np.ones((200, 4))}, "4 features"),
        ({"X": np.full((200, 5), np.nan)}, "NaN"),
        ({"X": np.full((200, 5), np.inf)}, "infinity"),
        ({"X": np.ones((200, 5))}, "centroids of the classes .* coincide"),
        ({"sample_weight": np.full(200, -1.0)}, "[Nn]egative"),
        ({"sample_weight": np.full(200, np.nan)}, "NaN"),
        ({"sample_weight": np.zeros(200)}, "non-zero"),
        ({"sample_weight": np.ones(3)}, "sample_weight"),
        ({"pair": (0, 0)}, "pair="),
        ({"pair": (0, 5)}, "pair="),
        ({"pair": 3}, "pair=3"),
        ({"pair": (0, 1, 1)}, "pair="),
    ],
)
def test_bad_input_is_refused(change, message):
    X, y = blobs()
    model = LogisticRegression().fit(X, y)
    call = {"X": X, "y": y} | change
    with pytest.raises(ValueError, match=message):
        boundary_tilting(model, **call)
    if "pair" not in change:
        with pytest.raises(ValueError, match=message):
            adversarial_strength(model, **call)


def test_a_class_without_weight_is_a_class_without_rows():
    X, y = blobs()
    model = LogisticRegression().fit(X, y)
    for measure in (boundary_tilting, adversarial_strength):
        with pytest.raises(ValueError, match=r"no rows .* of class 1"):
            measure(model, X, y, sample_weight=1.0 - y)


def test_means_that_differ_by_rounding_are_equal():
    X = np.array([[0.1, 0.2], [0.3, 0.1], [0.1, 0.1], [0.3, 0.2]]) + 1e3
    with pytest.raises(ValueError, match="coincide"):
        boundary_tilting(given([1.0, 0.0], -1e3), X, [0, 0, 1, 1])


def test_no_boundary_is_refused():
    X, y = blobs()
    for measure in (
        lambda m: boundary_tilting(m, X, y),
        lambda m: adversarial_strength(m, X, y),
        lambda m: boundary_distance(m, X),
        lambda m: robust_accuracy_score(m, X, y, 0.1),
    ):
        with pytest.raises(ValueError, match="zero weight vector"):
            measure(given(np.zeros(5), 1.0))


def test_many_classes_need_a_pair_and_a_known_average():
    X, y = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=1000).fit(X, y)
    with pytest.raises(ValueError, match="3 classes: choose two of them by pair"):
        boundary_tilting(model, X, y)
    with pytest.raises(ValueError, match="average='median'"):
        adversarial_strength(model, X, y, average="median")
    with pytest.raises(ValueError, match=r"no rows .* of class 2"):
        adversarial_strength(model, X[y < 2], y[y < 2])
    assert boundary_tilting(model, X[y < 2], y[y < 2], pair=(0, 1)).error_rate == 0.0


def test_angles_are_those_of_the_space_that_is_given():
    X, y = blobs()
    X = X * [1.0, 1e3, 1e-3, 1.0, 5.0] + 7.0
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    scaler, logistic = pipeline
    by_hand = given(
        logistic.coef_ / scaler.scale_,
        logistic.intercept_ - logistic.coef_ @ (scaler.mean_ / scaler.scale_),
    )
    got, wanted = (boundary_tilting(m, X, y) for m in (pipeline, by_hand))
    assert got.angle == pytest.approx(wanted.angle, rel=1e-12)
    scaled = boundary_tilting(logistic, scaler.transform(X), y)
    assert abs(scaled.angle - got.angle) > 0.1
