"""The solver against an interior-point solver, closed forms and invariances."""

import numpy as np
import pytest
import scipy.sparse

from skreg.bench.arena.sparse_problems import (
    LOGISTIC,
    alpha_max,
    correlated_design,
    drawn_problem,
    relative_gaps,
)
from skreg.optim import (
    L1,
    ElasticNet,
    GroupL2,
    Huber,
    Logistic,
    Multinomial,
    NonNegative,
    Poisson,
    Quadratic,
    duality_gap,
    penalty_max,
    solve,
    solve_path,
)

N_SAMPLES, N_FEATURES = 40, 12
GROUPS = np.array([0, 1, 2, 0, 1, 2, 3, 3, 3, 4, 4, 5])
LOSSES = {
    "quadratic": Quadratic(),
    "multi-task": Quadratic(),
    "huber": Huber(0.7),
    "logistic": Logistic(),
    "poisson": Poisson(),
    "multinomial": Multinomial(),
}
WEIGHTS = np.array([1.0, 0.0, np.inf, 2.0, 0.5, 1.0, 1.0, 3.0, 1.0, 1.0, 1.0, 0.7])
PENALTIES = {
    "l1": L1(0.03),
    "weighted l1": L1(0.03, WEIGHTS),
    "elastic net": ElasticNet(0.05, 0.6),
    "ridge": ElasticNet(0.05, 0.0),
    "non-negative l1": NonNegative(0.03),
    "groups": GroupL2(0.04, GROUPS, np.array([1.0, 2.0, 0.5, 1.0, 1.5, 1.0])),
    "groups with ridge": GroupL2(0.04, GROUPS, None, 0.7),
    "rows": GroupL2(0.04),
}


def make_data(loss_name, seed=0):
    """(X, target) with a few relevant features of different scales and means."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(N_SAMPLES, N_FEATURES)) * rng.uniform(0.5, 1.5, N_FEATURES)
    X[:, ::3] += 1.0
    X[rng.random(X.shape) < 0.3] = 0.0
    signal = X[:, :4] @ np.array([1.0, -1.0, 0.5, 0.7]) * 0.6 + 0.4
    noise = rng.normal(size=N_SAMPLES)
    if loss_name in ("quadratic", "huber"):
        return X, signal + 0.5 * noise
    if loss_name == "multi-task":
        return X, X[:, :4] @ rng.normal(size=(4, 3)) + rng.normal(size=(N_SAMPLES, 3))
    if loss_name == "logistic":
        return X, np.where(signal + noise > 0.4, 1.0, -1.0)
    if loss_name == "poisson":
        return X, rng.poisson(np.exp(np.clip(signal, -3, 2))).astype(float)
    scores = X[:, :4] @ rng.normal(size=(4, 3)) + rng.gumbel(size=(N_SAMPLES, 3))
    return X, np.eye(3)[scores.argmax(axis=1)]


def cvxpy_optimum(loss, penalty, X, target, sample_weight, fit_intercept):
    """(optimum, coef (n_outputs, n_features), intercept) found by CLARABEL."""
    import cvxpy as cp

    target = target.reshape(len(X), -1)
    n_outputs = target.shape[1]
    s = sample_weight / sample_weight.sum()
    w, b = cp.Variable((X.shape[1], n_outputs)), cp.Variable((1, n_outputs))
    z = X @ w + np.ones((len(X), 1)) @ b
    constraints = [] if fit_intercept else [b == 0]
    if isinstance(loss, Quadratic):
        value = 0.5 * cp.sum(cp.multiply(s[:, None], cp.square(z - target)))
    elif isinstance(loss, Huber):
        value = 0.5 * s @ cp.huber(cp.reshape(z - target, (len(X),), order="C"), loss.delta)
    elif isinstance(loss, Logistic):
        value = s @ cp.logistic(cp.reshape(-cp.multiply(target, z), (len(X),), order="C"))
    elif isinstance(loss, Poisson):
        y = target[:, 0]
        z_flat = cp.reshape(z, (len(X),), order="C")
        constant = s @ (y - np.where(y > 0, y * np.log(np.maximum(y, 1e-300)), 0.0))
        value = s @ (cp.exp(z_flat) - cp.multiply(y, z_flat)) - constant
    else:
        value = s @ cp.log_sum_exp(z, axis=1) - cp.sum(cp.multiply(s[:, None] * target, z))
    grouped = isinstance(penalty, GroupL2)
    labels = np.arange(X.shape[1])
    if grouped and penalty.groups is not None:
        labels = penalty.groups
    weights = np.ones(labels.max() + 1) if penalty.weights is None else penalty.weights
    share = getattr(penalty, "l1_ratio", 1.0)
    for b_id, weight in enumerate(weights):
        rows = w[np.flatnonzero(labels == b_id), :]
        if np.isinf(weight):
            constraints.append(rows == 0)
            continue
        size = cp.norm(cp.vec(rows, order="C"), 2) if grouped else cp.sum(cp.abs(rows))
        value += penalty.alpha * weight * share * size
        value += penalty.alpha * weight * (1 - share) * 0.5 * cp.sum_squares(rows)
    if isinstance(penalty, NonNegative):
        constraints.append(w >= 0)
    problem = cp.Problem(cp.Minimize(value), constraints)
    problem.solve(
        solver=cp.CLARABEL, tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11, max_iter=200
    )
    return problem.value, w.value.T, b.value[0]


PAIRS = [(loss_name, penalty_name) for loss_name in LOSSES for penalty_name in PENALTIES]


def identified(coef):
    """Coefficients that the weighted penalty identifies; for classes, the penalised ones."""
    return coef[:, WEIGHTS > 0.0] if coef.ndim == 2 else coef


def multiplicities(seed=1):
    """Sample weights 1, 2, 3."""
    return np.random.default_rng(seed).integers(1, 4, N_SAMPLES).astype(float)


@pytest.mark.slow
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(("loss_name", "penalty_name"), PAIRS)
def test_objective_is_the_optimum_of_an_interior_point_solver(
    loss_name, penalty_name, fit_intercept
):
    pytest.importorskip("cvxpy")
    loss, penalty = LOSSES[loss_name], PENALTIES[penalty_name]
    X, target = make_data(loss_name)
    weights = multiplicities()
    optimum, coef, intercept = cvxpy_optimum(loss, penalty, X, target, weights, fit_intercept)
    options = {"sample_weight": weights, "fit_intercept": fit_intercept}
    found = solve(X, target, loss, penalty, tol=1e-10, **options)
    null = duality_gap(X, target, loss, L1(0.0), np.zeros_like(found.coef), **options).primal
    assert found.converged
    assert abs(found.objective - optimum) <= 1e-8 * max(null, 1.0)
    certificate = duality_gap(X, target, loss, penalty, found.coef, found.intercept, **options)
    assert certificate.primal == pytest.approx(found.objective, rel=1e-12)
    assert certificate.gap <= 1e-9
    assert certificate.dual <= optimum + 1e-9
    clarabel = duality_gap(
        X, target, loss, penalty, np.where(np.abs(coef) < 1e-8, 0.0, coef), intercept, **options
    )
    assert -1e-9 <= clarabel.gap <= 1e-4


@pytest.mark.parametrize(("loss_name", "penalty_name"), PAIRS)
def test_gap_bounds_the_suboptimality_of_any_point(loss_name, penalty_name):
    loss, penalty = LOSSES[loss_name], PENALTIES[penalty_name]
    X, target = make_data(loss_name)
    options = {"sample_weight": multiplicities(), "fit_intercept": True}
    best = solve(X, target, loss, penalty, tol=1e-10, **options)
    assert best.converged
    rng = np.random.default_rng(0)
    for scale in (1e-3, 0.1):
        coef = best.coef * (1 + scale * rng.normal(size=best.coef.shape))
        other = duality_gap(X, target, loss, penalty, coef, best.intercept, **options)
        assert other.dual <= best.objective + 1e-12
        assert other.primal - other.dual >= other.primal - best.objective - 1e-12


@pytest.mark.parametrize("loss_name", LOSSES)
@pytest.mark.parametrize("penalty_name", ["weighted l1", "groups", "elastic net"])
def test_sparse_and_c_ordered_designs_give_the_same_answer(loss_name, penalty_name):
    loss, penalty = LOSSES[loss_name], PENALTIES[penalty_name]
    X, target = make_data(loss_name)
    weights = multiplicities()
    long_indices = scipy.sparse.csc_array(X)
    long_indices.indices = long_indices.indices.astype(np.int64)
    long_indices.indptr = long_indices.indptr.astype(np.int64)
    expected = solve(np.asfortranarray(X), target, loss, penalty, sample_weight=weights, tol=1e-12)
    for design in (X, scipy.sparse.csc_array(X), long_indices):
        found = solve(design, target, loss, penalty, sample_weight=weights, tol=1e-12)
        np.testing.assert_allclose(identified(found.coef), identified(expected.coef), atol=2e-6)
        assert found.objective == pytest.approx(expected.objective, rel=1e-11)


@pytest.mark.parametrize("loss_name", LOSSES)
def test_integer_sample_weights_are_repetitions(loss_name):
    loss, penalty = LOSSES[loss_name], PENALTIES["weighted l1"]
    X, target = make_data(loss_name)
    weights = multiplicities()
    repeated = np.repeat(np.arange(N_SAMPLES), weights.astype(int))
    one = solve(X, target, loss, penalty, sample_weight=weights, tol=1e-12)
    many = solve(X[repeated], target[repeated], loss, penalty, tol=1e-12)
    np.testing.assert_allclose(identified(one.coef), identified(many.coef), atol=2e-6)
    assert one.objective == pytest.approx(many.objective, rel=1e-11)


def test_samples_of_weight_zero_do_not_matter():
    X, target = make_data("logistic")
    weights = np.where(np.arange(N_SAMPLES) < 30, 1.0, 0.0)
    one = solve(X, target, Logistic(), L1(0.03), sample_weight=weights, tol=1e-12)
    few = solve(X[:30], target[:30], Logistic(), L1(0.03), tol=1e-12)
    np.testing.assert_allclose(one.coef, few.coef, atol=1e-6)


@pytest.mark.parametrize("loss_name", LOSSES)
def test_single_precision_designs_reach_the_same_certificate(loss_name):
    loss, penalty = LOSSES[loss_name], PENALTIES["l1"]
    X, target = make_data(loss_name)
    X = X.astype(np.float32)
    found = solve(X, target, loss, penalty, tol=1e-10)
    expected = solve(X.astype(np.float64), target, loss, penalty, tol=1e-10)
    assert found.converged
    np.testing.assert_allclose(found.coef, expected.coef, atol=1e-5)


@pytest.mark.parametrize("loss_name", LOSSES)
@pytest.mark.parametrize("penalty_name", ["l1", "weighted l1", "groups", "non-negative l1"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_alpha_above_its_maximum_gives_zeros_and_just_below_it_not(
    loss_name, penalty_name, fit_intercept
):
    loss, penalty = LOSSES[loss_name], PENALTIES[penalty_name]
    X, target = make_data(loss_name)
    options = {"fit_intercept": fit_intercept}
    largest = penalty_max(X, target, loss, penalty, **options)
    penalised = np.ones(N_FEATURES, dtype=bool)
    if penalty_name == "weighted l1":
        penalised = WEIGHTS > 0
    above = solve(
        X, target, loss, penalty._replace(alpha=largest * (1 + 1e-9)), tol=1e-13, **options
    )
    below = solve(X, target, loss, penalty._replace(alpha=largest * 0.99), tol=1e-10, **options)
    assert not np.any(np.atleast_2d(above.coef)[:, penalised])
    if penalised.all():
        assert above.n_iter == 0
    assert np.any(np.atleast_2d(below.coef)[:, penalised])


@pytest.mark.parametrize("loss_name", LOSSES)
def test_a_path_equals_single_solutions(loss_name):
    loss = LOSSES[loss_name]
    X, target = make_data(loss_name)
    largest = penalty_max(X, target, loss, L1(1.0))
    penalties = [L1(largest * ratio) for ratio in np.geomspace(1.0, 1e-2, 8)]
    for penalty, found in zip(
        penalties, solve_path(X, target, loss, penalties, tol=1e-10), strict=True
    ):
        alone = solve(X, target, loss, penalty, tol=1e-10)
        assert found.converged
        assert found.objective == pytest.approx(alone.objective, rel=1e-8)
        np.testing.assert_allclose(found.coef, alone.coef, atol=1e-3)


def test_orthonormal_columns_give_the_soft_threshold():
    rng = np.random.default_rng(0)
    n = 30
    X = np.linalg.qr(rng.normal(size=(n, 6)))[0] * np.sqrt(n)
    y = X @ np.array([2.0, -1.0, 0.3, 0.0, 0.05, -0.2]) + 0.1 * rng.normal(size=n)
    found = solve(X, y, Quadratic(), L1(0.25), fit_intercept=False, tol=1e-14)
    q = X.T @ y / n
    expected = np.sign(q) * np.maximum(np.abs(q) - 0.25, 0.0)
    np.testing.assert_allclose(found.coef, expected, atol=1e-12)


def test_limits_of_the_penalties_agree():
    X, y = make_data("quadratic")
    lasso = solve(X, y, Quadratic(), L1(0.05), tol=1e-13).coef

    def coef(penalty, scale=1.0):
        return solve(X, scale * y, Quadratic(), penalty, tol=1e-13).coef

    np.testing.assert_allclose(coef(ElasticNet(0.05, 1.0)), lasso, atol=1e-9)
    np.testing.assert_allclose(coef(GroupL2(0.05, np.arange(N_FEATURES))), lasso, atol=1e-7)
    np.testing.assert_allclose(coef(L1(0.1, np.full(N_FEATURES, 0.5))), lasso, atol=1e-9)
    np.testing.assert_allclose(coef(L1(0.15), scale=3.0), 3 * lasso, atol=1e-8)


def test_permuted_columns_permute_the_coefficients():
    X, y = make_data("logistic")
    order = np.random.default_rng(0).permutation(N_FEATURES)
    one = solve(X, y, Logistic(), L1(0.02), tol=1e-12)
    two = solve(X[:, order], y, Logistic(), L1(0.02), tol=1e-12)
    np.testing.assert_allclose(two.coef, one.coef[order], atol=1e-6)


def test_ridge_limit_is_the_closed_form():
    X, y = make_data("quadratic")
    found = solve(X, y, Quadratic(), ElasticNet(0.3, 0.0), tol=1e-13)
    centred = X - X.mean(axis=0)
    matrix = centred.T @ centred / N_SAMPLES + 0.3 * np.eye(N_FEATURES)
    expected = np.linalg.solve(matrix, centred.T @ (y - y.mean()) / N_SAMPLES)
    np.testing.assert_allclose(found.coef, expected, atol=1e-8)


def test_non_negative_least_squares_is_scipys():
    from scipy.optimize import nnls

    X, y = make_data("quadratic")
    found = solve(X, y, Quadratic(), NonNegative(0.0), fit_intercept=False, tol=1e-12)
    assert np.isnan(found.gap)
    assert found.converged
    np.testing.assert_allclose(found.coef, nnls(X, y)[0], atol=1e-9)


def test_without_a_penalty_least_squares_comes_back_certified():
    X, y = make_data("quadratic")
    found = solve(X, y, Quadratic(), L1(0.0), tol=1e-12)
    ones = np.column_stack([np.ones(N_SAMPLES), X])
    expected = np.linalg.lstsq(ones, y, rcond=None)[0]
    np.testing.assert_allclose(found.coef, expected[1:], atol=1e-9)
    assert found.intercept == pytest.approx(expected[0], abs=1e-9)
    assert abs(found.gap) <= 1e-12
    assert found.kkt <= 1e-12


def test_a_small_memory_budget_changes_the_way_but_not_the_answer():
    X, y = make_data("quadratic")
    plain = solve(X, y, Quadratic(), L1(0.02), tol=1e-12)
    frugal = solve(X, y, Quadratic(), L1(0.02), tol=1e-12, memory_budget=0)
    np.testing.assert_allclose(frugal.coef, plain.coef, atol=1e-8)


def test_a_small_working_set_grows_to_the_answer():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 200))
    y = X[:, :8] @ np.ones(8) + rng.normal(size=50)
    wide = solve(X, y, Quadratic(), L1(0.05), tol=1e-12, working_set_size=200)
    narrow = solve(X, y, Quadratic(), L1(0.05), tol=1e-12, working_set_size=2)
    assert narrow.n_iter > wide.n_iter
    np.testing.assert_allclose(narrow.coef, wide.coef, atol=1e-8)


def test_a_start_at_the_answer_needs_no_working_set():
    X, y = make_data("poisson")
    first = solve(X, y, Poisson(), L1(0.02), tol=1e-10)
    again = solve(
        X, y, Poisson(), L1(0.02), tol=1e-9,
        coef_init=first.coef, intercept_init=first.intercept,
    )  # fmt: skip
    assert again.n_iter == 0


def test_an_iteration_limit_is_reported_as_not_converged():
    X, y = make_data("logistic")
    found = solve(X, y, Logistic(), L1(1e-4), tol=1e-14, max_iter=1, working_set_size=2)
    assert not found.converged
    assert found.n_iter == 1
    assert found.gap > 1e-14


def test_two_class_multinomial_predicts_as_logistic_does():
    X, y = make_data("logistic")
    binary = solve(X, y, Logistic(), ElasticNet(0.02, 0.0), tol=1e-12)
    one_hot = np.column_stack([y < 0, y > 0]).astype(float)
    both = solve(X, one_hot, Multinomial(), ElasticNet(0.04, 0.0), tol=1e-12)
    np.testing.assert_allclose(both.coef[1] - both.coef[0], binary.coef, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"penalty": L1(-1.0)}, "alpha must be nonnegative"),
        ({"penalty": L1(np.nan)}, "alpha must be nonnegative"),
        ({"penalty": L1(1.0, np.ones(3))}, "weights must be 12 nonnegative"),
        ({"penalty": L1(1.0, -np.ones(12))}, "weights must be 12 nonnegative"),
        ({"penalty": ElasticNet(1.0, 1.5)}, "l1_ratio must lie in"),
        ({"penalty": GroupL2(1.0, np.zeros(3, dtype=int))}, "groups must hold one label"),
        ({"penalty": GroupL2(1.0, np.arange(12) * 2)}, "groups must hold one label"),
        ({"target": np.zeros(3)}, "target has 3 samples"),
        ({"loss": Poisson(), "target": np.ones((40, 2))}, "Poisson takes one output"),
        ({"sample_weight": np.ones(3)}, "sample_weight must have shape"),
        ({"sample_weight": np.zeros(40)}, "positive sum"),
    ],
)
def test_bad_arguments_are_named(change, words):
    X, y = make_data("quadratic")
    arguments = {"target": y, "loss": Quadratic(), "penalty": L1(1.0)} | change
    with pytest.raises(ValueError, match=words):
        solve(X, **arguments)


def test_every_point_of_a_long_path_down_to_interpolation_is_certified():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 300))
    y = X[:, :10] @ rng.normal(size=10) + rng.normal(size=60)
    largest = penalty_max(X, y, Quadratic(), L1(1.0))
    penalties = [L1(alpha) for alpha in np.geomspace(largest, largest * 1e-3, 60)]
    for penalty, found in zip(
        penalties, solve_path(X, y, Quadratic(), penalties, tol=1e-8), strict=True
    ):
        certificate = duality_gap(X, y, Quadratic(), penalty, found.coef, found.intercept)
        assert certificate.gap <= 2e-8


def test_a_proximal_step_at_rounding_leaves_the_rest_to_newton():
    """At 3e-8 the objective is flat, though the dual point is not: such a path once stopped."""
    problem = drawn_problem(
        LOGISTIC, correlated_design, 0, n_samples=1000, n_features=5000, n_informative=100
    )
    alphas = alpha_max(problem) * np.geomspace(1.0, 1e-3, 100)[74:76]
    penalties = [L1(alpha) for alpha in alphas]
    path = solve_path(problem.X, problem.y, Logistic(), penalties, fit_intercept=False, tol=1e-10)
    assert all(found.converged for found in path)
    gaps = relative_gaps(problem._replace(alphas=alphas), np.array([s.coef for s in path]))
    assert gaps.max() <= 1.1e-10


def test_no_strength_of_a_square_alone_gives_zeros():
    X, y = np.array([[1.0], [2.0], [4.0]]), np.array([1.0, 0.0, 2.0])
    assert penalty_max(X, y, Quadratic(), ElasticNet(1.0, 0.0)) == np.inf
    assert penalty_max(X, np.ones(3), Quadratic(), ElasticNet(1.0, 0.0)) == 0.0  # zeros anyway
