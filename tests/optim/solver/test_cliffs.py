"""Problems on which the solver once took many times the work of others, or gave up."""

import numpy as np
import pytest
import scipy.sparse
from sklearn.linear_model import Lasso, LogisticRegression, MultiTaskLasso

from skreg.optim import (
    L1,
    GroupL2,
    Huber,
    Logistic,
    Multinomial,
    Quadratic,
    duality_gap,
    penalty_max,
    solve,
    solve_path,
)
from skreg.optim.kernels import _newton

STARTS = np.array([0, 1, 2, 5, 6])


@pytest.fixture
def newton_steps(monkeypatch):
    """List that grows by one entry with each Newton direction on a Gram matrix."""
    steps, direction = [], _newton.newton_direction

    def counted(hessian, *arguments):
        steps.append(len(hessian))
        return direction(hessian, *arguments)

    monkeypatch.setattr(_newton, "newton_direction", counted)
    return steps


@pytest.mark.parametrize("alpha", [1e-4, 1e-6])
def test_row_sparse_least_squares_at_a_tiny_strength_take_few_newton_steps(alpha, newton_steps):
    rng = np.random.default_rng(1)
    X, W = rng.normal(size=(40, 80)), np.zeros((2, 80))
    W[:, :6] = rng.normal(size=(2, 6))
    Y = X @ W.T
    (found,) = solve_path(X, Y, Quadratic(), [GroupL2(alpha)], tol=1e-8)
    certificate = duality_gap(X, Y, Quadratic(), GroupL2(alpha), found.coef, found.intercept)
    assert certificate.gap <= 1.1e-8
    assert len(newton_steps) <= 30
    assert found.n_iter <= 20
    peer = MultiTaskLasso(alpha=1e-3, tol=1e-10, max_iter=10**5).fit(X, Y)
    ours = solve(X, Y, Quadratic(), GroupL2(1e-3), tol=1e-12)
    np.testing.assert_allclose(ours.coef, peer.coef_, atol=1e-5)


@pytest.mark.parametrize("n_outputs", [2, 3])
def test_newton_systems_of_all_outputs_together_are_the_dense_ones(n_outputs):
    rng = np.random.default_rng(0)
    A = rng.normal(size=(20, 6))
    hessian = A.T @ A
    coef, rhs = rng.normal(size=(2, n_outputs, 6))
    diagonal, rank_one = np.empty((n_outputs, 6)), np.zeros(4)
    whole = np.kron(np.eye(n_outputs), hessian)
    for b in range(4):
        block = np.arange(STARTS[b], STARTS[b + 1])
        norm = np.linalg.norm(coef[:, block])
        strength = 0.0 if b == 1 else 1.0 + b
        diagonal[:, block] = strength / norm
        rank_one[b] = -strength / norm**3
        places = (np.arange(n_outputs)[:, None] * 6 + block).ravel()
        w = coef[:, block].ravel()
        whole[np.ix_(places, places)] += np.diag(np.full(len(w), strength / norm))
        whole[np.ix_(places, places)] += rank_one[b] * np.outer(w, w)
    found = _newton.solve_outputs(hessian, STARTS, diagonal, rank_one, coef, rhs)
    np.testing.assert_allclose(found.ravel(), np.linalg.solve(whole, rhs.ravel()), rtol=1e-9)


def test_newton_systems_of_separate_outputs_leave_frozen_entries():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(20, 6))
    rhs, diagonal = rng.normal(size=(2, 6)), np.full((2, 6), 0.3)
    frozen = rng.random((2, 6)) < 0.4
    found = _newton.solve_each_output(A.T @ A, diagonal, frozen, rhs)
    assert not found[frozen].any()
    for k in range(2):
        free = ~frozen[k]
        hessian = (A.T @ A)[np.ix_(free, free)] + 0.3 * np.eye(free.sum())
        np.testing.assert_allclose(found[k, free], np.linalg.solve(hessian, rhs[k, free]))


def huber_optimum(X, y, delta, alpha):
    """Least mean Huber loss plus alpha ||w||_1 with an intercept, by CLARABEL."""
    cp = pytest.importorskip("cvxpy")
    w, b = cp.Variable(X.shape[1]), cp.Variable()
    value = cp.sum(cp.huber(X @ w + b - y, delta)) / (2 * len(y)) + alpha * cp.norm1(w)
    problem = cp.Problem(cp.Minimize(value))
    problem.solve(solver=cp.CLARABEL)
    return problem.value


@pytest.mark.parametrize("delta", [3e-3, 3e-2])
@pytest.mark.parametrize("seed", [0, 2, 3])
def test_huber_with_few_residuals_inside_delta_reaches_its_tolerance(delta, seed):
    """The Hessian of so few samples is singular on the face; its kinks are everywhere."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(100, 80))
    y = X[:, :5] @ rng.normal(size=5) + rng.standard_t(2, size=100)
    loss = Huber(delta)
    alpha = 1e-3 * penalty_max(X, y, loss, L1(1.0))
    found = solve(X, y, loss, L1(alpha), tol=1e-6)
    certificate = duality_gap(X, y, loss, L1(alpha), found.coef, found.intercept)
    null = duality_gap(X, y, loss, L1(alpha), np.zeros(80), np.median(y)).primal
    assert found.converged
    assert certificate.gap <= 2e-6
    assert abs(found.objective - huber_optimum(X, y, delta, alpha)) <= 2e-6 * null


def test_huber_with_as_many_nonzeros_as_samples_takes_few_working_sets():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 400))
    y = X[:, :5] @ rng.normal(size=5) + rng.standard_t(2, size=60)
    loss = Huber(0.3)
    alpha = 1e-3 * penalty_max(X, y, loss, L1(1.0))
    found = solve(X, y, loss, L1(alpha), tol=1e-6)
    assert np.count_nonzero(found.coef) >= 55
    assert found.converged
    assert duality_gap(X, y, loss, L1(alpha), found.coef, found.intercept).gap <= 2e-6


def one_hot(seed, n_samples, n_columns, n_levels):
    """Rare and frequent levels of categories, and a response that many of them separate."""
    rng = np.random.default_rng(seed)
    codes = rng.zipf(1.3, size=(n_samples, n_columns)) % n_levels
    rows, ones = np.arange(n_samples), np.ones(n_samples)
    X = scipy.sparse.hstack(
        [
            scipy.sparse.csc_array((ones, (rows, codes[:, c])), shape=(n_samples, n_levels))
            for c in range(n_columns)
        ],
        format="csc",
    )
    X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)
    effect = 2.0 * rng.normal(size=(n_columns, n_levels))
    score = effect[np.arange(n_columns), codes].sum(axis=1) + rng.logistic(size=n_samples)
    return X, np.where(score > 0.0, 1.0, -1.0)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_one_hot_logistic_at_a_tiny_strength_reaches_its_tolerance(fit_intercept):
    X, y = one_hot(0, 1000, 8, 400)
    found = solve(X, y, Logistic(), L1(1e-6), fit_intercept=fit_intercept, tol=1e-6)
    assert found.converged
    certificate = duality_gap(
        X, y, Logistic(), L1(1e-6), found.coef, found.intercept, fit_intercept=fit_intercept
    )
    assert certificate.gap <= 2e-6
    if not fit_intercept:
        peer = LogisticRegression(
            C=1e6 / len(y), l1_ratio=1.0, solver="liblinear", fit_intercept=False, tol=1e-4
        ).fit(X, y)
        other = duality_gap(X, y, Logistic(), L1(1e-6), peer.coef_[0], fit_intercept=False).primal
        assert found.objective <= other * (1 + 1e-6)


def test_a_feature_of_one_hopeless_sample_does_not_run_away():
    """At -800 the logistic loss has a slope and no curvature; Newton's step there is infinite."""
    X = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 1.0]]) * [800.0, 1.0]
    y = np.array([-1.0, -1.0, 1.0])
    found = solve(
        scipy.sparse.csc_array(X), y, Logistic(), L1(1e-4), fit_intercept=False,
        coef_init=np.array([-1.0, 0.0]), tol=1e-8,
    )  # fmt: skip
    cold = solve(X, y, Logistic(), L1(1e-4), fit_intercept=False, tol=1e-8)
    assert found.converged
    assert found.objective == pytest.approx(cold.objective, rel=1e-6)


@pytest.mark.parametrize("ratio", [10, 60])
def test_short_sparse_lasso_takes_few_working_sets(ratio):
    X = scipy.sparse.random_array((1000, 12000), density=0.004, format="csc", rng=0)
    rng = np.random.default_rng(0)
    y = X[:, :60] @ rng.normal(size=60) + 0.05 * rng.normal(size=1000)
    alpha = np.abs(X.T @ y).max() / len(y) / ratio
    found = solve(X, y, Quadratic(), L1(alpha), fit_intercept=False, tol=1e-6)
    assert found.converged
    assert found.n_iter <= {10: 5, 60: 9}[ratio]
    peer = Lasso(alpha=alpha, fit_intercept=False, tol=1e-8).fit(X, y)
    np.testing.assert_allclose(found.coef, peer.coef_, atol=2e-3 * np.abs(peer.coef_).max())


@pytest.mark.parametrize("alpha", [1e-4, 1e-8])
def test_separable_row_groups_are_certified(alpha):
    X = np.random.default_rng(0).normal(size=(10, 5))
    target = np.eye(5)[np.arange(10) % 5]
    found = solve(X, target, Multinomial(), GroupL2(alpha), tol=1e-6)
    gap = duality_gap(X, target, Multinomial(), GroupL2(alpha), found.coef, found.intercept).gap
    assert found.converged
    assert found.n_iter <= 30
    assert gap <= 2e-6
