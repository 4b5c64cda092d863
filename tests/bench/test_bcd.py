"""The problems of the block coordinate descent benchmarks, and checks that can fail."""

import itertools

import numpy as np
import pandas as pd
import pytest

from skreg.bench.arena import descent_problems as problems
from skreg.bench.arena import descent_views as views
from skreg.bench.papers import block_coordinate_descent
from skreg.bench.races import bcd_speed


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


def results_of(values, setting="S"):
    """Table with the last values of some methods, one list entry per seed."""
    rows = [
        {"setting": setting, "method": name, "seed": seed, "iteration": step, "log_gap": value}
        for name, per_seed in values.items()
        for seed, value in enumerate(per_seed)
        for step in (0, 10)
    ]
    return pd.DataFrame(rows)


def test_claims_about_curves_can_fail():
    table = results_of({"a": [-5.0, -4.0], "b": [-3.0, -3.0], "c": [-1.0, -3.5]})
    assert views.lower_by("S", "a", ["b", "c"], 1.5)(table).reproduced
    assert not views.lower_by("S", "a", ["b", "c"], 1.6)(table).reproduced
    assert views.in_order("S", ["a", "b", "c"], 0.5)(table).reproduced
    assert not views.in_order("S", ["a", "b", "c"], 0.6)(table).reproduced
    assert views.medians_in_order(["S"], ["c", "b", "a"])(table).reproduced
    assert not views.medians_in_order(["S"], ["a", "b", "c"])(table).reproduced
    assert views.all_lower(["S"], "a", "b")(table).reproduced
    assert not views.all_lower(["S"], "b", "a")(table).reproduced


def test_claims_about_iterations_can_fail():
    values = {
        "projected Newton, variable": 3, "two-metric, variable": 4, "projected Newton, sort": 40,
        "two-metric, sort": 50, "proximal gradient, variable": 60, "proximal gradient, sort": 90,
    }  # fmt: skip
    table = pd.DataFrame(
        [
            {"setting": "S", "method": name, "seed": 0, "iterations": value}
            for name, value in values.items()
        ]
    )
    assert views.lasso_ends_at_once("S", 5, 10)(table).reproduced
    assert not views.lasso_ends_at_once("S", 3, 10)(table).reproduced
    assert not views.lasso_ends_at_once("S", 5, 20)(table).reproduced
    assert views.variable_beats_fixed(["S"])(table).reproduced
    table.loc[table["method"] == "two-metric, sort", "iterations"] = 2
    assert not views.variable_beats_fixed(["S"])(table).reproduced


def test_curves_hold_a_run_that_ended_early_at_its_last_value():
    from skreg.optim.descent import BlockCoordinateDescent

    problem = problems.lattice(0, side=6, n_labelled=4)
    result = BlockCoordinateDescent(tol=1e-8).minimize(problem)
    best = block_coordinate_descent.optimum(problem, "solve")
    rows = list(block_coordinate_descent.curve("tree", result, best, result.nit + 50))
    assert rows[0]["log_gap"] == 0.0
    assert rows[-1]["iteration"] == result.nit + 50
    assert rows[-1]["log_gap"] < -8
    assert all(a["log_gap"] >= b["log_gap"] for a, b in itertools.pairwise(rows))


def test_speed_claims_can_fail():
    table = pd.DataFrame(
        [
            {"setting": bcd_speed.BLOCK_5, "method": bcd_speed.GREEDY, "ratio": 3.5},
            *(
                {"setting": bcd_speed.LATTICE, "method": name, "milliseconds": value}
                for name, value in (
                    (bcd_speed.UPDATE, 30.0), (bcd_speed.TRIANGULAR, 20.0), (bcd_speed.LU, 9.0),
                )
            ),
        ]
    )  # fmt: skip
    assert not bcd_speed.greedy_is_affordable(bcd_speed.BLOCK_5)(table).reproduced
    assert bcd_speed.message_passing_is_fast(table).reproduced
    table.loc[table["method"] == bcd_speed.UPDATE, "milliseconds"] = 70.0
    assert not bcd_speed.message_passing_is_fast(table).reproduced
