"""RandomFeatures: limit kernels, nested draws, precision, sparse rows, refusals."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.kernel_approximation import Nystroem, RBFSampler
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg.random_features import RandomFeatures


def rows(n=6, d=4, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


def by_quadrature(g, x, y, variance):
    """E[g(u) g(v)] for u = w.x, v = w.y and w ~ N(0, variance I), by Gauss-Hermite quadrature."""
    covariance = variance * np.array([[x @ x, x @ y], [x @ y, y @ y]])
    root = np.linalg.cholesky(covariance)
    nodes, weights = np.polynomial.hermite_e.hermegauss(120)
    weights = weights / weights.sum()
    u = root[0, 0] * nodes[:, None]
    v = root[1, 0] * nodes[:, None] + root[1, 1] * nodes
    return float(np.sum(weights[:, None] * weights * g(u) * g(v)))


@pytest.mark.parametrize("kind", ["relu", "fourier", "erf", "gaussian"])
@pytest.mark.parametrize("bias", [False, True])
def test_inner_products_tend_to_the_limit_kernel(kind, bias):
    if kind == "fourier" and bias:
        pytest.skip("has a phase")
    X = rows()
    features = RandomFeatures(40_000, kind=kind, bias=bias, gamma=0.3, random_state=1).fit(X)
    Z, K = features.transform(X), features.limit_kernel(X)
    scale = np.sqrt(np.outer(np.diag(K), np.diag(K)))
    assert np.max(np.abs(Z @ Z.T - K) / scale) < 0.05


def test_limit_of_relu_and_erf_by_quadrature():
    from scipy.special import erf

    x, y = rows(2, 3)
    relu = RandomFeatures("inf").fit([x, y]).limit_kernel([x], [y])[0, 0]
    assert relu == pytest.approx(by_quadrature(lambda z: np.maximum(z, 0), x, y, 2 / 3), rel=2e-3)
    arcsine = RandomFeatures("inf", kind="erf", gamma=0.4).fit([x, y]).limit_kernel([x], [y])[0, 0]
    assert arcsine == pytest.approx(by_quadrature(erf, x, y, 0.8), rel=1e-6)


def test_limit_of_fourier_is_the_rbf_kernel_of_scikit_learn():
    X, Y = rows(), rows(3, seed=1)
    features = RandomFeatures(5, kind="fourier", gamma=0.7).fit(X)
    np.testing.assert_allclose(features.limit_kernel(X, Y), rbf_kernel(X, Y, 0.7), atol=1e-12)


def test_fourier_has_the_variance_of_scikit_learns_sampler():
    X = rows(40)
    ours = RandomFeatures(3000, kind="fourier", gamma=0.2, random_state=0).fit(X)
    theirs = RBFSampler(n_components=3000, gamma=0.2, random_state=0).fit(X)
    assert ours.random_weights_.std() == pytest.approx(theirs.random_weights_.std(), rel=0.03)


def test_limit_of_equal_and_of_zero_rows():
    X = np.array([[1.0, 2.0], [2.0, 4.0], [0.0, 0.0], [-1.0, -2.0]])
    K = RandomFeatures("inf").fit(X).limit_kernel(X)
    np.testing.assert_allclose(np.diag(K), np.sum(X**2, axis=1) / 2)  # (2 / d) |x|^2 / 2
    assert K[0, 1] == pytest.approx(5.0)
    np.testing.assert_array_equal(K[2], 0.0)
    assert K[0, 3] == pytest.approx(0.0, abs=1e-7)


@pytest.mark.parametrize("kind", ["relu", "fourier", "erf"])
def test_fewer_features_are_the_first_of_more(kind):
    X = rows()
    many = RandomFeatures(30, kind=kind, random_state=3, bias=kind != "fourier").fit(X)
    few = clone(many).set_params(n_components=12).fit(X)
    np.testing.assert_allclose(
        few.transform(X), many.transform(X)[:, :12] * np.sqrt(30 / 12), rtol=1e-12
    )


def test_the_scale_of_gamma_is_that_of_support_vector_machines():
    X = rows(30)
    for given in (X, sparse.csr_array(np.where(X > 0.5, X, 0.0))):
        dense = given.toarray() if sparse.issparse(given) else given
        found = RandomFeatures(2, kind="fourier").fit(given).gamma_
        assert found == pytest.approx(1.0 / (4 * dense.var()), rel=1e-12)
    assert RandomFeatures(2, kind="fourier").fit(np.ones((3, 2))).gamma_ == 1.0


def test_the_scale_keeps_its_digits_far_from_zero():
    X = rows(30)
    far = RandomFeatures(2, kind="fourier").fit(1e8 + X).gamma_
    assert far == pytest.approx(1.0 / (4 * X.var()), rel=1e-6)


def test_single_precision_stays():
    X = rows().astype(np.float32)
    features = RandomFeatures(7, random_state=0).fit(X)
    assert features.transform(X).dtype == np.float32
    double = RandomFeatures(7, random_state=0).fit(X.astype(float)).transform(X.astype(float))
    np.testing.assert_allclose(features.transform(X), double, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_sparse_rows_give_what_dense_ones_give(index):
    X = np.where(rows() > 0.0, rows(), 0.0)
    csr = sparse.csr_array(X)
    csr.indices, csr.indptr = csr.indices.astype(index), csr.indptr.astype(index)
    features = RandomFeatures(9, kind="fourier", random_state=0).fit(X)
    np.testing.assert_allclose(features.transform(csr), features.transform(X), atol=1e-12)
    np.testing.assert_allclose(features.limit_kernel(csr), features.limit_kernel(X), atol=1e-12)


def own_kind(X, rng, k):
    return np.abs(X @ rng.normal(size=(X.shape[1], k)))


def test_a_callable_kind_is_called_with_the_same_generator():
    X = rows(20)
    features = RandomFeatures(8, kind=own_kind, random_state=0).fit(X)
    Z = features.transform(X)
    np.testing.assert_allclose(features.transform(X[3:5]), Z[3:5])
    weights = np.random.default_rng(features._seed).normal(size=(4, 8))
    np.testing.assert_allclose(Z, np.abs(X @ weights) / np.sqrt(8))


def test_frames_and_pipelines():
    frame = pd.DataFrame(rows(), columns=list("abcd"))
    pipeline = make_pipeline(StandardScaler(), RandomFeatures(3, random_state=0))
    found = pipeline.set_output(transform="pandas").fit_transform(frame)
    assert list(found.columns) == ["randomfeatures0", "randomfeatures1", "randomfeatures2"]


def test_another_seed_gives_other_features():
    X = rows()
    first, second = (RandomFeatures(5, random_state=seed).fit_transform(X) for seed in (0, 1))
    assert np.abs(first - second).max() > 0.01


# ------------------------------------------------------------------------------------------------
# landmarks


@pytest.mark.parametrize("given", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
def test_landmarks_are_those_of_scikit_learns_nystroem(given):
    X, new = given(rows(30)), given(rows(8, seed=1))
    ours = RandomFeatures(12, kind="fourier", gamma=0.3, draw="rows", random_state=0).fit(X)
    theirs = Nystroem(gamma=0.3, n_components=12).fit(ours.landmarks_)  # of the same ones
    for some in (X, new):
        inner = ours.transform(some) @ ours.transform(new).T
        wanted = theirs.transform(some) @ theirs.transform(new).T
        np.testing.assert_allclose(inner, wanted, rtol=1e-9, atol=1e-10)
    # feature j is made of the first j landmarks: the last has none but its own
    at_landmarks = ours.transform(ours.landmarks_)
    np.testing.assert_allclose(at_landmarks, np.tril(at_landmarks), atol=1e-10)
    assert ours.random_weights_ is None
    assert ours.random_offset_ is None


@pytest.mark.parametrize("kind", ["relu", "fourier", "erf"])
@pytest.mark.parametrize("bias", [False, True])
def test_landmarks_know_the_kernel_of_landmarks(kind, bias):
    if kind == "fourier" and bias:
        pytest.skip("has a phase")
    X, new = rows(20), rows(5, seed=1)
    features = RandomFeatures(9, kind=kind, bias=bias, draw="rows", random_state=0).fit(X)
    landmarks = features.landmarks_
    K = features.limit_kernel(new, landmarks)
    found = features.transform(new) @ features.transform(landmarks).T
    np.testing.assert_allclose(found, K, rtol=1e-8, atol=1e-10)
    own = features.limit_kernel(new, new)
    left = np.linalg.eigvalsh(own - features.transform(new) @ features.transform(new).T)
    assert left.min() > -1e-10  # what is lost is a kernel itself


def test_as_many_landmarks_as_rows_are_the_kernel():
    X, new = rows(15), rows(4, seed=1)
    with pytest.warns(UserWarning, match=r"has 15 rows to draw from.*n_components=40"):
        features = RandomFeatures(40, kind="fourier", draw="rows", random_state=0).fit(X)
    assert features.transform(new).shape == (4, 15)
    assert len(features.get_feature_names_out()) == 15
    found = features.transform(new) @ features.transform(X).T
    np.testing.assert_allclose(found, features.limit_kernel(new, X), rtol=1e-8, atol=1e-10)


def test_copies_of_rows_and_kernels_of_low_rank_lose_nothing():
    X = np.repeat(rows(6), 3, axis=0)
    for kind in ("fourier", "gaussian"):  # the latter of rank four
        features = RandomFeatures(18, kind=kind, draw="rows", random_state=0).fit(X)
        Z = features.transform(X)
        assert Z.shape[1] == (6 if kind == "fourier" else 4)
        np.testing.assert_allclose(Z @ Z.T, features.limit_kernel(X), rtol=1e-9, atol=1e-9)
    zero = RandomFeatures(3, draw="rows").fit(np.zeros((5, 2)))
    np.testing.assert_array_equal(zero.transform(np.ones((2, 2))), 0.0)


def test_landmarks_are_rows_drawn_once_and_those_of_fewer_are_among_them():
    X = rows(30)
    many = RandomFeatures(12, draw="rows", random_state=3).fit(X)
    few = clone(many).set_params(n_components=5).fit(X)
    assert all((row == many.landmarks_).all(axis=1).any() for row in few.landmarks_)
    positions = [np.flatnonzero((row == X).all(axis=1)).item() for row in many.landmarks_]
    assert len(set(positions)) == 12
    other = clone(many).set_params(random_state=4).fit(X)
    assert {tuple(row) for row in other.landmarks_} != {tuple(row) for row in many.landmarks_}


def test_landmarks_in_single_precision_keep_the_digits_of_their_kernel():
    X = rows(40).astype(np.float32)
    single = RandomFeatures(30, kind="fourier", gamma=0.01, draw="rows", random_state=0).fit(X)
    double = clone(single).fit(X.astype(np.float64))
    assert single.transform(X).dtype == single.landmarks_.dtype == np.float32
    np.testing.assert_allclose(
        single.transform(X), double.transform(X.astype(np.float64)), rtol=1e-3, atol=1e-4
    )


def test_a_second_fit_forgets_landmarks():
    X = rows(30)
    features = RandomFeatures(4, draw="rows", random_state=0).fit(X)
    features.set_params(draw="weights").fit(X)
    assert features.landmarks_ is None
    fresh = RandomFeatures(4, random_state=0).fit(X)
    np.testing.assert_array_equal(features.transform(X), fresh.transform(X))


def test_landmarks_in_pipelines_and_pickles():
    frame = pd.DataFrame(rows(9), columns=list("abcd"))
    pipeline = make_pipeline(StandardScaler(), RandomFeatures(3, draw="rows", random_state=0))
    found = pipeline.set_output(transform="pandas").fit_transform(frame)
    assert list(found.columns) == ["randomfeatures0", "randomfeatures1", "randomfeatures2"]
    again = pickle.loads(pickle.dumps(pipeline)).transform(frame)
    np.testing.assert_array_equal(again, found)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_components": 0}, "n_components"),
        ({"n_components": 2.5}, "n_components"),
        ({"n_components": "many"}, "n_components"),
        ({"kind": "sine"}, "kind"),
        ({"gamma": 0.0}, "gamma"),
        ({"gamma": "auto"}, "gamma"),
        ({"bias": "yes"}, "bias"),
        ({"draw": "columns"}, "draw"),
        ({"kind": own_kind, "draw": "rows"}, "choose draw='weights'"),
        ({"kind": "fourier", "bias": True}, "leave it out"),
        ({"kind": own_kind, "bias": True}, "leave it out"),
        ({"kind": own_kind, "n_components": "inf"}, "limit kernel"),
        ({"random_state": "seed"}, "random_state"),
    ],
)
def test_parameters_that_make_no_sense(params, message):
    with pytest.raises(ValueError, match=message):
        RandomFeatures(**params).fit(rows())


def test_what_cannot_be_computed_is_refused():
    X = rows()
    with pytest.raises(ValueError, match="limit_kernel"):
        RandomFeatures("inf").fit(X).transform(X)
    with pytest.raises(ValueError, match="not known"):
        RandomFeatures(3, kind=own_kind).fit(X).limit_kernel(X)
    with pytest.raises(ValueError, match="must return shape"):
        RandomFeatures(3, kind=lambda X, rng, k: X).fit(X).transform(X)
    with pytest.raises(ValueError, match="features"):
        RandomFeatures(3).fit(X).limit_kernel(X, X[:, :2])
