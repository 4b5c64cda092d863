"""Steps on wide blocks: their second moments, Newton steps through the samples, certified fits."""

import numpy as np
import pytest
import scipy.sparse

from skreg.optim import L1, ElasticNet, GroupL2, Huber, Logistic, Quadratic, duality_gap, solve
from skreg.optim.kernels._coordinate_descent import block_hessians
from skreg.optim.kernels._designs import as_design
from skreg.optim.kernels._newton import face_preconditioner, solve_through_rows
from skreg.optim.solver._gram import square_offsets

STARTS = np.array([0, 3, 4, 9, 15])


@pytest.mark.parametrize("ridge", [0.0, 0.3])
def test_newton_through_the_samples_is_the_dense_solution(ridge):
    rng = np.random.default_rng(0)
    A = np.asfortranarray(rng.normal(size=(8, 15)))
    coef, rhs = rng.normal(size=15), rng.normal(size=15)
    diagonal, rank_one = np.empty(15), np.zeros(4)
    hessian = A.T @ A
    for b in range(4):
        block = slice(STARTS[b], STARTS[b + 1])
        norm = np.linalg.norm(coef[block])
        threshold = 0.5 + b if b != 2 else 0.0
        diagonal[block] = threshold / norm + ridge if threshold else 0.8
        rank_one[b] = -threshold / norm**3
        hessian[block, block] += rank_one[b] * np.outer(coef[block], coef[block])
    hessian += np.diag(diagonal)
    expected = np.linalg.solve(hessian, rhs)
    found = solve_through_rows(A.copy(order="F"), STARTS, diagonal, rank_one, coef, rhs)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-10)


def test_face_preconditioner_is_the_inverse_of_diagonal_plus_rank_one():
    rng = np.random.default_rng(5)
    coef, r = rng.normal(size=(2, 15)), rng.normal(size=(2, 15))
    square, diagonal = rng.random((2, 15)), np.full((2, 15), 0.7)
    rank_one = np.array([-0.1, 0.0, -0.05, -0.02])
    found = face_preconditioner(square, coef, STARTS, diagonal, rank_one)(r)
    for b in range(4):
        block = slice(STARTS[b], STARTS[b + 1])
        w = coef[:, block].ravel()
        matrix = np.diag((square + diagonal)[:, block].ravel()) + rank_one[b] * np.outer(w, w)
        np.testing.assert_allclose(
            found[:, block].ravel(), np.linalg.solve(matrix, r[:, block].ravel()), rtol=1e-10
        )


def test_a_working_set_is_solved_to_its_own_violation():
    """Violators that are missing from it, with larger columns, must not stop the work on it."""
    rng = np.random.default_rng(6)
    X = scipy.sparse.random_array((400, 3000), density=0.01, rng=rng, format="csc")
    X = X @ scipy.sparse.diags_array(10.0 ** rng.uniform(-2, 2, 3000))
    y = X @ np.where(rng.random(3000) < 0.1, rng.normal(size=3000), 0.0) + rng.normal(size=400)
    for penalty in (ElasticNet(0.05, 0.5), L1(0.05)):
        found = solve(X, y, Quadratic(), penalty, tol=1e-8, working_set_size=20)
        assert found.converged
        gap = duality_gap(X, y, Quadratic(), penalty, found.coef, found.intercept).gap
        assert gap <= 2e-8


def moments_of(X, weight, features, starts, offsets, means, bound):
    out = np.full(offsets[-1], np.nan)
    block_hessians(as_design(X), features, starts, weight, means, weight.sum(), bound, offsets, out)
    return [
        out[offsets[b] : offsets[b + 1]].reshape([starts[b + 1] - starts[b]] * 2)
        for b in range(len(starts) - 1)
    ]


@pytest.mark.parametrize("make", [np.asfortranarray, scipy.sparse.csc_array])
def test_block_moments_are_numpys(make):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(30, 20)) * (rng.random((30, 20)) < 0.5) + 2.0
    weight, features = rng.random(30), rng.permutation(20)[:15]
    means = weight @ X[:, features] / weight.sum()
    offsets = square_offsets(STARTS)
    found = moments_of(make(X), weight, features, STARTS, offsets, means, np.full(4, 9.0))
    for b, square in enumerate(found):
        inside = slice(STARTS[b], STARTS[b + 1])
        centred = X[:, features[inside]] - means[inside]
        np.testing.assert_allclose(square, (centred.T * weight) @ centred, rtol=1e-10, atol=1e-12)


def test_block_moments_that_centring_cancels_become_the_bound():
    rng = np.random.default_rng(2)
    X = np.asfortranarray(rng.normal(size=(30, 4)) + [0.0, 0.0, 1e7, 0.0])
    weight, starts = np.full(30, 1 / 30), np.array([0, 2, 4])
    offsets, features = square_offsets(starts), np.arange(4)
    means = weight @ X
    first, second = moments_of(X, weight, features, starts, offsets, means, np.array([5.0, 7.0]))
    np.testing.assert_allclose(first, np.cov(X[:, :2].T, bias=True), rtol=1e-10)
    np.testing.assert_array_equal(second, 7.0 * np.eye(2))


@pytest.mark.parametrize("make", [np.asfortranarray, scipy.sparse.csc_array])
@pytest.mark.parametrize("fraction", [0.3, 0.02, 0.001])
@pytest.mark.parametrize("loss", [Quadratic(), Logistic(), Huber(0.8)])
def test_more_grouped_columns_than_samples_are_certified(loss, fraction, make):
    rng = np.random.default_rng(3)
    n_samples, n_features = 60, 300
    X = rng.normal(size=(n_samples, n_features))
    X[:, 1:] += 0.7 * X[:, :-1]
    X[rng.random(X.shape) < 0.3] = 0.0
    X[:, :20] += 50.0
    y = X[:, 5:45] @ rng.normal(size=40) + rng.normal(size=n_samples)
    y -= y.mean()
    y = np.sign(y) if isinstance(loss, Logistic) else y / y.std()
    groups = np.repeat(np.arange(30), 10)
    weights = rng.uniform(0.5, 2.0, n_samples)
    penalty = GroupL2(fraction, groups, rng.uniform(0.5, 2.0, 30))
    found = solve(make(X), y, loss, penalty, sample_weight=weights, tol=1e-9)
    gap = duality_gap(X, y, loss, penalty, found.coef, found.intercept, sample_weight=weights).gap
    assert found.converged
    assert gap <= 2e-9


def test_an_elastic_net_with_more_nonzeros_than_samples_is_certified():
    rng = np.random.default_rng(4)
    X, y = rng.normal(size=(25, 120)), rng.normal(size=25)
    y_class = np.where(y > 0.0, 1.0, -1.0)
    for loss, target in ((Quadratic(), y), (Logistic(), y_class)):
        penalty = ElasticNet(0.05, 0.1)
        found = solve(X, target, loss, penalty, tol=1e-11)
        assert np.count_nonzero(found.coef) > 25
        gap = duality_gap(X, target, loss, penalty, found.coef, found.intercept).gap
        assert found.converged
        assert gap <= 2e-11
