"""Series of structural autoregressions obey their equations."""

import networkx
import numpy as np
import pytest

from skreg.datasets import make_structural_var


def companion_eigenvalues(series):
    order, d, _ = series.lagged_adjacency.shape
    B = series.lagged_adjacency @ np.linalg.inv(np.eye(d) - series.adjacency)
    matrix = np.zeros((order * d, order * d))
    matrix[:d] = np.hstack([b.T for b in B])
    matrix[d:, :-d] = np.eye((order - 1) * d)
    return np.linalg.eigvals(matrix)


def test_what_the_equation_leaves_are_the_noises():
    series = make_structural_var(20_000, 4, order=2, noise_variance=(0.5, 3), random_state=0)
    X, W, (first, second) = series.X, series.adjacency, series.lagged_adjacency
    u = X[2:] - X[2:] @ W - X[1:-1] @ first - X[:-2] @ second
    np.testing.assert_allclose(u.std(axis=0), series.noise_scale, rtol=0.03)
    correlation = np.corrcoef(np.hstack([u[1:], u[:-1], X[1:-2]]).T)[:4]
    assert np.abs(correlation - np.eye(4, 12)).max() < 5 / np.sqrt(20_000)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_processes_are_stable_and_graphs_acyclic(order):
    for seed in range(5):
        series = make_structural_var(
            2, 10, order, lagged_edges_per_node=3, largest_root=0.8, random_state=seed
        )
        assert np.abs(companion_eigenvalues(series)).max() <= 0.8 + 1e-9
        assert networkx.is_directed_acyclic_graph(networkx.DiGraph(series.adjacency))


def test_weights_lie_in_their_ranges():
    series = make_structural_var(
        2, 30, weight_range=(0.4, 0.6), lagged_weight_range=(0.1, 0.2), random_state=0
    )
    for weights, low, high in ((series.adjacency, 0.4, 0.6), (series.lagged_adjacency, 0.1, 0.2)):
        magnitude = np.abs(weights[weights != 0])
        assert low <= magnitude.min()
        assert magnitude.max() <= high
    assert 15 < np.count_nonzero(series.lagged_adjacency) < 45
    assert make_structural_var(5, 3, 0, random_state=0).lagged_adjacency.shape == (0, 3, 3)


def test_a_seed_gives_the_same_series():
    first, second = (make_structural_var(20, 3, random_state=7) for _ in range(2))
    for ours, theirs in zip(first, second, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert "array of shape (20, 3)" in repr(first)


def test_given_weights_are_used():
    W, A = np.array([[0.0, 2.0], [0.0, 0.0]]), np.array([[[0.3, 0.0], [0.2, 0.1]]])
    series = make_structural_var(2000, adjacency=W, lagged_adjacency=A, random_state=0)
    np.testing.assert_array_equal(series.adjacency, W)
    np.testing.assert_array_equal(series.lagged_adjacency, A)
    u = series.X[1:] - series.X[1:] @ W - series.X[:-1] @ A[0]
    np.testing.assert_allclose(u.std(axis=0), 1.0, rtol=0.08)
    assert make_structural_var(5, adjacency=W, random_state=0).lagged_adjacency.shape == (1, 2, 2)
    assert make_structural_var(5, 2, 3, lagged_adjacency=A, edges_per_node=0.5).X.shape == (5, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_times": 0}, "'n_times' parameter"),
        ({"order": -1}, "'order' parameter"),
        ({"largest_root": 1.0}, "'largest_root' parameter"),
        ({"lagged_edges_per_node": 11}, "lagged_edges_per_node=11 is more than n_variables=10"),
        ({"lagged_weight_range": (0.5, 0.3)}, "lagged_weight_range"),
        ({"weight_range": (0.5,)}, "weight_range"),
        ({"edges_per_node": 5}, "edges_per_node=5 is more than"),
        ({"burn_in": -1}, "'burn_in' parameter"),
        ({"adjacency": np.ones((2, 3))}, "adjacency must be a square matrix"),
        ({"adjacency": np.ones((2, 2))}, "adjacency has a cycle"),
        ({"lagged_adjacency": np.zeros((10, 10))}, r"must be \(order, 10, 10\)"),
        ({"lagged_adjacency": np.eye(10)[None]}, "unstable process"),
        ({"lagged_adjacency": np.full((1, 10, 10), np.nan)}, "lagged_adjacency contains NaN"),
    ],
)
def test_arguments_that_cannot_be_meant(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_structural_var(**arguments)
