"""Bootstrap intervals of effects against regressions, coverage, and what is refused."""

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from skreg.causal import BootstrapDAG, CoLiDE, SortNRegress
from skreg.causal._average_effect import edges_that_carry, effect_by_regressions
from skreg.causal._resamples import draw_counts, fit_sample
from skreg.datasets import make_linear_sem
from skreg.moments import resampled_moments

CHAIN = np.array([[0, 1.0, 0.5], [0, 0, -0.8], [0, 0, 0]])


def chain_rows(n=400, seed=0):
    return make_linear_sem(n, adjacency=CHAIN, random_state=seed).X


@pytest.fixture(scope="module")
def chain():
    X = chain_rows()
    return SortNRegress(threshold=0.3).fit(X), X


def test_one_edge_is_least_squares_with_its_robust_error():
    X = make_linear_sem(400, adjacency=[[0, 2.0], [0, 0]], random_state=0).X
    model = SortNRegress().fit(X)
    result = model.average_effect(0, 1, X, n_bootstraps=1000, random_state=0)
    fit = sm.OLS(X[:, 1], sm.add_constant(X[:, 0])).fit(cov_type="HC0")
    assert result.effect == pytest.approx(fit.params[1], rel=1e-10)
    assert result.standard_error == pytest.approx(fit.bse[1], rel=0.1)
    low, high = fit.conf_int()[1]
    assert result.low == pytest.approx(low, abs=0.2 * (high - low))
    assert result.high == pytest.approx(high, abs=0.2 * (high - low))


@pytest.mark.parametrize("pair", [(0, 1), (0, 2), (0, 4), (2, 4), (3, 4)])
def test_in_a_saturated_graph_it_is_the_regression_on_the_cause_and_those_before_it(pair):
    i, j = pair
    X = np.random.default_rng(0).normal(size=(80, 5)) @ np.random.default_rng(1).normal(size=(5, 5))
    graph = np.triu(np.ones((5, 5), dtype=bool), k=1)
    carrying = edges_that_carry(graph, i, j)
    effect = effect_by_regressions(np.cov(X.T, ddof=0), carrying, i, j)
    design = sm.add_constant(X[:, : i + 1])
    assert effect == pytest.approx(sm.OLS(X[:, j], design).fit().params[i + 1], rel=1e-9)


def test_samples_are_fits_to_drawn_rows(chain):
    model, X = chain
    result = model.average_effect(0, 2, X, n_bootstraps=5, random_state=3)
    graph = edges_that_carry(model.adjacency_matrix_ != 0, 0, 2)
    for counts, value in zip(draw_counts(len(X), 5, 3), result.samples, strict=True):
        rows = np.repeat(X, counts, axis=0)
        expected = effect_by_regressions(np.cov(rows.T, ddof=0), graph, 0, 2)
        assert value == pytest.approx(expected, rel=1e-10)


def test_a_relearned_graph_is_that_of_each_sample():
    X = chain_rows(60, seed=4)
    model = SortNRegress(threshold=0.3).fit(X)
    result = model.average_effect(0, 2, X, graph="relearned", n_bootstraps=20, random_state=0)
    counts = draw_counts(len(X), 20, 0)
    expected = []
    for count, sample in zip(counts, resampled_moments(X, counts), strict=True):
        B = np.zeros((3, 3), dtype=bool)
        B.ravel()[fit_sample(model, X, count, sample, ["x0", "x1", "x2"]).edges] = True
        carrying = edges_that_carry(B, 0, 2)
        expected.append(effect_by_regressions(sample.covariance, carrying, 0, 2))
    np.testing.assert_array_equal(result.samples, expected)
    assert result.share_nonzero == np.mean(np.array(expected) != 0)
    again = model.average_effect(
        0, 2, X, graph="relearned", n_bootstraps=20, random_state=0, n_jobs=2
    )
    np.testing.assert_array_equal(result.samples, again.samples)


def test_an_uncertain_graph_widens_the_interval():
    X = chain_rows(40, seed=1)
    model = SortNRegress().fit(X)
    fixed, relearned = (
        model.average_effect(0, 2, X, graph=graph, n_bootstraps=100, random_state=0)
        for graph in ("fixed", "relearned")
    )
    assert fixed.effect == relearned.effect
    assert relearned.high - relearned.low > fixed.high - fixed.low


def test_intervals_in_the_true_graph_cover_at_their_level():
    truth, covered, n_data = CHAIN[0, 2] + CHAIN[0, 1] * CHAIN[1, 2], 0, 200
    model = SortNRegress().fit(chain_rows(2000))
    model.adjacency_matrix_ = CHAIN
    for seed in range(n_data):
        result = model.average_effect(
            0, 2, chain_rows(100, seed), n_bootstraps=60, confidence_level=0.9, random_state=seed
        )
        covered += result.low <= truth <= result.high
    # four standard errors
    assert 0.815 <= covered / n_data <= 0.985


def test_without_a_path_the_effect_is_zero(chain):
    model, X = chain
    result = model.average_effect(2, 0, X, n_bootstraps=3, random_state=0)
    assert result.effect == result.low == result.high == result.share_nonzero == 0.0


def test_units_of_cause_and_effect(chain):
    model, X = chain
    unit = np.array([10.0, 1.0, 0.01])
    there = model.average_effect(0, 2, X, n_bootstraps=4, random_state=0)
    here = model.average_effect(0, 2, X * unit, n_bootstraps=4, random_state=0)
    np.testing.assert_allclose(here.samples, there.samples * 0.001, rtol=1e-9)


def test_weights_shrunken_by_a_penalty_do_not_matter():
    X = make_linear_sem(500, 6, edges_per_node=1, random_state=0).X
    shrunken, refitted = (CoLiDE("ev", mode="fast", refit=refit).fit(X) for refit in (False, True))
    cause, effect = np.argwhere(refitted.total_effects())[0]
    results = [m.average_effect(cause, effect, X, n_bootstraps=3) for m in (shrunken, refitted)]
    assert results[0].effect == pytest.approx(refitted.total_effects()[cause, effect], rel=1e-9)
    assert results[0].effect == results[1].effect


def test_estimators_without_moments_learn_the_drawn_rows():
    X = chain_rows(60)
    model = BootstrapDAG(SortNRegress(threshold=0.3), n_bootstraps=3, random_state=0).fit(X)
    result = model.average_effect(0, 2, X, graph="relearned", n_bootstraps=3, random_state=0)
    assert len(result.samples) == 3


def test_samples_in_which_the_cause_is_constant_are_counted_and_left_out():
    rng = np.random.default_rng(0)
    rare = np.zeros(12)
    rare[0] = 1.0
    X = np.column_stack([rare, 3 * rare + rng.normal(size=12), rng.normal(size=12)])
    model = SortNRegress().fit(X)
    model.adjacency_matrix_ = np.array([[0, 3.0, 0], [0, 0, 0], [0, 0, 0]])
    result = model.average_effect("x0", "x1", X, n_bootstraps=50, random_state=0)
    n_without = int((draw_counts(12, 50, 0)[:, 0] == 0).sum())
    assert n_without > 0
    assert result.n_failed == n_without
    assert len(result.samples) == 50 - n_without
    assert f"n_failed={n_without}" in repr(result)
    with pytest.raises(ValueError, match="column 'x0' of X is constant"):
        model.average_effect("x0", "x1", X[1:], n_bootstraps=5)


def test_names_and_frames(chain):
    _, X = chain
    frame = pd.DataFrame(X, columns=["dose", "level", "outcome"])
    model = SortNRegress(threshold=0.3).fit(frame)
    result = model.average_effect("dose", "outcome", frame, n_bootstraps=3, random_state=0)
    assert result.effect == model.average_effect(0, 2, frame, n_bootstraps=3).effect


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cause": "z"}, "cause names 'z', which is not a column"),
        ({"effect": 3}, "effect names column 3"),
        ({"effect": 0}, "cause and effect are both 'x0'"),
        ({"graph": "other"}, "graph='other' must be one of"),
        ({"n_bootstraps": 1}, "n_bootstraps=1 must be an integer of at least 2"),
        ({"confidence_level": 1.0}, "confidence_level=1.0 must lie between 0 and 1"),
        ({"X": np.full((5, 3), np.nan)}, "contains NaN"),
        ({"X": np.zeros((5, 2))}, "2 features"),
        ({"X": np.zeros((1, 3))}, "minimum of 2"),
        ({"X": 1e200 * np.eye(3)}, "the variance of column 'x0' overflows"),
        ({"cause": None}, "cause names a NoneType; columns are given by number or by name"),
        ({"cause": [0]}, "cause names a list; columns are given"),
        ({"cause": True}, "cause names a bool; columns are given"),
        ({"effect": np.nan}, "effect names column nan; columns are 0"),
        ({"effect": np.inf}, "effect names column inf"),
    ],
)
def test_what_cannot_be_asked_is_refused(chain, arguments, message):
    model, X = chain
    with pytest.raises(ValueError, match=message):
        model.average_effect(**{"cause": 0, "effect": 1, "X": X, **arguments})


def test_parents_that_determine_one_another_are_warned_of():
    graph = np.array([[0, 1, 0, 1], [0, 0, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0.0]])
    X = make_linear_sem(200, adjacency=graph, random_state=0).X
    model = SortNRegress().fit(X)
    model.adjacency_matrix_ = graph
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.average_effect(0, 3, X, n_bootstraps=3)
    copied = X.copy()
    copied[:, 2] = 2 * X[:, 1] - X[:, 0]
    with pytest.warns(UserWarning, match="the parents of 'x3' determine one another"):
        model.average_effect(0, 3, copied, n_bootstraps=3)
    with pytest.warns(UserWarning, match="or rows are few"):
        model.average_effect(0, 3, X[:3], n_bootstraps=3)


@pytest.mark.parametrize("graph", ["fixed", "relearned"])
def test_a_weight_is_a_number_of_copies(chain, graph):
    model, X = chain
    asked = {"graph": graph, "n_bootstraps": 5, "random_state": 0}
    alone = model.average_effect(0, 2, X, **asked)
    once = model.average_effect(0, 2, X, sample_weight=np.ones(len(X)), **asked)
    np.testing.assert_array_equal(once.samples, alone.samples)
    weights = np.random.default_rng(0).integers(0, 4, len(X))
    weighted = model.average_effect(0, 2, X, sample_weight=weights, **asked)
    copies = model.average_effect(0, 2, np.repeat(X, weights, axis=0), **asked)
    assert weighted.effect == pytest.approx(copies.effect, rel=1e-12)


def test_samples_of_weighted_rows_are_drawn_from_the_copies():
    weights = np.array([0.0, 1.0, 2.0, 5.0])
    counts = draw_counts(4, 4000, 0, weights)
    np.testing.assert_array_equal(counts.sum(axis=1), 8)
    assert not counts[:, 0].any()
    np.testing.assert_allclose(counts.mean(axis=0), weights, atol=0.1)
    variance = weights * (1 - weights / 8)
    np.testing.assert_allclose(counts.var(axis=0), variance, rtol=0.1)


def test_intervals_of_weighted_rows_are_as_wide_as_those_of_the_copies(chain):
    model, X = chain
    weights = np.random.default_rng(0).integers(0, 4, len(X))
    asked = {"n_bootstraps": 2000, "random_state": 0}
    weighted = model.average_effect(0, 2, X, sample_weight=weights, **asked)
    copies = model.average_effect(0, 2, np.repeat(X, weights, axis=0), **asked)
    assert weighted.standard_error == pytest.approx(copies.standard_error, rel=0.1)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0, 2.0], "sample_weight.shape"),
        (-1.0, "[Nn]egative"),
        (1e-3, "add up to 0.3, less than 2, but average_effect counts rows"),
    ],
)
def test_weights_that_are_none_are_refused(chain, weights, message):
    model, X = chain
    with pytest.raises(ValueError, match=message):
        model.average_effect(0, 2, X[:300], sample_weight=weights)
