"""The benchmark on causal effects: its oracles, and how errors and coverage are counted."""

import numpy as np
import pandas as pd
import pytest

from skreg.bench import Evidence
from skreg.bench.arena import effect_methods as methods
from skreg.bench.arena import effect_tasks as tasks
from skreg.bench.arena.effect_checks import ratio_of_places
from skreg.bench.races.causal_effects import benchmark
from skreg.causal import CoLiDE
from skreg.datasets import make_linear_sem

CHAIN = np.array([[0, 2.0, 0], [0, 0, 3.0], [0, 0, 0]])


def test_the_truth_has_no_error_and_the_empty_graph_all_of_it():
    assert tasks.accuracy(CHAIN, CHAIN) == {"effects": 0.0, "shd": 0}
    assert tasks.accuracy(CHAIN, 0 * CHAIN) == {"effects": pytest.approx(1.0), "shd": 2}
    np.testing.assert_allclose(tasks.total_effects(CHAIN), [[0, 2, 6], [0, 0, 3], [0, 0, 0]])


def test_the_oracle_is_the_refit_of_a_graph_that_is_known():
    X = make_linear_sem(100, adjacency=CHAIN, random_state=0).X
    edges = CHAIN != 0
    known = CoLiDE("ev", refit=True, mode="fast", include_edges=edges, exclude_edges=~edges).fit(X)
    W = methods.in_the_true_graph(X, CHAIN)
    np.testing.assert_allclose(W, known.adjacency_matrix_, atol=1e-12)


def test_without_gaps_all_ways_to_treat_them_agree():
    X = make_linear_sem(300, 5, edges_per_node=1, random_state=0).X
    expected = methods.learned()(X, CHAIN)
    for method in (methods.learned(missing="em"), methods.from_complete_rows, methods.from_pairs):
        np.testing.assert_allclose(method(X, CHAIN), expected, atol=1e-4)


def test_gaps_are_nested_and_of_their_share():
    cases = tasks.with_holes(0, missing=[0.0, 0.1, 0.3], n_samples=2000, n_features=9)
    gaps = {share: np.isnan(case.X) for share, case in cases.items()}
    assert not gaps[0.0].any()
    assert np.all(gaps[0.3][gaps[0.1]])
    assert gaps[0.3].mean() == pytest.approx(0.3, abs=0.02)


def test_questions_have_a_path_and_the_same_rows_at_each_number():
    questions = tasks.ask(0, rows=[20, 50], n_questions=5, n_features=5, edges_per_node=1)
    for few, many in zip(questions[20], questions[50], strict=True):
        np.testing.assert_array_equal(few.X, many.X[:20])
        assert few.answer == many.answer != 0.0


def test_coverage_counts_the_intervals_that_hold_the_effect(monkeypatch):
    X = np.zeros((9, 3))
    asked = [tasks.Question(X, CHAIN, 0, 2), tasks.Question(X, CHAIN, 0, 1)]
    monkeypatch.setattr(
        tasks, "interval", lambda _question, graph, _seed: (0, 0) if graph == "fixed" else (5, 7)
    )
    never, once = tasks.measure_coverage({9: asked}, {"a": "fixed", "b": "relearned"}, 0)
    assert never == {"method": "a", "rows": 9, "coverage": 0.0, "without": 1.0}
    assert once == {"method": "b", "rows": 9, "coverage": 0.5, "without": 0.0}


def test_an_interval_in_the_true_graph_is_that_of_the_oracle():
    X = make_linear_sem(2000, adjacency=CHAIN, random_state=0).X
    low, high = tasks.interval(tasks.Question(X, CHAIN, 0, 2), "true", 0)
    effect = tasks.total_effects(methods.in_the_true_graph(X, CHAIN))[0, 2]
    assert low < effect < high
    assert high - low < 0.5


def test_two_places_are_compared_seed_by_seed():
    rows = pd.DataFrame(
        [
            {"setting": "Missing values", "method": "m", "seed": seed, "missing": at, "effects": x}
            for seed, pair in enumerate([(1.0, 2.0), (2.0, 4.0), (3.0, 6.0)])
            for at, x in zip((0.0, 0.1), pair, strict=True)
        ]
    )
    evidence = Evidence(rows, benchmark.settings, benchmark.metrics)
    check = ratio_of_places("Missing values", "effects", "m", 0.1, 0.0, at_most=1.5)
    verdict = check(evidence)
    assert verdict.outcome == "contradicted"
    assert verdict.measured.startswith("ratio of m (at 0.1) to itself (at 0) 2 ")
