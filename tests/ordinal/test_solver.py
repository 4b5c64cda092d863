"""The solver against CLARABEL, closed forms and its own certificates."""

import cvxpy as cp
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from skreg.ordinal import PrestoClassifier, presto_alpha_max, presto_path
from skreg.ordinal._gram import active_hessian
from skreg.ordinal._likelihood import mean_loss
from skreg.ordinal._link import LOGIT
from skreg.ordinal._newton import block_hessians, point_at, quadratic_model
from skreg.ordinal._problem import increment_weights, make_problem
from skreg.ordinal._solve_path import solve_at

TIGHT = {"tol": 1e-11}


def standardise(X, weight=None):
    mean = np.average(X, axis=0, weights=weight)
    return (X - mean) / np.sqrt(np.average((X - mean) ** 2, axis=0, weights=weight))


def objective(model, X, y, weight=None):
    """Mean loss plus penalty of a fitted model, from its attributes, without the repair of
    crossings."""
    scale = np.sqrt(np.average((X - np.average(X, axis=0, weights=weight)) ** 2, axis=0,
                               weights=weight))  # fmt: skip
    below = expit(X @ model.coef_.T + model.intercept_)
    proba = np.diff(below, axis=1, prepend=0, append=1)[np.arange(len(y)), y]
    psi = model.coef_diff_ * scale
    level = np.ones((len(psi), 1))
    level[0] = model.first_penalty
    factor = 1 if model.penalty_weights is None else np.asarray(model.penalty_weights)
    penalty = model.l1_ratio * np.abs(psi) + (1 - model.l1_ratio) / 2 * psi**2
    return -np.average(np.log(proba), weights=weight) + model.alpha * np.sum(
        level * factor * penalty
    )


def clarabel(X, y, alpha, *, l1_ratio=1.0, first_penalty=1.0, penalty_weights=1.0, weight=None):
    """Optimal objective of an exact convex solver."""
    n, K = len(y), y.max() + 1
    Z = standardise(X, weight)
    weight = np.full(n, 1 / n) if weight is None else weight / weight.sum()
    intercept, psi = cp.Variable(K - 1), cp.Variable((K - 1, X.shape[1]))
    eta = [intercept[k] + Z @ cp.sum(psi[: k + 1], axis=0) for k in range(K - 1)]
    loss = 0
    for c in range(K):
        rows = y == c
        row_losses = 0
        if c < K - 1:
            row_losses += cp.logistic(-eta[c][rows])
        if c > 0:
            row_losses += cp.logistic(eta[c - 1][rows])
        if 0 < c < K - 1:
            row_losses -= cp.log(1 - cp.exp(eta[c - 1][rows] - eta[c][rows]))
        loss += weight[rows] @ row_losses
    factor = np.ones((K - 1, X.shape[1])) * penalty_weights
    factor[0] *= first_penalty
    penalty = l1_ratio * cp.sum(cp.multiply(factor, cp.abs(psi)))
    penalty += (1 - l1_ratio) / 2 * cp.sum(cp.multiply(factor, cp.square(psi)))
    problem = cp.Problem(cp.Minimize(loss + alpha * penalty))
    problem.solve(
        solver="CLARABEL", tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11, max_iter=200
    )
    return problem.value


@pytest.mark.parametrize(
    "setting",
    [
        {"alpha": 0.02},
        {"alpha": 0.005},
        {"alpha": 0.05, "l1_ratio": 0.5},
        {"alpha": 0.02, "l1_ratio": 0.0},
        {"alpha": 0.02, "first_penalty": 0.0},
        {"alpha": 0.02, "first_penalty": 3.0},
        {"alpha": 0.02, "penalty_weights": np.array([1, 0.5, 2, 1, 0.0])},
    ],
    ids=str,
)
@pytest.mark.parametrize("storage", [np.asarray, scipy.sparse.csr_matrix, scipy.sparse.csc_array])
def test_objective_agrees_with_clarabel(example, setting, storage):
    X, y = example
    model = PrestoClassifier(**setting, **TIGHT).fit(storage(X), y)
    assert objective(model, X, y) == pytest.approx(clarabel(X, y, **setting), abs=1e-8)


def test_objective_agrees_with_clarabel_at_many_features_weights_and_classes():
    rng = np.random.default_rng(1)
    X, weight = rng.standard_normal((60, 90)), rng.uniform(0.2, 2, 60)
    y = np.clip(np.round(2 + X[:, :3].sum(axis=1) / 1.5 + rng.standard_normal(60)), 0, 4)
    y = y.astype(int)
    model = PrestoClassifier(0.03, **TIGHT).fit(X, y, weight)
    expected = clarabel(X, y, 0.03, weight=weight)
    assert objective(model, X, y, weight) == pytest.approx(expected, abs=1e-8)


def test_rows_of_almost_no_weight_leave_a_finite_gap(example):
    """They hold boundaries apart all the same, and their scaled gradients are huge."""
    X, y = example
    weight = np.where(np.arange(100) < 30, 1e-9, 1.0)
    model = PrestoClassifier(0.005, tol=1e-9).fit(X, y, weight)
    assert 0 <= model.dual_gap_ <= 1e-9
    expected = clarabel(X, y, 0.005, weight=weight)
    assert objective(model, X, y, weight) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(
    ("share_of_max", "alpha", "first_penalty", "expected", "n_nonzero"),
    [
        (0.1, None, 1, 0.97135413768, 7),
        (None, 0.02, 1, 0.94685295931, 9),
        (None, 0.0, 1, 0.85465554599, None),
        (0.1, None, 0, 0.87158765778, None),
        (None, 0.02, 0, 0.89050039809, 8),
    ],
)
def test_recorded_optima(example, share_of_max, alpha, first_penalty, expected, n_nonzero):
    X, y = example
    if share_of_max is not None:
        alpha = share_of_max * presto_alpha_max(X, y, first_penalty=first_penalty, **TIGHT)
    model = PrestoClassifier(alpha, first_penalty=first_penalty, **TIGHT).fit(X, y)
    assert objective(model, X, y) == pytest.approx(expected, abs=1e-9)
    if n_nonzero is not None:
        assert np.count_nonzero(model.coef_diff_) == n_nonzero


def test_recorded_coefficients(example):
    model = PrestoClassifier(0.02, **TIGHT).fit(*example)
    np.testing.assert_allclose(model.intercept_, [-0.27134412, 1.50162817, 3.81541721], atol=1e-7)
    np.testing.assert_allclose(
        model.coef_,
        [
            [0.9408974, -1.05790984, 0.22124133, -0.0220328, 0.30550332],
            [0.74056084, -1.79850402, 0.22124133, -0.04148803, 0.30550332],
            [0.74056084, -1.79850402, 0.22124133, -0.13849209, 0.30550332],
        ],
        atol=1e-7,
    )


def test_largest_alpha(example):
    assert presto_alpha_max(*example) == pytest.approx(0.2758948472368213, rel=1e-14)
    unpenalised = presto_alpha_max(*example, first_penalty=0, **TIGHT)
    assert unpenalised == pytest.approx(0.06566666893, abs=1e-10)


def test_largest_alpha_by_hand():
    X, y = [[-1], [0], [1]], [1, 2, 3]
    assert presto_alpha_max(X, y) == pytest.approx(0.5443311, abs=1e-7)
    assert presto_alpha_max(X, y, l1_ratio=0.5) == pytest.approx(2 * 0.5443311, abs=1e-6)
    assert presto_alpha_max(X, y, first_penalty=4) == pytest.approx(0.2721655, abs=1e-7)


@pytest.mark.parametrize("parameters", [{}, {"first_penalty": 0.0}, {"l1_ratio": 0.3}], ids=str)
def test_coefficients_leave_zero_just_below_the_largest_alpha(example, parameters):
    X, y = example
    largest = presto_alpha_max(X, y, **parameters, **TIGHT)
    above, below = (
        PrestoClassifier(factor * largest, **parameters, **TIGHT).fit(X, y).coef_diff_
        for factor in (1 + 1e-6, 0.999)
    )
    penalised = slice(1 if parameters.get("first_penalty") == 0 else 0, None)
    assert np.count_nonzero(above[penalised]) == 0
    assert np.count_nonzero(below[penalised]) > 0


def test_two_classes_are_scikit_learns_lasso_logistic_regression(example):
    X, y = example.X, (example.y > 0).astype(int)
    model = PrestoClassifier(0.03, **TIGHT).fit(X, y)
    reference = LogisticRegression(
        l1_ratio=1, solver="saga", C=1 / (len(y) * 0.03), tol=1e-10, max_iter=100_000
    ).fit(standardise(X), y)
    coef = -reference.coef_ / X.std(axis=0)
    np.testing.assert_allclose(model.coef_, coef, atol=1e-7)
    np.testing.assert_allclose(
        model.intercept_, -reference.intercept_ - coef @ X.mean(axis=0), atol=1e-7
    )
    np.testing.assert_allclose(
        model.coef_ * X.std(axis=0), [[0.79628279, -0.88205433, 0.18475854, 0, 0.174825]], atol=1e-6
    )
    assert model.intercept_ + model.coef_ @ X.mean(axis=0) == pytest.approx([-0.17336875], abs=1e-7)


@pytest.mark.parametrize("l1_ratio", [1.0, 0.6, 0.0])
def test_gap_bounds_the_suboptimality_from_above(example, l1_ratio):
    X, y = example
    codes, weight = y, np.ones(len(y))
    problem = make_problem(
        X, codes, 4, weight, increment_weights(4, 1.0, np.ones(5)), l1_ratio, True
    )
    best = solve_at(problem, 0.01, tol=1e-12, max_iter=100).objective
    previous = np.inf
    for max_iter in range(1, 11):
        solution = solve_at(problem, 0.01, tol=0.0, max_iter=max_iter, start=problem.start)
        assert solution.objective <= previous
        assert solution.objective - best <= solution.dual_gap * problem.scales.loss + 1e-14
        previous = solution.objective
    assert solution.dual_gap < 1e-9


def test_path_is_certified_at_every_alpha(example):
    path = presto_path(*example, tol=1e-8)
    assert path.coefs.shape == (3, 5, 20)
    assert np.all(path.dual_gaps <= 1e-8)
    np.testing.assert_allclose(np.cumsum(path.coef_diffs, axis=0), path.coefs, atol=1e-14)
    for i in range(0, 20, 6):
        alone = PrestoClassifier(path.alphas[i], tol=1e-11).fit(*example)
        np.testing.assert_allclose(path.coefs[..., i], alone.coef_, atol=2e-3)


def test_path_shows_its_progress_on_request(example, capsys):
    quiet = presto_path(*example, alphas=3)
    assert "presto_path" not in capsys.readouterr().err
    np.testing.assert_array_equal(presto_path(*example, alphas=3, verbose=1).coefs, quiet.coefs)
    err = capsys.readouterr().err
    assert "presto_path" in err
    assert "3/3" in err


def test_path_at_many_features_skips_nothing():
    """The strong rule may not change the solution."""
    rng = np.random.default_rng(2)
    X = rng.standard_normal((80, 150))
    y = (X[:, :4].sum(axis=1) + rng.logistic(size=80) > np.array([[-1], [2]])).sum(axis=0)
    path = presto_path(X, y, alphas=8, tol=1e-10)
    for i in range(1, 8, 3):
        alone = PrestoClassifier(path.alphas[i], tol=1e-11).fit(X, y)
        np.testing.assert_allclose(path.coefs[..., i], alone.coef_, atol=1e-4)


def test_correlated_features_without_penalty_reach_the_tolerance():
    """Coordinate descent alone would need thousands of passes."""
    rng = np.random.default_rng(3)
    common = rng.standard_normal((400, 1))
    X = common + 0.01 * rng.standard_normal((400, 8))
    y = (common[:, 0] + rng.logistic(size=400) > np.array([[0], [2]])).sum(axis=0)
    model = PrestoClassifier(0.0, tol=1e-8).fit(X, y)
    assert model.kkt_residual_ <= 1e-8
    assert np.isnan(model.dual_gap_)
    assert model.n_iter_ < 20


def test_duplicated_columns_share_a_minimiser(example):
    X, y = example
    twice = PrestoClassifier(0.02, **TIGHT).fit(np.hstack([X, X]), y)
    once = PrestoClassifier(0.02, **TIGHT).fit(X, y)
    np.testing.assert_allclose(
        twice.predict_proba(np.hstack([X, X])), once.predict_proba(X), atol=1e-5
    )


def test_hessian_of_a_feature_agrees_with_finite_differences(example):
    X, y = example
    problem = make_problem(X, y, 4, np.ones(100), increment_weights(4, 1, np.ones(5)), 1.0, True)
    rows, theta = problem.rows, problem.start.theta.copy()
    theta[:, 1:] = 0.05 * np.random.default_rng(0).standard_normal((3, 5))
    point, h, j = point_at(rows, theta), 1e-4, 3
    joint, own = np.zeros((6, 3)), np.zeros((6, 3))
    block_hessians(rows.design, np.arange(6), quadratic_model(rows, point.a, point.b), joint, own)
    H = joint[j][np.maximum.outer(np.arange(3), np.arange(3))] + np.diag(own[j])

    def loss(steps):
        moved = theta.copy()
        moved[:, j] += steps
        shifted = point_at(rows, moved)
        return mean_loss(LOGIT, shifted.a, shifted.b, rows.weight, rows.start)

    unit = h * np.eye(3)
    for l in range(3):
        for m in range(3):
            second = (
                loss(unit[l] + unit[m])
                - loss(unit[l] - unit[m])
                - loss(unit[m] - unit[l])
                + loss(-unit[l] - unit[m])
            )
            assert second / (4 * h * h) == pytest.approx(H[l, m], abs=1e-6)


@pytest.mark.parametrize("storage", [np.asarray, scipy.sparse.csc_array])
def test_hessian_of_the_active_increments_is_that_of_the_rows(example, storage):
    """Each row's Hessian in its two predictors, carried to the increments one row at a time."""
    X, y = np.where(np.abs(example.X) > 0.5, example.X, 0.0), example.y
    stored = scipy.sparse.csr_array(storage(X)) if storage is not np.asarray else X
    problem = make_problem(
        stored, y, 4, np.ones(100), increment_weights(4, 1, np.ones(5)), 1.0, True
    )
    rows, theta = problem.rows, problem.start.theta.copy()
    theta[:, 1:] = 0.05 * np.random.default_rng(0).standard_normal((3, 5))
    point = point_at(rows, theta)
    model = quadratic_model(rows, point.a, point.b)
    boundary, column = np.array([0, 0, 1, 2, 2, 2]), np.array([0, 3, 3, 0, 1, 3])
    Z, codes = np.column_stack([np.ones(100), standardise(X)]), np.sort(y)
    Z = Z[np.argsort(y, kind="stable")][:, column]
    moves_a, moves_b = Z * (codes[:, None] >= boundary), Z * (codes[:, None] > boundary)
    expected = np.einsum("i,ij,ik->jk", model.sa, moves_a, moves_a)
    expected += np.einsum("i,ij,ik->jk", model.sb, moves_b, moves_b)
    expected += np.einsum("i,ij,ik->jk", model.r, moves_a - moves_b, moves_a - moves_b)
    features, position = np.unique(column, return_inverse=True)
    found = active_hessian(rows.design, model, features, boundary, position)
    np.testing.assert_allclose(found, expected, atol=1e-13)


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(8, 40),
    p=st.integers(1, 12),
    n_classes=st.integers(2, 5),
    share=st.floats(0.01, 0.9),
    l1_ratio=st.sampled_from([1.0, 0.5, 0.0]),
    seed=st.integers(0, 10_000),
)
def test_every_small_problem_is_solved_to_its_gap(n, p, n_classes, share, l1_ratio, seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) + rng.choice([0.0, 0.0, 1e3, -1e6], p)
    X *= 10.0 ** rng.integers(-8, 9, p)
    y = np.concatenate([np.arange(n_classes), rng.integers(0, n_classes, n - n_classes)])
    alpha = share * presto_alpha_max(X, y, l1_ratio=l1_ratio)
    dense = PrestoClassifier(alpha, l1_ratio=l1_ratio, tol=1e-8).fit(X, y)
    assert -1e-13 <= dense.dual_gap_ <= 1e-8
    thinned = np.where(rng.random(X.shape) < 0.5, X, 0.0)
    sparse, same = (
        PrestoClassifier(alpha, l1_ratio=l1_ratio, tol=1e-10).fit(storage(thinned), y)
        for storage in (scipy.sparse.csr_array, np.asarray)
    )
    assert objective(sparse, thinned, y) == pytest.approx(objective(same, thinned, y), abs=1e-8)
