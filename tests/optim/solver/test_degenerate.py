"""Designs and targets that break careless solvers: always finite, always certified."""

import numpy as np
import pytest

from skreg.optim import (
    L1,
    ElasticNet,
    GroupL2,
    Huber,
    Logistic,
    NonNegative,
    Poisson,
    Quadratic,
    duality_gap,
    penalty_max,
    solve,
)

PENALTIES = [L1(0.05), ElasticNet(0.05, 0.5), NonNegative(0.05), GroupL2(0.05)]
ALL_PENALTIES = pytest.mark.parametrize("penalty", PENALTIES, ids=lambda p: type(p).__name__)


def _regression(n, p, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    return X, X[:, :3] @ np.array([1.0, 0.5, -0.5]) + 0.3 * rng.normal(size=n)


def _check(X, target, loss, penalty, tol=1e-10, **options):
    found = solve(X, target, loss, penalty, tol=tol, **options)
    assert np.all(np.isfinite(found.coef))
    assert np.all(np.isfinite(found.intercept))
    certificate = duality_gap(X, target, loss, penalty, found.coef, found.intercept)
    assert certificate.gap <= 2 * tol
    assert found.converged
    return found


@ALL_PENALTIES
@pytest.mark.parametrize("loss", [Quadratic(), Logistic()], ids=lambda v: type(v).__name__)
def test_duplicated_columns(loss, penalty):
    X, y = _regression(40, 6)
    y = np.sign(y) if isinstance(loss, Logistic) else y
    _check(np.hstack([X, X, -X]), y, loss, penalty)


@ALL_PENALTIES
@pytest.mark.parametrize("loss", [Quadratic(), Logistic()], ids=lambda v: type(v).__name__)
def test_zero_and_constant_columns_keep_a_coefficient_of_zero(loss, penalty):
    X, y = _regression(40, 6)
    y = np.sign(y) if isinstance(loss, Logistic) else y
    X[:, 1], X[:, 2] = 0.0, 1e6 / 3
    found = _check(X, y, loss, penalty)
    assert found.coef[1] == 0.0
    assert found.coef[2] == 0.0


@ALL_PENALTIES
def test_many_more_columns_than_samples_at_a_tiny_alpha(penalty):
    X, y = _regression(15, 120)
    largest = penalty_max(X, y, Quadratic(), penalty)
    _check(X, y, Quadratic(), penalty._replace(alpha=largest * 1e-4), tol=1e-8)


@ALL_PENALTIES
def test_a_constant_target_gives_zeros(penalty):
    X, _ = _regression(30, 5)
    found = solve(X, np.full(30, 7.0), Quadratic(), penalty)
    np.testing.assert_array_equal(found.coef, 0.0)
    assert found.intercept == pytest.approx(7.0)
    assert found.converged


def test_a_zero_target_without_intercept_gives_zeros():
    X, _ = _regression(30, 5)
    found = solve(X, np.zeros(30), Quadratic(), L1(0.1), fit_intercept=False)
    np.testing.assert_array_equal(found.coef, 0.0)
    assert found.converged


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1e6, 1e12])
def test_scaling_target_and_alpha_scales_the_coefficients(scale):
    X, y = _regression(40, 10)
    expected = solve(X, y, Quadratic(), L1(0.05), tol=1e-12).coef
    found = solve(X, scale * y, Quadratic(), L1(0.05 * scale), tol=1e-12).coef
    np.testing.assert_allclose(found / scale, expected, atol=1e-9)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_columns_of_very_different_scales(scale):
    X, y = _regression(40, 10)
    X[:, ::2] *= scale
    weights = np.where(np.arange(10) % 2 == 0, scale, 1.0)
    _check(X, y, Quadratic(), L1(0.05, weights), tol=1e-9)


def test_a_singular_least_squares_problem_without_a_penalty_is_solved():
    X, y = _regression(20, 5)
    X = np.hstack([X, X])
    found = solve(X, y, Quadratic(), L1(0.0), tol=1e-9)
    centred = X - X.mean(axis=0)
    gradient = centred.T @ (y - X @ found.coef - found.intercept) / 20
    assert found.converged
    assert np.abs(gradient).max() <= 1e-8


def test_separable_classes_stay_finite():
    X, _ = _regression(30, 4)
    y = np.sign(X[:, 0])
    _check(X, y, Logistic(), L1(1e-4), tol=1e-8)


def test_imbalanced_classes_find_their_intercept():
    X, _ = _regression(200, 4)
    y = np.full(200, -1.0)
    y[:3] = 1.0
    _check(X, y, Logistic(), L1(1e-3))


def test_huber_with_a_tiny_delta_is_certified():
    X, y = _regression(50, 5)
    _check(X, y + 5.0, Huber(1e-3), L1(1e-5), tol=1e-8)


def test_large_counts_are_certified():
    X, y = _regression(50, 5)
    counts = np.round(np.exp(y + 6.0))
    largest = penalty_max(X, counts, Poisson(), L1(1.0))
    _check(X, counts, Poisson(), L1(largest / 50))


def test_one_sample_and_one_feature():
    found = solve(np.ones((1, 1)), np.array([3.0]), Quadratic(), L1(0.1))
    assert found.coef[0] == 0.0
    assert found.intercept == pytest.approx(3.0)
    alone = solve(
        np.ones((1, 1)), np.array([3.0]), Quadratic(), L1(0.1), fit_intercept=False, tol=1e-12
    )
    assert alone.coef[0] == pytest.approx(2.9)


def test_all_features_excluded_leaves_the_intercept():
    X, y = _regression(20, 3)
    found = solve(X, y, Quadratic(), L1(0.1, np.full(3, np.inf)))
    np.testing.assert_array_equal(found.coef, 0.0)
    assert found.intercept == pytest.approx(y.mean())
    assert found.converged
