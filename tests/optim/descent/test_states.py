"""Gradients, Hessians and their bounds against formulas and finite differences."""

import numpy as np
import pytest

from skreg.optim.descent._run import start_run

KINDS = ["least squares", "logistic", "multinomial", "graph", "huber"]


@pytest.fixture(params=KINDS)
def case(request, cases):
    return cases(request.param, None)


def state_at(case, x, keep_gradient=True):
    return start_run(case.problem, x, keep_gradient, np.random.default_rng(0)).state


def test_formulas_of_the_tests_agree_with_finite_differences(case):
    x, h = np.random.default_rng(0).normal(size=case.n), 1e-6
    steps = np.eye(case.n) * h
    slope = [(case.value(x + d) - case.value(x - d)) / (2 * h) for d in steps]
    np.testing.assert_allclose(case.gradient(x), slope, atol=1e-6)
    curvature = [(case.gradient(x + d) - case.gradient(x - d)) / (2 * h) for d in steps]
    np.testing.assert_allclose(case.hessian(x), curvature, atol=1e-6)


def test_values_gradients_and_hessians_are_the_formulas(case):
    rng = np.random.default_rng(1)
    x = rng.normal(size=case.n)
    state = state_at(case, x)
    assert state.value == pytest.approx(case.value(x), rel=1e-12)
    np.testing.assert_allclose(state.full_gradient(), case.gradient(x), atol=1e-10)
    zero = np.abs(case.gradient(np.zeros(case.n))).max()
    assert state.null_gradient_size() == pytest.approx(zero, rel=1e-12)
    block = np.sort(rng.permutation(case.n)[:5])
    np.testing.assert_allclose(
        state_at(case, x, False).block_gradient(block), case.gradient(x)[block], atol=1e-10
    )
    own = np.ix_(block, block)
    expected = case.majorant(x) if state.current_is_bound else case.hessian(x)
    np.testing.assert_allclose(state.hessian(block, "current"), expected[own], atol=1e-10)
    direction = rng.normal(size=5)
    moved = x.copy()
    moved[block] += 0.3 * direction
    change = case.value(moved) - case.value(x)
    assert state.ray(block, direction)(0.3) == pytest.approx(change, rel=1e-9)
    state.move(block, 0.3 * direction)
    assert state.value == pytest.approx(case.value(moved), rel=1e-12)
    np.testing.assert_allclose(state.full_gradient(), case.gradient(moved), atol=1e-10)


def test_bounds_are_bounds_and_their_rows_agree(case):
    rng = np.random.default_rng(2)
    for scale in (0.0, 1.0, 5.0):
        x = scale * rng.normal(size=case.n)
        state, now = state_at(case, x), case.hessian(x)
        for size in (1, 2, 3, 6):
            block = np.sort(rng.permutation(case.n)[:size])
            own = np.ix_(block, block)
            bound = state.hessian(block, "bound")
            assert np.linalg.eigvalsh(now[own] - bound)[-1] <= 1e-12 * np.trace(bound)
            assert np.linalg.eigvalsh(bound - np.diag(state.row_sums()[block]))[-1] <= 1e-10
            assert np.all(np.diag(bound) >= state.lipschitz[block] * (1 - 1e-12) - 1e-12)
    state = state_at(case, np.zeros(case.n))
    np.testing.assert_allclose(state.row_sums(), np.abs(case.bound).sum(axis=1), rtol=1e-10)
    np.testing.assert_allclose(state.bound_diagonal(), np.diag(case.bound), rtol=1e-12)
    v = rng.normal(size=case.n)
    np.testing.assert_allclose(state.bound_product(v), case.bound @ v, atol=1e-9)
    for j in (0, case.n - 1):
        np.testing.assert_allclose(state.bound_row(j), case.bound[j], atol=1e-10)


def test_rows_of_the_current_hessian(case):
    x = np.random.default_rng(3).normal(size=case.n)
    state = state_at(case, x)
    expected = case.majorant(x) if state.current_is_bound else case.hessian(x)
    diagonal, row = state.current_rows()
    np.testing.assert_allclose(diagonal, np.diag(expected), atol=1e-10)
    for j in (0, case.n - 1):
        np.testing.assert_allclose(row(j), expected[j], atol=1e-10)


def test_coordinate_constants_of_a_softmax_are_a_quarter_of_the_square(cases):
    case = cases("multinomial", None)
    X, weight = case.problem.X, case.problem.sample_weight
    state = state_at(case, np.zeros(case.n))
    np.testing.assert_allclose(state.lipschitz, np.repeat(0.25 * weight @ X**2, 3))
    single = state.hessian(np.array([4]), "bound")
    np.testing.assert_allclose(single, state.lipschitz[4])


def test_graphs_join_what_the_hessian_couples(cases):
    for kind in ("graph", "huber", "logistic"):
        case = cases(kind, None)
        graph = state_at(case, np.zeros(case.n)).adjacency().toarray() != 0
        pattern = np.abs(case.bound) > 1e-12
        np.fill_diagonal(pattern, False)
        assert np.all(graph >= pattern)
        np.testing.assert_array_equal(graph, graph.T)
        sparse = state_at(case, np.zeros(case.n)).sparse_hessian(np.arange(case.n), "bound")
        np.testing.assert_allclose(sparse.toarray(), case.bound, atol=1e-10)
