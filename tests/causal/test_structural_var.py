"""StructuralVAR against statsmodels, lassos, CoLiDE, finite differences and its invariances."""

import pickle
import re
import warnings

import networkx
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from statsmodels.tsa.api import VAR
from statsmodels.tsa.stattools import adfuller

from skreg.causal import CoLiDE, ConvergenceDisplay, DAGDisplay, StructuralVAR
from skreg.causal._autoregression import innovation_covariance, lagged_rows, least_squares
from skreg.causal._equations import residual_mean_squares, score_gradient
from skreg.causal._problem import NOISE_IN_UNITS, noise_level
from skreg.causal._unit_roots import dickey_fuller
from skreg.causal.metrics import structural_hamming_distance
from skreg.datasets import make_structural_var

SERIES = make_structural_var(400, 4, order=2, lagged_edges_per_node=0.7, random_state=1)
QUICK = {"mode": "fast", "warm_iter": 600, "max_iter": 600, "checkpoint": 300, "tol": 1.0}


def quick(**parameters):
    return StructuralVAR(**{**QUICK, **parameters})


@pytest.fixture(scope="module")
def recursive():
    """A complete recursive graph by least squares, which leaves nothing to choose."""
    free = {"alpha": 0.0, "alpha_lagged": 0.0, "threshold": 0.0, "threshold_lagged": 0.0}
    return quick(order=2, tiers=range(4), refit=True, **free).fit(SERIES.X)


@pytest.fixture(scope="module")
def var():
    return VAR(SERIES.X).fit(2)


def test_reduced_form_of_a_recursive_system_is_that_of_statsmodels(recursive, var):
    assert np.count_nonzero(recursive.adjacency_matrix_) == 6
    B = recursive.reduced_form().transpose(0, 2, 1)
    np.testing.assert_allclose(B, var.coefs, rtol=1e-7, atol=1e-9)
    constant = recursive.intercept_ @ np.linalg.inv(np.eye(4) - recursive.adjacency_matrix_)
    np.testing.assert_allclose(constant, var.intercept, rtol=1e-7, atol=1e-9)
    assert recursive.spectral_radius_ == pytest.approx(1 / np.abs(var.roots).min(), rel=1e-7)


def test_without_penalty_the_iterations_reach_least_squares(var):
    free = {"alpha": 0.0, "alpha_lagged": 0.0, "threshold": 0.0, "threshold_lagged": 0.0}
    model = StructuralVAR(2, mode="fast", tiers=range(4), **free).fit(SERIES.X)
    B = model.reduced_form().transpose(0, 2, 1)
    np.testing.assert_allclose(B, var.coefs, atol=5e-3)


def test_impulse_responses_of_a_recursive_system_are_orthogonalised_ones(recursive, var):
    theta = recursive.impulse_responses(6) * recursive.sigma_[:, None]
    P = np.linalg.cholesky(var.sigma_u_mle)
    wanted = np.array(var.orth_ma_rep(6, P)).transpose(0, 2, 1)
    np.testing.assert_allclose(theta, wanted, rtol=1e-6, atol=1e-9)


def test_forecasts_and_likelihood_of_a_recursive_system(recursive, var):
    np.testing.assert_allclose(
        recursive.forecast(SERIES.X, 5), var.forecast(SERIES.X[-2:], 5), rtol=1e-7, atol=1e-9
    )
    assert recursive.score(SERIES.X) == pytest.approx(var.llf / var.nobs, rel=1e-9)
    ours = least_squares(SERIES.X, 2)
    np.testing.assert_allclose(ours.coefficients.transpose(0, 2, 1), var.coefs, atol=1e-9)
    np.testing.assert_allclose(ours.intercept, var.intercept, atol=1e-9)


@pytest.mark.parametrize("mode", ["reference", "fast"])
@pytest.mark.parametrize("noise", ["ls", "nv"])
def test_without_instantaneous_edges_every_variable_is_a_lasso(noise, mode):
    """With a level of its own, the lasso of its strength times that level (square-root lasso)."""
    none = np.ones((4, 4), dtype=bool)
    model = StructuralVAR(
        2, 0.1, noise=noise, mode=mode, exclude_edges=none, threshold_lagged=0.0
    ).fit(SERIES.X)
    rows = lagged_rows(SERIES.X, 2, [slice(None)])
    C = np.cov(rows.T, ddof=0)
    unit = NOISE_IN_UNITS * noise_level(innovation_covariance(C, 4))
    assert not model.adjacency_matrix_.any()
    for j in range(4):
        strength = 0.1 * (model.sigma_[j] / unit if noise == "nv" else 1.0)
        lasso = Lasso(strength, tol=1e-10).fit(rows[:, 4:] / unit, rows[:, j] / unit)
        found = model.lagged_adjacency_[:, :, j].ravel()
        np.testing.assert_allclose(found, lasso.coef_, atol=4e-3)


@pytest.mark.parametrize("noise", ["ev", "nv", "ls"])
@pytest.mark.parametrize("mode", ["reference", "fast"])
def test_without_lags_it_is_colide(noise, mode):
    few = {"mode": mode, "warm_iter": 600, "max_iter": 600, "checkpoint": 300, "tol": 1.0}
    ours = StructuralVAR(0, noise=noise, refit=True, **few).fit(SERIES.X)
    theirs = CoLiDE(noise, refit=True, **few).fit(SERIES.X)
    np.testing.assert_array_equal(ours.adjacency_matrix_, theirs.adjacency_matrix_)
    np.testing.assert_array_equal(ours.sigma_, theirs.sigma_)
    assert ours.lagged_adjacency_.shape == (0, 4, 4)
    assert ours.spectral_radius_ == 0.0
    assert ours.score(SERIES.X) == pytest.approx(theirs.score(SERIES.X))
    np.testing.assert_allclose(ours.forecast(SERIES.X, 2), [theirs.mean_] * 2)


def test_without_a_penalty_on_lags_it_is_colide_on_the_residuals_of_least_squares(var):
    ours = StructuralVAR(2, alpha_lagged=0.0, noise="nv").fit(SERIES.X)
    theirs = CoLiDE("nv").fit(var.resid)
    np.testing.assert_array_equal(ours.adjacency_matrix_ != 0, theirs.adjacency_matrix_ != 0)
    np.testing.assert_allclose(ours.adjacency_matrix_, theirs.adjacency_matrix_, atol=5e-3)


def test_gradient_of_a_score_with_causes_that_have_no_equation():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(20, 7))
    V, sigma = 0.1 * rng.normal(size=(7, 3)), rng.uniform(1, 2, 3)
    rows = root - root.mean(axis=0)
    C = rows.T @ rows / 20
    brute = ((rows[:, :3] - rows @ V) ** 2).mean(axis=0)
    np.testing.assert_allclose(residual_mean_squares(C, V), brute)
    gradient = score_gradient(C, V, sigma)
    for i, j in np.ndindex(V.shape):
        step = np.zeros_like(V)
        step[i, j] = 1e-6
        high, low = (residual_mean_squares(C, V + s) for s in (step, -step))
        numeric = ((high - low) / sigma).sum() / 2 / 2e-6
        assert gradient[i, j] == pytest.approx(numeric, abs=1e-7)


def test_both_graphs_are_found():
    distances, precision, recall = [], [], []
    for seed in range(5):
        series = make_structural_var(600, 6, largest_root=0.8, random_state=seed)
        model = StructuralVAR(mode="fast", noise="ev").fit(series.X)
        distances.append(structural_hamming_distance(series.adjacency, model.adjacency_matrix_))
        true, found = series.lagged_adjacency != 0, model.lagged_adjacency_ != 0
        precision.append((true & found).sum() / max(found.sum(), 1))
        recall.append((true & found).sum() / true.sum())
    assert np.mean(distances) <= 1.0
    assert np.mean(precision) >= 0.8
    assert np.mean(recall) >= 0.8


def test_the_order_of_the_variables_does_not_matter():
    order = np.array([2, 0, 3, 1])
    plain, moved = (StructuralVAR(2, mode="fast").fit(X) for X in (SERIES.X, SERIES.X[:, order]))
    block = np.ix_(order, order)
    np.testing.assert_allclose(moved.adjacency_matrix_, plain.adjacency_matrix_[block], atol=2e-3)
    for ours, theirs in zip(moved.lagged_adjacency_, plain.lagged_adjacency_, strict=True):
        np.testing.assert_allclose(ours, theirs[block], atol=2e-3)


@pytest.mark.parametrize("factor", [1e-3, 1e4])
def test_a_common_unit_and_an_offset_do_not_matter(factor):
    plain = StructuralVAR(2, mode="fast").fit(SERIES.X)
    other = StructuralVAR(2, mode="fast").fit(factor * (SERIES.X + 7.0))
    np.testing.assert_allclose(other.adjacency_matrix_, plain.adjacency_matrix_, atol=2e-3)
    np.testing.assert_allclose(other.lagged_adjacency_, plain.lagged_adjacency_, atol=2e-3)
    np.testing.assert_allclose(other.sigma_, factor * plain.sigma_, rtol=1e-3)
    np.testing.assert_allclose(
        other.forecast(factor * (SERIES.X + 7.0), 2),
        factor * (plain.forecast(SERIES.X, 2) + 7.0),
        rtol=2e-2,
    )


def test_responses_are_what_a_larger_noise_changes():
    model = quick(order=2).fit(SERIES.X)
    W, A, theta = model.adjacency_matrix_, model.lagged_adjacency_, model.impulse_responses(3)
    inverse = np.linalg.inv(np.eye(4) - W)
    for i in range(4):
        x = np.zeros((6, 4))
        for t in range(2, 6):
            noise = np.eye(4)[i] if t == 2 else np.zeros(4)
            x[t] = (x[t - 1] @ A[0] + x[t - 2] @ A[1] + noise) @ inverse
        np.testing.assert_allclose(theta[:, i], x[2:], atol=1e-12)


def test_innovations_and_forecasts_obey_the_equation():
    model = quick(order=2).fit(SERIES.X)
    X, W, A = SERIES.X, model.adjacency_matrix_, model.lagged_adjacency_
    u = model.innovations(X)
    np.testing.assert_allclose(u.mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(u.std(axis=0), model.sigma_, rtol=1e-9)
    ahead = model.forecast(X[:-1])[0]
    left = (X[-1] - ahead) @ (np.eye(4) - W)
    np.testing.assert_allclose(left, u[-1], atol=1e-10)
    wanted = X[-1] - model.intercept_ - X[-1] @ W - X[-2] @ A[0] - X[-3] @ A[1]
    np.testing.assert_allclose(u[-1], wanted, atol=1e-12)


# ------------------------------------------------------------------------------------------------
# several series


def test_lags_do_not_reach_into_another_series():
    X = np.arange(14.0).reshape(7, 2)
    rows = lagged_rows(X, 2, [slice(0, 4), slice(4, 5), slice(5, 7)])
    np.testing.assert_array_equal(rows, [np.r_[X[2], X[1], X[0]], np.r_[X[3], X[2], X[1]]])
    model = quick(order=2)
    groups = np.repeat(["b", "a"], [150, 250])
    grouped = model.fit(SERIES.X, groups=groups)
    u = grouped.innovations(SERIES.X, groups)
    parts = [grouped.innovations(SERIES.X[:150]), grouped.innovations(SERIES.X[150:])]
    np.testing.assert_allclose(u, np.vstack(parts))
    assert grouped.score(SERIES.X, groups=groups) != grouped.score(SERIES.X)
    together = clone(model).fit(SERIES.X, groups=np.zeros(400))
    np.testing.assert_array_equal(
        together.adjacency_matrix_, clone(model).fit(SERIES.X).adjacency_matrix_
    )


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (np.arange(400) % 2, "groups must hold the rows of each series together"),
        (np.arange(400), "of which 0 have all their lags at order=1"),
        (np.zeros(3), "inconsistent numbers of samples"),
        (np.r_[np.zeros(399), np.nan], "groups has no label in row 399"),
        (["a"] * 200 + [None] * 200, "groups has no label in row 200"),
        (pd.array(["a"] * 200 + [pd.NA] * 200), "groups has no label in row 200"),
    ],
)
def test_groups_that_are_no_series_are_refused(groups, message):
    with pytest.raises(ValueError, match=message):
        quick().fit(SERIES.X, groups=groups)


# ------------------------------------------------------------------------------------------------
# what is known beforehand


def test_edges_that_are_forbidden_or_required():
    names = list("abcd")
    frame = pd.DataFrame(SERIES.X, columns=names)
    model = quick(
        include_edges=[("d", "a")],
        exclude_edges=[("b", "c")],
        exclude_lagged_edges=[("a", "a"), (1, 2)],
        threshold_lagged=0.0,
        order=2,
    ).fit(frame)
    assert model.adjacency_matrix_[3, 0] != 0
    assert model.adjacency_matrix_[1, 2] == 0
    assert not model.lagged_adjacency_[:, 0, 0].any()
    assert not model.lagged_adjacency_[:, 1, 2].any()
    assert model.lagged_adjacency_[:, 0, 1].all()
    pairs = pd.DataFrame({"cause": ["a", 1], "effect": ["a", "c"]})
    again = clone(model).set_params(exclude_lagged_edges=pairs).fit(frame)
    np.testing.assert_array_equal(again.lagged_adjacency_, model.lagged_adjacency_)
    tiered = quick(tiers=[1, 0, 0, 0]).fit(SERIES.X)
    assert not tiered.adjacency_matrix_[0].any()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"order": -1}, "'order' parameter"),
        ({"alpha": -1.0}, "'alpha' parameter"),
        ({"alpha_lagged": -1.0}, "'alpha_lagged' parameter"),
        ({"noise": "equal"}, "'noise' parameter"),
        ({"mode": "slow"}, "'mode' parameter"),
        ({"threshold": -0.1}, "'threshold' parameter"),
        ({"threshold_lagged": -0.1}, "'threshold_lagged' parameter"),
        ({"exclude_lagged_edges": [("a", "b")]}, "exclude_lagged_edges names 'a'"),
        ({"exclude_lagged_edges": np.ones((2, 2), dtype=bool)}, "exclude_lagged_edges has shape"),
        ({"include_edges": [(0, 1), (1, 0)]}, "include_edges has a cycle"),
        ({"tiers": [0, 1]}, "must be 4 numbers"),
        ({"tiers": list("abcd")}, "tiers=.* must be 4 numbers"),
        ({"tiers": [0, 1, 2, np.nan]}, "must be 4 numbers"),
        ({"exclude_edges": [(0, 1), (1,)]}, "exclude_edges must be pairs"),
        ({"exclude_edges": [(None, 1)]}, "exclude_edges names a NoneType; columns are given"),
        ({"order": 399}, "of which 1 have all their lags at order=399; at least 2"),
    ],
)
def test_parameters_that_cannot_be_meant(parameters, message):
    with pytest.raises(ValueError, match=message):
        quick(**parameters).fit(SERIES.X)


def test_series_that_cannot_be_used():
    X = SERIES.X.copy()
    X[17, 2] = np.nan
    with pytest.raises(ValueError, match="NaN, first in row 17: lags need every row"):
        quick().fit(X)
    X[17, 2] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        quick().fit(X)
    X[:, 2] = 3.0
    with pytest.raises(ValueError, match="column 'x2' is constant"):
        quick().fit(X)
    X[:, 2] = np.arange(400.0)
    with pytest.raises(ValueError, match="column 'x2' is determined by past values"):
        quick().fit(X)
    with pytest.raises(TypeError, match="parse data"):
        quick().fit(sparse.csr_array(SERIES.X))
    fitted = quick(order=2).fit(SERIES.X)
    with pytest.raises(ValueError, match="NaN"):
        fitted.forecast(np.full((3, 4), np.nan))
    with pytest.raises(ValueError, match="X has 1 rows; order=2 lags"):
        fitted.forecast(SERIES.X[:1])
    with pytest.raises(ValueError, match="of which 0 have all their lags"):
        fitted.innovations(SERIES.X[:2])
    for steps in (0, 1.5, True):
        with pytest.raises(ValueError, match="steps="):
            fitted.forecast(SERIES.X, steps)
    with pytest.raises(ValueError, match="steps=-1"):
        fitted.impulse_responses(-1)


def test_fewer_rows_than_lags_have_an_answer():
    X = make_structural_var(24, 5, order=1, random_state=0).X
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = quick(order=4).fit(X)
    assert np.isfinite(model.lagged_adjacency_).all()
    assert np.isfinite(model.sigma_).all()


def test_one_variable_is_an_autoregression():
    x = make_structural_var(500, 2, edges_per_node=0.5, random_state=3).X[:, :1]
    model = StructuralVAR(2, alpha_lagged=0.0, threshold_lagged=0.0, mode="fast").fit(x)
    np.testing.assert_allclose(
        model.lagged_adjacency_.ravel(), least_squares(x, 2).coefficients.ravel(), atol=2e-3
    )
    assert not model.adjacency_matrix_.any()


def test_a_search_over_splits_in_time_chooses_by_the_likelihood():
    grid = {"alpha_lagged": [0.05, 100.0], "order": [1, 2]}
    search = GridSearchCV(quick(), grid, cv=TimeSeriesSplit(3)).fit(SERIES.X)
    assert search.best_params_ == {"alpha_lagged": 0.05, "order": 2}


# ------------------------------------------------------------------------------------------------
# what is said


@pytest.mark.filterwarnings("ignore:adfuller:FutureWarning")
@pytest.mark.parametrize("n_differences", [0, 1, 3])
def test_statistic_of_unit_roots_is_that_of_statsmodels(n_differences):
    rng = np.random.default_rng(0)
    for x in (rng.normal(size=80), np.cumsum(rng.normal(size=80)), 1e6 + SERIES.X[:80, 0]):
        wanted = adfuller(x, maxlag=n_differences, regression="c", autolag=None)[0]
        assert dickey_fuller(x, n_differences) == pytest.approx(wanted, rel=1e-6)
    assert np.isnan(dickey_fuller(np.array([0.0, 2.0, 1.0]), n_differences))
    assert np.isnan(dickey_fuller(np.ones(50), n_differences))


def test_random_walks_and_growth_are_said():
    rng = np.random.default_rng(0)
    walk = SERIES.X.copy()
    walk[:, 1] = np.cumsum(rng.normal(size=400))
    with pytest.warns(UserWarning, match=r"'x1' \(.*cannot be told from a random walk"):
        quick().fit(walk)
    growing = SERIES.X[:100].copy()
    for t in range(1, 100):
        growing[t, 0] = 1.05 * growing[t - 1, 0] + rng.normal()
    walks = pytest.warns(UserWarning, match="'x0' .* random walk")
    with walks, pytest.warns(UserWarning, match=r"not stable, spectral_radius_=1\.0"):
        quick(alpha=0.0).fit(growing)


def test_what_was_not_reached_is_said():
    with pytest.warns(ConvergenceWarning, match="last stage did not converge"):
        quick(tol=0.0).fit(SERIES.X)
    with pytest.warns(UserWarning, match="same variance"):
        quick().fit(SERIES.X / SERIES.X.std(axis=0))
    twice = np.column_stack([SERIES.X[:, 0], 2 * SERIES.X[:, 0], SERIES.X[:, 1]])
    with pytest.warns(UserWarning, match=r"is at its floor, 0\.0001 of where it starts"):
        StructuralVAR(alpha=0.0, mode="fast").fit(twice)


# ------------------------------------------------------------------------------------------------
# exports and state


def test_exports_are_the_graph_unrolled_over_time():
    frame = pd.DataFrame(SERIES.X, columns=list("abcd"))
    model = quick(order=2).fit(frame)
    names, weights = model.unrolled()
    assert names[:5] == ["a", "b", "c", "d", "a(t-1)"]
    assert names[-1] == "d(t-2)"
    np.testing.assert_array_equal(weights[:4, :4], model.adjacency_matrix_)
    np.testing.assert_array_equal(weights[4:8, :4], model.lagged_adjacency_[0])
    np.testing.assert_array_equal(weights[8:, :4], model.lagged_adjacency_[1])
    assert not weights[:, 4:].any()
    graph = model.to_networkx()
    assert networkx.is_directed_acyclic_graph(graph)
    assert list(graph) == names
    assert graph.number_of_edges() == np.count_nonzero(weights) == len(model.edges())
    assert '"a(t-1)"' in model.to_graphviz()
    assert '"d(t-2)" [exposure]' in model.to_dagitty(exposure="d(t-2)", outcome="a")
    assert len(re.findall("edge", model.to_dowhy())) == len(model.edges())


def test_a_column_that_is_called_like_a_lag_is_refused_by_the_exports():
    frame = pd.DataFrame(SERIES.X, columns=["a", "a(t-1)", "b", "c"])
    model = quick(order=2).fit(frame)
    for ask in (model.unrolled, model.edges, model.to_networkx, model.to_dowhy, model.to_dagitty):
        with pytest.raises(ValueError, match=r"a column is called 'a\(t-1\)'"):
            ask()


def test_displays_take_it():
    model = quick(order=2).fit(SERIES.X)
    within = DAGDisplay.from_estimator(model)
    assert set(within.edges_) == {(int(i), int(j)) for i, j in np.argwhere(model.adjacency_matrix_)}
    names, weights = model.unrolled()
    over_time = DAGDisplay.from_matrix(weights, feature_names=names)
    assert len(over_time.edges_) == len(model.edges())
    assert ConvergenceDisplay.from_estimator(model).figure_ is not None


def test_copies_and_second_fits():
    frame = pd.DataFrame(SERIES.X, columns=list("abcd"))
    model = quick(order=2).fit(frame)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.forecast(frame), model.forecast(frame))
    with pytest.raises(ValueError, match="feature names"):
        model.forecast(frame[list("badc")])
    before = [model.forecast(frame), model.innovations(frame), model.unrolled()[1]]
    model.set_params(order=1, noise="ev")  # acts on the next fit only
    after = [model.forecast(frame), model.innovations(frame), model.unrolled()[1]]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)
    refitted = model.fit(SERIES.X[:, :3])
    fresh = clone(model).fit(SERIES.X[:, :3])
    np.testing.assert_array_equal(refitted.lagged_adjacency_, fresh.lagged_adjacency_)
    assert not hasattr(refitted, "feature_names_in_")
    lists = quick(order=1, noise="ev").fit(SERIES.X[:, :3].tolist())
    np.testing.assert_array_equal(lists.adjacency_matrix_, fresh.adjacency_matrix_)
