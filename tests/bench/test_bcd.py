"""The problems of the block coordinate descent benchmarks, and checks that can fail."""

import itertools

import numpy as np
import pandas as pd
import pytest

from skreg.bench import Evidence
from skreg.bench.arena import descent_checks, descent_runs
from skreg.bench.arena import descent_problems as problems
from skreg.bench.papers import block_coordinate_descent as claims


def test_recipes_are_functions_of_the_seed_with_the_stated_sizes():
    one = problems.least_squares(3, n_samples=200, n_features=400)
    two = problems.least_squares(3, n_samples=200, n_features=400)
    np.testing.assert_array_equal(one.y, two.y)
    kept = 10 * np.log(200) / 200
    assert one.X.nnz / one.X.shape[0] / one.X.shape[1] == pytest.approx(kept, abs=0.02)
    logistic = problems.logistic(0, n_samples=200, n_features=400)
    assert set(np.unique(logistic.y)) == {-1.0, 1.0}
    softmax = problems.multinomial(0, n_samples=200, n_features=50, n_classes=6)
    assert softmax.y.shape == (200, 6)
    assert np.all(softmax.y.sum(axis=1) == 1)


@pytest.mark.parametrize("seed", range(3))
def test_graphs_have_a_unique_solution(seed):
    lattice = problems.lattice(seed, side=10, n_labelled=6)
    assert lattice.A.shape == (94, 94)
    moons = problems.moons(seed, n_nodes=200, n_labelled=10)
    for problem in (lattice, moons):
        assert np.linalg.eigvalsh(problem.A.toarray())[0] > 0


def test_the_largest_penalty_gives_zero():
    problem = problems.nonnegative_lasso(0, n_samples=60, n_features=100, share=1.0)
    from skreg.optim.descent import BlockCoordinateDescent

    assert not BlockCoordinateDescent().minimize(problem).x.any()


def evidence_of(values, setting, column="log_gap"):
    """The last values of some methods, one list entry per seed; curves start at zero."""
    steps = (0, 10) if column == "log_gap" else (np.nan,)
    rows = [
        {"setting": setting, "method": name, "seed": seed, "iteration": step, column: value}
        for name, per_seed in values.items()
        for seed, end in enumerate(per_seed)
        for step, value in zip(steps, (0.0, end)[-len(steps) :], strict=True)
    ]
    benchmark = claims.benchmark
    return Evidence(pd.DataFrame(rows), benchmark.settings, benchmark.metrics)


def test_leads_at_the_last_iteration_have_three_outcomes():
    found = evidence_of({"a": [-5.0, -4.9, -5.1], "b": [-3.0, -3.0, -3.1]}, claims.MATRIX)
    for decades, outcome in ((1.5, "reproduced"), (2.0, "undecided"), (2.5, "contradicted")):
        check = descent_checks.ends_below(claims.MATRIX, "a", ["b"], decades)
        assert check(found).outcome == outcome
    found = evidence_of({"a": [-5.0, -5.0], "b": [-1.0, -1.0], "c": [-9.0, -9.0]}, claims.MATRIX)
    both = descent_checks.ends_below(claims.MATRIX, "a", ["b", "c"], 1.0)
    assert both(found).outcome == "contradicted"


def test_orders_are_read_pair_by_pair():
    found = evidence_of({"a": [-5.0, -4.0], "b": [-3.0, -2.0], "c": [-1.0, -0.1]}, claims.MOONS)
    assert descent_checks.in_order([claims.MOONS], ["a", "b", "c"])(found).outcome == "reproduced"
    assert descent_checks.in_order([claims.MOONS], ["a", "c", "b"])(found).outcome == "contradicted"


def iterations(**changed):
    few = {"projected Newton, variable": [3, 3], "two-metric, variable": [4, 4]}
    many = {"projected Newton, sort": [40, 41], "two-metric, sort": [50, 50]}
    proximal = {"proximal gradient, variable": [60, 60], "proximal gradient, sort": [90, 90]}
    values = few | many | proximal | changed
    return evidence_of(values, "Nonnegative lasso, blocks of 20", "iterations")


def test_claims_about_iterations_can_fail():
    setting = "Nonnegative lasso, blocks of 20"
    assert descent_checks.ends_early(setting, 5, 10)(iterations()).outcome == "reproduced"
    assert descent_checks.ends_early(setting, 3, 10)(iterations()).outcome == "contradicted"
    slow = iterations(**{"two-metric, variable": [5, 5], "proximal gradient, variable": [49, 49]})
    assert descent_checks.ends_early(setting, 5, 10)(slow).outcome == "contradicted"
    assert descent_checks.variable_beats_fixed([setting])(iterations()).outcome == "reproduced"
    worse = iterations(**{"two-metric, sort": [2, 2]})
    assert descent_checks.variable_beats_fixed([setting])(worse).outcome == "contradicted"


def test_curves_hold_a_run_that_ended_early_at_its_last_value():
    from skreg.optim.descent import BlockCoordinateDescent

    problem = problems.lattice(0, side=6, n_labelled=4)
    result = BlockCoordinateDescent(tol=1e-8).minimize(problem)
    best = descent_runs.graph_optimum(problem)
    rows = list(descent_runs.curve("tree", result, best, result.nit + 50))
    assert rows[0]["log_gap"] == 0.0
    assert rows[-1]["iteration"] == result.nit + 50
    assert rows[-1]["log_gap"] < -8
    assert all(a["log_gap"] >= b["log_gap"] for a, b in itertools.pairwise(rows))
