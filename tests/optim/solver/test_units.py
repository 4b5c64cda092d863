"""Columns and targets far from zero, in any unit, free and penalised ones side by side."""

import cvxpy as cp
import numpy as np
import pytest
import scipy.sparse
from scipy.optimize import minimize_scalar
from sklearn import linear_model as reference

from skreg.optim import (
    L1,
    ElasticNet,
    GroupL2,
    Huber,
    Logistic,
    Multinomial,
    Poisson,
    Quadratic,
    duality_gap,
    penalty_max,
    solve,
    solve_path,
)


def wide_data(n=40, p=60, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    return X, X[:, :3] @ [1.0, -1.0, 0.5] + 0.3 * rng.normal(size=n)


@pytest.mark.parametrize("shape", [(40, 60), (200, 10)], ids=["wide", "tall"])
@pytest.mark.parametrize("far", [1e4, 1e6, 1e8])
@pytest.mark.parametrize("as_matrix", [np.asfortranarray, scipy.sparse.csr_array])
def test_an_offset_of_a_column_moves_nothing_but_the_intercept(shape, far, as_matrix):
    X, y = wide_data(*shape)
    offset = np.where(np.arange(X.shape[1]) % 2 == 0, far, 0.0)
    scikit = reference.Lasso(alpha=0.02, tol=1e-14, max_iter=10**6).fit(X, y)
    found = solve(as_matrix(X + offset), y, Quadratic(), L1(0.02), tol=1e-12)
    assert found.converged
    digits = 10 * np.finfo(float).eps * far
    np.testing.assert_allclose(found.coef, scikit.coef_, atol=digits + 1e-7)
    moved = scikit.intercept_ - offset @ scikit.coef_
    np.testing.assert_allclose(found.intercept, moved, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("loss", [Quadratic(), Huber(0.5), Logistic(), Poisson(), Multinomial()])
@pytest.mark.parametrize("penalty", [L1(0.02), GroupL2(0.02), ElasticNet(0.02, 0.5)])
def test_every_loss_and_penalty_forgets_the_offset(loss, penalty):
    X, y = wide_data()
    if isinstance(loss, Logistic):
        y = np.where(y > 0, 1.0, -1.0)
    elif isinstance(loss, Poisson):
        y = np.round(np.exp(np.clip(y, -2, 2)))
    elif isinstance(loss, Multinomial):
        y = np.eye(3)[np.digitize(y, [-0.5, 0.5])]
    near = solve(X, y, loss, penalty, tol=1e-12)
    far = solve(X + 1e7, y, loss, penalty, tol=1e-12)
    assert far.converged
    assert far.objective == pytest.approx(near.objective, rel=1e-9)
    np.testing.assert_allclose(far.coef, near.coef, atol=1e-6)


def test_seconds_since_1970_beside_ordinary_columns():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 20))
    X[:, 0] = 1.7e9 + 60.0 * X[:, 0]
    y = (X[:, 0] - 1.7e9) / 60.0 + X[:, 1] + rng.normal(size=300)
    weights = np.ones(20)
    weights[0] = 60.0
    centred = X.copy()
    centred[:, 0] = (X[:, 0] - 1.7e9) / 60.0
    scikit = reference.Lasso(alpha=0.1, tol=1e-14, max_iter=10**6).fit(centred, y)
    found = solve(X, y, Quadratic(), L1(0.1, weights), tol=1e-12)
    predicted = X @ found.coef + found.intercept
    np.testing.assert_allclose(predicted, scikit.predict(centred), atol=1e-5)


def test_float32_columns_far_from_zero_are_centred_in_double_precision():
    X, y = wide_data(100, 8)
    far = (X + 1000.0).astype(np.float32)
    found = solve(far, y, Quadratic(), L1(0.02), tol=1e-12)
    exact = reference.Lasso(alpha=0.02, tol=1e-14).fit(far.astype(float) - 1000.0, y)
    np.testing.assert_allclose(found.coef, exact.coef_, atol=1e-8)


@pytest.mark.parametrize("loss", [Quadratic(), Huber(0.5)])
def test_an_offset_of_the_target_moves_the_intercept(loss):
    X, y = wide_data()
    near = solve(X, y, loss, L1(0.02), tol=1e-10)
    far = solve(X, y + 1e8, loss, L1(0.02), tol=1e-10)
    assert far.converged
    np.testing.assert_allclose(far.coef, near.coef, atol=1e-6)
    assert far.intercept - 1e8 == pytest.approx(near.intercept, abs=1e-6)


def test_a_path_through_far_columns_equals_single_solutions():
    X, y = wide_data()
    penalties = [L1(a) for a in (0.5, 0.1, 0.02)]
    for single, step in zip(
        [solve(X + 1e6, y, Quadratic(), p, tol=1e-12) for p in penalties],
        solve_path(X + 1e6, y, Quadratic(), penalties, tol=1e-12),
        strict=True,
    ):
        np.testing.assert_allclose(step.coef, single.coef, atol=1e-8)
        assert step.intercept == pytest.approx(single.intercept, rel=1e-8)


def free_problem(seed):
    """Unpenalised columns on scales from 1e-6 to 1e3 beside four penalised ones of scale one."""
    rng = np.random.default_rng(seed)
    F = rng.normal(size=(60, 8)) * 10.0 ** np.array([-6, -5, -4, -3, 0, 1, 2, 3])
    Z = rng.normal(size=(60, 4))
    y = (F / F.std(axis=0)).sum(axis=1) + Z[:, 0] + rng.normal(size=60)
    return F, Z, y


@pytest.mark.parametrize("as_matrix", [np.asfortranarray, scipy.sparse.csc_array])
@pytest.mark.parametrize("seed", range(10))
def test_unpenalised_columns_of_all_scales_are_projected_out(seed, as_matrix):
    F, Z, y = free_problem(seed)
    basis = np.linalg.qr(np.c_[np.ones(60), F / F.std(axis=0)])[0]
    rest = Z - basis @ (basis.T @ Z), y - basis @ (basis.T @ y)
    scikit = reference.Lasso(0.3, fit_intercept=False, tol=1e-14, max_iter=10**6).fit(*rest)
    penalty = L1(0.3, np.r_[np.zeros(8), np.ones(4)])
    found = solve(as_matrix(np.c_[F, Z]), y, Quadratic(), penalty, tol=1e-10)
    assert found.converged
    assert abs(found.gap) <= 1e-10
    np.testing.assert_allclose(found.coef[8:], scikit.coef_, atol=1e-6)


@pytest.mark.parametrize("scale", [1e2, 1e5, 1e8])
@pytest.mark.parametrize("loss_name", ["quadratic", "logistic", "poisson"])
def test_small_free_columns_beside_large_penalised_ones(loss_name, scale):
    rng = np.random.default_rng(1)
    F, Z = rng.uniform(0, 0.1, size=(100, 2)), rng.lognormal(size=(100, 5))
    eta = 30 * (F[:, 0] - 0.05) + Z[:, 0] - 0.8
    w, v, b = cp.Variable(2), cp.Variable(5), cp.Variable()
    z = 10 * F @ w + Z @ v + b
    if loss_name == "quadratic":
        loss, y = Quadratic(), eta + rng.normal(size=100)
        mean_loss = cp.sum_squares(y - z) / 200
    elif loss_name == "logistic":
        loss, y = Logistic(), np.where(eta + rng.logistic(size=100) > 0, 1.0, -1.0)
        mean_loss = cp.sum(cp.logistic(-cp.multiply(y, z))) / 100
    else:
        loss, y = Poisson(), rng.poisson(np.exp(np.clip(eta, -3, 2))).astype(float)
        constant = np.sum(np.where(y > 0, y * np.log(np.maximum(y, 1)), 0) - y)
        mean_loss = (cp.sum(cp.exp(z) - cp.multiply(y, z)) + constant) / 100
    X = scipy.sparse.csc_array(np.c_[F, scale * Z])
    weights = np.r_[0, 0, np.ones(5)]
    alpha = 0.1 * penalty_max(X, y, loss, L1(1.0, weights))
    best = cp.Problem(cp.Minimize(mean_loss + alpha / scale * cp.norm1(v))).solve(solver="CLARABEL")
    found = solve(X, y, loss, L1(alpha, weights), tol=1e-8)
    assert found.converged
    assert found.objective == pytest.approx(best, rel=1e-6)


@pytest.mark.parametrize("constant", [None, 0.0, 1.0])
def test_without_a_penalty_more_columns_than_samples_interpolate(constant):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        X, y = rng.normal(size=(3, 9)), rng.normal(size=3)
        if constant is not None:
            X[:, 4] = constant
        found = solve(X, y, Quadratic(), L1(0.0))
        assert found.converged
        np.testing.assert_allclose(X @ found.coef + found.intercept, y, atol=1e-5)


def test_an_excluded_column_leaves_the_others_unpenalised():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 4)), rng.normal(size=30)
    found = solve(X, y, Quadratic(), L1(0.0, np.array([1.0, np.inf, 1.0, 1.0])), tol=1e-12)
    ones = np.column_stack([np.ones(30), X[:, [0, 2, 3]]])
    expected = np.linalg.lstsq(ones, y, rcond=None)[0]
    np.testing.assert_allclose(found.coef, np.r_[expected[1], 0.0, expected[2:]], atol=1e-10)


@pytest.mark.parametrize("apart", [1e-4, 1e-8, 1e-10])
def test_nearly_equal_unpenalised_columns_are_told_apart(apart):
    rng = np.random.default_rng(0)
    first, difference = rng.normal(size=(2, 50))
    X = np.c_[first, first + apart * difference, rng.normal(size=(50, 3))]
    y = first + 2 * difference + rng.normal(size=50)
    told = np.c_[np.ones(50), first, difference, X[:, 2:]]
    best = np.mean((y - told @ np.linalg.lstsq(told, y, rcond=None)[0]) ** 2)
    found = solve(X, y, Quadratic(), L1(0.0))
    assert found.converged
    reached = np.mean((y - X @ found.coef - found.intercept) ** 2)
    assert reached - best <= 3e-6 * np.var(y)


@pytest.mark.parametrize("scale", [1e-3, 1e2, 1e6])
def test_hubers_intercept_is_the_minimiser_in_any_unit(scale):
    rng = np.random.default_rng(0)
    y, delta = scale * rng.gamma(1.0, size=101), 0.5 * scale

    def mean_loss(b):
        size = np.abs(y - b)
        return np.where(size <= delta, size**2 / 2, delta * size - delta**2 / 2).mean()

    best = minimize_scalar(mean_loss, bracket=(np.median(y), y.mean()), tol=1e-12).fun
    found = solve(rng.normal(size=(101, 2)), y, Huber(delta), L1(1e9 * scale))
    assert found.objective == pytest.approx(best, rel=1e-10)
    assert abs(found.gap) <= 1e-6


def test_the_certificate_of_a_point_far_from_the_best_intercept_is_a_bound():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3))
    y = 100.0 + X[:, 0] + rng.normal(size=40)
    best = solve(X, y, Huber(1.35), L1(0.1), tol=1e-10).objective
    for intercept in (0.0, 50.0, 99.0, 1e6):
        found = duality_gap(X, y, Huber(1.35), L1(0.1), np.zeros(3), intercept)
        assert found.dual <= best + 1e-9
        assert found.gap > 0.0
