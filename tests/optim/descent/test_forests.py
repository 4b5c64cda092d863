"""Message passing and graph partitions against dense algebra, networkx-free graph counts."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components

from skreg.optim.descent import (
    BlockCoordinateDescent,
    GraphHuber,
    GraphQuadratic,
    Logistic,
    lattice_forests,
)
from skreg.optim.descent._block_solvers import forest_solver
from skreg.optim.descent._forest import greedy_forest, root_forest


def random_graph(n, density, rng):
    """Symmetric nonnegative weights without diagonal."""
    W = np.triu(rng.uniform(0.2, 2.0, (n, n)) * (rng.random((n, n)) < density), 1)
    return W + W.T


def random_tree(n, rng):
    """Weights of a random recursive tree with shuffled labels."""
    W = np.zeros((n, n))
    label = rng.permutation(n)
    for i in range(1, n):
        j = rng.integers(i)
        W[label[i], label[j]] = W[label[j], label[i]] = rng.uniform(0.2, 2.0)
    return W


def is_forest(W, nodes):
    """Edges = nodes - components."""
    block = scipy.sparse.csr_array(W[np.ix_(nodes, nodes)])
    n_components = connected_components(block, directed=False)[0]
    return block.nnz // 2 == len(nodes) - n_components


def precision(W, rng):
    """Diagonally dominant matrix with the graph of W."""
    return np.diag(W.sum(axis=1) + rng.uniform(0.1, 1.0, len(W))) - W


def test_elimination_of_a_chain_by_hand():
    A = scipy.sparse.csr_array([[2.0, -1.0, 0.0], [-1.0, 3.0, -1.0], [0.0, -1.0, 2.0]])
    x = forest_solver(root_forest(A, np.arange(3)))(np.array([1.0, 2.0, 3.0]))
    np.testing.assert_allclose(x, [1.5, 2.0, 2.5], rtol=1e-15)


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 200), seed=st.integers(0, 2**31))
def test_elimination_of_random_trees_equals_a_dense_solve(n, seed):
    rng = np.random.default_rng(seed)
    A = precision(random_tree(n, rng), rng)
    r = rng.normal(size=n)
    x = forest_solver(root_forest(scipy.sparse.csr_array(A), np.arange(n)))(r)
    np.testing.assert_allclose(x, np.linalg.solve(A, r), rtol=1e-10, atol=1e-12)


def test_a_path_of_a_million_nodes_needs_no_recursion():
    n = 10**6
    A = scipy.sparse.diags_array(
        [np.full(n, 2.1), -np.ones(n - 1), -np.ones(n - 1)], offsets=[0, 1, -1]
    )
    r = np.random.default_rng(0).normal(size=n)
    x = forest_solver(root_forest(A.tocsr(), np.arange(n)))(r)
    assert np.abs(A @ x - r).max() < 1e-12


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 40), density=st.floats(0.0, 1.0), seed=st.integers(0, 2**31))
def test_greedy_block_is_a_maximal_induced_forest(n, density, seed):
    rng = np.random.default_rng(seed)
    W = random_graph(n, density, rng)
    graph = scipy.sparse.csr_array(W)
    order = rng.permutation(n)
    chosen = greedy_forest(graph.indptr, graph.indices, order)
    assert is_forest(W, chosen)
    assert order[0] in chosen
    for node in np.setdiff1d(np.arange(n), chosen):
        assert not is_forest(W, np.append(chosen, node))
    assert (root_forest(graph, np.arange(n)) is not None) == is_forest(W, np.arange(n))


def blocks_of(partition, W, values):
    """Blocks that a run of one pass uses."""
    method = BlockCoordinateDescent(partition, "cyclic", "exact", max_iter=200, tol=0.0)
    history = method.minimize(GraphQuadratic.from_labels(W, values)).history
    blocks = []
    for entry in history[1:]:
        if blocks and np.array_equal(entry["block"], blocks[0]):
            break
        blocks.append(entry["block"])
    return blocks


@pytest.mark.parametrize("order", ["lipschitz", "index"])
def test_tree_partition_covers_every_node_with_forests_and_is_first_fit(order):
    from skreg.optim.descent import Tree

    rng = np.random.default_rng(0)
    W = random_graph(40, 0.15, rng)
    values = np.full(40, np.nan)
    values[::8] = 1.0
    free = np.flatnonzero(np.isnan(values))
    blocks = blocks_of(Tree(order), W, values)
    inner = W[np.ix_(free, free)]
    np.testing.assert_array_equal(np.sort(np.concatenate(blocks)), np.arange(len(free)))
    assert len(blocks) > 1
    for number, block in enumerate(blocks):
        assert is_forest(inner, block)
        for later in blocks[number + 1 :]:
            # in a first fit, no node of a later forest could have joined all of an earlier one
            assert any(not is_forest(inner, np.append(block, node)) for node in later)


@pytest.mark.parametrize("order", ["lipschitz", "index"])
def test_colour_classes_have_no_edge_inside(order):
    from skreg.optim.descent import RedBlack

    rng = np.random.default_rng(1)
    W = random_graph(30, 0.2, rng)
    values = np.full(30, np.nan)
    values[::6] = 1.0
    free = np.flatnonzero(np.isnan(values))
    blocks = blocks_of(RedBlack(order), W, values)
    inner = W[np.ix_(free, free)]
    np.testing.assert_array_equal(np.sort(np.concatenate(blocks)), np.arange(len(free)))
    for block in blocks:
        assert not inner[np.ix_(block, block)].any()


def lattice_weights(n_rows, n_columns):
    number = np.arange(n_rows * n_columns).reshape(n_columns, n_rows)
    i = np.concatenate([number[:, :-1].ravel(), number[:-1].ravel()])
    j = np.concatenate([number[:, 1:].ravel(), number[1:].ravel()])
    W = np.zeros((n_rows * n_columns,) * 2)
    W[i, j] = W[j, i] = 1.0
    return W


@pytest.mark.parametrize(("n_rows", "n_columns"), [(2, 1), (2, 5), (5, 2), (6, 7), (9, 1)])
def test_combs_are_two_forests_that_cover_a_lattice(n_rows, n_columns):
    forests = lattice_forests(n_rows, n_columns)
    W = lattice_weights(n_rows, n_columns)
    assert len(forests) == 2
    np.testing.assert_array_equal(np.sort(np.concatenate(forests)), np.arange(n_rows * n_columns))
    for nodes in forests:
        assert is_forest(W, nodes)
        assert connected_components(scipy.sparse.csr_array(W[np.ix_(nodes, nodes)]))[0] == 1


def test_lattice_has_two_colours_by_parity():
    W = lattice_weights(5, 6)
    A = scipy.sparse.csr_array(np.diag(W.sum(axis=1) + 0.1) - W)
    from skreg.optim.descent import RedBlack

    method = BlockCoordinateDescent(RedBlack("index"), "cyclic", "message_passing", max_iter=2)
    history = method.minimize(GraphQuadratic(A, np.ones(30))).history
    column, row = np.divmod(np.arange(30), 5)
    parity = (row + column) % 2
    for entry, colour in zip(history[1:], (0, 1), strict=True):
        np.testing.assert_array_equal(entry["block"], np.flatnonzero(parity == colour))


def test_one_row_has_no_combs():
    with pytest.raises(ValueError, match="1 rows"):
        lattice_forests(1, 4)


def test_a_whole_tree_is_solved_in_one_step():
    rng = np.random.default_rng(0)
    A = precision(random_tree(60, rng), rng)
    b = rng.normal(size=60)
    result = BlockCoordinateDescent(tol=1e-12).minimize(
        GraphQuadratic(scipy.sparse.csr_array(A), b)
    )
    assert result.nit == 1
    assert len(result.history[1]["block"]) == 60
    np.testing.assert_allclose(result.x, np.linalg.solve(A, b), rtol=1e-10)


def test_one_update_solves_the_block_given_its_complement():
    rng = np.random.default_rng(2)
    W = random_graph(50, 0.1, rng)
    A, b, x0 = precision(W, rng), rng.normal(size=50), rng.normal(size=50)
    method = BlockCoordinateDescent("variable", "greedy_tree", "message_passing", max_iter=1)
    result = method.minimize(GraphQuadratic(scipy.sparse.csr_array(A), b), x0)
    inside = result.history[1]["block"]
    outside = np.setdiff1d(np.arange(50), inside)
    expected = np.linalg.solve(
        A[np.ix_(inside, inside)], b[inside] - A[np.ix_(inside, outside)] @ x0[outside]
    )
    np.testing.assert_allclose(result.x[inside], expected, rtol=1e-10)
    np.testing.assert_array_equal(result.x[outside], x0[outside])


@pytest.mark.parametrize("selection", ["random", "cyclic", "lipschitz", "gs", "gsl", "gsd", "gsq"])
@pytest.mark.parametrize("partition", ["tree", "red_black"])
def test_every_rule_on_forest_blocks_reaches_the_sparse_direct_solution(partition, selection):
    rng = np.random.default_rng(0)
    W = random_graph(40, 0.15, rng) + np.diag(np.ones(40)) * 0
    values = np.full(40, np.nan)
    values[::4] = rng.normal(size=10)
    problem = GraphQuadratic.from_labels(W, values)
    method = BlockCoordinateDescent(
        partition, selection, "message_passing", max_iter=5000, tol=1e-11, random_state=0
    )
    result = method.minimize(problem)
    assert result.success
    direct = scipy.sparse.linalg.spsolve(problem.A.tocsc(), problem.b)
    np.testing.assert_allclose(result.x, direct, atol=1e-9)


@pytest.mark.parametrize(
    "selection", ["greedy_tree", "greedy_tree_lipschitz", "greedy_tree_row_sum", "random_tree"]
)
def test_message_passing_decreases_as_promised_for_quadratic_and_huber(selection, cases):
    for kind in ("graph", "huber"):
        case = cases(kind, None)
        points = [np.zeros(case.n)]
        method = BlockCoordinateDescent(
            "variable", selection, "message_passing", max_iter=30, tol=1e-10, random_state=0,
            callback=lambda intermediate_result, points=points: points.append(
                intermediate_result.x
            ),
        )  # fmt: skip
        result = method.minimize(case.problem)
        for x, new, entry in zip(points, points[1:], result.history[1:], strict=False):
            block = entry["block"]
            g, H = case.gradient(x)[block], case.majorant(x)[np.ix_(block, block)]
            promised = 0.5 * g @ np.linalg.solve(H, g)
            assert case.value(new) - case.value(x) <= -promised * (1 - 1e-9) + 1e-12


def test_huber_couplings_agree_with_a_convex_solver():
    cp = pytest.importorskip("cvxpy")
    rng = np.random.default_rng(0)
    W = random_graph(25, 0.2, rng)
    values = np.full(25, np.nan)
    values[:6] = rng.normal(size=6) * 3
    W[:6, :6] = 0.0  # edges between labelled nodes are constants
    result = BlockCoordinateDescent(tol=1e-9, max_iter=5000).minimize(GraphHuber(W, values, 0.5))
    z = cp.Variable(25)
    i, j = np.nonzero(np.triu(W))
    objective = cp.sum(cp.multiply(W[i, j], cp.huber(z[i] - z[j], 0.5))) / 2
    problem = cp.Problem(cp.Minimize(objective), [z[:6] == values[:6]])
    problem.solve(solver=cp.CLARABEL)
    assert result.success
    assert result.fun == pytest.approx(problem.value, rel=1e-7)


def test_huber_with_a_large_delta_is_the_quadratic():
    rng = np.random.default_rng(0)
    W = random_graph(25, 0.2, rng)
    values = np.full(25, np.nan)
    values[:6] = rng.normal(size=6)
    method = BlockCoordinateDescent(tol=1e-11, max_iter=2000)
    quadratic = method.minimize(GraphQuadratic.from_labels(W, values))
    huber = method.minimize(GraphHuber(W, values, 1e3))
    np.testing.assert_allclose(huber.x, quadratic.x, atol=1e-9)


def test_a_chain_structured_logistic_regression_is_solved_by_message_passing():
    rng = np.random.default_rng(0)
    n = 30
    rows = [np.eye(n)[i] - np.eye(n)[i + 1] for i in range(n - 1)] + list(np.eye(n)) * 3
    X = scipy.sparse.csr_array(np.array(rows))
    y = np.where(rng.random(len(rows)) < 0.6, 1.0, -1.0)
    y[n - 1 : 3 * n - 1] = np.repeat([1.0, -1.0], n)  # both labels at every node: a finite optimum
    method = BlockCoordinateDescent("variable", "greedy_tree", "message_passing", max_iter=500)
    passing = method._replace(tol=1e-9).minimize(Logistic(X, y))
    newton = BlockCoordinateDescent(block_size=n, tol=1e-10).minimize(Logistic(X.toarray(), y))
    assert passing.success
    assert len(passing.history[1]["block"]) == n
    np.testing.assert_allclose(passing.x, newton.x, atol=1e-6)


def test_a_triangle_is_no_forest():
    W = np.ones((5, 5)) - np.eye(5)
    W[3:, :3] = W[:3, 3:] = 0.0
    A = scipy.sparse.csr_array(np.diag(W.sum(axis=1) + 1.0) - W)
    problem = GraphQuadratic(A, np.ones(5))
    with pytest.raises(ValueError, match=r"without a cycle.*has one"):
        BlockCoordinateDescent([[0, 1, 2], [3, 4]], "cyclic", "message_passing").minimize(problem)
    with pytest.raises(ValueError, match="without a cycle"):
        BlockCoordinateDescent("variable", "gs", "message_passing", 5).minimize(problem)
    result = BlockCoordinateDescent([[0, 1], [2], [3, 4]], "cyclic", "message_passing").minimize(
        problem
    )
    np.testing.assert_allclose(result.x, np.linalg.solve(A.toarray(), np.ones(5)), rtol=1e-5)


def test_an_indefinite_forest_is_noticed():
    A = scipy.sparse.csr_array([[1.0, -3.0], [-3.0, 1.0]])
    with pytest.raises(ValueError, match="positive definite"):
        BlockCoordinateDescent().minimize(GraphQuadratic(A, np.ones(2)))


def test_large_blocks_with_cycles_are_solved_sparsely():
    W = scipy.sparse.csr_array(lattice_weights(20, 30))
    A = scipy.sparse.diags_array(W.sum(axis=1) + 0.05) - W
    b = np.random.default_rng(0).normal(size=600)
    for selection, update in (("gs", "matrix"), ("gsq", "newton")):
        partition = "variable" if selection == "gs" else [np.arange(600)]
        size = 600 if selection == "gs" else None
        method = BlockCoordinateDescent(partition, selection, update, size, tol=1e-12)
        result = method.minimize(GraphQuadratic(A, b))
        assert result.nit <= 2
        np.testing.assert_allclose(result.x, scipy.sparse.linalg.spsolve(A.tocsc(), b), rtol=1e-9)
