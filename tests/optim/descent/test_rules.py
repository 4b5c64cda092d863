"""Selection rules against brute force, updates against closed forms."""

import itertools

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from skreg.optim import L1, ElasticNet, GroupL2, NonNegative
from skreg.optim.descent import (
    BlockCoordinateDescent,
    Blocks,
    Gradient,
    LeastSquares,
    LipschitzSampling,
    Logistic,
    Variable,
)
from skreg.optim.descent._block_solvers import cubic_step, factorise, penalised_model_step
from skreg.optim.descent._compose import Parts
from skreg.optim.descent._kernels import largest, proximal_scores
from skreg.optim.descent._line_search import backtrack
from skreg.optim.descent._minimize import prepare
from skreg.optim.descent._run import start_run

BLOCKS = [[0, 5, 10], [1, 2], [3, 4, 6, 7], [8, 9, 11]]
KINDS = ["least squares", "logistic", "multinomial", "graph"]


def first_block(case, x0, *parts, **options):
    """Block of the first iteration from x0."""
    method = BlockCoordinateDescent(*parts, max_iter=1, tol=0.0, random_state=0, **options)
    return method.minimize(case.problem, x0).history[1]["block"]


def blocks_for(case):
    return [*BLOCKS, *([list(range(12, case.n))] if case.n > 12 else [])]


@settings(max_examples=100, deadline=None)
@given(values=st.lists(st.integers(-5, 5), min_size=1, max_size=40), share=st.floats(0.0, 1.0))
def test_largest_is_a_stable_sort(values, share):
    count = max(1, int(share * len(values)))
    scores = np.array(values, dtype=float)
    expected = np.sort(np.argsort(-scores, kind="stable")[:count])
    np.testing.assert_array_equal(largest(scores, count), expected)


def test_scores_of_the_worked_example():
    # g = (3, -2.5, 1, 0.5), L = (9, 4, 0.25, 0.04): the gradient at 0 of a diagonal quadratic
    L, g = np.array([9.0, 4.0, 0.25, 0.04]), np.array([3.0, -2.5, 1.0, 0.5])
    X = np.diag(np.sqrt(L))
    problem = LeastSquares(X, -g / np.sqrt(L))
    for selection, expected in (("gs", [0, 1]), ("gsd", [2, 3])):
        method = BlockCoordinateDescent("variable", selection, "matrix", 2, max_iter=1)
        np.testing.assert_array_equal(method.minimize(problem).history[1]["block"], expected)


@pytest.mark.parametrize("kind", KINDS)
def test_rules_on_fixed_blocks_take_the_largest_bound(kind, cases):
    case = cases(kind, None)
    x = np.random.default_rng(0).normal(size=case.n)
    g, H, now = case.gradient(x), case.bound, case.hessian(x)
    row_sums = np.abs(H).sum(axis=1)
    blocks = blocks_for(case)
    # of the whole Hessian; a block of a few classes may know a smaller one
    lipschitz = np.diag(now) if kind in ("least squares", "graph") else np.diag(H).copy()
    if kind == "multinomial":
        lipschitz = lipschitz * 0.25 / (0.5 * (1 - 1 / 3))

    def bound(block):
        part = H[np.ix_(block, block)]
        if kind == "multinomial":
            classes = np.array(block) % 3
            k = min(3, len(np.unique(classes)) + 1)
            gram = part / (0.5 * ((classes[:, None] == classes) - 1 / 3))
            part = gram * 0.5 * ((classes[:, None] == classes) - 1 / k)
        return part

    rules = {
        "gs": lambda b: np.sum(g[b] ** 2),
        "gsl": lambda b: np.sum(g[b] ** 2) / np.linalg.eigvalsh(bound(b))[-1],
        "gsd": lambda b: np.sum(g[b] ** 2 / lipschitz[b]),
        "gsq": lambda b: g[b] @ np.linalg.pinv(bound(b), hermitian=True) @ g[b],
        "gsn": lambda b: (
            g[b] @ np.linalg.pinv(now[np.ix_(b, b)], hermitian=True, rcond=1e-10) @ g[b]
        ),
    }
    for name, score in rules.items():
        expected = blocks[int(np.argmax([score(b) for b in blocks]))]
        found = first_block(case, x, blocks, name, "newton")
        np.testing.assert_array_equal(np.sort(found), np.sort(expected), err_msg=name)
    expected = blocks[int(np.argmax([np.sum(g[b] ** 2 / row_sums[b]) for b in blocks]))]
    found = first_block(case, x, blocks, "gsd", "newton", diag="row_sum")
    np.testing.assert_array_equal(np.sort(found), np.sort(expected))


@pytest.mark.parametrize("kind", KINDS)
def test_rules_on_variable_blocks_take_the_best_of_all_blocks(kind, cases):
    case = cases(kind, None)
    x = np.random.default_rng(1).normal(size=case.n)
    g, H = case.gradient(x), case.bound
    row_sums = np.abs(H).sum(axis=1)
    expected = {
        "gs": np.abs(g),
        "gsl": np.abs(g) / np.sqrt(row_sums),
        "gsd": np.abs(g) / np.sqrt(np.diag(H)),
    }
    for name, score in expected.items():
        top = np.sort(np.argsort(-score)[:3])
        found = first_block(case, x, "variable", name, "newton", block_size=3)
        np.testing.assert_array_equal(found, top, err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
def test_gsq_dominates_the_diagonal_and_lipschitz_bounds(kind, cases):
    case = cases(kind, None)
    g, H = case.gradient(np.zeros(case.n)), case.bound
    blocks = blocks_for(case)
    found = first_block(case, None, blocks, "gsq", "matrix")
    gain = g[found] @ np.linalg.pinv(H[np.ix_(found, found)], hermitian=True) @ g[found]
    row_sums = np.abs(H).sum(axis=1)
    for b in blocks:
        assert gain >= np.sum(g[b] ** 2 / row_sums[b]) - 1e-10
        assert gain >= g[b] @ g[b] / np.linalg.eigvalsh(H[np.ix_(b, b)])[-1] - 1e-10


def model_gain(H, g, block):
    return g[block] @ np.linalg.pinv(H[np.ix_(block, block)], hermitian=True) @ g[block]


def test_forward_selection_beats_the_other_searches_for_a_quadratic_block():
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(200, 1000)) + 1) * 10 * rng.normal(size=1000)
    X *= rng.random(X.shape) < 10 * np.log(200) / 200
    b = X @ (rng.normal(size=1000) * (rng.random(1000) < 0.1)) + rng.normal(size=200)
    problem = LeastSquares(scipy.sparse.csc_array(X), b)
    H, g = X.T @ X, -X.T @ b
    gains = {}
    for name in ("gs", "gsd", "gsq_iht", "gsq_forward"):
        method = BlockCoordinateDescent("variable", name, "matrix", 20, max_iter=1)
        block = method.minimize(problem).history[1]["block"]
        assert len(np.unique(block)) == 20
        gains[name] = model_gain(H, g, block)
    assert gains["gsq_forward"] > 1.2 * gains["gsd"]
    assert gains["gsq_forward"] > gains["gsq_iht"]
    assert gains["gsd"] > gains["gs"]


def test_forward_selection_of_one_coordinate_is_exact(cases):
    case = cases("multinomial", None)
    x = np.random.default_rng(0).normal(size=case.n)
    g, H = case.gradient(x), case.bound
    best = max(range(case.n), key=lambda i: g[i] ** 2 / H[i, i])
    found = first_block(case, x, "variable", "gsq_forward", "newton", block_size=1)
    assert found[0] == best
    now = case.hessian(x)
    best = max(range(case.n), key=lambda i: g[i] ** 2 / now[i, i])
    assert first_block(case, x, "variable", "gsn", "newton", block_size=1)[0] == best


@pytest.mark.parametrize("partition", [Variable(1), Blocks([[0], [1], [2], [3]])])
def test_lipschitz_sampling_has_the_stated_probabilities(partition):
    L = np.array([1.0, 2.0, 5.0, 12.0])
    problem = LeastSquares(np.diag(np.sqrt(L)), np.ones(4))
    run = start_run(problem, None, False, np.random.default_rng(0))
    prepare(run, Parts(partition, LipschitzSampling(), Gradient()))
    drawn = [LipschitzSampling().choose(run).coordinates[0] for _ in range(4000)]
    counts, expected = np.bincount(drawn, minlength=4), 4000 * L / L.sum()
    assert np.all(np.abs(counts - expected) < 4.5 * np.sqrt(expected))


def test_random_and_cyclic_blocks_visit_everything():
    X = np.random.default_rng(0).normal(size=(20, 11))
    problem = LeastSquares(X, X.sum(axis=1) + 1)
    options = {"max_iter": 8, "tol": 0.0, "random_state": 0}
    cyclic = BlockCoordinateDescent("variable", "cyclic", "gradient", 3, **options)
    blocks = [entry["block"] for entry in cyclic.minimize(problem).history[1:]]
    assert [len(block) for block in blocks] == [3, 3, 3, 2] * 2
    for epoch in (blocks[:4], blocks[4:]):
        np.testing.assert_array_equal(np.sort(np.concatenate(epoch)), np.arange(11))
    assert any(not np.array_equal(a, b) for a, b in zip(blocks[:4], blocks[4:], strict=True))
    fixed = BlockCoordinateDescent("order", "cyclic", "gradient", 3, **options)
    blocks = [entry["block"] for entry in fixed.minimize(problem).history[1:]]
    expected = [np.arange(0, 3), np.arange(3, 6), np.arange(6, 9), np.arange(9, 11)]
    for found, wanted in zip(blocks, expected * 2, strict=True):
        np.testing.assert_array_equal(found, wanted)
    drawn = BlockCoordinateDescent("variable", "random", "gradient", 3, **options)
    assert all(len(np.unique(e["block"])) == 3 for e in drawn.minimize(problem).history[1:])


@pytest.mark.parametrize(
    ("partition", "expected"),
    [
        ("order", [[0, 1], [2, 3], [4]]),
        ("sort", [[1, 3], [0, 4], [2]]),  # L = 3, 1, 5, 2, 4
        ("average", [[1, 2], [3, 4], [0]]),
    ],
)
def test_partitions_by_curvature(partition, expected):
    X = np.diag(np.sqrt([3.0, 1.0, 5.0, 2.0, 4.0]))
    method = BlockCoordinateDescent(partition, "cyclic", "gradient", 2, max_iter=3, tol=0.0)
    history = method.minimize(LeastSquares(X, np.ones(5))).history[1:]
    assert [sorted(entry["block"]) for entry in history] == expected


def test_hsort_orders_by_row_sums(cases):
    case = cases("least squares", None)
    order = np.argsort(np.abs(case.bound).sum(axis=1))
    method = BlockCoordinateDescent("hsort", "cyclic", "gradient", 5, max_iter=3, tol=0.0)
    history = method.minimize(case.problem).history[1:]
    for entry, start in zip(history, (0, 5, 10), strict=True):
        np.testing.assert_array_equal(entry["block"], np.sort(order[start : start + 5]))


# Proximal rules


@settings(max_examples=60, deadline=None)
@given(
    x=st.floats(-3, 3), g=st.floats(-3, 3), L=st.floats(0.1, 10), alpha=st.floats(0, 2),
    kind=st.sampled_from(["l1", "nonnegative", "elastic net"]),
)  # fmt: skip
def test_proximal_scores_equal_scalar_minimisation(x, g, L, alpha, kind):
    penalty = {
        "l1": L1(alpha, np.ones(1)),
        "nonnegative": NonNegative(alpha, 1.0, np.ones(1)),
        "elastic net": ElasticNet(alpha, 0.5, np.ones(1)),
    }[kind]
    x = abs(x) if kind == "nonnegative" else x
    lower = 0.0 if kind == "nonnegative" else -np.inf

    def value(z):
        if kind == "elastic net":
            return alpha * (0.5 * abs(z) + 0.25 * z * z)
        return alpha * abs(z)

    def model(d):
        return g * d + 0.5 * L * d * d + value(x + d) - value(x)

    distance, move, gain = np.empty(1), np.empty(1), np.empty(1)
    proximal_scores(
        penalty, np.arange(2), np.arange(1), np.arange(1), np.array([x]), np.array([g]),
        np.array([L]), distance, move, gain,
    )  # fmt: skip
    reach = (abs(g) + alpha * (1 + abs(x))) / L + abs(x) + 1.0
    # a convex model with kinks at z = 0 and at the bound only: minimise on both sides
    best = 0.0
    for low, high in ((max(lower - x, -reach), -x), (-x, reach)):
        if low < high:
            found = scipy.optimize.minimize_scalar(
                model, bounds=(low, high), method="bounded", options={"xatol": 1e-12}
            )
            best = min(best, found.fun, model(high), model(low))
    assert gain[0] == pytest.approx(-best, abs=1e-9)
    assert gain[0] >= 0.5 * L * move[0] ** 2 - 1e-9
    h = 1e-7
    right = (value(x + h) - value(x)) / h + g
    left = (value(x) - value(x - h)) / h + g
    if kind == "nonnegative" and x == 0.0:
        left = -np.inf
    if abs(x) > 1e-6 or x == 0.0:
        expected = max(left, -right, 0.0) if x == 0.0 else abs(right)
        assert distance[0] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("penalty_name", ["l1", "nonnegative", "groups"])
@pytest.mark.parametrize("kind", ["least squares", "logistic"])
def test_block_forms_of_the_proximal_rules(kind, penalty_name, cases, penalty_of):
    case = cases(kind, penalty_name)
    penalty = case.problem.penalty
    rng = np.random.default_rng(4)
    x = np.abs(rng.normal(size=12)) * (rng.random(12) < 0.6)
    g, H = case.gradient(x), case.bound
    blocks = [[0, 1, 2, 5, 6, 7], [3, 4, 10, 11], [8, 9]]

    def best_model(block, matrix):
        """-min_d over one block, by a general solver from several starts of d."""
        size = len(block)

        def model(d):
            new = x.copy()
            new[block] += d
            rise = penalty_of(penalty, new) - penalty_of(penalty, x)
            return g[block] @ d + 0.5 * d @ matrix @ d + rise

        low = -x[block] if penalty_name == "nonnegative" else np.full(size, -np.inf)
        value = 0.0
        bounds = None
        if penalty_name == "nonnegative":
            bounds = [(bound, 20.0) for bound in low]
        for start in (np.zeros(size), -x[block], -0.1 * g[block]):
            found = scipy.optimize.minimize(
                model,
                np.maximum(start, low),
                method="Powell",
                bounds=bounds,
                options={"xtol": 1e-10, "ftol": 1e-13, "maxiter": 20000},
            )
            value = min(value, found.fun)
        return -value

    row_sums = np.abs(H).sum(axis=1)
    matrices = {
        "gsl_q": lambda b: np.eye(len(b)) * np.linalg.eigvalsh(H[np.ix_(b, b)])[-1],
        "gsq_q": lambda b: H[np.ix_(b, b)],
    }
    if penalty_name != "groups":
        matrices["gsd_q"] = lambda b: np.diag(row_sums[b])
    for name, matrix in matrices.items():
        gains = [best_model(b, matrix(b)) for b in blocks]
        found = first_block(case, x, blocks, name, "exact", diag="row_sum")
        expected = blocks[int(np.argmax(gains))]
        assert sorted(found) == sorted(expected), (name, gains)


def test_gs_q_is_not_fooled_by_tiny_coefficients():
    # x_0 is almost zero and on the wrong side: s sees a slope of 1.9, q sees nothing to gain
    X, penalty = np.eye(2), L1(1.0)
    problem = LeastSquares(X, np.array([0.9, 2.5]), penalty)
    x0 = np.array([-1e-6, 0.0])
    for selection, expected in (("gs_s", 0), ("gs_q", 1), ("gs_r", 1)):
        method = BlockCoordinateDescent("variable", selection, "exact", 1, max_iter=1)
        assert method.minimize(problem, x0).history[1]["block"][0] == expected


# Updates


@pytest.mark.parametrize("kind", ["least squares", "graph"])
def test_all_coordinates_and_a_matrix_update_solve_a_quadratic_at_once(kind, cases):
    case = cases(kind, None)
    method = BlockCoordinateDescent("variable", "gs", "matrix", case.n, tol=1e-10)
    result = method.minimize(case.problem)
    assert result.nit == 1
    expected = np.linalg.lstsq(case.bound, -case.gradient(np.zeros(case.n)), rcond=None)[0]
    np.testing.assert_allclose(result.x, expected, rtol=1e-8)


def test_cyclic_gradient_steps_on_single_coordinates_are_gauss_seidel(cases):
    case = cases("least squares", None)
    method = BlockCoordinateDescent("order", "cyclic", "gradient", 1, max_iter=24, tol=0.0)
    found = method.minimize(case.problem).x
    b = -case.gradient(np.zeros(case.n))
    lower = np.tril(case.bound)
    x = np.zeros(case.n)
    for _ in range(2):
        x = np.linalg.solve(lower, b - (case.bound - lower) @ x)
    np.testing.assert_allclose(found, x, rtol=1e-11)


def test_penalised_answers_agree_with_scikit_learn(cases):
    from sklearn.linear_model import Lasso

    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 30))
    y = X[:, :4].sum(axis=1) + 0.1 * rng.normal(size=60)
    expected = Lasso(alpha=0.1, fit_intercept=False, tol=1e-12, max_iter=10**5).fit(X, y).coef_
    for parts in (("order", "cyclic", "proximal_gradient", 1), ("variable", "gs_q", "exact", 4)):
        method = BlockCoordinateDescent(*parts, max_iter=10**4, tol=1e-10)
        result = method.minimize(LeastSquares(X, y, L1(60 * 0.1)))
        np.testing.assert_allclose(result.x, expected, atol=1e-8)
        assert result.gap < 1e-9


@pytest.mark.parametrize("kind", ["least squares", "logistic", "multinomial"])
@pytest.mark.parametrize("penalty_name", [None, "l1", "elastic net", "nonnegative", "groups"])
def test_defaults_converge_to_the_answer_of_the_certified_solver(kind, penalty_name, cases):
    from skreg.optim import Logistic as LogisticLoss
    from skreg.optim import Multinomial as MultinomialLoss
    from skreg.optim import Quadratic, solve

    case = cases(kind, penalty_name)
    if penalty_name is None and kind != "least squares":
        pytest.skip("separable without a penalty")
    problem = case.problem
    result = BlockCoordinateDescent(tol=1e-9, max_iter=2000).minimize(problem)
    total = problem.sample_weight.sum()
    penalty = L1(0.0) if penalty_name is None else problem.penalty
    loss = {"least squares": Quadratic(), "logistic": LogisticLoss()}.get(kind, MultinomialLoss())
    y = np.eye(3)[problem.y] if kind == "multinomial" else problem.y
    expected = solve(
        problem.X, y, loss, penalty._replace(alpha=penalty.alpha / total),
        sample_weight=problem.sample_weight, fit_intercept=False, tol=1e-10, max_iter=1000,
    )  # fmt: skip
    assert result.success
    assert result.fun == pytest.approx(expected.objective * total, rel=1e-8)
    if penalty_name is not None:
        assert result.gap < 1e-7


def test_two_metric_projection_succeeds_where_a_projected_newton_direction_fails():
    # H = [[1, .9], [.9, 1]], q = (6.6, .5), x = (0, .5): a Newton step, projected, never descends
    H, q, x0 = np.array([[1.0, 0.9], [0.9, 1.0]]), np.array([6.6, 0.5]), np.array([0.0, 0.5])
    X = np.linalg.cholesky(H).T
    problem = LeastSquares(X, -np.linalg.solve(X.T, q), NonNegative())
    newton = x0 - np.linalg.solve(H, H @ x0 + q)

    def f(x):
        return 0.5 * x @ H @ x + q @ x

    for t in np.geomspace(1e-8, 1.0, 50):
        assert f(np.maximum(x0 + t * (newton - x0), 0.0)) > f(x0)
    method = BlockCoordinateDescent("variable", "gs_q", "two_metric", 2, tol=1e-12)
    result = method.minimize(problem, x0)
    assert result.nit == 1
    np.testing.assert_array_equal(result.x, [0.0, 0.0])


@pytest.mark.parametrize("seed", range(5))
def test_projected_newton_on_a_block_is_nonnegative_least_squares(seed):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(30, 12)), rng.normal(size=30)
    method = BlockCoordinateDescent("variable", "gs_q", "projected_newton", 12, tol=1e-10)
    result = method.minimize(LeastSquares(X, y, NonNegative()))
    assert result.nit <= 1
    np.testing.assert_allclose(result.x, scipy.optimize.nnls(X, y)[0], atol=1e-10)


@pytest.mark.parametrize("penalty", [L1(0.7), GroupL2(1.5, np.array([0, 0, 1, 1, 1, 2, 3, 3]))])
def test_a_block_model_with_a_penalty_agrees_with_a_convex_solver(penalty):
    cp = pytest.importorskip("cvxpy")
    rng = np.random.default_rng(0)
    B, g, x = rng.normal(size=(12, 8)), 3 * rng.normal(size=8), rng.normal(size=8)
    H = B.T @ B
    groups = np.arange(8) if isinstance(penalty, L1) else penalty.groups
    z = cp.Variable(8)
    value = penalty.alpha * sum(cp.norm(z[np.flatnonzero(groups == u)]) for u in np.unique(groups))
    cp.Problem(cp.Minimize(g @ (z - x) + 0.5 * cp.sum_squares(B @ (z - x)) + value)).solve(
        solver=cp.CLARABEL, tol_gap_rel=1e-10, tol_gap_abs=1e-10, tol_feas=1e-10
    )
    n_units = groups.max() + 1
    starts = np.concatenate([[0], np.cumsum(np.bincount(groups))])
    penalty = penalty._replace(weights=np.ones(n_units))
    step = penalised_model_step(H, g, x, penalty, starts, np.arange(n_units))
    np.testing.assert_allclose(x + step, z.value, atol=1e-5)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**31), third=st.floats(0.0, 100.0), rank=st.integers(0, 5))
def test_cubic_step_is_stationary_and_below_every_other_point(seed, third, rank):
    rng = np.random.default_rng(seed)
    B, g = rng.normal(size=(rank, 5)), rng.normal(size=5)
    H = B.T @ B
    if third == 0.0:
        g = H @ g  # bounded below
    third = 0.0 if third < 1e-3 else third
    if third == 0.0 and rank < 5:
        g = H @ rng.normal(size=5)

    def model(d):
        return g @ d + 0.5 * d @ H @ d + third * np.linalg.norm(d) ** 3 / 6

    d = cubic_step(H, g, third)
    slope = g + H @ d + 0.5 * third * np.linalg.norm(d) * d
    assert np.linalg.norm(slope) <= 1e-8 * (np.linalg.norm(g) + 1e-9)
    for _ in range(20):
        assert model(d) <= model(d + rng.normal(size=5) * 10 ** rng.uniform(-6, 1)) + 1e-9


@pytest.mark.parametrize("kind", ["logistic", "multinomial"])
def test_third_derivatives_are_bounded_and_cubic_steps_keep_their_promise(kind, cases):
    case = cases(kind, None)
    rng = np.random.default_rng(0)
    for x in (np.zeros(case.n), rng.normal(size=case.n)):
        points = [x]
        method = BlockCoordinateDescent(
            "variable", "gsd", "cubic", 4, max_iter=10, tol=0.0,
            callback=lambda intermediate_result, points=points: points.append(
                intermediate_result.x
            ),
        )  # fmt: skip
        history = method.minimize(case.problem, x).history
        for old, new, entry in zip(points, points[1:], history[1:], strict=False):
            b = entry["block"]
            g, H = case.gradient(old)[b], case.hessian(old)[np.ix_(b, b)]
            d = (new - old)[b]
            size = np.linalg.norm(d)
            # the step is stationary for M = lambda * 2 / ||d||; the model's value is promised
            shift = -(g + H @ d) @ d / (d @ d)
            promised = g @ d + 0.5 * d @ H @ d + shift * size**2 / 3
            assert promised < 0
            assert case.value(new) - case.value(old) <= promised + 1e-10


def test_lipschitz_estimates_start_at_one_double_and_stay(cases):
    X = np.diag([0.1, 1.0, 3.0])
    problem = LeastSquares(X, np.array([1.0, 1.0, 1.0]))
    points = [np.zeros(3)]
    method = BlockCoordinateDescent(
        "order", "cyclic", "line_search_lipschitz", 1, max_iter=6, tol=0.0,
        callback=lambda intermediate_result: points.append(intermediate_result.x),
    )  # fmt: skip
    method.minimize(problem)
    # L_3 = 9 needs 1 -> 2 -> 4 -> 8 (8 suffices: f falls by g^2/(2L) for L >= 9 only) -> 16
    gradient = -3.0
    assert points[3][2] == pytest.approx(-gradient / 16.0)
    assert points[1][0] == pytest.approx(0.1 / 1.0)


def test_singular_blocks_take_the_pseudo_inverse():
    X = np.array([[1.0, 1.0, 0.0], [2.0, 2.0, 0.0]])
    method = BlockCoordinateDescent("variable", "gs", "matrix", 3, max_iter=3, tol=1e-12)
    result = method.minimize(LeastSquares(X, np.array([1.0, 2.0])))
    np.testing.assert_allclose(result.x, [0.5, 0.5, 0.0], atol=1e-12)
    H = np.array([[2.0, 2.0], [2.0, 2.0]])
    np.testing.assert_allclose(factorise(H)(np.array([1.0, 1.0])), [0.25, 0.25])


def test_backtracking_interpolates_and_respects_sufficient_decrease():
    tried = []

    def change(t):
        tried.append(t)
        return -t + 4.0 * t**2  # minimum at 1/8

    step = backtrack(change, -1.0, 1.0)
    assert tried == pytest.approx([1.0, 0.125])
    assert step == pytest.approx(0.125)
    assert backtrack(lambda t: np.inf if t > 0.3 else -t, -1.0, 1.0) <= 0.3
    assert backtrack(lambda t: t, 1.0, 1.0) == 0.0
    assert backtrack(lambda t: t, -1.0, 1.0) == 0.0
    # flat to rounding: the full step is taken
    assert backtrack(lambda t: 1e-15, -1e-14, 1.0) == 1.0


def test_exact_update_minimises_over_the_block(cases):
    for kind, penalty in itertools.product(("logistic", "multinomial"), (None, "l1")):
        case = cases(kind, penalty)
        rest = np.setdiff1d(np.arange(case.n), [0, 4, 7])
        method = BlockCoordinateDescent([[0, 4, 7], rest], "cyclic", "exact", max_iter=1)
        result = method.minimize(case.problem)
        g = case.gradient(result.x)[[0, 4, 7]]
        x = result.x[[0, 4, 7]]
        if penalty is None:
            np.testing.assert_allclose(g, 0.0, atol=1e-9)
        else:
            alpha = case.problem.penalty.alpha
            np.testing.assert_allclose(g[x != 0], -alpha * np.sign(x[x != 0]), atol=1e-9)
            assert np.all(np.abs(g[x == 0]) <= alpha + 1e-9)


def test_logistic_hessian_bound_is_used_by_matrix_updates():
    # one sample, one feature: matrix step = -g / (1/4), Newton step = -g / p(1-p)
    problem = Logistic(np.ones((1, 1)), np.ones(1))
    matrix = BlockCoordinateDescent("order", "cyclic", "matrix", 1, max_iter=1).minimize(problem)
    assert matrix.x[0] == pytest.approx(0.5 / 0.25)
