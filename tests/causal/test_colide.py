"""CoLiDE against closed forms, convex solvers, the package dagma, and its own invariances."""

import re
import sys
import warnings

import cvxpy as cp
import networkx
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV

from skreg.causal import CoLiDE
from skreg.causal._adam import DONE, Rates, fast_state, fast_steps, reference_state, reference_steps
from skreg.causal._equations import EqualNoise, UnequalNoise
from skreg.causal._problem import noise_level
from skreg.causal.metrics import (
    noise_scale_error,
    structural_hamming_distance,
)
from skreg.datasets import make_linear_sem

FEW = {"n_stages": 1, "s": 1.0, "max_iter": 300, "checkpoint": 300}
EDGES = [(0, 2), (0, 4), (1, 3), (1, 5), (2, 4), (3, 0), (3, 2), (3, 4), (5, 0)]


def quietly(model, X, **arguments):
    """Fit where it is known that the iterations end before they converge."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, **arguments)


def rows_with_covariance(C):
    """Four rows whose covariance is exactly C (2, 2)."""
    Z = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    return Z @ np.linalg.cholesky(C).T


TRAJECTORY = {
    # after 100 and 1000 iterations: row-major W, sigma; from the authors' code
    "ev": [
        ([0.0298825628, 0.029926568, 0.0299038047, 0.0299268762], [1.0940595944] * 2),
        ([0.2475328533, 0.2780063693, 0.2555531992, 0.2759217477], [0.7002438929] * 2),
    ],
    "nv": [
        ([0.0299408453, 0.0299655087, 0.0299563288, 0.0299553432], [0.9465682289, 1.2237677085]),
        ([0.2577030323, 0.2768812813, 0.2573530083, 0.2716410207], [0.594954748, 0.7899519306]),
    ],
}


@pytest.mark.parametrize("noise", ["ev", "nv"])
def test_iterations_follow_the_authors_trajectory(noise):
    C, penalty = np.array([[1.0, 0.8], [0.8, 1.64]]), np.full((2, 2), 0.05)
    if noise == "ev":
        kind, sigma = EqualNoise(0.01), np.ones(2)
    else:
        sigma = np.sqrt(np.diagonal(C))
        kind = UnequalNoise(0.01 * sigma)
    state = reference_state(C, np.zeros((2, 2)), sigma)
    terms = (C, kind, state, penalty, Rates(), 1.0, 1.0, 3e-4)
    assert reference_steps(*terms, 1, 1) == (DONE, 3e-4, 1)
    np.testing.assert_allclose(state.W, 3e-4, rtol=1e-6)
    for (W, scale), (first, n_steps) in zip(TRAJECTORY[noise], [(2, 99), (101, 900)], strict=True):
        reference_steps(*terms, first, n_steps)
        np.testing.assert_allclose(state.W.ravel(), W, atol=1e-8)
        np.testing.assert_allclose(state.sigma, scale, atol=1e-8)


@pytest.mark.parametrize("noise", ["ev", "nv"])
def test_fast_iterations_stay_close_to_the_reference(noise):
    """Over 400 steps only the inverse, up to ten steps old, and rounding set the two apart."""
    C = np.cov(make_linear_sem(500, 10, edges_per_node=2, random_state=0).X.T)
    penalty, sd = np.full((10, 10), 0.05), np.sqrt(np.diagonal(C))
    sigma = np.full(10, sd.min()) if noise == "ev" else sd
    kind = EqualNoise(0.01 * sd.min()) if noise == "ev" else UnequalNoise(0.01 * sd)
    exact, fast = (make(C, np.zeros((10, 10)), sigma) for make in (reference_state, fast_state))
    reference_steps(C, kind, exact, penalty, Rates(), 1.0, 1.0, 3e-4, 1, 400)
    single = C.astype(np.float32), penalty.astype(np.float32)
    fast_steps(C, single[0], kind, fast, single[1], Rates(), 1.0, 1.0, 3e-4, 1, 400)
    np.testing.assert_allclose(fast.W, exact.W, atol=2e-3)
    np.testing.assert_allclose(fast.sigma, exact.sigma, rtol=2e-3)
    assert np.abs(exact.W).max() > 0.1


@pytest.mark.parametrize(
    ("noise", "weights", "sigma", "n_iter"),
    [
        ("ev", [-0.597, -0.640, 1.446, -0.586, 0.594, 0.624, 0.902, -0.500, 1.128], 0.98334,
         [8000, 7000, 8000, 3000]),
        ("nv", [-0.596, -0.637, 1.463, -0.536, 0.602, 0.627, 0.901, -0.510, 1.132],
         [0.8934, 0.9861, 1.0228, 0.6629, 0.8467, 1.3530], [8000, 7000, 8000, 2000]),
    ],
)  # fmt: skip
def test_a_whole_fit_agrees_with_the_authors_code(
    regression_problem, noise, weights, sigma, n_iter
):
    model = CoLiDE(noise, scale=None).fit(regression_problem)
    assert [tuple(edge) for edge in np.argwhere(model.adjacency_matrix_)] == EDGES
    np.testing.assert_allclose(model.adjacency_matrix_[*np.transpose(EDGES)], weights, atol=2e-3)
    np.testing.assert_allclose(model.sigma_, sigma, atol=2e-3)
    assert model.n_iter_.tolist() == n_iter
    assert model.converged_
    assert model.s_ == [1.0, 0.9, 0.8, 0.7]
    assert 0 <= model.h_ < 1e-4
    fast = CoLiDE(noise, mode="fast", scale=None).fit(regression_problem)
    assert [tuple(edge) for edge in np.argwhere(fast.adjacency_matrix_)] == EDGES
    np.testing.assert_allclose(fast.adjacency_matrix_, model.adjacency_matrix_, atol=1e-2)


def test_least_squares_is_dagma(regression_problem):
    dagma = pytest.importorskip("dagma.linear")
    rival = dagma.DagmaLinear("l2").fit(
        regression_problem.copy(), lambda1=0.05, T=4, s=[1.0, 0.9, 0.8, 0.7], warm_iter=20_000,
        max_iter=70_000,
    )  # fmt: skip
    model = CoLiDE("ls", scale=None).fit(regression_problem)
    np.testing.assert_allclose(model.adjacency_matrix_, rival, atol=1e-9)
    assert np.count_nonzero(rival) == 9


@pytest.mark.parametrize("mode", ["reference", "fast"])
def test_least_squares_finds_dagmas_graph_with_other_settings(mode):
    dagma = pytest.importorskip("dagma.linear")
    sem = make_linear_sem(400, 12, edges_per_node=2, random_state=3)
    settings = {"T": 3, "s": [1.0, 0.8], "warm_iter": 4000, "max_iter": 6000, "checkpoint": 500}
    rival = dagma.DagmaLinear("l2").fit(sem.X.copy(), lambda1=0.1, **settings)
    model = CoLiDE(
        "ls", 0.1, mode=mode, scale=None, n_stages=3, s=(1.0, 0.8), warm_iter=4000, max_iter=6000,
        checkpoint=500, learning_rate=3e-4,
    )  # fmt: skip
    quietly(model, sem.X)
    tolerance = 1e-6 if mode == "reference" else 2e-2
    np.testing.assert_allclose(model.adjacency_matrix_, rival, atol=tolerance)


@pytest.mark.parametrize("noise", ["ev", "nv", "ls"])
def test_permuted_and_reflected_columns(regression_problem, noise):
    X = regression_problem
    W = quietly(CoLiDE(noise, **FEW), X).raw_adjacency_
    order = np.array([3, 1, 5, 0, 4, 2])
    permuted = quietly(CoLiDE(noise, **FEW), X[:, order]).raw_adjacency_
    np.testing.assert_allclose(permuted, W[np.ix_(order, order)], atol=1e-10)


@pytest.mark.parametrize("mode", ["reference", "fast"])
@pytest.mark.parametrize("noise", ["ev", "nv"])
def test_scale_law(regression_problem, noise, mode):
    """fit(c X; c alpha, mu / c) has the weights of fit(X; alpha, mu), and c times the noise."""
    X, c = regression_problem, 4.0
    few = FEW | {"mode": mode, "scale": None}
    model = quietly(CoLiDE(noise, **few), X)
    scaled = quietly(CoLiDE(noise, 0.05 * c, mu_init=1 / c, **few), c * X)
    tolerance = 1e-10 if mode == "reference" else 1e-4
    np.testing.assert_allclose(scaled.raw_adjacency_, model.raw_adjacency_, atol=tolerance)
    np.testing.assert_allclose(scaled.sigma_, c * np.asarray(model.sigma_), rtol=tolerance)


@pytest.mark.parametrize("noise", ["ev", "nv", "ls"])
def test_the_common_unit_is_irrelevant(regression_problem, noise):
    X = regression_problem
    model = quietly(CoLiDE(noise, **FEW), X)
    for unit in (2.0**-30, 1024.0, 2.0**498):
        other = quietly(CoLiDE(noise, **FEW), unit * X)
        np.testing.assert_allclose(other.raw_adjacency_, model.raw_adjacency_, atol=1e-10)
        np.testing.assert_allclose(other.sigma_, unit * np.asarray(model.sigma_), rtol=1e-9)
        np.testing.assert_allclose(other.h_, model.h_, rtol=1e-6)
        last, before = other.checkpoints_[-1], model.checkpoints_[-1]
        assert last.noise_scale == pytest.approx(unit * before.noise_scale, rel=1e-9)


@pytest.mark.parametrize("unit", [1e-9, 1e3, 1e4, 1e150])
def test_graphs_are_right_in_every_unit(unit):
    sem = make_linear_sem(500, 8, edges_per_node=1, random_state=0)
    for mode in ("reference", "fast"):
        model = CoLiDE("ev", mode=mode).fit(unit * sem.X)
        assert structural_hamming_distance(sem.adjacency, model.adjacency_matrix_) == 0
        assert model.converged_
        assert model.h_ < 1e-3
        assert model.sigma_ == pytest.approx(unit, rel=0.1)


def test_one_column_in_another_unit_leaves_the_scale_of_the_others_nearly_alone():
    """The determinant of the correlation matrix is free of units: 1e-3 counts by its 20th root."""
    sem = make_linear_sem(2000, 20, random_state=0)
    C = np.cov(sem.X.T)
    unit = np.ones(20)
    unit[3] = 1e-3
    share = noise_level(C * np.outer(unit, unit)) / noise_level(C)
    assert share == pytest.approx(1e-3 ** (1 / 20), rel=1e-9)


def test_weights_that_do_not_become_acyclic_are_warned_of():
    sem = make_linear_sem(500, 8, edges_per_node=1, random_state=0)
    with pytest.warns(ConvergenceWarning, match=r"h_=.* Use scale='global' or more n_stages"):
        model = CoLiDE("ev", scale=None).fit(1e3 * sem.X)
    assert model.h_ > 1e-2
    assert not model.converged_
    with pytest.warns(ConvergenceWarning, match="Increase n_stages or bring"):
        early = CoLiDE("ls", n_stages=1, s=1.0).fit(sem.X)
    assert early.h_ > 1e-2
    assert not early.converged_
    expected = 8 * np.log(1.0) - np.linalg.slogdet(np.eye(8) - early.raw_adjacency_**2)[1]
    assert early.h_ == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("noise", ["ev", "nv", "ls"])
@pytest.mark.parametrize(
    ("sigma", "weight", "edge", "found", "noise_levels"),
    [
        ((1.0, 1.0), 0.8, (0, 1), 0.798, (1.0, 1.0)),
        # the smaller marginal variance becomes the root, which is the wrong direction here
        ((2.0, 0.5), 0.5, (1, 0), 1.599, (2 * 0.5 / 1.118, 1.118)),
        ((2.0, 0.5), 1.2, (0, 1), 1.199, (2.0, 0.5)),
    ],
)
def test_two_nodes_in_the_population(noise, sigma, weight, edge, found, noise_levels):
    a, b = sigma[0] ** 2, sigma[1] ** 2
    C = np.array([[a, weight * a], [weight * a, weight**2 * a + b]])
    model = CoLiDE(noise, 1e-3).fit(rows_with_covariance(C))
    assert np.argwhere(model.adjacency_matrix_).tolist() == [list(edge)]
    assert model.adjacency_matrix_[edge] == pytest.approx(found, abs=4e-3)
    if noise == "nv":
        np.testing.assert_allclose(model.sigma_, noise_levels, atol=5e-3)


@pytest.mark.parametrize("noise", ["ev", "nv"])
@pytest.mark.parametrize("mode", ["reference", "fast"])
def test_known_order_is_a_square_root_lasso(noise, mode):
    sem = make_linear_sem(300, 5, edges_per_node=1.5, random_state=1)
    order = np.argsort(sem.X.var(axis=0))
    X = sem.X[:, order] - sem.X[:, order].mean(axis=0)
    n, d = X.shape
    model = CoLiDE(
        noise, 0.1, mode=mode, scale=None, n_stages=1, max_iter=40_000, learning_rate=3e-4,
        checkpoint=1000, exclude_edges=np.tril(np.ones((d, d), dtype=bool)),
    )  # fmt: skip
    quietly(model, X)
    W = cp.Variable((d, d))
    residual = (X - X @ W) / np.sqrt(n)
    if noise == "ev":
        fit = np.sqrt(d) * cp.norm(residual, "fro")
    else:
        fit = cp.sum(cp.norm(residual, axis=0))
    cp.Problem(
        cp.Minimize(fit + 0.1 * cp.sum(cp.abs(W))), [W[np.tril_indices(d)] == 0]
    ).solve(solver="CLARABEL")  # fmt: skip
    np.testing.assert_allclose(model.raw_adjacency_, W.value, atol=5e-3)


@pytest.mark.parametrize("noise", ["ev", "nv"])
def test_large_alpha_gives_the_empty_graph_and_the_columns_scales(regression_problem, noise):
    X = regression_problem
    model = quietly(CoLiDE(noise, 1e3), X)
    sd = X.std(axis=0)
    assert np.abs(model.raw_adjacency_).max() < 1e-3
    assert not model.adjacency_matrix_.any()
    expected = np.sqrt(np.mean(sd**2)) if noise == "ev" else sd
    np.testing.assert_allclose(model.sigma_, expected, rtol=1e-3)


def test_fits_are_repeatable_and_leave_their_input_alone(regression_problem):
    X, s = regression_problem.copy(), [1.0, 0.9]
    model = CoLiDE("ev", mode="fast", s=s)
    first = model.fit(X).raw_adjacency_
    np.testing.assert_array_equal(first, model.fit(X).raw_adjacency_)
    np.testing.assert_array_equal(X, regression_problem)
    assert s == [1.0, 0.9]
    assert CoLiDE("ev", mode="fast").fit(X.astype(np.float32)).mean_.dtype == np.float64


@pytest.mark.parametrize("mode", ["reference", "fast"])
def test_a_stage_that_leaves_its_domain_is_repeated_with_a_larger_bound(regression_problem, mode):
    """The start has spectral radius 1: bounds 0.8, 0.9 and 1.0 fail, 1.1 does not."""
    start = np.zeros((6, 6))
    start[0, 1] = start[1, 0] = 1.0
    model = CoLiDE("ls", mode=mode, s=0.8, init=start, n_stages=1)
    quietly(model, regression_problem)
    assert model.s_ == pytest.approx([1.1])
    assert np.abs(np.linalg.eigvals(model.raw_adjacency_**2)).max() < 1.1


@pytest.mark.parametrize("mode", ["reference", "fast"])
def test_steps_out_of_the_domain_are_halved(mode):
    """With s above 0.9 the stage goes on, from inside the domain."""
    C = np.array([[1.0, 0.99], [0.99, 1.0 + 1e-6]])
    model = CoLiDE("ls", 0.0, mode=mode, n_stages=1, s=1.0, mu_init=1e4, learning_rate=0.3)
    quietly(model, rows_with_covariance(C))
    assert model.s_ == [1.0]
    assert np.abs(np.linalg.eigvals(model.raw_adjacency_**2)).max() < 1.0


def test_few_rows_meet_the_floor_of_the_noise():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((5, 12))
    model = CoLiDE("nv", 1e-4, mode="fast", sigma_floor=0.01, max_iter=6000)
    with pytest.warns(UserWarning, match=r"is at its floor, sigma_floor=0.01 of where it starts"):
        quietly(model, X)
    assert np.all(model.sigma_ >= 0.01 * X.std(axis=0) * (1 - 1e-12))
    assert np.any(model.sigma_ <= 0.011 * X.std(axis=0))


@pytest.mark.parametrize(("noise", "floor"), [("nv", 1e-4), ("ev", 0.9), ("ls", 1e-4)])
@pytest.mark.parametrize("refit", [False, True])
def test_noise_levels_at_their_floor_are_named(noise, floor, refit):
    """A column is computed from another one: its noise level is zero."""
    frame = pd.DataFrame(np.random.default_rng(1).standard_normal((200, 3)), columns=list("abc"))
    frame["twice"] = 2 * frame["a"]
    model = CoLiDE(noise, 1e-3, mode="fast", sigma_floor=floor, refit=refit)
    if noise == "ls" and not refit:  # the penalised weight is not exact
        assert not quietly(model, frame).on_floor_.any()
        return
    with pytest.warns(UserWarning, match=r"noise level of .*'twice' \(.*at its floor.*more rows"):
        quietly(model, frame)
    expected = [True] * 4 if noise == "ev" else [False, False, False, True]
    assert model.on_floor_.tolist() == expected
    lowest = {"nv": 1e-4, "ls": 1e-7, "ev": 0.9}[noise]
    reference = frame.std(ddof=0).min() if noise == "ev" else frame["twice"].std(ddof=0)
    assert (
        np.max(model.sigma_)
        if noise == "ev"
        else model.sigma_[3] == pytest.approx(lowest * reference, rel=1e-6)
    )


def test_the_floor_never_acts_on_the_papers_data():
    """No residual of a node on all others is that small, and such are all residuals.

    With w_jj = 0, q_j(W) >= 1 / (C^-1)_jj, whatever the stage of the path.
    """
    floor = CoLiDE().sigma_floor
    for d in (20, 50, 100):
        for seed in range(4):
            C = np.cov(make_linear_sem(1000, d, noise_variance=(0.5, 10), random_state=seed).X.T)
            share = 1 / np.sqrt(np.diagonal(C) * np.diagonal(np.linalg.inv(C)))
            assert share.min() > 1.5 * floor
    X = make_linear_sem(1000, 20, noise_variance=(0.5, 10), random_state=2).X
    models = [quietly(CoLiDE("nv", scale=None, sigma_floor=f), X) for f in (floor, 0.0)]
    np.testing.assert_array_equal(models[0].raw_adjacency_, models[1].raw_adjacency_)
    assert not models[0].on_floor_.any()


@pytest.mark.parametrize("mode", ["reference", "fast"])
def test_without_a_floor_levels_of_zero_stay_finite(mode):
    X = np.random.default_rng(0).standard_normal((5, 12))
    model = quietly(CoLiDE("nv", 1e-4, mode=mode, sigma_floor=0.0, max_iter=3000), X)
    assert np.all(np.isfinite(model.raw_adjacency_))
    assert np.all(model.sigma_ >= 1e-7 * X.std(axis=0) * (1 - 1e-12))


def test_forbidden_edges_tiers_and_names(regression_problem):
    frame = pd.DataFrame(regression_problem, columns=list("abcdef"))
    model = CoLiDE("ev", mode="fast", exclude_edges=[("b", "d"), ("f", "a")]).fit(frame)
    assert model.raw_adjacency_[1, 3] == model.raw_adjacency_[5, 0] == 0
    by_number = CoLiDE("ev", mode="fast", exclude_edges=[(1, 3), (5, 0)]).fit(regression_problem)
    np.testing.assert_array_equal(by_number.raw_adjacency_, model.raw_adjacency_)
    tiers = [0, 0, 1, 1, 2, 2]
    tiered = CoLiDE("ev", mode="fast", tiers=tiers).fit(frame)
    later, earlier = np.nonzero(np.subtract.outer(tiers, tiers) > 0)
    assert not tiered.raw_adjacency_[later, earlier].any()
    assert tiered.raw_adjacency_[earlier, later].any()


def test_required_edges_stay_and_are_not_penalised(regression_problem):
    required = [(4, 5), (2, 1)]
    model = CoLiDE("ev", mode="fast", include_edges=required, threshold=0.5).fit(regression_problem)
    assert all(model.adjacency_matrix_[edge] != 0 for edge in required)
    # alone in the graph, an unpenalised edge has its least-squares weight
    mask = np.ones((6, 6), dtype=bool)
    mask[2, 1] = False
    alone = CoLiDE("nv", 0.5, mode="fast", exclude_edges=mask, include_edges=[(2, 1)])
    found = alone.fit(regression_problem).adjacency_matrix_[2, 1]
    C = np.cov(regression_problem.T)
    assert found == pytest.approx(C[2, 1] / C[2, 2], abs=2e-3)


@pytest.mark.parametrize("noise", ["ev", "nv"])
def test_a_required_edge_against_the_data_costs_no_other_edge_but_those_against_it(noise):
    sem = make_linear_sem(1000, 12, edges_per_node=2, random_state=0)
    i, j = np.unravel_index(np.abs(sem.adjacency).argmax(), sem.adjacency.shape)
    model = quietly(CoLiDE(noise, mode="fast", include_edges=[(j, i)]), sem.X)
    W = model.adjacency_matrix_
    assert W[j, i] != 0
    assert np.count_nonzero(W) >= np.count_nonzero(sem.adjacency) - 2
    # what it implies is forbidden from the start
    both = CoLiDE(noise, mode="fast", include_edges=[(j, i)], exclude_edges=[(i, j)])
    np.testing.assert_array_equal(quietly(both, sem.X).raw_adjacency_, model.raw_adjacency_)
    # and nothing went but what a cycle had to lose
    raw = np.where(np.abs(model.raw_adjacency_) > 0.3, model.raw_adjacency_, 0.0)
    raw[j, i] = model.raw_adjacency_[j, i]
    np.fill_diagonal(raw, 0.0)
    graph = networkx.DiGraph(raw)
    cyclic = [nodes for nodes in networkx.strongly_connected_components(graph) if len(nodes) > 1]
    for cause, effect in np.argwhere((raw != 0) & (W == 0)):
        assert any({cause, effect} <= nodes for nodes in cyclic)
    assert networkx.is_directed_acyclic_graph(networkx.DiGraph(W))


def test_no_path_leads_back_along_required_edges(regression_problem):
    required = [(2, 1), (1, 0), (4, 5)]
    model = CoLiDE("ev", mode="fast", include_edges=required)
    W = quietly(model, regression_problem).raw_adjacency_
    assert W[0, 1] == W[1, 2] == W[0, 2] == W[5, 4] == 0
    assert W[2, 1] != 0
    assert W[1, 0] != 0
    assert W[4, 5] != 0
    assert W[2, 0] != 0


def test_refit_is_least_squares_on_the_parents(regression_problem):
    X = regression_problem
    model = CoLiDE("nv", mode="fast", refit=True).fit(X)
    for j in range(6):
        parents = np.flatnonzero(model.adjacency_matrix_[:, j])
        if len(parents):
            ols = LinearRegression().fit(X[:, parents], X[:, j])
            np.testing.assert_allclose(model.adjacency_matrix_[parents, j], ols.coef_, rtol=1e-9)
            residual = X[:, j] - ols.predict(X[:, parents])
            assert model.sigma_[j] == pytest.approx(residual.std(), rel=1e-9)
            np.testing.assert_allclose(model.predict(X)[:, j], ols.predict(X[:, parents]))
        else:
            np.testing.assert_allclose(model.predict(X)[:, j], X[:, j].mean())


@pytest.mark.parametrize("noise", ["ev", "nv", "ls"])
def test_score_is_the_gaussian_density(regression_problem, noise):
    from scipy.stats import multivariate_normal

    model = CoLiDE(noise, mode="fast").fit(regression_problem)
    A = np.linalg.inv(np.eye(6) - model.adjacency_matrix_)
    sigma = np.broadcast_to(model.sigma_, 6)
    density = multivariate_normal(model.mean_, A.T @ np.diag(sigma**2) @ A)
    rows, weight = regression_problem[:20], np.arange(20.0)
    assert model.score(rows) == pytest.approx(density.logpdf(rows).mean())
    expected = np.average(density.logpdf(rows), weights=weight)
    assert model.score(rows, sample_weight=weight) == pytest.approx(expected)


def test_samples_have_the_models_moments(regression_problem):
    model = CoLiDE("nv", mode="fast").fit(regression_problem + 3)
    X = model.sample(200_000, random_state=0)
    A = np.linalg.inv(np.eye(6) - model.adjacency_matrix_)
    C = A.T @ np.diag(model.sigma_**2) @ A
    spread = np.sqrt(np.outer(np.diagonal(C), np.diagonal(C)) / 1e5)
    assert np.all(np.abs(np.cov(X.T) - C) < 5 * spread)
    assert np.all(np.abs(X.mean(axis=0) - model.mean_) < 5 * np.sqrt(np.diagonal(C) / 2e5))
    np.testing.assert_array_equal(X[:5], model.sample(200_000, random_state=0)[:5])


def test_causal_order_has_parents_first(regression_problem):
    model = CoLiDE("ev", mode="fast").fit(regression_problem)
    place = np.argsort(model.causal_order_)
    causes, effects = np.nonzero(model.adjacency_matrix_)
    assert np.all(place[causes] < place[effects])


def test_graph_exports_carry_names_and_weights(regression_problem):
    networkx = pytest.importorskip("networkx")
    frame = pd.DataFrame(regression_problem, columns=["a", "b", 'say "c"', "d", "e", "f"])
    model = CoLiDE("ev", mode="fast", scale=None).fit(frame)
    graph = model.to_networkx()
    assert networkx.is_directed_acyclic_graph(graph)
    assert list(graph) == list(frame.columns)
    matrix = networkx.to_numpy_array(graph)
    np.testing.assert_array_equal(matrix, model.adjacency_matrix_)
    text = model.to_graphviz()
    assert text.startswith("digraph {")
    assert text.count("->") == 9
    assert '"b" -> "d" [label="1.45"];' in text
    assert r'"say \"c\""' in text
    magnitudes = [abs(weight) for *_, weight in model.edges()]
    assert magnitudes == sorted(magnitudes, reverse=True)
    unnamed = CoLiDE("ev", mode="fast").fit(regression_problem)
    assert list(unnamed.to_networkx()) == [f"x{j}" for j in range(6)]


def test_starts(regression_problem):
    X = regression_problem
    cold = CoLiDE("nv").fit(X)
    settings = {"n_stages": 1, "mu_init": 1e-3, "s": 0.7}
    warm = CoLiDE("nv", init=cold.raw_adjacency_, **settings).fit(X)
    np.testing.assert_allclose(warm.adjacency_matrix_, cold.adjacency_matrix_, atol=5e-3)
    assert warm.n_iter_.sum() < cold.n_iter_.sum() / 2
    again = clone(cold).set_params(warm_start=True).fit(X)
    first = again.raw_adjacency_
    again.set_params(**settings).fit(X)
    np.testing.assert_allclose(again.adjacency_matrix_, cold.adjacency_matrix_, atol=5e-3)
    assert again.raw_adjacency_ is not first


def test_grid_search_runs(regression_problem):
    search = GridSearchCV(CoLiDE("ev", mode="fast"), {"alpha": [0.05, 5.0]}, cv=3)
    assert quietly(search, regression_problem).best_params_ == {"alpha": 0.05}


def test_interruption_leaves_the_estimator_as_it_was(regression_problem, monkeypatch):
    from skreg.causal import _central_path

    model = CoLiDE("ev", mode="fast").fit(regression_problem)
    before = {name: value for name, value in vars(model).items() if name.endswith("_")}
    calls = []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return fast_steps(*arguments)

    monkeypatch.setattr(_central_path, "fast_steps", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit(2 * regression_problem + 1)
    for name, value in before.items():
        assert getattr(model, name) is value, name
    fresh = CoLiDE("ev", mode="fast")
    calls.clear()
    with pytest.raises(KeyboardInterrupt):
        fresh.fit(regression_problem)
    assert not hasattr(fresh, "adjacency_matrix_")


def test_verbose_shows_the_stages(regression_problem, capsys):
    quietly(CoLiDE("ev", verbose=1, **FEW | {"n_stages": 2, "warm_iter": 300}), regression_problem)
    shown = capsys.readouterr()
    assert "CoLiDE" in shown.err
    assert "2/2" in shown.err
    assert not shown.out
    quietly(CoLiDE("ev", **FEW), regression_problem)
    assert capsys.readouterr() == ("", "")


def test_verbose_without_tqdm_says_how_to_get_it(regression_problem, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with pytest.raises(ImportError, match=r"CoLiDE with verbose=2 needs tqdm.*skreg\[progress\]"):
        CoLiDE("ev", verbose=2, **FEW).fit(regression_problem)


@pytest.mark.parametrize("noise", ["ev", "nv", "ls"])
def test_certificates_have_no_unit(regression_problem, noise):
    model = CoLiDE(noise, **FEW)
    weight = np.random.default_rng(0).integers(1, 4, len(regression_problem)).astype(float)

    def certificates(rows, factor):
        quietly(model, rows * regression_problem, sample_weight=factor * weight)
        numbers = [number for point in model.checkpoints_ for number in point[2:5]]
        return [model.h_, model.objective_, model.converged_, *numbers]

    expected = certificates(1.0, 1.0)
    for rows, factor in ((1e9, 1.0), (3e-8, 1.0), (1.0, 7e6), (1.0, 3e-7)):
        assert certificates(rows, factor) == pytest.approx(expected, rel=1e-6)


def test_checkpoints_are_readable(regression_problem):
    model = quietly(CoLiDE("ev", **FEW), regression_problem)
    assert re.fullmatch(
        r"Checkpoint\(stage=0, n_iter=\d+, objective=[-.e\d]+, score=[-.e\d]+, h=[-.e\d]+, "
        r"noise_scale=[-.e\d]+\)",
        repr(model.checkpoints_[0]),
    )


@pytest.mark.parametrize("assume_centered", [False, True])
def test_the_largest_strength_is_that_of_the_lasso(regression_problem, assume_centered):
    """For least squares, W = 0 is stationary where the lassos of all columns are zero."""
    X = regression_problem + 0.5
    centred = X if assume_centered else X - X.mean(axis=0)
    expected = max(
        np.abs(np.delete(centred, j, 1).T @ centred[:, j]).max() / len(X) for j in range(6)
    )
    from skreg.moments import moments

    model = CoLiDE("ls", scale=None, assume_centered=assume_centered)
    largest = model._largest_alpha(moments(X, np.ones(len(X))), list("abcdef"))
    assert largest == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("noise", ["ev", "nv"])
def test_edges_enter_just_below_the_largest_strength(regression_problem, noise):
    from skreg.moments import moments

    model = CoLiDE(noise, mode="fast", threshold=0.0)
    data = moments(regression_problem, np.ones(len(regression_problem)))
    largest = model._largest_alpha(data, list("abcdef"))
    weights = []
    for share in (1.05, 0.9):
        W = quietly(model.set_params(alpha=share * largest), regression_problem).raw_adjacency_
        weights.append(np.abs(W - np.diag(np.diagonal(W))).max())
    assert weights[0] < 0.01 < 0.05 < weights[1]


def test_warnings_name_what_was_not_reached(regression_problem):
    X = regression_problem
    with pytest.warns(ConvergenceWarning, match=r"after 600 iterations .* more than tol=1e-06"):
        CoLiDE("ev", mu_init=1e-3, n_stages=1, max_iter=600, checkpoint=300).fit(X)
    with pytest.warns(ConvergenceWarning, match="do not reach a second checkpoint"):
        CoLiDE("ev", mu_init=1e-3, **FEW).fit(X)
    with pytest.warns(UserWarning, match="all columns have the same variance"):
        CoLiDE("ev", mode="fast").fit((X - X.mean(axis=0)) / X.std(axis=0))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"noise": "other"}, "noise"),
        ({"alpha": -1.0}, "alpha"),
        ({"mode": "slow"}, "mode"),
        ({"n_stages": 0}, "n_stages"),
        ({"mu_init": 0.0}, "mu_init"),
        ({"mu_factor": 1.0}, "mu_factor"),
        ({"s": 0.0}, "s"),
        ({"s": (1.0, -0.5)}, "must be positive"),
        ({"s": (0.8, 0.9)}, "must not increase"),
        ({"warm_iter": 0}, "warm_iter"),
        ({"max_iter": 0}, "max_iter"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"beta_1": 1.0}, "beta_1"),
        ({"beta_2": 1.0}, "beta_2"),
        ({"tol": -1.0}, "tol"),
        ({"checkpoint": 0}, "checkpoint"),
        ({"threshold": -0.1}, "threshold"),
        ({"sigma_floor": -0.1}, "sigma_floor"),
        ({"scale": "columns"}, "scale"),
        ({"assume_centered": "yes"}, "assume_centered"),
        ({"exclude_edges": [(0, 6)]}, "exclude_edges names column 6; columns are 0 .. 5"),
        ({"exclude_edges": [("a", "b")]}, "exclude_edges names 'a', which is not a column"),
        ({"exclude_edges": np.zeros((2, 2), dtype=bool)}, r"a mask must be \(6, 6\)"),
        ({"exclude_edges": [(0, 1, 2)]}, "must be pairs"),
        ({"include_edges": [(0, 1), (1, 0)]}, "include_edges has a cycle"),
        ({"include_edges": [(0, 1)], "exclude_edges": [(0, 1)]}, "from 'x0' to 'x1' is required"),
        ({"tiers": [0, 1]}, "must be 6 numbers"),
        ({"init": np.zeros((2, 2))}, r"init has shape \(2, 2\); X has 6 columns"),
        ({"init": np.full((6, 6), 100.0)}, "init is too far outside the domain"),
        ({"init": [[np.nan]]}, "init must be a square matrix of finite numbers"),
        ({"warm_start": "yes"}, "warm_start"),
        ({"refit": "yes"}, "refit"),
        ({"n_blas_threads": 0}, "n_blas_threads"),
        ({"verbose": -1}, "verbose"),
    ],
)
def test_bad_parameters_are_named(regression_problem, parameters, message):
    with pytest.raises(ValueError, match=message):
        CoLiDE(**parameters).fit(regression_problem)


def test_bad_data_are_named(regression_problem):
    X = pd.DataFrame(regression_problem, columns=list("abcdef"))
    with pytest.raises(ValueError, match="column 'c' is constant"):
        CoLiDE().fit(X.assign(c=0.1))
    with pytest.raises(ValueError, match="column 'b' is constant"):
        CoLiDE().fit(X.assign(b=(np.arange(500) == 3) + 5.0), sample_weight=np.arange(500) != 3)
    with pytest.raises(ValueError, match="column 'b' overflows"):
        CoLiDE().fit(X.assign(b=X["b"] * 1e200))
    with pytest.raises(ValueError, match="single precision, with variances up to 1e"):
        CoLiDE(mode="fast").fit(X.assign(b=X["b"] * 1e12))
    with pytest.raises(ValueError, match=r"single precision, .* from 1e-18"):
        CoLiDE(mode="fast", scale=None).fit(X * 1e-100)
    with pytest.raises(ValueError, match="column 'd' underflows"):
        CoLiDE().fit(X.assign(d=X["d"] * 1e-170))
    with pytest.raises(ValueError, match="NaN"):
        CoLiDE().fit(X.assign(b=np.nan))
    with pytest.raises(ValueError, match="infinity"):
        CoLiDE().fit(X.assign(b=np.inf))
    with pytest.raises(ValueError, match="minimum of 2 is required"):
        CoLiDE().fit(X.iloc[:1])
    with pytest.raises(ValueError, match="minimum of 2 is required"):
        CoLiDE().fit(X[["a"]])
    with pytest.raises(ValueError, match="Negative values"):
        CoLiDE().fit(X, sample_weight=-np.ones(500))
    with pytest.raises(ValueError, match="positive for at least 2"):
        CoLiDE().fit(X, sample_weight=np.arange(500) == 3)
    model = CoLiDE("ev", mode="fast").fit(X)
    with pytest.raises(ValueError, match="- f"):
        model.predict(X.drop(columns="f"))


@pytest.mark.slow
def test_equal_noise_far_from_one_gives_better_graphs_than_least_squares():
    """Also with less than 5 % error of the noise level, and no gain on standardised columns."""
    shd = {}
    errors, standardised, empty = [], [], []
    for variance in (0.1, 50.0):
        for seed in range(10):
            sem = make_linear_sem(1000, 20, noise_variance=variance, random_state=seed)
            for noise in ("ev", "ls"):
                model = quietly(CoLiDE(noise, scale=None), sem.X)
                distance = structural_hamming_distance(sem.adjacency, model.adjacency_matrix_)
                shd.setdefault((variance, noise), []).append(distance)
                if variance == 50.0 and noise == "ev":
                    errors.append(noise_scale_error(sem.noise_scale, model.sigma_))
    assert np.mean(errors) < 0.05
    for variance in (0.1, 50.0):
        assert np.mean(shd[variance, "ev"]) <= np.mean(shd[variance, "ls"]) - 10
    for seed in range(10):
        sem = make_linear_sem(1000, 20, random_state=seed)
        with pytest.warns(UserWarning, match="same variance"):
            model = quietly(CoLiDE("ev", mode="fast"), sem.X / sem.X.std(axis=0))
        standardised.append(structural_hamming_distance(sem.adjacency, model.adjacency_matrix_))
        empty.append(np.count_nonzero(sem.adjacency))
    assert np.mean(standardised) >= 0.9 * np.mean(empty)


@pytest.mark.slow
def test_fast_mode_finds_graphs_as_good_as_the_reference():
    difference = []
    for seed in range(15):
        sem = make_linear_sem(1000, 20, random_state=seed)
        distances = [
            structural_hamming_distance(
                sem.adjacency, quietly(CoLiDE("ev", mode=mode), sem.X).adjacency_matrix_
            )
            for mode in ("reference", "fast")
        ]
        difference.append(distances[1] - distances[0])
    assert np.mean(difference) <= 2 * np.std(difference, ddof=1) / np.sqrt(15) + 0.5


def test_a_start_of_other_columns_is_told_from_an_init():
    X = make_linear_sem(50, 4, edges_per_node=1, random_state=0).X
    model = CoLiDE("ev", mode="fast", warm_start=True).fit(X)
    with pytest.raises(ValueError, match=r"the previous fit has shape \(4, 4\); X has 3 columns"):
        model.fit(X[:, :3])
