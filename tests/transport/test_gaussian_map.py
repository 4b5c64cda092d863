"""The optimal map between two covariances, against closed forms, POT and rival maps."""

import numpy as np
import ot
import pytest
from scipy.linalg import cholesky, solve_triangular, sqrtm

from skreg.transport._gaussian_map import gaussian_map
from skreg.transport._interpolation import inverse_map
from skreg.transport._spread import Spread

RTOL = 1e-10


def spd(rng, d, condition=100.0):
    Q, _ = np.linalg.qr(rng.normal(size=(d, d)))
    S = (Q * np.logspace(0, -np.log10(condition), d)) @ Q.T
    return 0.5 * (S + S.T)


def mapped(S, R, rtol=RTOL):
    """(A, N, W2^2) as arrays."""
    operator, noise, cost = gaussian_map(Spread(S), Spread(R), rtol)
    return operator.inside, np.zeros_like(S) if noise is None else noise.inside, cost


def assert_is_a_coupling(S, R, tolerance):
    A, N, cost = mapped(S, R)
    scale = max(np.abs(R).max(), np.finfo(float).tiny)
    np.testing.assert_allclose(A @ S @ A.T + N, R, atol=tolerance * scale)
    assert np.linalg.eigvalsh(N).min() >= -tolerance * scale
    moved = A - np.eye(len(S))
    spent = np.trace(moved @ S @ moved.T) + np.trace(N)
    assert spent == pytest.approx(cost, rel=1e-8, abs=1e-10 * (np.trace(S) + np.trace(R)))


@pytest.mark.parametrize(("condition", "tolerance"), [(1e2, 1e-13), (1e4, 1e-12), (1e8, 1e-10)])
def test_the_image_of_the_source_has_the_covariance_of_the_target(condition, tolerance):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        S, R = spd(rng, 8, condition), spd(rng, 8, condition)
        A, N, _ = mapped(S, R)
        assert np.linalg.norm(A @ S @ A - R) <= tolerance * np.linalg.norm(R)
        np.testing.assert_allclose(A, A.T, atol=1e-12 * np.abs(A).max())
        assert np.linalg.eigvalsh(A).min() >= 0
        assert not N.any()


def test_between_a_condition_of_1e12_and_another_at_a_lower_threshold():
    rng = np.random.default_rng(0)
    S, R = spd(rng, 8, 1e12), spd(rng, 8, 1e12)
    A, _, _ = mapped(S, R, rtol=1e-14)
    assert np.linalg.norm(A @ S @ A - R) <= 1e-9 * np.linalg.norm(R)


def test_a_condition_of_1e12_is_singular_by_default_and_reaches_the_target_with_noise():
    rng = np.random.default_rng(0)
    assert_is_a_coupling(spd(rng, 8, 1e12), spd(rng, 8, 10.0), 1e-10)


def test_diagonal_covariances():
    A, _, cost = mapped(np.diag([1.0, 4.0]), np.diag([4.0, 1.0]))
    np.testing.assert_allclose(A, np.diag([2.0, 0.5]), atol=1e-15)
    assert cost == pytest.approx(2.0, rel=1e-14)


def test_one_dimension_is_a_ratio_of_deviations():
    A, _, cost = mapped(np.array([[4.0]]), np.array([[9.0]]))
    assert A[0, 0] == pytest.approx(1.5, rel=1e-15)
    assert cost == pytest.approx(1.0, rel=1e-14)


def test_commuting_covariances():
    rng = np.random.default_rng(1)
    Q, _ = np.linalg.qr(rng.normal(size=(5, 5)))
    s, r = rng.uniform(0.1, 3.0, size=(2, 5))
    A, _, _ = mapped((Q * s) @ Q.T, (Q * r) @ Q.T)
    np.testing.assert_allclose(A, (Q * np.sqrt(r / s)) @ Q.T, atol=1e-13)


@pytest.mark.parametrize("scale", [1e-16, 1.0, 1e16])
def test_the_same_distribution_stays_where_it_is(scale):
    S = scale * spd(np.random.default_rng(2), 6, 1e6)
    A, _, cost = mapped(S, S)
    np.testing.assert_allclose(A, np.eye(6), atol=1e-8)
    assert np.sqrt(cost) <= 1e-12 * np.sqrt(np.trace(S))  # not 1e-8: no digits are lost


def test_rotations_rotate_the_map():
    rng = np.random.default_rng(3)
    S, R = spd(rng, 6), spd(rng, 6)
    Q, _ = np.linalg.qr(rng.normal(size=(6, 6)))
    A, _, cost = mapped(S, R)
    turned, _, same = mapped(Q @ S @ Q.T, Q @ R @ Q.T)
    np.testing.assert_allclose(turned, Q @ A @ Q.T, atol=1e-12)
    assert same == pytest.approx(cost, rel=1e-12)


def test_the_way_back_is_the_inverse():
    rng = np.random.default_rng(4)
    S, R = spd(rng, 6), spd(rng, 6)
    np.testing.assert_allclose(mapped(R, S)[0], np.linalg.inv(mapped(S, R)[0]), rtol=1e-10)


@pytest.mark.parametrize("seed", range(3))
def test_equals_the_map_and_the_distance_of_pot(seed):
    rng = np.random.default_rng(seed)
    S, R = spd(rng, 7), spd(rng, 7)
    zero = np.zeros(7)
    A, _, cost = mapped(S, R)
    theirs, _ = ot.gaussian.bures_wasserstein_mapping(zero, zero, S, R)
    np.testing.assert_allclose(A, theirs, atol=1e-8)
    assert np.sqrt(cost) == pytest.approx(
        float(ot.gaussian.bures_wasserstein_distance(zero, zero, S, R)), rel=1e-8
    )


@pytest.mark.parametrize("seed", range(3))
def test_no_other_map_to_the_target_moves_less(seed):
    rng = np.random.default_rng(seed)
    S, R = spd(rng, 5), spd(rng, 5)
    A, _, cost = mapped(S, R)

    def spent(B):
        moved = B - np.eye(5)
        return np.trace(moved @ S @ moved.T)

    assert spent(A) == pytest.approx(cost, rel=1e-10)
    L_S, L_R = cholesky(S, lower=True), cholesky(R, lower=True)
    colouring = solve_triangular(L_S, L_R.T, trans="T", lower=True).T
    np.testing.assert_allclose(colouring @ S @ colouring.T, R, atol=1e-12)
    assert spent(A) < spent(colouring)
    root_s, root_r = np.linalg.inv(sqrtm(S)), sqrtm(R)
    for _ in range(20):
        Q, _ = np.linalg.qr(rng.normal(size=(5, 5)))
        assert spent(A) <= spent(root_r @ Q @ root_s)


@pytest.mark.parametrize("rank", [0, 1, 3])
@pytest.mark.parametrize("rank_target", [0, 2, 6])
@pytest.mark.parametrize("scale", [1e-16, 1.0, 1e16])
def test_singular_sources_reach_the_target_with_noise(rank, rank_target, scale):
    rng = np.random.default_rng(10 * rank + rank_target)
    F, G = rng.normal(size=(6, rank)), rng.normal(size=(6, rank_target))
    assert_is_a_coupling(scale * F @ F.T, scale * G @ G.T, 1e-10)


def test_the_map_of_a_singular_source_is_not_the_one_of_pseudo_inverses():
    """That one, S^+1/2 (S^1/2 R S^1/2)^1/2 S^+1/2, stays within the range of the source."""
    rng = np.random.default_rng(0)
    F = rng.normal(size=(6, 3))
    S, R = F @ F.T, spd(rng, 6)
    A, _, _ = mapped(S, R)
    root = Spread(S).root().inside
    inverse = np.linalg.pinv(root, rcond=1e-6)
    within = inverse @ Spread(root @ R @ root).root().inside @ inverse
    np.testing.assert_allclose(F @ np.linalg.pinv(F) @ A, within, atol=1e-7)
    assert np.abs(A - within).max() > 0.1


def test_of_what_a_singular_source_can_reach_there_is_no_noise():
    rng = np.random.default_rng(5)
    F = rng.normal(size=(6, 3))
    operator, noise, _ = gaussian_map(Spread(F @ F.T), Spread(2.0 * F @ F.T), RTOL)
    assert noise is None
    np.testing.assert_allclose(operator.inside @ F, np.sqrt(2.0) * F, atol=1e-12)


@pytest.mark.parametrize(("outside_s", "outside_r"), [(0.5, 2.0), (0.0, 2.0), (0.5, 0.0), (0, 0)])
def test_covariances_within_a_span_are_the_dense_ones(outside_s, outside_r):
    rng = np.random.default_rng(6)
    basis, _ = np.linalg.qr(rng.normal(size=(9, 4)))
    S, R = (
        Spread(spd(rng, 4) + outside * np.eye(4), outside, basis)
        for outside in (outside_s, outside_r)
    )
    operator, noise, cost = gaussian_map(S, R, RTOL)
    A, N, same = mapped(S.dense(), R.dense())
    np.testing.assert_allclose(operator.dense(), A, atol=1e-12)
    np.testing.assert_allclose(0 * N if noise is None else noise.dense(), N, atol=1e-12)
    assert cost == pytest.approx(same, rel=1e-12)
    rows = rng.normal(size=(3, 9))
    np.testing.assert_allclose(operator.rows_times(rows), rows @ A.T, atol=1e-12)


def test_directions_that_share_nothing_are_not_coupled():
    """Their image is the conditional mean, zero, and all of the target there is noise."""
    rng = np.random.default_rng(8)
    Q, _ = np.linalg.qr(rng.normal(size=(5, 5)))
    S, R = (Q * [1.0, 2.0, 0.0, 0.0, 0.0]) @ Q.T, (Q * [0.0, 8.0, 4.0, 9.0, 1.0]) @ Q.T
    A, N, cost = mapped(S, R)
    np.testing.assert_allclose(A, (Q * [0.0, 2.0, 0.0, 0.0, 0.0]) @ Q.T, atol=1e-12)
    np.testing.assert_allclose(N, (Q * [0.0, 0.0, 4.0, 9.0, 1.0]) @ Q.T, atol=1e-12)
    assert cost == pytest.approx(1.0 + 2.0 + 14.0, rel=1e-12)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.8])
def test_the_way_back_begins_at_the_covariance_with_noise(alpha):
    rng = np.random.default_rng(7)
    F = rng.normal(size=(5, 2))
    S, R = F @ F.T, spd(rng, 5)
    A, N, _ = mapped(S, R)
    step = (1 - alpha) * A + alpha * np.eye(5)
    between = step @ S @ step.T + (1 - alpha) ** 2 * N
    back = inverse_map(gaussian_map(Spread(S), Spread(R), RTOL), Spread(S), alpha, RTOL)
    assert back.noise is None
    B = back.operator.inside
    np.testing.assert_allclose(B @ between @ B.T, S, atol=1e-10)
    np.testing.assert_allclose(B, B.T, atol=1e-10)
