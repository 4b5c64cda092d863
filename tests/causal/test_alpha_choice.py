"""Strengths chosen by a criterion and by stability, and where there is nothing to choose from."""

import pickle

import numpy as np
import pytest

from skreg.causal import BootstrapDAG, CoLiDE, SelectParents
from skreg.causal._alpha_choice import N_BOOTSTRAPS
from skreg.causal.metrics import structural_hamming_distance
from skreg.datasets import make_linear_sem

ALPHAS = (0.02, 0.1, 0.4)
FAST = {"mode": "fast", "alphas": ALPHAS}
SHORT = {"mode": "fast", "alphas": (0.02, 0.2), "n_stages": 2, "warm_iter": 300, "max_iter": 300}
pytestmark = [
    pytest.mark.filterwarnings("ignore:CoLiDE chose alpha"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]


def simulated(seed=0, n=300, d=8, **settings):
    return make_linear_sem(n, d, edges_per_node=1, random_state=seed, **settings)


def bic(X, graph, noise):
    """-2 log-likelihood of least squares on the parents, and a price for each edge."""
    n, d = X.shape
    X = X - X.mean(axis=0)
    square = np.empty(d)
    for j in range(d):
        parents = X[:, graph[:, j] != 0]
        square[j] = np.mean((X[:, j] - parents @ np.linalg.lstsq(parents, X[:, j])[0]) ** 2)
    fit = n * np.log(square).sum() if noise == "nv" else n * d * np.log(square.mean())
    return fit + np.log(n) * np.count_nonzero(graph)


@pytest.mark.parametrize("noise", ["ev", "nv", "ls"])
def test_bic_takes_the_graph_of_smallest_criterion(noise):
    X = simulated(3, n=60, noise_variance=(0.5, 3.0)).X
    model = CoLiDE(noise, "bic", **FAST).fit(X)
    single = [CoLiDE(noise, alpha, mode="fast").fit(X) for alpha in sorted(ALPHAS)[::-1]]
    expected = np.array([bic(X, one.adjacency_matrix_, noise) for one in single])
    # in another unit the likelihood moves by a constant
    np.testing.assert_allclose(np.diff(model.criterion_), np.diff(expected), atol=1e-6)
    best = single[int(np.argmin(expected))]
    assert model.alpha_ == best.alpha
    np.testing.assert_array_equal(model.adjacency_matrix_, best.adjacency_matrix_)


def test_stability_is_that_of_the_bootstrap():
    X = simulated(1, n=80, d=5).X
    model = CoLiDE("ev", "stability", random_state=0, **SHORT).fit(X)
    bootstrap = BootstrapDAG(
        CoLiDE("ev", **SHORT), n_bootstraps=N_BOOTSTRAPS, alphas=[0.2, 0.02], random_state=0
    ).fit(X)
    np.testing.assert_array_equal(model.criterion_, bootstrap.instability_)
    assert model.alpha_ == bootstrap.alpha_
    plain = CoLiDE("ev", model.alpha_, **SHORT).fit(X)
    np.testing.assert_array_equal(model.adjacency_matrix_, plain.adjacency_matrix_)


def test_a_choice_is_far_better_than_a_poor_strength_and_near_the_best():
    distances = {"bic": [], 0.02: [], 0.4: [], 0.1: []}
    for seed in range(3):
        sem = simulated(seed, n=50, d=12)
        for alpha, found in distances.items():
            model = CoLiDE("ev", alpha, **FAST).fit(sem.X)
            found.append(structural_hamming_distance(sem.adjacency, model.adjacency_matrix_))
    means = {alpha: np.mean(found) for alpha, found in distances.items()}
    fixed = [means[alpha] for alpha in ALPHAS]
    assert means["bic"] <= min(fixed) + 2
    assert means["bic"] <= max(fixed) - 3


def test_a_number_is_used_as_it_is():
    model = CoLiDE("ev", 0.1, mode="fast", alphas=[5.0]).fit(simulated().X)
    assert (model.alpha_, model.criterion_) == (0.1, None)


def test_moments_are_enough_for_the_criterion_and_not_for_stability():
    X = simulated(2, d=5).X
    C = np.cov(X.T, ddof=0)
    by_rows = CoLiDE("ev", "bic", **SHORT).fit(X)
    by_moments = CoLiDE("ev", "bic", **SHORT).fit_covariance(C, len(X))
    assert by_moments.alpha_ == by_rows.alpha_
    stable = CoLiDE("ev", "stability", **SHORT).fit(X)
    before = stable.alpha_, stable.adjacency_matrix_
    for fit in (
        lambda: stable.fit_covariance(C, len(X)),
        lambda: stable.fit_stream([X]),
        lambda: stable.fit(pytest.importorskip("dask.array").from_array(X)),
        lambda: BootstrapDAG(stable, n_bootstraps=2).fit(X),
    ):
        with pytest.raises(ValueError, match="alpha='stability' draws samples of rows"):
            fit()
    assert (stable.alpha_, stable.adjacency_matrix_) == before
    assert pickle.loads(pickle.dumps(stable)).alpha_ == stable.alpha_


def test_choices_inside_of_other_estimators():
    X = simulated(4, n=100, d=5).X
    for alpha in ("bic", "stability"):
        model = CoLiDE("ev", alpha, **SHORT).fit(X)
        i, j = np.argwhere(model.adjacency_matrix_)[0]
        effect = model.average_effect(i, j, X, graph="relearned", n_bootstraps=4, random_state=0)
        assert effect.n_failed == 0
        assert SelectParents(CoLiDE("ev", alpha, **SHORT)).fit(X[:, 1:], X[:, 0])
    assert BootstrapDAG(CoLiDE("ev", "bic", **SHORT), n_bootstraps=3).fit(X).edges()


def test_rows_of_weight_zero_and_common_factors_of_weights_do_not_matter():
    X = simulated(5, n=80, d=5).X
    weights = np.ones(80)
    weights[:20] = 0.0
    fits = [
        CoLiDE("ev", "stability", random_state=0, **SHORT).fit(rows, sample_weight=w)
        for rows, w in ((X, weights), (X[20:], None), (X, 4 * weights))
    ]
    for fit in fits[1:]:
        np.testing.assert_array_equal(fit.criterion_, fits[0].criterion_)


def test_edges_of_the_grid_and_graphs_that_are_not_stable_are_told():
    X = simulated(6, n=40, d=10).X
    with pytest.warns(UserWarning, match="CoLiDE chose alpha=1, the smallest of the 2 strengths"):
        CoLiDE("ev", "bic", mode="fast", alphas=[1.0, 5.0]).fit(X)
    with pytest.warns(UserWarning, match="no alpha reaches an instability of 0.05"):
        CoLiDE("ev", "stability", mode="fast", alphas=[0.001], random_state=0).fit(X)


@pytest.mark.parametrize("rule", ["bic", "stability"])
@pytest.mark.parametrize("alphas", [[], [-0.1, 0.2], [[0.1]]])
def test_strengths_that_are_none_are_refused(rule, alphas):
    with pytest.raises(ValueError, match="must be nonnegative numbers"):
        CoLiDE("ev", rule, mode="fast", alphas=alphas).fit(simulated().X)
    with pytest.raises(ValueError, match="'alpha' parameter"):
        CoLiDE("ev", "aic").fit(simulated().X)
