"""The mathematics: gradients, acyclicity, inverse of M-matrices, graphs."""

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skreg.causal import logdet_acyclicity, threshold_to_dag
from skreg.causal._cycles import break_cycles
from skreg.causal._equations import (
    EqualNoise,
    UnequalNoise,
    UnitNoise,
    residual_mean_squares,
    score,
    score_gradient,
    set_noise_scale,
)
from skreg.causal._inverse import LARGEST_UNSPLIT, invert_m_matrix, workspace_size
from skreg.causal._problem import noise_level
from skreg.datasets import make_linear_sem
from skreg.graphs import descendants


def covariance(d, seed=0):
    X = np.random.default_rng(seed).standard_normal((50, d))
    return X.T @ X / 50


def numerical_gradient(function, W, step=1e-6):
    gradient = np.zeros_like(W)
    for index in np.ndindex(*W.shape):
        E = np.zeros_like(W)
        E[index] = step
        gradient[index] = (function(W + E) - function(W - E)) / (2 * step)
    return gradient


@pytest.mark.parametrize(
    "noise", [EqualNoise(0.1), UnequalNoise(np.full(6, 0.1)), UnitNoise()], ids=["ev", "nv", "ls"]
)
def test_score_gradient_agrees_with_differences(noise):
    C, W = covariance(6), np.random.default_rng(1).uniform(-0.3, 0.3, (6, 6))
    sigma = np.empty(6)
    set_noise_scale(noise, residual_mean_squares(C, W), sigma)
    numeric = numerical_gradient(lambda V: score(noise, residual_mean_squares(C, V), sigma), W)
    np.testing.assert_allclose(score_gradient(C, W, sigma), numeric, atol=1e-6)


def test_score_at_the_optimal_noise_scale_is_the_sum_of_scales():
    C, W = covariance(5), np.random.default_rng(2).uniform(-0.5, 0.5, (5, 5))
    q = residual_mean_squares(C, W)
    for noise in (EqualNoise(0.0), UnequalNoise(np.zeros(5))):
        sigma = np.empty(5)
        set_noise_scale(noise, q, sigma)
        assert score(noise, q, sigma) == pytest.approx(sigma.sum(), rel=1e-14)
        for factor in (0.9, 1.1):
            assert score(noise, q, factor * sigma) > score(noise, q, sigma)


def test_noise_scale_keeps_its_floor():
    sigma = np.empty(3)
    set_noise_scale(EqualNoise(2.0), np.array([1.0, 1.0, 1.0]), sigma)
    assert sigma.tolist() == [2.0] * 3
    set_noise_scale(UnequalNoise(np.array([2.0, 0.5, 0.1])), np.array([1.0, 1.0, -1e-18]), sigma)
    assert sigma.tolist() == [2.0, 1.0, 0.1]


def test_acyclicity_of_two_nodes_is_its_closed_form():
    h, _ = logdet_acyclicity([[0, 0.5], [0.4, 0]])
    assert h == pytest.approx(-np.log(1 - 0.04), rel=1e-12)


@pytest.mark.parametrize("s", [1e-3, 0.7, 5.0])
def test_acyclicity_vanishes_with_its_gradient_on_triangular_weights(s):
    W = np.triu(np.random.default_rng(0).normal(size=(7, 7)) * 10, k=1)
    h, gradient = logdet_acyclicity(W, s)
    assert h == pytest.approx(0, abs=1e-10)
    # against an edge the inverse is zero, along it too: no cycle leads back
    assert np.abs(gradient).max() < 1e-9


def test_acyclicity_gradient_agrees_with_differences():
    W = np.random.default_rng(3).uniform(-0.3, 0.3, (6, 6))
    numeric = numerical_gradient(lambda V: logdet_acyclicity(V, 1.2)[0], W)
    np.testing.assert_allclose(logdet_acyclicity(W, 1.2)[1], numeric, atol=1e-7)


def test_acyclicity_names_bad_input():
    with pytest.raises(ValueError, match="square"):
        logdet_acyclicity([[0, 1]])
    with pytest.raises(ValueError, match="positive"):
        logdet_acyclicity(np.zeros((2, 2)), s=0)
    with pytest.raises(ValueError, match="spectral radius of W o W is 1, not below s=1"):
        logdet_acyclicity([[0, 1], [1, 0]])


def m_matrix(d, seed, dtype=float):
    rng = np.random.default_rng(seed)
    W = np.where(rng.random((d, d)) < 0.3, rng.uniform(0, 1, (d, d)), 0.0)
    radius = np.abs(np.linalg.eigvals(W)).max()
    return (np.eye(d) - W * (0.8 / max(radius, 1e-3))).astype(dtype)


@pytest.mark.parametrize(
    "d", [1, 2, 3, 4, 5, 7, 31, LARGEST_UNSPLIT, LARGEST_UNSPLIT + 1, 137, 260]
)
def test_inverse_agrees_with_lapack(d):
    A = m_matrix(d, d)
    inverse = A.copy()
    assert invert_m_matrix(inverse, np.empty(workspace_size(d)))
    np.testing.assert_allclose(inverse, np.linalg.inv(A), rtol=1e-10, atol=1e-13)


def test_single_precision_inverse_keeps_small_entries():
    """Entries of all sizes have the relative accuracy that no cancellation promises."""
    d = 90
    A = np.eye(d) - np.diag(np.full(d - 1, 0.1), k=1) - np.diag(np.full(d - 1, 1e-4), k=-1)
    inverse = A.astype(np.float32)
    assert invert_m_matrix(inverse, np.empty(workspace_size(d), np.float32))
    exact = np.linalg.inv(A)
    seen = np.abs(exact) > 1e-30
    assert seen.sum() > 2000
    np.testing.assert_allclose(inverse[seen], exact[seen], rtol=2e-5)


@settings(max_examples=60, deadline=None)
@given(d=st.integers(1, 70), seed=st.integers(0, 10**6), radius=st.floats(0.3, 3.0))
def test_inverse_exists_exactly_for_m_matrices(d, seed, radius):
    rng = np.random.default_rng(seed)
    W = rng.uniform(0, 1, (d, d))
    W *= radius / np.abs(np.linalg.eigvals(W)).max()
    if abs(radius - 1) < 1e-6:
        return
    assert invert_m_matrix(np.eye(d) - W, np.empty(workspace_size(d))) == (radius < 1)


def test_the_noise_level_needs_no_graph():
    """det C is the product of the noise variances, whatever the acyclic graph."""
    for seed in range(5):
        sem = make_linear_sem(2, 8, edges_per_node=2, noise_variance=(0.5, 10), random_state=seed)
        A = np.linalg.inv(np.eye(8) - sem.adjacency)
        C = A.T @ np.diag(sem.noise_scale**2) @ A
        expected = np.exp(np.log(sem.noise_scale).mean())
        assert noise_level(C) == pytest.approx(expected, rel=1e-9)
        assert noise_level(1e-16 * C) == pytest.approx(1e-8 * expected, rel=1e-9)
    assert 0.5 < noise_level(np.ones((4, 4))) < 3  # a single direction


def test_threshold_drops_the_weakest_edges_of_cycles():
    W = np.array([[0, 1, 0], [0.35, 0, 2], [0.31, 0, 0.1]])
    assert np.argwhere(threshold_to_dag(W)).tolist() == [[0, 1], [1, 2]]
    assert not threshold_to_dag([[0.9, 0], [0, 0]]).any()
    assert not threshold_to_dag([[0, 0.3], [0, 0]]).any()
    with pytest.raises(ValueError, match="square"):
        threshold_to_dag([[1, 2, 3]])
    with pytest.raises(ValueError, match="threshold=-1"):
        threshold_to_dag(W, -1)


def break_one_by_one(B, strength, required):
    """The rule as it is stated, with networkx's components, one edge at a time."""
    B = B & ~np.eye(len(B), dtype=bool)
    while True:
        components = networkx.strongly_connected_components(networkx.DiGraph(B))
        cyclic = [sorted(nodes) for nodes in components if len(nodes) > 1]
        if not cyclic:
            return B
        for nodes in cyclic:
            removable = [(i, j) for i in nodes for j in nodes if B[i, j] and not required[i, j]]
            B[min(removable, key=lambda edge: strength[edge])] = False


def random_graph(rng, d, density):
    order = rng.permutation(d)
    return np.triu(rng.random((d, d)) < density, k=1)[np.ix_(order, order)]


def test_cycles_are_broken_by_their_weakest_edges_and_never_by_required_ones():
    rng = np.random.default_rng(0)
    for _ in range(120):
        d = rng.integers(2, 12)
        required = random_graph(rng, d, rng.uniform(0, 0.4))
        B = (rng.random((d, d)) < rng.uniform(0.1, 0.9)) | required
        strength = rng.random((d, d))
        dag = break_cycles(B, strength, required)
        np.testing.assert_array_equal(dag, break_one_by_one(B, strength, required))
        assert networkx.is_directed_acyclic_graph(networkx.DiGraph(dag))
        assert not np.any(required & ~dag)
        W = np.where(B, strength, 0.0)
        expected = break_one_by_one(W > 0.3, strength, np.zeros((d, d), dtype=bool))
        np.testing.assert_array_equal(threshold_to_dag(W, 0.3) != 0, expected)


def test_a_cycle_of_strong_edges_costs_no_edge_elsewhere():
    """Twenty weak edges beside a cycle of three strong ones."""
    W = np.zeros((24, 24))
    W[0, 1], W[1, 2], W[2, 0] = 3.0, 2.5, 2.0
    W[np.arange(3, 23), np.arange(4, 24)] = 0.4
    dag = threshold_to_dag(W)
    assert np.argwhere(dag != W).tolist() == [[2, 0]]


def test_large_tangles_come_apart():
    rng = np.random.default_rng(0)
    dag = break_cycles(np.ones((60, 60), dtype=bool), rng.random((60, 60)))
    assert networkx.is_directed_acyclic_graph(networkx.DiGraph(dag))
    ring = np.roll(np.eye(2000, dtype=bool), 1, axis=1)
    assert break_cycles(ring, np.arange(2000.0) + np.zeros((2000, 1))).sum() == 1999


def test_descendants_agree_with_networkx():
    rng = np.random.default_rng(0)
    B = np.triu(rng.random((12, 12)) < 0.25, k=1)
    graph = networkx.DiGraph(B)
    for i in range(12):
        assert set(np.flatnonzero(descendants(B)[i])) == networkx.descendants(graph, i)
