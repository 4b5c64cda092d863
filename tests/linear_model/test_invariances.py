"""What must not, or must, change when data, weights or strengths are transformed."""

import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose
from sklearn.base import clone

from skreg.linear_model import (
    ElasticNet,
    GroupLasso,
    HuberLasso,
    Lasso,
    MultiTaskLasso,
    NonNegativeLeastSquares,
    SparseLogisticRegression,
    SparsePoissonRegressor,
)

TOL = 1e-12
STRENGTH = 0.03
MODELS = {
    "lasso": Lasso(STRENGTH),
    "nonnegative lasso": Lasso(STRENGTH, positive=True),
    "elastic net": ElasticNet(STRENGTH, l1_ratio=0.6),
    "groups": GroupLasso([0, 0, 1, 1, 2, 2, 3, 3], alpha=STRENGTH),
    "tasks": MultiTaskLasso(STRENGTH),
    "nonnegative": NonNegativeLeastSquares(),
    "huber": HuberLasso(STRENGTH, delta=0.5),
    "poisson": SparsePoissonRegressor(STRENGTH, l1_ratio=0.8),
    "logistic": SparseLogisticRegression(STRENGTH),
    "multinomial": SparseLogisticRegression(STRENGTH),
    "row groups": SparseLogisticRegression(STRENGTH, row_groups=True),
}
WITH_STRENGTH = [name for name in MODELS if name != "nonnegative"]


def problem(name, seed=0, n_samples=40):
    """Features, and a target that suits the model."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples, 8))
    X[np.abs(X) < 0.4] = 0.0
    signal = X[:, 0] - X[:, 1] + 0.5 * X[:, 3] + rng.normal(size=n_samples)
    targets = {
        "tasks": np.column_stack([signal, 2 - signal**2]),
        "poisson": rng.poisson(np.exp(0.4 * signal)),
        "logistic": signal > 0,
        "multinomial": np.digitize(signal, [-1.0, 1.0]),
        "row groups": np.digitize(signal, [-1.0, 1.0]),
    }
    return X, targets.get(name, signal), rng


def exact(name):
    return clone(MODELS[name]).set_params(tol=TOL)


def assert_same_fit(one, other, atol=1e-7):
    assert_allclose(one.coef_, other.coef_, atol=atol)
    assert_allclose(one.intercept_, other.intercept_, atol=atol)


@pytest.mark.parametrize("name", MODELS)
def test_integer_weights_are_repetitions(name):
    X, y, rng = problem(name)
    counts = rng.integers(0, 4, size=len(X))
    weighted = exact(name).fit(X, y, sample_weight=counts)
    repeated = exact(name).fit(np.repeat(X, counts, axis=0), np.repeat(y, counts, axis=0))
    assert_same_fit(weighted, repeated)


@pytest.mark.parametrize("name", MODELS)
def test_scale_of_the_weights_and_scalar_weights_do_not_matter(name):
    X, y, rng = problem(name)
    weight = rng.uniform(0.5, 2.0, size=len(X))
    one = exact(name).fit(X, y, sample_weight=weight)
    assert_same_fit(one, exact(name).fit(X, y, sample_weight=100 * weight))
    assert_same_fit(exact(name).fit(X, y), exact(name).fit(X, y, sample_weight=3.0))


@pytest.mark.parametrize("name", MODELS)
def test_sparse_equals_dense(name):
    X, y, rng = problem(name)
    weight = rng.uniform(0.5, 2.0, size=len(X))
    dense = exact(name).fit(X, y, sample_weight=weight)
    for container in [scipy.sparse.csc_array, scipy.sparse.csr_matrix, scipy.sparse.coo_array]:
        sparse = exact(name).fit(container(X), y, sample_weight=weight)
        assert_same_fit(dense, sparse)
    assert_allclose(dense.predict(scipy.sparse.csr_array(X)), dense.predict(X))
    large = scipy.sparse.csc_array(X)
    large.indices, large.indptr = large.indices.astype(np.int64), large.indptr.astype(np.int64)
    assert_same_fit(dense, exact(name).fit(large, y, sample_weight=weight))


@pytest.mark.parametrize("name", [name for name in MODELS if name != "groups"])
def test_permuted_features_permute_the_coefficients(name):
    X, y, rng = problem(name)
    order = rng.permutation(X.shape[1])
    one, other = exact(name).fit(X, y), exact(name).fit(X[:, order], y)
    assert_allclose(one.coef_[..., order], other.coef_, atol=1e-7)


@pytest.mark.parametrize("name", ["lasso", "nonnegative lasso", "groups", "tasks"])
def test_scaled_target_and_strength_scale_the_coefficients(name):
    X, y, _ = problem(name)
    for scale in [1e-6, 1e6]:
        one = exact(name).fit(X, y)
        other = exact(name).set_params(alpha=STRENGTH * scale).fit(X, y * scale)
        assert_allclose(other.coef_, scale * one.coef_, atol=1e-6 * scale)


@pytest.mark.parametrize("name", WITH_STRENGTH)
def test_alpha_max_is_the_first_strength_without_features(name):
    X, y, rng = problem(name)
    weight = rng.uniform(0.5, 2.0, size=len(X))
    largest = exact(name).alpha_max(X, y, sample_weight=weight)
    at = exact(name).set_params(alpha=largest * (1 + 1e-9)).fit(X, y, sample_weight=weight)
    assert not at.coef_.any()
    assert len(at.active_set_) == 0
    assert at.n_iter_ == 0  # the starting point is certified before any working set
    below = exact(name).set_params(alpha=0.999 * largest).fit(X, y, sample_weight=weight)
    n_entered = 2 if name == "groups" else 1
    assert len(below.active_set_) == n_entered


@pytest.mark.parametrize("name", [name for name in WITH_STRENGTH if name != "groups"])
def test_constant_penalty_weights_scale_the_strength(name):
    X, y, _ = problem(name)
    weighted = exact(name).set_params(penalty_weights=np.full(8, 2.5)).fit(X, y)
    stronger = exact(name).set_params(alpha=2.5 * STRENGTH).fit(X, y)
    assert_same_fit(weighted, stronger)


@pytest.mark.parametrize("name", [name for name in WITH_STRENGTH if name != "groups"])
def test_infinite_penalty_weight_excludes_a_feature(name):
    X, y, _ = problem(name)
    weights = np.ones(8)
    weights[[0, 5]] = np.inf
    excluded = exact(name).set_params(penalty_weights=weights).fit(X, y)
    without = exact(name).fit(np.delete(X, [0, 5], axis=1), y)
    assert not excluded.coef_[..., [0, 5]].any()
    assert_allclose(np.delete(excluded.coef_, [0, 5], axis=-1), without.coef_, atol=1e-7)


@pytest.mark.parametrize("name", [n for n in WITH_STRENGTH if n not in ("groups", "elastic net")])
def test_zero_penalty_weight_frees_a_feature(name):
    X, y, _ = problem(name)
    weights = np.ones(8)
    weights[3] = 0.0
    free = exact(name).set_params(penalty_weights=weights, alpha=1e3).fit(X, y)
    alone = exact(name).set_params(alpha=0.0).fit(X[:, [3]], y)
    assert np.array_equal(free.active_set_, [3])
    scores = X @ free.coef_.T + free.intercept_, X[:, [3]] @ alone.coef_.T + alone.intercept_
    if name in ("multinomial", "row groups"):  # a common shift leaves the probabilities
        scores = [s - s.mean(axis=1, keepdims=True) for s in scores]
    assert_allclose(*scores, atol=1e-5)


def test_group_weights_free_and_exclude():
    X, y, _ = problem("groups")
    groups = ["c", "c", "a", "a", "b", "b", "b", "d"]
    model = GroupLasso(groups, alpha=1e3, penalty_weights=[0.0, 1.0, np.inf, 1.0], tol=TOL).fit(
        X, y
    )
    assert np.array_equal(model.active_set_, [2, 3])
    model.set_params(alpha=0.0).fit(X, y)
    assert np.array_equal(model.active_set_, [2, 3, 4, 5, 6, 7])


def test_group_lasso_of_singletons_is_the_lasso():
    X, y, _ = problem("lasso")
    lasso = exact("lasso").fit(X, y)
    for groups in [None, 1, np.arange(8), [[j] for j in range(8)]]:
        assert_same_fit(lasso, GroupLasso(groups, alpha=STRENGTH, tol=TOL).fit(X, y))


def test_groups_given_in_different_ways_are_the_same():
    X, y, _ = problem("groups")
    fits = [
        GroupLasso(groups, alpha=STRENGTH, tol=TOL).fit(X, y)
        for groups in (
            2,
            [0, 0, 1, 1, 2, 2, 3, 3],
            list("zzyyxxww"),
            [[7, 6], [5, 4], [1, 0], [2, 3]],
        )
    ]
    for fit in fits[1:]:
        assert_same_fit(fits[0], fit)


@pytest.mark.parametrize("model", [ElasticNet(0.05, tol=TOL), SparsePoissonRegressor(tol=TOL)])
def test_l1_ratio_one_is_the_l1_limit(model):
    X, y, _ = problem("poisson")
    at = clone(model).set_params(l1_ratio=1.0).fit(X, y)
    near = clone(model).set_params(l1_ratio=1 - 1e-9).fit(X, y)
    assert_same_fit(at, near, atol=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_single_precision_keeps_its_type_and_about_its_digits(name):
    X, y, _ = problem(name)
    X = X.astype(np.float32)
    single = clone(MODELS[name]).fit(X, y)
    double = clone(MODELS[name]).fit(X.astype(np.float64), y)
    assert single.coef_.dtype == np.float32
    assert_allclose(single.coef_, double.coef_, atol=1e-3)


@pytest.mark.parametrize("name", MODELS)
def test_constant_columns_and_duplicated_rows_do_no_harm(name):
    X, y, _ = problem(name)
    X[:, 7] = 3.0
    model = exact(name).fit(np.repeat(X, 2, axis=0), np.repeat(y, 2, axis=0))
    once = exact(name).fit(X, y)
    assert_same_fit(model, once)
    assert not model.coef_[..., 7].any()


@pytest.mark.filterwarnings("error")
def test_constant_target_gives_the_constant():
    X, _, _ = problem("lasso")
    for model in [Lasso(), ElasticNet(), HuberLasso(), GroupLasso(), NonNegativeLeastSquares()]:
        model.fit(X, np.full(len(X), 7.0))
        assert_allclose(model.predict(X), 7.0)
        assert_allclose(model.coef_, 0.0, atol=1e-14)


def test_separate_outputs_equal_separate_fits():
    X, y, _ = problem("tasks")
    both = exact("lasso").fit(X, y)
    path = exact("lasso").path(X, y, alphas=4)
    assert path.coefs.shape == (2, 8, 4)
    assert path.intercepts.shape == (2, 4)
    for k in range(2):
        alone = exact("lasso").fit(X, y[:, k])
        assert_allclose(both.coef_[k], alone.coef_)
        assert_allclose(both.intercept_[k], alone.intercept_)
        assert both.dual_gap_[k] <= TOL
    assert both.predict(X).shape == y.shape
