"""Active sets are identified, and from there on convergence is superlinear."""

import itertools

import numpy as np
import pytest
import scipy.sparse

from skreg.optim import L1, NonNegative, Quadratic, duality_gap
from skreg.optim.descent import BlockCoordinateDescent, LeastSquares, Logistic


def nonnegative_lasso(seed, m=100, n=600, share=0.3):
    """Sparse columns of very different scales and an x of which a tenth is not zero."""
    rng = np.random.default_rng(seed)
    A = (rng.normal(size=(m, n)) + 1) * 10 * rng.normal(size=n)
    A *= rng.random(A.shape) < 10 * np.log(m) / m
    b = A @ (rng.normal(size=n) * (rng.random(n) < 0.1)) + rng.normal(size=m)
    return LeastSquares(scipy.sparse.csc_array(A), b, NonNegative(share * (A.T @ b).max()))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("update", ["two_metric", "projected_newton", "exact"])
def test_quadratics_end_within_two_iterations_of_the_right_support(seed, update):
    problem = nonnegative_lasso(seed)
    points = [np.zeros(600)]
    method = BlockCoordinateDescent(
        "variable", "gs_q", update, 40, tol=1e-13, max_iter=100,
        callback=lambda intermediate_result: points.append(intermediate_result.x),
    )  # fmt: skip
    result = method.minimize(problem)
    assert result.success
    assert result.history[-1]["nnz"] < 40
    assert result.nit <= result.identified_at + 2
    assert result.nit <= 12
    for x in points[result.identified_at :]:
        np.testing.assert_array_equal(x != 0, result.x != 0)
    assert not np.array_equal(points[result.identified_at - 1] != 0, result.x != 0)
    mean = problem.penalty._replace(alpha=problem.penalty.alpha / 100)
    gap = duality_gap(problem.X, problem.y, Quadratic(), mean, result.x, fit_intercept=False).gap
    assert gap <= 1e-13
    assert gap == pytest.approx(result.gap, abs=1e-15)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("update", ["two_metric", "projected_newton"])
def test_errors_square_for_logistic_regression_once_the_support_is_there(seed, update):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(200, 40))
    y = np.where(X[:, :5].sum(axis=1) + rng.logistic(size=200) > 0, 1.0, -1.0)
    problem = Logistic(X, y, L1(12.0))
    best = BlockCoordinateDescent(tol=1e-14, max_iter=60).minimize(problem).x
    points = [np.zeros(40)]
    method = BlockCoordinateDescent(
        "variable", "gs_q", update, 40, tol=1e-14, max_iter=30,
        callback=lambda intermediate_result: points.append(intermediate_result.x),
    )  # fmt: skip
    result = method.minimize(problem)
    errors = np.array([np.linalg.norm(x - best) for x in points[result.identified_at :]])
    digits = -np.log10(np.maximum(errors, 1e-14))
    # from one digit on, until twice the digits are more than rounding leaves
    squared = [b >= 1.7 * a for a, b in itertools.pairwise(digits) if 0.7 < a < 6]
    assert len(squared) >= 2
    assert all(squared)


def test_blocks_as_large_as_the_support_beat_proximal_gradient_tenfold():
    for seed in range(3):
        problem = nonnegative_lasso(seed, 200, 2000)
        nit = {}
        for update in ("two_metric", "projected_newton", "proximal_gradient"):
            method = BlockCoordinateDescent("variable", "gs_q", update, 50, tol=1e-6, max_iter=1000)
            nit[update] = method.minimize(problem).nit
        assert nit["two_metric"] <= 6
        assert nit["projected_newton"] <= 5
        assert nit["proximal_gradient"] >= 10 * nit["projected_newton"]


def test_proximal_gradient_identifies_within_the_bound():
    # ||x - x*|| <= delta / (2 L) suffices, hence at most kappa log(2 L ||x0 - x*|| / delta)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 20))
    y = X[:, :3] @ np.array([1.0, -2.0, 1.5]) + 0.3 * rng.normal(size=100)
    problem = LeastSquares(X, y, L1(25.0))
    best = BlockCoordinateDescent(tol=1e-14).minimize(problem).x
    method = BlockCoordinateDescent("variable", "gs", "exact", 20)._replace(
        selection="gs_q", update="proximal_gradient", max_iter=500, tol=1e-12
    )
    result = method.minimize(problem)
    eigenvalues = np.linalg.eigvalsh(X.T @ X)
    g = X.T @ (X @ best - y)
    delta = np.min(25.0 - np.abs(g[best == 0]))
    bound = (
        eigenvalues[-1]
        / eigenvalues[0]
        * np.log(2 * eigenvalues[-1] * np.linalg.norm(best) / delta)
    )
    assert 0 < result.identified_at <= bound


def test_default_blocks_grow_with_the_support():
    problem = nonnegative_lasso(0, 200, 2000, share=0.02)
    result = BlockCoordinateDescent(tol=1e-10).minimize(problem)
    assert result.success
    assert result.history[-1]["nnz"] > 50
    assert len(result.history[-1]["block"]) > result.history[-1]["nnz"]
    assert result.nit <= result.identified_at + 2
