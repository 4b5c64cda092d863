"""Distances between graphs against hand values, the package gadjid and exhaustive search."""

import itertools

import numpy as np
import pytest

from skreg.causal.metrics import (
    cpdag_hamming_distance,
    edge_rates,
    noise_scale_error,
    normalized_mean_squared_error,
    structural_hamming_distance,
    structural_intervention_distance,
)


def graph(d, *edges):
    B = np.zeros((d, d))
    for i, j in edges:
        B[i, j] = 1
    return B


def random_dag(rng, d, density):
    B = np.triu(rng.random((d, d)) < density, k=1)
    order = rng.permutation(d)
    return B[np.ix_(order, order)]


CHAIN = graph(4, (0, 1), (1, 2), (2, 3))
SHORT = graph(3, (0, 1), (1, 2))


@pytest.mark.parametrize(
    ("estimate", "shd", "rates"),
    [
        (CHAIN, 0, (1, 0, 0)),
        (graph(4, (1, 0), (1, 2), (2, 3)), 1, (2 / 3, 1 / 3, 1 / 3)),
        (graph(4, (0, 1), (1, 2), (2, 3), (0, 3)), 1, (1, 1 / 4, 1 / 3)),
        (graph(4, (0, 1), (1, 2)), 1, (2 / 3, 0, 0)),
        (graph(4), 3, (0, 0, 0)),
        (CHAIN.T, 3, (0, 1, 1)),
    ],
)
def test_hamming_distance_and_rates_by_hand(estimate, shd, rates):
    assert structural_hamming_distance(CHAIN, estimate) == shd
    assert edge_rates(CHAIN, estimate) == pytest.approx(rates)


def test_intervention_distance_by_hand():
    assert structural_intervention_distance(SHORT, SHORT) == 0
    assert structural_intervention_distance(SHORT, graph(3)) == 3
    assert structural_intervention_distance(SHORT, SHORT.T) == 6


def test_distances_agree_with_gadjid():
    gadjid = pytest.importorskip("gadjid")
    rng = np.random.default_rng(0)
    for _ in range(150):
        d = rng.integers(2, 12)
        B, E = (random_dag(rng, d, rng.uniform(0.1, 0.9)) for _ in range(2))
        pair = B.astype(np.int8), E.astype(np.int8)
        sid = gadjid.sid(*pair, "from row to column")[1]
        assert structural_intervention_distance(B, E) == sid
        assert structural_hamming_distance(B, E) == gadjid.shd(*pair)[1]


def equivalence_class(B):
    """Union of all acyclic graphs with the adjacencies and v-structures of B, by enumeration."""
    networkx = pytest.importorskip("networkx")
    d = len(B)
    pairs = [(i, j) for i, j in itertools.combinations(range(d), 2) if B[i, j] or B[j, i]]

    def v_structures(G):
        adjacent = G | G.T
        return {
            (i, k, j)
            for i, j in itertools.combinations(range(d), 2)
            for k in range(d)
            if G[i, k] and G[j, k] and not adjacent[i, j]
        }

    union = np.zeros_like(B)
    for flips in itertools.product([False, True], repeat=len(pairs)):
        G = np.zeros_like(B)
        for (i, j), flip in zip(pairs, flips, strict=True):
            G[(j, i) if flip else (i, j)] = True
        same = v_structures(G) == v_structures(B)
        if same and networkx.is_directed_acyclic_graph(networkx.DiGraph(G)):
            union |= G
    return union


def test_class_distance_agrees_with_enumerated_classes():
    rng = np.random.default_rng(1)
    for _ in range(40):
        d = rng.integers(2, 6)
        B, E = (random_dag(rng, d, rng.uniform(0.2, 0.9)) for _ in range(2))
        classes = equivalence_class(B), equivalence_class(E)
        differing = sum(
            (classes[0][i, j], classes[0][j, i]) != (classes[1][i, j], classes[1][j, i])
            for i, j in itertools.combinations(range(d), 2)
        )
        assert cpdag_hamming_distance(B, E) == differing


def test_class_distance_by_hand():
    assert cpdag_hamming_distance(CHAIN, CHAIN.T) == 0
    collider = graph(3, (0, 1), (2, 1))
    assert cpdag_hamming_distance(SHORT, collider) == 2


def test_relative_errors():
    W = np.array([[0, 3.0], [0, 0]])
    assert normalized_mean_squared_error(W, W) == 0
    assert normalized_mean_squared_error(W, W.T) == pytest.approx(2)
    assert noise_scale_error([3.0, 4.0], [3.0, 4.5]) == pytest.approx(0.1)
    assert noise_scale_error([1.0, 1.0], 1.5) == pytest.approx(0.5)


@pytest.mark.parametrize(
    "metric",
    [
        cpdag_hamming_distance,
        edge_rates,
        structural_hamming_distance,
        structural_intervention_distance,
    ],
)
def test_bad_graphs_are_named(metric):
    with pytest.raises(ValueError, match="truth must be a square matrix"):
        metric([[0, 1]], [[0]])
    with pytest.raises(ValueError, match="estimate must be a square matrix"):
        metric([[0]], [[np.nan]])
    with pytest.raises(ValueError, match=r"truth has shape \(3, 3\), estimate \(4, 4\)"):
        metric(SHORT, CHAIN)
    with pytest.raises(ValueError, match="estimate has an edge from a node to itself"):
        metric(SHORT, np.eye(3))


@pytest.mark.parametrize("metric", [cpdag_hamming_distance, structural_intervention_distance])
def test_cycles_are_named(metric):
    with pytest.raises(ValueError, match="estimate has a cycle"):
        metric(SHORT, SHORT + SHORT.T)


def test_bad_numbers_are_named():
    with pytest.raises(ValueError, match="no edge"):
        normalized_mean_squared_error(np.zeros((2, 2)), np.zeros((2, 2)))
    with pytest.raises(ValueError, match="truth has shape"):
        normalized_mean_squared_error(SHORT, CHAIN)
    with pytest.raises(ValueError, match="must be positive"):
        noise_scale_error([0.0, 1.0], 1.0)
    with pytest.raises(ValueError, match="must be positive"):
        noise_scale_error([np.inf, 1.0], 1.0)
    with pytest.raises(ValueError, match="must be finite"):
        noise_scale_error([1.0, 1.0], [1.0, np.nan])
    with pytest.raises(ValueError, match="truth has shape"):
        noise_scale_error([1.0, 1.0], [1.0])
