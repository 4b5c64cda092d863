"""Graphs, weights and noises of linear structural equation models are what is asked for."""

import networkx
import numpy as np
import pytest
from scipy import stats

from skreg.datasets import make_linear_sem
from skreg.datasets._linear_sem import draw_noise


@pytest.mark.parametrize("graph", ["erdos-renyi", "scale-free"])
def test_graphs_are_acyclic_with_weights_in_range(graph):
    sem = make_linear_sem(20, 30, graph=graph, weight_range=(0.3, 0.8), random_state=0)
    W = sem.adjacency
    assert networkx.is_directed_acyclic_graph(networkx.DiGraph(W))
    magnitude = np.abs(W[W != 0])
    assert magnitude.min() >= 0.3
    assert magnitude.max() <= 0.8
    assert 0.3 < np.mean(W[W != 0] > 0) < 0.7
    # the order of the columns says nothing about the causal order
    assert 0.3 < np.count_nonzero(np.triu(W)) / np.count_nonzero(W) < 0.7


def test_number_of_edges_of_erdos_renyi_graphs():
    n_edges = [
        np.count_nonzero(make_linear_sem(1, 20, edges_per_node=3, random_state=seed).adjacency)
        for seed in range(100)
    ]
    p = 2 * 3 / 19
    spread = np.sqrt(190 * p * (1 - p) / 100)
    assert abs(np.mean(n_edges) - 60) < 4 * spread


def test_scale_free_graphs_have_hubs_with_many_parents():
    largest, n_edges = [], []
    for seed in range(20):
        W = make_linear_sem(
            1, 100, graph="scale-free", edges_per_node=2, random_state=seed
        ).adjacency
        B = W != 0
        n_edges.append(B.sum())
        largest.append(B.sum(axis=0).max())
        assert np.all(B.sum(axis=1) <= 2)
    assert set(n_edges) == {2 * 98}
    # an Erdos-Renyi graph of that size has a largest in-degree of about 7
    assert np.mean(largest) > 12


@pytest.mark.parametrize("family", ["gaussian", "exponential", "laplace", "gumbel"])
def test_noises_have_mean_zero_and_variance_one(family):
    z = draw_noise(np.random.default_rng(0), family, 200_000)
    kurtosis = {"gaussian": 0, "exponential": 6, "laplace": 3, "gumbel": 12 / 5}[family]
    assert abs(z.mean()) < 4 / np.sqrt(2e5)
    assert abs(z.var() - 1) < 4 * np.sqrt((kurtosis + 2) / 2e5)
    reference = {
        "gaussian": stats.norm(), "exponential": stats.expon(-1),
        "laplace": stats.laplace(scale=np.sqrt(0.5)),
        "gumbel": stats.gumbel_r(-np.euler_gamma * np.sqrt(6) / np.pi, np.sqrt(6) / np.pi),
    }[family]  # fmt: skip
    assert stats.kstest(z[:5000], reference.cdf).pvalue > 1e-3


def test_rows_have_the_covariance_of_the_model():
    sem = make_linear_sem(200_000, 5, edges_per_node=1, noise_variance=(0.5, 4), random_state=2)
    A = np.linalg.inv(np.eye(5) - sem.adjacency)
    C = A.T @ np.diag(sem.noise_scale**2) @ A
    spread = np.sqrt((np.outer(np.diagonal(C), np.diagonal(C)) + C**2) / 2e5)
    assert np.all(np.abs(np.cov(sem.X.T) - C) < 5 * spread)
    assert np.all((sem.noise_scale**2 >= 0.5) & (sem.noise_scale**2 <= 4))
    assert len(set(sem.noise_scale)) == 5
    assert set(make_linear_sem(2, 5, noise_variance=4.0, edges_per_node=1).noise_scale) == {2.0}


def test_given_weights_are_used():
    W = [[0, 0, 0], [2, 0, 0], [0, -1, 0]]
    sem = make_linear_sem(50, adjacency=W, noise_variance=1e-20, random_state=0)
    np.testing.assert_array_equal(sem.adjacency, W)
    np.testing.assert_allclose(sem.X[:, 0], 2 * sem.X[:, 1], atol=1e-9)
    with pytest.raises(ValueError, match="cycle"):
        make_linear_sem(adjacency=[[0, 1], [1, 0]])


def test_everything_follows_from_the_seed():
    for seed in (5, np.random.RandomState(5), np.random.default_rng(5)):
        again = type(seed)(5) if isinstance(seed, np.random.RandomState) else 5
        again = np.random.default_rng(5) if isinstance(seed, np.random.Generator) else again
        for first, second in zip(
            make_linear_sem(10, random_state=seed), make_linear_sem(10, random_state=again),
            strict=True,
        ):  # fmt: skip
            np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_samples": 0}, "n_samples"),
        ({"n_features": 1}, "n_features"),
        ({"graph": "tree"}, "graph"),
        ({"edges_per_node": -1}, "edges_per_node"),
        ({"edges_per_node": 10, "n_features": 20}, "edges_per_node=10 is more than"),
        ({"edges_per_node": 1.5, "graph": "scale-free"}, "edges_per_node=1.5 must be an integer"),
        ({"weight_range": (2, 1)}, "weight_range"),
        ({"weight_range": (0, 1)}, "weight_range"),
        ({"noise": "cauchy"}, "noise"),
        ({"noise_variance": 0.0}, "noise_variance"),
        ({"noise_variance": (1, 2, 3)}, "noise_variance"),
        ({"random_state": "seed"}, "random_state"),
        ({"adjacency": np.zeros((2, 3))}, r"adjacency has shape \(2, 3\); it must be square"),
    ],
)
def test_bad_parameters_are_named(parameters, message):
    with pytest.raises(ValueError, match=message):
        make_linear_sem(**parameters)


def test_a_model_is_one_line():
    text = repr(make_linear_sem(1000, 20, random_state=0))
    assert text == (
        "LinearSEM(X=<float64 array of shape (1000, 20)>, "
        "adjacency=<float64 array of shape (20, 20)>, noise_scale=<float64 array of shape (20,)>)"
    )
