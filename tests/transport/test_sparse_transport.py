"""`sparse_transport` against hand-made answers, POT, cvxpy and scipy's assignments."""

import re
import warnings

import numpy as np
import ot
import pytest
from scipy.optimize import linear_sum_assignment
from sklearn.exceptions import ConvergenceWarning

from skreg.bench.arena import transport_tasks
from skreg.transport import sparse_transport
from skreg.transport._envelope import Problem, ProximalDual, first_potentials

SWAP = np.array([[0.0, 1.0], [1.0, 0.0]])
HALVES = np.full(2, 0.5)


def clouds(seed, n, m):
    """Two clouds of points, with the squared distances over their largest."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, 2)), rng.normal(size=(m, 2)) + 1
    C = ((x[:, None] - y[None]) ** 2).sum(axis=2)
    return np.full(n, 1 / n), np.full(m, 1 / m), C / C.max()


def uneven(seed, n, m):
    rng = np.random.default_rng(seed)
    a, b = rng.dirichlet(np.ones(n)), rng.dirichlet(np.full(m, 3.0))
    return a, b, rng.random((n, m))


@pytest.mark.parametrize(
    ("k", "gamma", "b", "plan", "value"),
    [
        (1, 1.0, HALVES, [[0.5, 0], [0, 0.5]], 0.25),
        (2, 1.0, HALVES, [[0.5, 0], [0, 0.5]], 0.25),
        (2, 4.0, HALVES, [[0.375, 0.125], [0.125, 0.375]], 0.875),
        (1, 4.0, HALVES, [[0.5, 0], [0, 0.5]], 1.0),
        (2, 1.0, [0.25, 0.75], [[0.25, 0.25], [0, 0.5]], 0.4375),
    ],
)
def test_small_answers_are_those_of_a_hand(k, gamma, b, plan, value):
    result = sparse_transport(HALVES, b, SWAP, max_nz=k, gamma=gamma, tol=1e-10)
    np.testing.assert_allclose(result.plan.toarray(), plan, atol=1e-9)
    assert result.value == pytest.approx(value, abs=1e-9)
    assert result.exact


def test_where_no_sparse_plan_exists_the_bound_is_that_of_the_envelope():
    result = sparse_transport(HALVES, [0.25, 0.75], SWAP, max_nz=1, tol=1e-10)
    assert result.dual_value == pytest.approx(0.5625, abs=1e-9)
    assert not result.exact
    with pytest.raises(ValueError, match=r"3 sources .* max_nz must be at least 2"):
        sparse_transport(np.ones(3), [1.5, 1.5], np.ones((3, 2)), max_nz=1, recovery="k_sparse")


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("make", [clouds, uneven])
def test_the_envelope_is_that_of_a_cone_program(make, k):
    cp = pytest.importorskip("cvxpy")
    a, b, C = make(0, 10, 5)
    gamma, (n, m) = 0.7, C.shape
    T, theta = cp.Variable((n, m), nonneg=True), cp.Variable((n, m), nonneg=True)
    ratios = cp.sum([cp.quad_over_lin(T[i, j], theta[i, j]) for i in range(n) for j in range(m)])
    constraints = [cp.sum(T, 1) == a, cp.sum(T, 0) == b, theta <= 1, cp.sum(theta, 0) <= k]
    problem = cp.Problem(cp.Minimize(cp.sum(cp.multiply(C, T)) + gamma / 2 * ratios), constraints)
    problem.solve(solver="CLARABEL")
    result = sparse_transport(a, b, C, max_nz=k, gamma=gamma, tol=1e-9)
    assert result.value == pytest.approx(problem.value, abs=1e-6)
    assert result.dual_value == pytest.approx(problem.value, abs=1e-6)


def test_without_a_constraint_it_is_quadratic_transport():
    a, b, C = uneven(1, 15, 6)
    plan = ot.smooth.smooth_ot_dual(a, b, C, reg=0.5, reg_type="l2", stopThr=1e-12, numItermax=5000)
    for k in (15, 99):
        result = sparse_transport(a, b, C, max_nz=k, gamma=0.5, tol=1e-10)
        np.testing.assert_allclose(result.plan.toarray(), plan, atol=1e-5)


def test_the_value_falls_with_k_from_the_unregularised_one():
    a, b, C = clouds(2, 60, 12)
    values = [sparse_transport(a, b, C, max_nz=k, tol=1e-9).value for k in (1, 2, 3, 5, 8, 13, 60)]
    assert np.all(np.diff(values) <= 1e-9)
    assert values[0] == pytest.approx(ot.emd2(a, b, C) + 0.5 * b @ b, abs=1e-8)


@pytest.mark.parametrize("gamma", [0.01, 0.1, 1.0, 10.0])
def test_balanced_masses_make_the_balanced_assignment(gamma):
    k, m = 6, 4
    a, b, C = clouds(3, k * m, m)
    rows, copies = linear_sum_assignment(np.repeat(C, k, axis=1))
    wanted = np.zeros_like(C)
    wanted[rows, copies // k] = 1 / len(a)
    result = sparse_transport(a, b, C, max_nz=k, gamma=gamma, recovery="k_sparse", tol=1e-9)
    np.testing.assert_allclose(result.plan.toarray(), wanted, atol=1e-8)
    assert result.exact


@pytest.mark.parametrize("seed", [0, 2, 5])
@pytest.mark.parametrize("k", [10, 11, 12, 16, 20])
def test_sparse_plans_have_k_entries_and_both_marginals(k, seed):
    a, b, C = clouds(seed, 200, 20)
    result = sparse_transport(a, b, C, max_nz=k, recovery="k_sparse", tol=1e-8)
    assert result.n_nonzero_per_column.max() <= k
    np.testing.assert_allclose(result.plan.sum(axis=1), a, atol=1e-8)
    np.testing.assert_allclose(result.plan.sum(axis=0), b, atol=1e-8)
    relaxed = sparse_transport(a, b, C, max_nz=k, tol=1e-8)
    assert relaxed.dual_value - 1e-9 <= relaxed.value <= result.value + 1e-9


def test_a_support_too_small_is_told_with_a_k_that_is_not():
    a, b, C = uneven(0, 100, 10)
    with pytest.warns(
        ConvergenceWarning, match=r"off by .* with 12 entries .* one with \d"
    ) as told:
        sparse_transport(a, b, C, max_nz=12, gamma=0.1, recovery="k_sparse")
    enough = int(re.search(r"one with (\d+)", str(told[0].message)).group(1))
    result = sparse_transport(a, b, C, max_nz=enough, gamma=0.1, recovery="k_sparse")
    assert result.marginal_error <= 1e-8
    assert result.n_nonzero_per_column.max() <= enough


def test_the_duals_own_plan_is_returned_with_its_error_only():
    a, b, C = clouds(0, 200, 20)
    with pytest.warns(ConvergenceWarning, match="row and column sums are off by"):
        result = sparse_transport(a, b, C, max_nz=4, recovery="dual")
    assert result.n_nonzero_per_column.max() <= 4
    assert result.marginal_error > 1e-2


@pytest.mark.parametrize("mu", [0.0, 0.3])
def test_derivatives_of_the_dual_are_what_the_marginals_lack(mu):
    a, b, C = uneven(5, 30, 7)
    problem = Problem(C, a, b, 4, 0.5)
    rng = np.random.default_rng(0)
    alpha, beta = first_potentials(problem)
    alpha = alpha + rng.normal(scale=0.1, size=30)
    last = problem.bound(alpha + 0.05, beta).plan
    p, q = rng.normal(size=30), rng.normal(size=7)

    dual = ProximalDual(problem, mu, last)

    def value(step):
        return dual(alpha + step * p, beta + step * q).value

    slope = dual(alpha, beta).slope(p, q)
    assert (value(1e-6) - value(-1e-6)) / 2e-6 == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("reach", [0.1, 0.99, 10.0])
def test_a_list_of_near_entries_gives_what_all_entries_give(reach, order):
    a, b, C = clouds(6, 60, 11)
    problem = Problem(np.asarray(C, order=order), a, b, 8, 0.5)
    rng = np.random.default_rng(1)
    solved = sparse_transport(a, b, C, max_nz=8, gamma=0.5)
    centre = solved.alpha + rng.normal(scale=0.003, size=60), solved.beta
    last = ProximalDual(problem, 0.4, problem.bound(*centre).plan)(*centre).plan
    dual, plain = ProximalDual(problem, 0.2, last), ProximalDual(problem, 0.2, last)
    dual.stay_near(*centre, margin=0.02)
    assert last.starts[-1] < dual.near.starts[-1] < C.size / 2
    p, q = 0.1 * rng.random(60), rng.random(11)
    step = reach * 0.02 / (p.max() + q.max())
    found, wanted = (at(centre[0] + step * p, centre[1] + step * q) for at in (dual, plain))
    assert found.value == wanted.value
    for part in ("starts", "sources", "mass", "fractional", "kappa"):
        np.testing.assert_array_equal(getattr(found.plan, part), getattr(wanted.plan, part))


def test_proximal_steps_do_not_turn_in_circles():
    """Two plans took turns where a step was done before it had begun: 583 Newton steps, not 74."""
    for seed in range(5):
        problem = transport_tasks.clouds(seed, n_sources=300, n_targets=300, k=2, gamma=1.0)
        C, a, b, k, gamma = problem
        assert sparse_transport(a, b, C, max_nz=k, gamma=gamma, tol=1e-8).n_iter < 150


def test_order_of_points_and_constants_in_rows_and_columns_change_nothing():
    a, b, C = uneven(6, 40, 8)
    plan = sparse_transport(a, b, C, max_nz=7, tol=1e-10).plan.toarray()
    rng = np.random.default_rng(0)
    rows, columns = rng.permutation(40), rng.permutation(8)
    again = sparse_transport(a[rows], b[columns], C[np.ix_(rows, columns)], max_nz=7, tol=1e-10)
    np.testing.assert_allclose(again.plan.toarray(), plan[np.ix_(rows, columns)], atol=1e-8)
    moved = C + rng.normal(size=(40, 1)) + rng.normal(size=8)
    again = sparse_transport(a, b, moved, max_nz=7, tol=1e-10)
    np.testing.assert_allclose(again.plan.toarray(), plan, atol=1e-7)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_costs_of_any_layout_and_type_give_one_answer(order, dtype):
    a, b, C = clouds(7, 50, 37)
    C = C.astype(np.float32)
    wanted = sparse_transport(a, b, C.astype(np.float64), max_nz=3, tol=1e-9).plan.toarray()
    result = sparse_transport(a, b, np.asarray(C, dtype, order), max_nz=3, tol=1e-9)
    np.testing.assert_allclose(result.plan.toarray(), wanted, atol=1e-8)


def test_masses_of_any_sum_scale_the_plan():
    a, b, C = uneven(8, 20, 5)
    plan = sparse_transport(a, b, C, max_nz=6, tol=1e-10).plan.toarray()
    result = sparse_transport(100 * a, 100 * b, C, max_nz=6, gamma=0.01, tol=1e-10)
    np.testing.assert_allclose(result.plan.toarray(), 100 * plan, rtol=1e-6, atol=1e-7)
    assert result.marginal_error <= 1e-10
    result = sparse_transport(100 * a, 100 * b, C, max_nz=20, gamma=0.01, tol=1e-10)
    own = (result.plan * C).sum() + 0.5 * 0.01 * (result.plan**2).sum()
    assert result.value == pytest.approx(own, rel=1e-9)
    assert result.dual_value == pytest.approx(own, rel=1e-7)


def test_a_warm_start_takes_fewer_steps_to_the_same_plan():
    a, b, C = clouds(9, 100, 20)
    first = sparse_transport(a, b, C, max_nz=8, gamma=1.0, tol=1e-9)
    cold = sparse_transport(a, b, C, max_nz=8, gamma=0.9, tol=1e-9)
    warm = sparse_transport(a, b, C, max_nz=8, gamma=0.9, tol=1e-9, warm_start=first)
    np.testing.assert_allclose(warm.plan.toarray(), cold.plan.toarray(), atol=1e-6)
    assert warm.n_iter < cold.n_iter


@pytest.mark.parametrize("gamma", [1e-8, 1e-4, 1e-2, 1.0, 10.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_every_strength_is_solved_down_to_the_linear_program(seed, gamma):
    a, b, C = clouds(seed, 60, 40)
    result = sparse_transport(a, b, C, max_nz=3, gamma=gamma)
    assert result.marginal_error <= 1e-8
    assert abs(result.gap) <= 1e-8
    if gamma == 1e-8:
        assert result.value == pytest.approx(ot.emd2(a, b, C), abs=1e-7)


def test_costs_without_differences_give_spread_masses():
    a, b = np.full(12, 1 / 12), np.full(3, 1 / 3)
    for level in (0.0, 7.0):
        result = sparse_transport(a, b, np.full((12, 3), level), max_nz=12)
        np.testing.assert_allclose(result.plan.toarray(), np.outer(a, b), atol=1e-8)
        tied = sparse_transport(a, b, np.full((12, 3), level), max_nz=4)
        assert tied.marginal_error <= 1e-8
        # at most 4 of 12 equal sources for each: mass 1/12 in each entry, in the best plan
        assert tied.value == pytest.approx(level + 0.5 / 12, abs=1e-7)


@pytest.mark.parametrize("forbidding", [1e3, 1e12])
def test_forbidden_pairs_are_left_out_at_any_large_cost(forbidding):
    a, b, C = clouds(3, 80, 10)
    forbidden = np.random.default_rng(0).random(C.shape) < 0.5
    result = sparse_transport(a, b, np.where(forbidden, forbidding, C), max_nz=12, gamma=0.1)
    assert result.marginal_error <= 1e-8
    assert not np.any(result.plan.toarray()[forbidden])


@pytest.mark.parametrize("unit", [1e-8, 1e8])
def test_the_unit_of_the_costs_and_a_constant_do_not_matter(unit):
    a, b, C = clouds(4, 80, 10)
    plan = sparse_transport(a, b, C, max_nz=9).plan.toarray()
    again = sparse_transport(a, b, unit * (C + 5.0), max_nz=9, gamma=unit)
    np.testing.assert_allclose(again.plan.toarray(), plan, atol=1e-7)
    assert again.gap == pytest.approx(0.0, abs=1e-8)


def test_the_semi_dual_plan_has_the_column_sums_whatever_else_it_lacks():
    a, b, C = uneven(10, 60, 12)
    with pytest.warns(ConvergenceWarning):
        plan = sparse_transport(a, b, C, max_nz=3, recovery="dual").plan
    np.testing.assert_allclose(plan.sum(axis=0), b, rtol=0.0, atol=1e-12)
    assert np.abs(plan.sum(axis=1) - a).sum() > 1e-3
    with pytest.warns(ConvergenceWarning):
        sparse_transport(a, b, C, max_nz=3, recovery="dual", method="dual")


@pytest.mark.parametrize("k", [1, 3, 7, 12])
def test_the_best_target_potentials_are_those_of_a_projection_on_the_sparse_simplex(k):
    a, b, C = uneven(11, 12, 5)
    gamma, alpha = 0.3, np.random.default_rng(0).normal(size=12)
    point = Problem(C, a, b, k, gamma).semi_dual(alpha)
    plan = np.zeros_like(C)
    for j in range(5):
        plan[point.plan.sources[point.plan.starts[j] : point.plan.starts[j + 1]], j] = (
            point.plan.mass[point.plan.starts[j] : point.plan.starts[j + 1]]
        )
    scores = (alpha[:, None] - C) / gamma
    wanted = ot.utils.projection_sparse_simplex(scores.copy(), min(k, 11), z=b, axis=0)
    if k < 12:
        np.testing.assert_allclose(plan, wanted, atol=1e-12)
    np.testing.assert_allclose(plan.sum(axis=0), b, atol=1e-12)


def test_a_tolerance_below_rounding_returns_the_best_plan_on_the_way():
    for seed in range(8):
        rng = np.random.default_rng(seed)
        a, b, C = 7 * rng.dirichlet(np.ones(6)), 7 * rng.dirichlet(np.ones(4)), rng.random((6, 4))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            result = sparse_transport(a, b, C, max_nz=2, gamma=0.3, tol=1e-15, max_iter=100)
        assert result.marginal_error <= 1e-9


def test_steps_that_run_out_are_told():
    a, b, C = clouds(12, 60, 30)
    with pytest.warns(ConvergenceWarning, match=r"row and column sums are off by .*, and its gap"):
        sparse_transport(a, b, C, max_nz=3, max_iter=2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"a": [0.5, 0.4]}, "a and b must have the same sum"),
        ({"b": [0.0, 1.0]}, r"b\[0\] is 0"),
        ({"a": [-0.5, 1.5]}, r"a\[0\] is -0.5"),
        ({"a": [1.0]}, r"a must have one entry for each row of C, shape \(2,\)"),
        ({"b": [[0.5, 0.5]]}, "b must have one entry for each column of C"),
        ({"C": [[np.nan, 1], [1, 0]]}, "C contains NaN"),
        ({"C": [0.0, 1.0]}, "Expected 2D array"),
        ({"max_nz": 0}, "max_nz"),
        ({"max_nz": 1.5}, "max_nz"),
        ({"gamma": 0.0}, "gamma"),
        ({"recovery": "best"}, "recovery"),
        ({"tol": 0.0}, "tol"),
    ],
)
def test_bad_arguments_are_named(changes, message):
    arguments = {"a": HALVES, "b": HALVES, "C": SWAP, "max_nz": 1} | changes
    with pytest.raises(ValueError, match=message):
        sparse_transport(**arguments)
