"""Coefficients and objectives against scikit-learn, cvxpy and closed forms."""

import cvxpy as cp
import numpy as np
import pytest
import sklearn.linear_model as reference
from numpy.testing import assert_allclose
from scipy.optimize import nnls

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


@pytest.fixture(scope="module")
def data():
    """Correlated features, sparse truth, weights."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 30)) + rng.normal(size=(80, 1))
    signal = X[:, :4] @ [1.0, -0.8, 0.6, 0.4]
    return X, signal, rng.uniform(0.2, 2.0, size=80), rng


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_lasso_and_elastic_net_equal_scikit_learn(data, fit_intercept, positive, weighted):
    X, y, weight, _ = data
    options = {"fit_intercept": fit_intercept, "positive": positive}
    weight = weight if weighted else None
    for ours, theirs in [
        (Lasso(0.05, **options), reference.Lasso(0.05, **options)),
        (
            ElasticNet(0.1, l1_ratio=0.3, **options),
            reference.ElasticNet(0.1, l1_ratio=0.3, **options),
        ),
    ]:
        ours.set_params(tol=1e-14).fit(X, y, sample_weight=weight)
        theirs.set_params(tol=1e-14, max_iter=100_000).fit(X, y, sample_weight=weight)
        assert_allclose(ours.coef_, theirs.coef_, atol=1e-9)
        assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-9)
        assert_allclose(ours.predict(X), theirs.predict(X), atol=1e-8)


def test_multi_task_lasso_equals_scikit_learn(data):
    X, y, _, _ = data
    Y = np.column_stack([y, X[:, 7] - y, y**2])
    ours = MultiTaskLasso(0.3, tol=1e-14).fit(X, Y)
    theirs = reference.MultiTaskLasso(0.3, tol=1e-14, max_iter=100_000).fit(X, Y)
    assert 0 < len(ours.active_set_) < 30
    assert_allclose(ours.coef_, theirs.coef_, atol=1e-8)
    assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-8)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_binary_logistic_equals_liblinear_and_saga(data, fit_intercept):
    X, signal, _, _ = data
    y = np.where(signal > 0, "yes", "no")
    alpha, n = 0.02, len(y)
    # liblinear penalises its intercept, hence only without one
    solver = "saga" if fit_intercept else "liblinear"
    theirs = reference.LogisticRegression(
        C=1 / (alpha * n), l1_ratio=1, solver=solver, fit_intercept=fit_intercept,
        tol=1e-9, max_iter=100_000, random_state=0,
    ).fit(X, y)  # fmt: skip
    ours = SparseLogisticRegression(alpha, fit_intercept=fit_intercept, tol=1e-13).fit(X, y)
    assert_allclose(ours.coef_, theirs.coef_, atol=2e-5)
    assert_allclose(ours.intercept_, theirs.intercept_, atol=2e-5)
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-5)
    assert_allclose(ours.predict_log_proba(X), np.log(ours.predict_proba(X)))
    assert np.array_equal(ours.classes_, ["no", "yes"])
    assert np.array_equal(ours.predict(X), theirs.predict(X))


def multinomial_objective(row_groups, y, Z, W, alpha, rho, weight, weights):
    one_hot = np.eye(3)[y]
    loss = weight @ (cp.log_sum_exp(Z, axis=1) - cp.sum(cp.multiply(one_hot, Z), axis=1))
    norms = cp.norm(W, 2, axis=1) if row_groups else cp.sum(cp.abs(W), axis=1)
    entries = weights @ norms
    squares = weights @ cp.sum(cp.square(W), axis=1)
    return loss / weight.sum() + alpha * (rho * entries + (1 - rho) / 2 * squares)


@pytest.mark.parametrize("row_groups", [False, True])
@pytest.mark.parametrize("l1_ratio", [0.4, 1.0])
def test_multinomial_objective_equals_interior_point(data, row_groups, l1_ratio):
    X, signal, weight, rng = data
    X = X[:, :12]
    y = np.digitize(signal + X[:, 5], [-1.0, 1.0])
    weights = rng.uniform(0.5, 2.0, size=12)
    W, b = cp.Variable((12, 3)), cp.Variable((1, 3))
    Z = X @ W + np.ones((80, 1)) @ b
    objective = multinomial_objective(row_groups, y, Z, W, 0.03, l1_ratio, weight, weights)
    optimum = cp.Problem(cp.Minimize(objective)).solve(cp.CLARABEL)
    model = SparseLogisticRegression(
        0.03, row_groups=row_groups, l1_ratio=l1_ratio, penalty_weights=weights, tol=1e-12
    ).fit(X, y, sample_weight=weight)
    W.value, b.value = model.coef_.T, model.intercept_[None]
    assert_allclose(objective.value, optimum, rtol=1e-7)
    assert_allclose(model.intercept_.sum(), 0.0, atol=1e-12)
    shares = np.exp(Z.value) / np.exp(Z.value).sum(axis=1, keepdims=True)
    assert_allclose(model.predict_proba(X), shares, atol=1e-12)


def test_row_groups_with_two_classes_are_l1(data):
    X, signal, _, _ = data
    rows = SparseLogisticRegression(0.02, row_groups=True, tol=1e-12).fit(X, signal > 0)
    entries = SparseLogisticRegression(0.02, tol=1e-12).fit(X, signal > 0)
    assert_allclose(rows.coef_, entries.coef_, atol=1e-8)


@pytest.mark.parametrize(("l1_ratio", "positive"), [(1.0, False), (0.5, False), (0.7, True)])
def test_poisson_objective_equals_interior_point(data, l1_ratio, positive):
    X, signal, weight, _ = data
    y = np.random.default_rng(1).poisson(np.exp(0.3 * signal)).astype(float)
    w, b = cp.Variable(30, nonneg=positive), cp.Variable()
    z = X @ w + b
    penalty = l1_ratio * cp.norm1(w) + (1 - l1_ratio) / 2 * cp.sum_squares(w)
    objective = weight @ (cp.exp(z) - cp.multiply(y, z)) / weight.sum() + 0.05 * penalty
    optimum = cp.Problem(cp.Minimize(objective)).solve(cp.CLARABEL)
    model = SparsePoissonRegressor(0.05, l1_ratio=l1_ratio, positive=positive, tol=1e-12)
    model.fit(X, y, sample_weight=weight)
    w.value, b.value = np.array(model.coef_), model.intercept_
    assert_allclose(objective.value, optimum, rtol=1e-7)
    assert_allclose(model.predict(X), np.exp(X @ model.coef_ + model.intercept_))


def test_poisson_ridge_limit_equals_scikit_learn(data):
    X, signal, weight, _ = data
    y = np.random.default_rng(1).poisson(np.exp(0.3 * signal))
    ours = SparsePoissonRegressor(0.1, l1_ratio=0.0, tol=1e-13).fit(X, y, sample_weight=weight)
    theirs = reference.PoissonRegressor(alpha=0.1, tol=1e-10, max_iter=10_000)
    theirs.fit(X, y, sample_weight=weight)
    assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)
    assert_allclose(ours.score(X, y, weight), theirs.score(X, y, weight), rtol=1e-8)


@pytest.mark.parametrize("positive", [False, True])
def test_huber_objective_equals_interior_point(data, positive):
    X, signal, weight, _ = data
    y = signal + np.random.default_rng(2).standard_t(1.5, size=80)
    w, b = cp.Variable(30, nonneg=positive), cp.Variable()
    # cvxpy's huber is twice the loss
    loss = weight @ cp.huber(y - X @ w - b, 0.8) / (2 * weight.sum())
    objective = loss + 0.05 * cp.norm1(w)
    optimum = cp.Problem(cp.Minimize(objective)).solve(cp.CLARABEL)
    model = HuberLasso(0.05, delta=0.8, positive=positive, tol=1e-12)
    model.fit(X, y, sample_weight=weight)
    w.value, b.value = np.array(model.coef_), model.intercept_
    assert_allclose(objective.value, optimum, rtol=1e-7)


def test_huber_with_large_delta_is_the_lasso(data):
    X, y, _, _ = data
    robust = HuberLasso(0.1, delta=1e6, tol=1e-13).fit(X, y)
    assert_allclose(robust.coef_, Lasso(0.1, tol=1e-13).fit(X, y).coef_, atol=1e-8)


def test_group_lasso_objective_equals_interior_point(data):
    X, y, weight, _ = data
    groups, alpha = np.arange(30) % 7, 0.2
    w, b = cp.Variable(30), cp.Variable()
    penalty = sum(np.sqrt(np.sum(groups == g)) * cp.norm2(w[groups == g]) for g in range(7))
    loss = weight @ cp.square(y - X @ w - b) / (2 * weight.sum())
    optimum = cp.Problem(cp.Minimize(loss + alpha * penalty)).solve(cp.CLARABEL)
    model = GroupLasso(groups, alpha=alpha, tol=1e-12).fit(X, y, sample_weight=weight)
    w.value, b.value = np.array(model.coef_), model.intercept_
    assert 0 < len(model.active_set_) < 30
    assert_allclose((loss + alpha * penalty).value, optimum, rtol=1e-7)


def test_nonnegative_least_squares_equals_lawson_hanson(data):
    X, y, weight, _ = data
    root = np.sqrt(weight)
    expected, _ = nnls(root[:, None] * X, root * y)
    model = NonNegativeLeastSquares(fit_intercept=False, tol=1e-12)
    model.fit(X, y, sample_weight=weight)
    assert_allclose(model.coef_, expected, atol=1e-9)
    assert np.isnan(model.dual_gap_)
    assert model.kkt_residual_ <= 1e-12


def test_nonnegative_least_squares_equals_scikit_learn_with_intercept_and_outputs(data):
    X, y, _, _ = data
    Y = np.column_stack([y, 1.0 - y])
    ours = NonNegativeLeastSquares(tol=1e-12).fit(X, Y)
    theirs = reference.LinearRegression(positive=True).fit(X, Y)
    assert_allclose(ours.coef_, theirs.coef_, atol=1e-8)
    assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-8)


def test_orthonormal_design_soft_thresholds(data):
    rng = np.random.default_rng(3)
    X = np.linalg.qr(rng.normal(size=(50, 10)))[0] * np.sqrt(50)
    y = rng.normal(size=50)
    correlation = X.T @ y / 50
    expected = np.sign(correlation) * np.maximum(np.abs(correlation) - 0.05, 0.0)
    model = Lasso(0.05, fit_intercept=False, tol=1e-14).fit(X, y)
    assert_allclose(model.coef_, expected, atol=1e-10)


@pytest.mark.parametrize("alpha_ratio", [0.5, 0.05])
def test_dual_gap_bounds_the_suboptimality(data, alpha_ratio):
    X, y, _, _ = data
    alpha = alpha_ratio * Lasso().alpha_max(X, y)

    def objective(model):
        residual = y - model.predict(X)
        return residual @ residual / 160 + alpha * np.abs(model.coef_).sum()

    exact = objective(Lasso(alpha, tol=1e-13).fit(X, y))
    for tol in [1e-1, 1e-2, 1e-4]:
        model = Lasso(alpha, tol=tol).fit(X, y)
        assert model.dual_gap_ <= tol
        assert objective(model) - exact <= (model.dual_gap_ + 1e-12) * np.var(y) / 2


def test_alpha_zero_is_least_squares(data):
    X, y, weight, _ = data
    model = Lasso(0.0, tol=1e-12).fit(X, y, sample_weight=weight)
    expected = reference.LinearRegression().fit(X, y, sample_weight=weight)
    assert_allclose(model.coef_, expected.coef_, atol=1e-8)
    assert abs(model.dual_gap_) <= 1e-12
