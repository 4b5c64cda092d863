"""Leverage scores, Lewis weights and sensitivities against closed forms, cvxpy and statsmodels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.special import gamma
from sklearn.exceptions import ConvergenceWarning

from skreg.coreset import (
    SensitivitySampler,
    chunked_coreset,
    importance_scores,
    leverage_scores,
    lewis_weights,
    lightweight_coreset,
    lp_sensitivities,
    online_leverage_scores,
    root_leverage_scores,
    subspace_distortion,
    total_sensitivity,
)

FOUR_ROWS = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [2.0, 0.0]])
KINDS = {
    "lewis": lambda A, p: lewis_weights(A, p, tol=1e-10),
    "sensitivity": lambda A, p: lp_sensitivities(A, p, tol=1e-8),
}


def heavy(seed, n=60, d=4):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)) * np.abs(rng.standard_t(2, n))[:, None]


def with_rare_columns(outlier):
    rng = np.random.default_rng(1)
    A = np.zeros((600, 6))
    A[:, :4] = rng.standard_normal((600, 4))
    A[-10:, 4:] = rng.standard_normal((10, 2))
    A[:3] *= outlier
    return A


def incidence(v):
    """Edges of the complete graph on v nodes, the first of which is grounded."""
    edges = [np.eye(v)[i] - np.eye(v)[j] for i in range(v) for j in range(i)]
    return np.array(edges)[:, 1:]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("p", [1, 1.5, 2, 3, 4])
def test_one_column_gives_shares_of_pth_powers(kind, p):
    a = np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(KINDS[kind](a[:, None], p), a**p / np.sum(a**p), rtol=1e-9)


def test_leverage_of_one_column():
    np.testing.assert_allclose(leverage_scores([[1.0], [2.0], [3.0]]), np.array([1, 4, 9]) / 14)


@pytest.mark.parametrize("p", [1, 1.5, 2, 3, 6])
def test_two_equal_rows_share_one_dimension(p):
    A = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    for score in KINDS.values():
        np.testing.assert_allclose(score(A, p), [0.5, 0.5, 1.0], rtol=1e-8)
    np.testing.assert_allclose(root_leverage_scores(A, p), [0.5 ** (p / 2), 0.5 ** (p / 2), 1.0])
    np.testing.assert_allclose(lewis_weights(np.tile(np.eye(3), (5, 1)), p), 0.2, rtol=1e-6)


@pytest.mark.parametrize("v", [3, 8])
@pytest.mark.parametrize("p", [1, 1.5, 2, 3, 4, 6])
def test_complete_graph_has_the_closed_form(v, p):
    A = incidence(v)
    np.testing.assert_allclose(KINDS["sensitivity"](A, p), 1 / (1 + (v - 2) * 2 ** (1 - p)))
    np.testing.assert_allclose(lewis_weights(A, p, tol=1e-10), 2 / v)


@pytest.mark.parametrize(
    ("p", "sigma", "w"),
    [
        (1, [0.25, 0.5, 0.5, 0.5], [0.304806, 0.542791, 0.542791, 0.609612]),
        (3, [4 / 37, 0.64, 0.64, 32 / 37], [0.101257, 0.544345, 0.544345, 0.810053]),
        (4, [0.058394, 0.728210, 0.728210, 0.934307], None),
    ],
)
def test_four_rows(p, sigma, w):
    """For p = 3 and row (0, 1): min_t 9 |t|^3 + 1 + |1 + t|^3 is 25/16, at t = -1/4."""
    np.testing.assert_allclose(KINDS["sensitivity"](FOUR_ROWS, p), sigma, atol=5e-7)
    if w is not None:
        np.testing.assert_allclose(KINDS["lewis"](FOUR_ROWS, p), w, atol=5e-7)
    tau = [2 / 11, 6 / 11, 6 / 11, 8 / 11]
    np.testing.assert_allclose(leverage_scores(FOUR_ROWS), tau)


@pytest.mark.parametrize("p", [1, 1.3, 1.8, 3, 5])
def test_sensitivities_solve_the_convex_program(p):
    cp = pytest.importorskip("cvxpy")
    A = heavy(0, n=25, d=3)
    sigma = KINDS["sensitivity"](A, p)
    for i in (0, 7, int(np.argmax(sigma))):
        x = cp.Variable(3)
        problem = cp.Problem(cp.Minimize(cp.pnorm(A @ x, p)), [A[i] @ x == 1])
        problem.solve(solver=cp.CLARABEL)
        np.testing.assert_allclose(sigma[i], problem.value**-p, rtol=2e-5)


@pytest.mark.parametrize("candidates", [1, 64])
def test_linear_program_agrees_with_reweighted_least_squares(candidates, monkeypatch):
    from skreg.coreset import _sensitivity_solvers

    monkeypatch.setattr(_sensitivity_solvers, "_CANDIDATES", candidates)
    A = heavy(1)
    exact = lp_sensitivities(A, 1, method="lp")
    np.testing.assert_allclose(lp_sensitivities(A, 1), exact, rtol=1e-6)
    rows = [3, 5]
    np.testing.assert_allclose(lp_sensitivities(A, 1, method="lp", rows=rows), exact[rows])


@pytest.mark.parametrize(("p", "total"), [(1, 8 / 3), (1.5, 3.75), (3, 8.0), (4, 35 / 3)])
def test_total_sensitivity_of_gaussian_rows_tends_to_its_limit(p, total):
    d = 5
    limit = gamma((d + p) / 2) * gamma(0.5) / (gamma(d / 2) * gamma((1 + p) / 2))
    np.testing.assert_allclose(limit, total, rtol=1e-3)
    A = np.random.default_rng(0).standard_normal((4000, d))
    np.testing.assert_allclose(
        total_sensitivity(A, p, n_probes=100, random_state=0), limit, rtol=0.04
    )


@pytest.mark.parametrize(
    ("p", "totals"),
    [
        (1, {4: 2.852, 8: 5.149, 12: 7.396}),
        (4, {4: 5.615, 8: 12.305, 12: 19.105}),
        (6, {4: 6.816, 8: 15.654, 12: 24.681}),
    ],
)
def test_polynomial_features_have_total_sensitivity_linear_in_d(p, totals):
    points = np.linspace(-1, 1, 400)
    for d, total in totals.items():
        S = lp_sensitivities(np.polynomial.chebyshev.chebvander(points, d - 1), p).sum()
        np.testing.assert_allclose(S, total, atol=2e-3)
        assert p % 2 or p * (d - 1) + 1 >= S


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10**6), p=st.sampled_from([1, 1.5, 2.5, 4]))
def test_scores_are_invariant(kind, seed, p):
    rng = np.random.default_rng(seed)
    A, score = heavy(seed, n=30, d=3), KINDS[kind]
    expected = score(A, p)
    order = rng.permutation(30)
    M = rng.standard_normal((3, 3)) + 3 * np.eye(3)
    signs = rng.choice([-1.0, 1.0], 30)[:, None]
    changed = {
        "columns": score(A @ M, p),
        "signs and scale": score(1e5 * signs * A, p),
        "order": score(A[order], p)[np.argsort(order)],
        "two copies": 2 * score(np.r_[A, A], p)[:30],
    }
    for name in ("columns", "signs and scale", "order", "two copies"):
        np.testing.assert_allclose(changed[name], expected, rtol=2e-5, err_msg=name)
    split = score(np.r_[A, np.repeat(4 ** (-1 / p) * A[:1], 4, axis=0)][1:], p)
    np.testing.assert_allclose(split, np.r_[expected[1:], np.repeat(expected[0] / 4, 4)], rtol=2e-5)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), p=st.sampled_from([1, 1.25, 1.75, 2.5, 3, 6]))
def test_sandwich_inequalities(seed, p):
    n, d = 40, 3
    A = heavy(seed, n, d)
    tau, w, sigma = leverage_scores(A), KINDS["lewis"](A, p), KINDS["sensitivity"](A, p)
    roots = tau ** (p / 2)
    np.testing.assert_allclose(w.sum(), d)
    slack = 1 + 1e-6
    low, high = (d ** (p / 2 - 1), 1) if p <= 2 else (1, d ** (p / 2 - 1))
    assert (low * w <= slack * sigma).all()
    assert (sigma <= slack * high * w).all()
    low, high = (n ** (p / 2 - 1), 1) if p <= 2 else (1, n ** (p / 2 - 1))
    assert (low * roots <= slack * sigma).all()
    assert (sigma <= slack * high * roots).all()
    assert min(d, d ** (p / 2)) <= slack * sigma.sum() <= slack**2 * max(d, d ** (p / 2))


def test_all_scores_agree_at_two():
    from statsmodels.api import OLS

    A = heavy(3)
    expected = OLS(np.ones(60), A).fit().get_influence().hat_matrix_diag
    np.testing.assert_allclose(np.diag(A @ np.linalg.pinv(A)), expected)
    for method in ("auto", "cholesky", "qr", "svd"):
        np.testing.assert_allclose(leverage_scores(A, method=method), expected)
    for score in ("leverage", "root_leverage", "lewis", "sensitivity"):
        np.testing.assert_allclose(importance_scores(A, 2, scores=score), expected)
    np.testing.assert_allclose(lp_sensitivities(A, 2, method="irls"), expected)
    combined = importance_scores(A, 2, scores="sensitivity+leverage")
    np.testing.assert_allclose(combined, 2 * expected)


def test_combined_scores_are_sums():
    A = heavy(4)
    tau = leverage_scores(A)
    for name in ("lewis", "sensitivity"):
        both = importance_scores(A, 3, scores=f"{name}+leverage")
        np.testing.assert_allclose(both, importance_scores(A, 3, scores=name) + tau)


def test_ridge_leverage():
    A, ridge = heavy(5), 2.0
    expected = np.diag(A @ np.linalg.inv(A.T @ A + ridge * np.eye(4)) @ A.T)
    for method in ("cholesky", "qr", "svd"):
        np.testing.assert_allclose(leverage_scores(A, ridge=ridge, method=method), expected)
    s = np.linalg.svd(A, compute_uv=False)
    np.testing.assert_allclose(expected.sum(), np.sum(s**2 / (s**2 + ridge)))
    wide = leverage_scores(A[:2], ridge=ridge)
    np.testing.assert_allclose(
        wide, np.diag(A[:2] @ np.linalg.inv(A[:2].T @ A[:2] + ridge * np.eye(4)) @ A[:2].T)
    )


def test_online_scores_bound_offline_ridge_leverage():
    A, ridge = heavy(6, n=200), 0.5
    online = online_leverage_scores(A, ridge)
    for i in (0, 1, 50, 199):
        inverse = np.linalg.inv(A[:i].T @ A[:i] + ridge * np.eye(4))
        np.testing.assert_allclose(online[i], min(1.0, A[i] @ inverse @ A[i]), rtol=1e-8)
    assert (online >= leverage_scores(A, ridge=ridge) - 1e-12).all()
    determinant = np.linalg.slogdet(np.eye(4) + A.T @ A / ridge)[1] / np.log(2)
    assert online.sum() <= determinant
    assert determinant <= 4 * np.log2(1 + np.sum(A**2) / (4 * ridge))


@pytest.mark.parametrize(("ridge", "scale"), [(1e-10, 1e4), (1e-6, 1e3), (1e6, 1.0)])
def test_online_scores_keep_their_digits_where_the_ridge_is_small(ridge, scale):
    """By a QR decomposition of all rows so far, for every row."""
    A = scale * heavy(7, n=80)
    R, expected = np.sqrt(ridge) * np.eye(4), []
    for row in A:
        z = np.linalg.solve(R.T, row)
        expected.append(min(1.0, z @ z))
        R = np.linalg.qr(np.r_[R, row[None]], mode="r")
    np.testing.assert_allclose(online_leverage_scores(A, ridge), expected, rtol=1e-10)


def test_sketched_scores_are_within_a_constant_factor():
    A = np.random.default_rng(0).standard_t(3, size=(8000, 150))
    ratio = leverage_scores(A, method="sketch", random_state=0) / leverage_scores(A)
    assert ratio.min() > 1 / 3
    assert ratio.max() < 3
    assert np.mean((ratio > 0.5) & (ratio < 2)) > 0.99


def test_collinear_columns_take_the_rank_revealing_path():
    A = heavy(7)
    collinear = np.c_[A, A[:, 0] - 2 * A[:, 1], np.zeros(60), 1e-6 * A[:, 2]]
    for p in (1, 3):
        for score in KINDS.values():
            np.testing.assert_allclose(score(collinear, p), score(A, p), rtol=1e-6)
    for method in ("auto", "qr", "svd"):
        np.testing.assert_allclose(leverage_scores(collinear, method=method), leverage_scores(A))
    with pytest.raises(ValueError, match="linearly independent"):
        leverage_scores(collinear, method="cholesky")


def test_ill_conditioned_columns_keep_six_digits():
    rng = np.random.default_rng(0)
    Q = np.linalg.qr(rng.standard_normal((500, 6)))[0]
    A = Q @ np.diag(10.0 ** -np.arange(0, 12, 2)) @ np.linalg.qr(rng.standard_normal((6, 6)))[0]
    np.testing.assert_allclose(leverage_scores(A), np.sum(Q**2, axis=1), rtol=1e-4)


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e-120, 1e120, 1e300, [1e-200, 1, 1e150, 1e-7]])
def test_scale_of_the_data_does_not_matter(scale):
    """Squares may overflow, underflow, or lose digits by underflow, in all columns or in some."""
    A = heavy(8)
    scaled = A * np.array(scale)
    np.testing.assert_allclose(leverage_scores(scaled), leverage_scores(A))
    for p in (1, 4):
        np.testing.assert_allclose(lewis_weights(scaled, p), lewis_weights(A, p), rtol=1e-6)
        np.testing.assert_allclose(lp_sensitivities(scaled, p), lp_sensitivities(A, p))


def test_rows_of_zeros_have_score_zero():
    A = np.r_[heavy(9), np.zeros((2, 4))]
    for p in (0.5, 1, 3, 4):
        w = lewis_weights(A, p)
        assert (w[60:] == 0).all()
        np.testing.assert_allclose(w[:60], lewis_weights(A[:60], p))
    assert (leverage_scores(A)[60:] == 0).all()
    for method in ("irls", "lp"):
        assert (lp_sensitivities(A, 1, method=method)[60:] == 0).all()


@pytest.mark.parametrize("p", [1, 2, 3])
def test_a_matrix_of_zeros_has_no_influence(p):
    A = np.zeros((6, 2))
    for scores in ("leverage", "lewis", "sensitivity", "lewis+leverage"):
        assert (importance_scores(A, p, scores=scores) == 0).all()
    assert total_sensitivity(A, p, random_state=0) == 0
    assert subspace_distortion(A, [0], [1.0], p) == 0


@pytest.mark.parametrize("p", [0.5, 1, 3, 8])
def test_lewis_weights_solve_their_equation(p):
    A = heavy(10, n=300, d=6)
    w, Q = lewis_weights(A, p, tol=1e-10, return_Q=True)
    np.testing.assert_allclose(leverage_scores(w[:, None] ** (0.5 - 1 / p) * A), w, rtol=1e-8)
    np.testing.assert_allclose(Q, A.T @ (w[:, None] ** (1 - 2 / p) * A), rtol=1e-8)
    s = np.einsum("ij,jk,ik->i", A, np.linalg.inv(Q), A)
    np.testing.assert_allclose(s ** (p / 2), w, rtol=1e-8)


def test_lewis_tolerance_bounds_the_error_of_the_equation():
    for tol in (1e-1, 1e-2, 1e-4):
        A = heavy(11, n=500, d=5)
        w = lewis_weights(A, 1, tol=tol)
        _, Q = lewis_weights(A, 1, tol=tol, return_Q=True)
        phi = np.einsum("ij,jk,ik->i", A, np.linalg.inv(Q), A) ** 0.5
        assert np.abs(np.log(phi / w)).max() <= 1.001 * tol


@pytest.mark.parametrize("p", [0.5, 1, 1.5])
def test_lewis_weights_of_rows_along_the_axes_take_few_passes(p):
    """Plain steps, a contraction by 1 - p/2 here, take at least 13, 27 and 64 for p = 1.5, 1, 0.5.

    Each column is a problem by itself: w_i = |a_i|^p over the sum of them.
    """
    rng = np.random.default_rng(0)
    columns, values = rng.integers(0, 6, 400), rng.standard_t(2, 400)
    A = np.zeros((400, 6))
    A[np.arange(400), columns] = values
    powers = np.abs(values) ** p
    expected = powers / np.bincount(columns, powers)[columns]
    found = lewis_weights(A, p, tol=1e-8, max_iter=6)
    np.testing.assert_allclose(found, expected, rtol=1e-8)


@pytest.mark.parametrize("p", [0.1, 1, 3.9, 8])
def test_lewis_weights_where_extrapolation_goes_astray(p):
    """At p = 0.1 and p = 8 a step of these two columns of ten rows is taken back."""
    A = with_rare_columns(outlier=20.0)
    w, Q = lewis_weights(A, p, max_iter=30, return_Q=True)
    s = np.einsum("ij,ji->i", A, np.linalg.solve(Q, A.T))
    np.testing.assert_allclose(s ** (p / 2), w, rtol=1.1e-6)


@pytest.mark.parametrize("p", [1, 3.9, 8])
def test_rows_of_any_size_fill_dimensions_of_their_own(p):
    """In the limit the three have the weight one, and the others those of what is orthogonal."""
    A = with_rare_columns(outlier=1e10)
    basis = np.linalg.svd(A[:3])[2][3:].T
    w = lewis_weights(A, p, max_iter=30)
    np.testing.assert_allclose(w[:3], 1.0, rtol=1e-5)
    np.testing.assert_allclose(w[3:], lewis_weights(A[3:] @ basis, p), rtol=1e-5)


def test_lewis_warns_when_not_converged():
    with pytest.warns(ConvergenceWarning, match="max_iter=2"):
        lewis_weights(heavy(12), 8, max_iter=2)


def test_sample_weight_is_repetition():
    A, omega = heavy(13, n=40), np.random.default_rng(0).integers(0, 4, 40)
    repeated = np.repeat(A, omega, axis=0)
    for p in (1, 3):
        for function in (lewis_weights, lp_sensitivities):
            expected = np.bincount(
                np.repeat(np.arange(40), omega), function(repeated, p), minlength=40
            )
            actual = function(A, p, sample_weight=omega)
            np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-15)
    expected = np.bincount(np.repeat(np.arange(40), omega), leverage_scores(repeated), minlength=40)
    np.testing.assert_allclose(leverage_scores(A, sample_weight=omega), expected, atol=1e-15)


def test_sparse_and_float32_agree_with_dense_float64(monkeypatch):
    from skreg.coreset import _rows

    monkeypatch.setattr(_rows, "CACHE_BYTES", 800)
    rng = np.random.default_rng(0)
    A = rng.standard_normal((203, 5)) * (rng.uniform(size=(203, 5)) < 0.5)
    A = A.astype(np.float32)
    for score in (leverage_scores, lambda X: lewis_weights(X, 1), lambda X: lp_sensitivities(X, 3)):
        expected = score(A.astype(np.float64))
        assert score(A).dtype == np.float64
        np.testing.assert_allclose(score(A), expected, rtol=1e-12)
        np.testing.assert_allclose(score(sparse.csr_array(A)), expected, rtol=1e-8)


def test_float32_is_not_copied():
    import tracemalloc

    A = np.random.default_rng(0).standard_normal((400_000, 16), dtype=np.float32)
    leverage_scores(A[:1000])
    tracemalloc.start()
    leverage_scores(A)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < A.nbytes / 2


def test_approximate_sensitivities_bound_the_exact_ones():
    A = heavy(14, n=400, d=4)
    sigma = lp_sensitivities(A, 1)
    for block_size in (2, 8):
        bound = lp_sensitivities(A, 1, method="approx", block_size=block_size, random_state=0)
        assert (bound >= sigma * (1 - 1e-5)).all()
        assert bound.sum() <= 1.05 * block_size * sigma.sum()


def test_coreset_denominator_is_close():
    A = heavy(15, n=2000, d=4)
    exact = lp_sensitivities(A, 1, rows=np.arange(50))
    approximate = lp_sensitivities(
        A, 1, method="irls", rows=np.arange(50), coreset_size=400, random_state=0
    )
    np.testing.assert_allclose(approximate, exact, rtol=0.3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda A: lp_sensitivities(A, 0.5), "p must be .* at least 1"),
        (lambda A: lewis_weights(A, 0), "p must be .* above 0"),
        (lambda A: lewis_weights(A, np.inf), "p must be a finite"),
        (lambda A: lp_sensitivities(A, 2, method="lp"), "method='lp' is for p=1"),
        (lambda A: leverage_scores(A[:3]), "at least as many rows as columns; got n = 3"),
        (lambda A: leverage_scores(np.where(A > 1, np.nan, A)), "NaN"),
        (lambda A: lewis_weights(np.where(A > 1, np.inf, A), 1), "infinity"),
        (lambda A: lewis_weights(A, "one"), "p must be a finite number above 0; got 'one'"),
        (lambda A: lp_sensitivities(A, 3, rows=[-1]), r"rows must lie in \[0, 60\); got -1"),
        (lambda A: lp_sensitivities(A, 3, rows=[60]), r"rows must lie in \[0, 60\)"),
        (lambda A: lp_sensitivities(A, 3, rows=[0.5]), "rows must be a vector of row numbers"),
        (lambda A: lp_sensitivities(A, 3, rows=np.ones(60, bool)), "vector of row numbers"),
        (lambda A: online_leverage_scores(np.where(A > 1, np.nan, A), 1.0), "NaN"),
        (lambda A: leverage_scores(A, sample_weight=-np.ones(60)), "[Nn]egative"),
        (lambda A: online_leverage_scores(A, 0.0), "ridge"),
    ],
)
def test_errors_name_the_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call(heavy(16))


@pytest.mark.parametrize(
    ("method", "p", "unit"), [("irls", 3, "batch"), ("lp", 1, "row"), ("approx", 3, "sum")]
)
def test_progress_of_sensitivities_is_shown_on_demand(method, p, unit, capsys):
    pytest.importorskip("tqdm")
    A = np.random.default_rng(0).standard_normal((30, 2))
    quiet = lp_sensitivities(A, p, method=method, random_state=0)
    assert capsys.readouterr().err == ""
    shown = lp_sensitivities(A, p, method=method, random_state=0, verbose=1)
    np.testing.assert_array_equal(shown, quiet)
    err = capsys.readouterr().err
    assert "lp_sensitivities: 100%" in err
    assert unit in err


def test_lewis_iterations_are_counted_on_request(capsys):
    A = np.random.default_rng(0).standard_normal((30, 2))
    quiet = lewis_weights(A, 1)
    assert "lewis_weights" not in capsys.readouterr().err
    np.testing.assert_array_equal(lewis_weights(A, 1, verbose=1), quiet)
    assert "lewis_weights: " in capsys.readouterr().err


def test_distances_to_the_mean_are_those_of_lightweight_coresets():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((4000, 3)) + 5.0
    omega = rng.integers(0, 3, 4000).astype(float)
    mean = np.average(X, axis=0, weights=omega)
    expected = omega * ((X - mean) ** 2).sum(axis=1)
    for rows in (X, sparse.csr_array(X)):
        found = importance_scores(rows, 2, scores="distance", sample_weight=omega)
        np.testing.assert_allclose(found, expected, rtol=1e-10)
    sampler = SensitivitySampler(scores="distance", floor=1.0, n_samples=100, random_state=0)
    sampler.fit(X, sample_weight=omega)
    share = 0.5 * omega / omega.sum() + 0.5 * expected / expected.sum()  # Bachem et al.: q_i
    np.testing.assert_allclose(sampler.inclusion_proba_, 100 * share, rtol=1e-9)
    one_row = importance_scores(X[:1], 2, scores="distance")
    np.testing.assert_allclose(one_row, 0.0, atol=1e-12)
    with pytest.raises(ValueError, match="for squared distances, p=2; got p=1"):
        importance_scores(X, 1, scores="distance")
    with pytest.raises(ValueError, match="needs n_samples: of the order d k"):
        SensitivitySampler(scores="distance").fit(X)


@pytest.mark.parametrize("as_rows", [np.asarray, sparse.csr_array])
def test_distances_are_finite_or_refused(as_rows):
    X = np.random.default_rng(0).standard_normal((200, 3))
    for bad, message in ((np.where(X > 1, np.nan, X), "NaN"), (X * 1e200, "squares overflow")):
        with pytest.raises(ValueError, match=message):
            importance_scores(as_rows(bad), 2, scores="distance")
        with pytest.raises(ValueError, match=message):
            SensitivitySampler(scores="distance", n_samples=20).fit(as_rows(bad))
        with pytest.raises(ValueError, match=message):
            lightweight_coreset(as_rows(bad), 20)
        with pytest.raises(ValueError, match=message):
            chunked_coreset(as_rows(bad), scores="distance", n_samples=20)
