"""Total effects, paths and interventions against algebra, enumeration and simulation."""

import copy
import itertools

import networkx
import numpy as np
import pandas as pd
import pytest

from skreg.causal import BootstrapDAG, CoLiDE, EffectPath, SortNRegress
from skreg.datasets import make_linear_sem
from skreg.graphs import topological_order

D = 7


def model_of(W, mean=0.0, sigma=1.0, columns=None):
    """A fitted model with given parameters."""
    d = len(W)
    X = np.random.default_rng(0).normal(size=(50, d)) * np.arange(1, d + 1)
    model = SortNRegress().fit(X if columns is None else pd.DataFrame(X, columns=columns))
    model.adjacency_matrix_ = np.asarray(W, dtype=float)
    model.causal_order_ = topological_order(model.adjacency_matrix_ != 0)
    model.mean_, model.sigma_ = np.broadcast_to(mean, d).astype(float), sigma
    return model


def random_model(seed, d=D):
    rng = np.random.default_rng(seed)
    W = np.triu(rng.normal(size=(d, d)) * (rng.random((d, d)) < 0.6), k=1)
    order = rng.permutation(d)
    W = W[np.ix_(order, order)]
    return model_of(W, rng.normal(size=d), rng.uniform(0.5, 2.0, size=d))


def simulate(model, Z, values):
    """Rows of the equations, node after node, some of them overruled."""
    W, X = model.adjacency_matrix_, np.zeros_like(Z)
    for j in topological_order(W != 0):
        X[:, j] = model.mean_[j] + (X - model.mean_) @ W[:, j] + Z[:, j]
        if j in values:
            X[:, j] = values[j]
    return X


@pytest.mark.parametrize("seed", range(5))
def test_total_effects_are_an_inverse_and_a_sum_of_powers(seed):
    model = random_model(seed)
    W, T = model.adjacency_matrix_, model.total_effects()
    np.testing.assert_allclose(T, np.linalg.inv(np.eye(D) - W) - np.eye(D), atol=1e-12)
    powers = [np.linalg.matrix_power(W, k) for k in range(1, D)]
    np.testing.assert_allclose(T, sum(powers), atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_paths_are_those_of_networkx_and_add_up(seed):
    model = random_model(seed)
    graph, W, T = model.to_networkx(), model.adjacency_matrix_, model.total_effects()
    for i in range(D):
        for j in set(range(D)) - {i}:
            paths = model.effect_paths(i, j)
            expected = {
                tuple(path): np.prod(
                    [graph.edges[edge]["weight"] for edge in itertools.pairwise(path)]
                )
                for path in networkx.all_simple_paths(graph, f"x{i}", f"x{j}")
            }
            assert {path.nodes: path.effect for path in paths} == pytest.approx(expected)
            assert len(paths) == len(expected)
            assert sum(path.effect for path in paths) == pytest.approx(T[i, j], abs=1e-12)
            sizes = [abs(path.effect) for path in paths]
            assert sizes == sorted(sizes, reverse=True)
    assert W.any()


def test_paths_without_number_are_refused_before_they_are_listed():
    d = 40
    model = model_of(np.triu(np.ones((d, d)), k=1))
    with pytest.raises(ValueError, match=rf"{2 ** (d - 2)} directed paths .* max_paths=1000"):
        model.effect_paths(0, d - 1)
    assert len(model.effect_paths(0, 11, max_paths=1024)) == 1024
    with pytest.raises(ValueError, match="max_paths=0 must be a positive integer"):
        model.effect_paths(0, 1, max_paths=0)


def test_a_chain_by_name():
    model = model_of([[0, 2, 0], [0, 0, 3], [0, 0, 0]], columns=["a", "b", "c"])
    assert model.effect_paths("a", "c") == [EffectPath(("a", "b", "c"), 6.0)]
    assert model.effect_paths("c", "a") == []
    assert model.total_effects().tolist() == [[0, 2, 6], [0, 0, 3], [0, 0, 0]]


@pytest.mark.parametrize("seed", range(4))
def test_an_intervention_is_the_simulation_with_the_node_overruled(seed):
    model = random_model(seed)
    values = {0: 1.5, 4: -2.0}
    done = model.intervene(values)
    n = 100_000
    X = simulate(model, np.random.default_rng(seed).normal(size=(n, D)) * model.sigma_, values)
    deviation = np.sqrt(np.diagonal(done.covariance))
    assert np.all(np.abs(X.mean(axis=0) - done.mean) <= 5 * deviation / np.sqrt(n))
    scale = np.outer(deviation, deviation)
    assert np.all(np.abs(np.cov(X.T) - done.covariance) <= 10 * scale / np.sqrt(n) + 1e-12)
    assert done.mean[[0, 4]].tolist() == [1.5, -2.0]
    assert not done.covariance[[0, 4]].any()


@pytest.mark.parametrize("seed", range(4))
def test_a_row_keeps_its_noise_when_its_values_are_set(seed):
    model = random_model(seed)
    Z = np.random.default_rng(seed).normal(size=(20, D))
    before, values = simulate(model, Z, {}), {2: 0.7, 5: 3.0}
    kept = before.copy()
    after = model.counterfactual(before, values)
    np.testing.assert_allclose(after, simulate(model, Z, values), atol=1e-12)
    np.testing.assert_array_equal(before, kept)
    assert np.all(after[:, 2] == 0.7)
    np.testing.assert_allclose(
        model.counterfactual(model.mean_[None], values)[0], model.intervene(values).mean, atol=1e-12
    )


def test_a_unit_more_by_intervention_is_the_total_effect():
    model = random_model(3)
    T = model.total_effects()
    for i in range(D):
        change = model.intervene({i: 2.0}).mean - model.intervene({i: 1.0}).mean
        np.testing.assert_allclose(np.delete(change, i), np.delete(T[i], i), atol=1e-12)


def test_samples_of_an_intervention_have_its_moments_and_the_estimators_noise():
    model = random_model(1)
    done = model.intervene({"x1": 5.0})
    X = done.sample(50_000, random_state=0)
    deviation = np.sqrt(np.diagonal(done.covariance))
    assert np.all(np.abs(X.mean(axis=0) - done.mean) <= 5 * deviation / np.sqrt(len(X)))
    assert np.all(X[:, 1] == 5.0)
    observed = model.sample(50, random_state=0)
    np.testing.assert_allclose(
        done.sample(50, random_state=0), model.counterfactual(observed, {1: 5.0}), atol=1e-9
    )


def test_an_intervention_prints_what_it_sets():
    assert repr(model_of(np.zeros((3, 3))).intervene({"x1": 2})) == (
        "Intervention({'x1': 2}, 3 nodes, 0 edges)"
    )


def test_names_of_a_frame_and_order_of_its_columns():
    sem = make_linear_sem(300, 4, edges_per_node=1, random_state=0)
    frame = pd.DataFrame(sem.X, columns=list("abcd"))
    model = SortNRegress(threshold=0.3).fit(frame)
    by_name = model.counterfactual(frame, {"b": 1.0})
    np.testing.assert_array_equal(by_name, model.counterfactual(frame, {1: 1.0}))
    with pytest.raises(ValueError, match="feature names"):
        model.counterfactual(frame[list("badc")], {"b": 1.0})


@pytest.mark.parametrize(
    "estimator",
    [
        SortNRegress(threshold=0.3),
        CoLiDE("ev", mode="fast"),
        BootstrapDAG(n_bootstraps=2, random_state=0),
    ],
    ids=["sort", "colide", "bootstrap"],
)
def test_every_fitted_linear_graph_has_effects(estimator):
    sem = make_linear_sem(500, 5, edges_per_node=1, random_state=0)
    model = estimator.fit(sem.X)
    T = model.total_effects()
    np.testing.assert_allclose(
        T, np.linalg.inv(np.eye(5) - model.adjacency_matrix_) - np.eye(5), atol=1e-12
    )
    assert model.intervene({0: 1.0}).mean.shape == (5,)
    assert model.effect_paths(*np.argwhere(T)[0])


def test_a_graph_with_a_cycle_is_refused():
    model = model_of(np.zeros((3, 3)))
    model.adjacency_matrix_ = np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]])
    for ask in (
        model.total_effects,
        lambda: model.effect_paths(0, 1),
    ):
        with pytest.raises(ValueError, match="cycle"):
            ask()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "must map columns"),
        ([1.0], "must map columns"),
        ({"z": 1.0}, "values names 'z', which is not a column"),
        ({9: 1.0}, r"values names column 9; columns are 0 \.\. 2"),
        ({0: 1.0, "x0": 2.0}, "sets a column twice"),
        ({0: np.nan}, "must be finite"),
        ({0: "1"}, "must be finite"),
        ({0: None}, "must be finite"),
        ({0: np.ones(2)}, "must be finite"),
        ({None: 1.0}, "values names a NoneType; columns are given by number or by name"),
        ({True: 1.0}, "values names a bool"),
    ],
)
def test_what_cannot_be_set_is_refused(values, message):
    model = model_of(np.zeros((3, 3)))
    with pytest.raises(ValueError, match=message):
        model.intervene(values)
    with pytest.raises(ValueError, match=message):
        model.counterfactual(np.zeros((1, 3)), values)


def test_questions_change_nothing():
    model = random_model(0)
    before = copy.deepcopy(vars(model))
    model.intervene({0: 1.0}).sample(2, random_state=0)
    model.effect_paths(0, 1)
    for name, value in vars(model).items():
        np.testing.assert_array_equal(value, before[name])


@pytest.mark.parametrize("n_samples", [-1, 2.5, None])
def test_samples_have_a_number_of_rows(n_samples):
    model = random_model(0)
    for drawing in (model, model.intervene({0: 1.0})):
        with pytest.raises(ValueError, match=r"n_samples=.* must be an integer of at least 0"):
            drawing.sample(n_samples)
        assert drawing.sample(0).shape == (0, len(model.mean_))
