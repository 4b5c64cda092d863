"""Graphs as matrices, against networkx."""

import networkx
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from skreg.graphs import (
    as_square,
    checked_weights,
    connected_to,
    descendants,
    is_acyclic,
    propagate,
    strong_components,
    topological_order,
)

GRAPHS = st.integers(1, 7).flatmap(lambda n: arrays(bool, (n, n)))
ACYCLIC = GRAPHS.map(lambda B: np.triu(B, k=1)).flatmap(
    lambda B: st.permutations(range(len(B))).map(lambda order: B[np.ix_(order, order)])
)


def directed(B):
    return networkx.from_numpy_array(B, create_using=networkx.DiGraph)


@given(GRAPHS)
def test_cycles_and_components_are_those_of_networkx(B):
    graph = directed(B)
    assert is_acyclic(B) == networkx.is_directed_acyclic_graph(graph)
    expected = {frozenset(c) for c in networkx.strongly_connected_components(graph) if len(c) > 1}
    assert {frozenset(nodes.tolist()) for nodes in strong_components(B)} == expected


@given(ACYCLIC)
def test_orders_and_descendants_are_those_of_networkx(B):
    graph = directed(B)
    expected = list(networkx.lexicographical_topological_sort(graph))
    assert topological_order(B).tolist() == expected
    reach = descendants(B)
    for node in graph:
        assert set(np.flatnonzero(reach[node]).tolist()) == networkx.descendants(graph, node)


@pytest.mark.parametrize("B", [[[0, 1], [1, 0]], [[1, 0], [0, 0]]])
def test_a_cycle_has_no_order(B):
    with pytest.raises(ValueError, match="W has a cycle"):
        topological_order(np.array(B, dtype=bool), "W")
    with pytest.raises(ValueError, match="cycle"):
        descendants(B)


def test_rows_solve_the_structural_equations():
    rng = np.random.default_rng(0)
    order = rng.permutation(6)
    W = np.zeros((6, 6))
    W[np.ix_(order, order)] = np.triu(rng.standard_normal((6, 6)), k=1)
    Z = rng.standard_normal((20, 6))
    X = propagate(Z, W, topological_order(W != 0))
    np.testing.assert_allclose(X, np.linalg.solve((np.eye(6) - W).T, Z.T).T, rtol=1e-10)


@given(GRAPHS, st.data())
def test_connections_are_those_of_networkx_for_weights_of_all_sizes(B, data):
    B = np.triu(B, k=1)
    W = np.where(B | B.T, 1e-200, 0.0)
    marked = data.draw(arrays(bool, len(B)))
    graph = networkx.from_numpy_array(B | B.T)
    expected = [
        bool(marked[list(networkx.node_connected_component(graph, i))].any()) for i in graph
    ]
    assert connected_to(W, marked).tolist() == expected
    assert connected_to(scipy.sparse.csr_array(W), marked).tolist() == expected


def test_weights_lose_their_diagonal_and_are_copied():
    W = np.array([[5.0, 2.0], [2.0, 0.0]])
    checked = checked_weights(W)
    np.testing.assert_array_equal(checked.toarray(), [[0, 2], [2, 0]])
    assert checked.nnz == 2
    assert W[0, 0] == 5.0


@pytest.mark.parametrize(
    ("W", "message"),
    [
        ([[0, 1, 0]], r"square, its shape is \(1, 3\)"),
        ([[0, np.nan], [np.nan, 0]], "finite"),
        ([[0, -1], [-1, 0]], "nonnegative"),
        ([[0, 1], [2, 0]], "symmetric"),
    ],
)
def test_bad_weights_are_named(W, message):
    with pytest.raises(ValueError, match=message):
        checked_weights(W)


def test_a_large_matrix_is_not_printed():
    with pytest.raises(ValueError, match=r"W must be a square .*it is array\(\[\[1\., 2\.\]\]\)"):
        as_square("W", [[1, 2]])
    with pytest.raises(ValueError, match=r"an array of shape \(300, 301\)") as caught:
        as_square("W", np.zeros((300, 301)))
    assert len(str(caught.value)) < 100
