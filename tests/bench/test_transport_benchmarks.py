"""The benchmarks of sparse transport run, and their parts are right."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linear_sum_assignment, linprog
from scipy.special import softmax

from skreg.bench import Evidence
from skreg.bench._cli import main
from skreg.bench._registry import find_benchmarks, load_benchmark
from skreg.bench.arena import transport_assignments as assignments
from skreg.bench.arena import transport_checks as along
from skreg.bench.arena import transport_race as race
from skreg.bench.arena import transport_tasks as tasks
from skreg.bench.papers import sparse_optimal_transport as claims
from skreg.bench.races import transport_speed


@pytest.mark.parametrize(
    ("name", "settings"), [("sparse-optimal-transport", 3), ("transport-speed", 1)]
)
def test_smallest_size_runs(name, settings, tmp_path, capsys):
    pytest.importorskip("ot")
    words = ["bench", name, "--size", "smallest", "--n-jobs", "1", "--output", str(tmp_path)]
    assert main(words) == 0, capsys.readouterr().out
    results = pd.read_parquet(tmp_path / "smallest" / name / "results.parquet")
    assert results["setting"].nunique() == settings
    benchmark = load_benchmark(find_benchmarks()[name].path)
    assert set(results["method"]) <= set(benchmark.methods)


def small_clouds(k, gamma=1.0, seed=0):
    return tasks.clouds(seed, n_sources=30, n_targets=6, k=k, gamma=gamma)


def test_clouds_are_a_function_of_the_seed_and_have_the_sheet_s_value():
    C, a, b, k, _ = tasks.clouds(0, n_sources=200, n_targets=20, k=10)
    assert (C.shape, k, C.max(), C.min() >= 0) == ((200, 20), 10, 1.0, True)
    assert a.sum() == pytest.approx(1.0) == b.sum()
    again = tasks.clouds(0, n_sources=200, n_targets=20, k=10)
    np.testing.assert_array_equal(C, again.cost)
    assert not np.array_equal(C, tasks.clouds(1, n_sources=200, n_targets=20, k=10).cost)
    copies = np.repeat(C, 10, axis=1)  # n = k m, equal masses: entries are all 1 / n
    rows, columns = linear_sum_assignment(copies)
    expected = copies[rows, columns].mean() + 0.5 / 200
    assert tasks.ours("relaxed")(again)["value"] == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("k", [1, 4, 30])
def test_dual_value_is_the_semi_dual_of_pot(k):
    smooth = pytest.importorskip("ot.smooth")
    problem = small_clouds(k, gamma=0.3)
    alpha = np.random.default_rng(1).normal(size=30) / 5
    regul = smooth.SparsityConstrained(max_nz=k, gamma=0.3)
    expected, _ = smooth.semi_dual_obj_grad(alpha, problem.a, problem.b, problem.cost, regul)
    assert race.dual_value(problem, alpha) == pytest.approx(expected, rel=1e-12)


def test_emd_at_the_end_of_small_k_is_the_linear_program():
    pytest.importorskip("ot")
    problem = small_clouds(1)
    C, a, b, _, _ = problem
    marginals = np.vstack([np.kron(np.eye(30), np.ones(6)), np.kron(np.ones(30), np.eye(6))])
    found = linprog(C.ravel(), A_eq=marginals, b_eq=np.concatenate([a, b]))
    expected = found.fun + 0.5 * np.sum(b**2)
    assert tasks.pot_emd(problem)["value"] == pytest.approx(expected, rel=1e-9)
    assert tasks.pot_emd(small_clouds(2)) is None


def test_lbfgs_on_the_smooth_dual_ends_at_quadratic_transport():
    pytest.importorskip("ot")
    problem = small_clouds(30)
    expected = tasks.pot_quadratic(problem)["value"]
    found = tasks.PLANS[tasks.BY_GRADIENT](problem)
    assert found["dual_value"] == pytest.approx(expected, rel=1e-6)
    assert found["error"] < 36 * 1e-6
    assert tasks.pot_quadratic(small_clouds(3)) is None


def test_lbfgs_by_pot_s_rule_is_pot_s_dual():
    pytest.importorskip("ot")
    problem = small_clouds(3)
    ours, theirs = (tasks.PLANS[name](problem) for name in (tasks.BY_VALUE, tasks.POT_DUAL))
    assert ours["dual_value"] == pytest.approx(theirs["dual_value"], rel=1e-3)
    assert theirs["excess"] == 0


def test_too_small_k_have_no_k_sparse_answer_and_wrong_plans_are_never_silent():
    assert tasks.PLANS[tasks.SPARSE](small_clouds(4)) is None
    dual = tasks.PLANS[tasks.DUAL](small_clouds(1))
    assert dual["error"] > 0.1
    assert dual["silent"] == 0.0


def test_marginal_error_is_the_sum_of_what_rows_and_columns_lack():
    problem = tasks.clouds(0, n_sources=2, n_targets=2, k=1)
    assert tasks.marginal_error(problem, np.array([[0.5, 0.0], [0.0, 0.3]])) == pytest.approx(0.4)
    about = tasks.about_plan(problem, np.full((2, 2), 0.25))
    assert about == {"error": tasks.ROUNDING, "excess": 1}


def test_best_assignment_within_capacity_is_the_best_of_all():
    cost = np.random.default_rng(0).random((6, 3))
    clusters = assignments.Clusters(cost, cost.argmin(axis=1), 2)
    best = min(
        cost[np.arange(6), labels].sum()
        for labels in map(np.array, itertools.product(range(3), repeat=6))
        if np.bincount(labels, minlength=3).max() <= 2
    )
    labels = assignments.best_within_capacity(clusters)
    assert np.bincount(labels).max() == 2
    assert cost[np.arange(6), labels].sum() == pytest.approx(best)


def test_routes_of_four_tokens_by_hand():
    logits = np.array([[2.0, 0.0], [3.0, 0.0], [1.0, 0.0], [0.0, 5.0]])
    tokens = assignments.Tokens(logits, 2)
    assert assignments.favourite_routes(tokens).sum(axis=0).tolist() == [3, 1]
    first_come = assignments.first_come_routes(tokens)
    assert first_come.any(axis=1).tolist() == [True, True, False, True]
    choice = assignments.expert_choice_routes(tokens)
    assert choice[:, 0].tolist() == [True, True, False, False]
    assert choice[:, 1].tolist() == [False, False, True, True]
    rows = {row["method"]: row for row in
            assignments.measure_routes(tokens, assignments.ROUTES, 0)}  # fmt: skip
    gate = softmax(logits, axis=1)
    dropping = rows[assignments.FIRST_COME]
    assert (dropping["load"], dropping["served"]) == (1.0, 0.75)
    assert dropping["affinity"] == pytest.approx((gate[0, 0] + gate[1, 0] + gate[3, 1]) / 4)
    assert rows[assignments.TOP_1]["load"] == 1.5


def test_transport_routes_have_the_largest_logits_within_capacity():
    tokens = assignments.skewed_tokens(0, n_tokens=48, n_experts=6)
    routes = assignments.transport_routes(tokens)
    assert routes.sum(axis=0).max() <= tokens.capacity == 8
    assert (routes.sum(axis=1) == 1).all()
    copies = np.repeat(tokens.logits, 8, axis=1)
    best = copies[linear_sum_assignment(copies, maximize=True)].sum()
    assert tokens.logits[routes].sum() == pytest.approx(best)


def evidence(values):
    """Values of one method at k = 1, 2, 4, a row for each seed."""
    rows = [
        {"setting": claims.CLOUDS, "method": "it", "seed": seed, "k": k, "value": value}
        for seed, row in enumerate(values)
        for k, value in zip((1, 2, 4), row, strict=True)
    ]
    return Evidence(pd.DataFrame(rows), claims.benchmark.settings, claims.benchmark.metrics)


def test_checks_along_k_look_at_the_worst_step_and_the_largest_value_of_each_seed():
    falling, rising = evidence([[3, 2, 2], [4, 3, 1]]), evidence([[3, 2, 2.5], [4, 3, 3.6]])
    falls = along.never_rises("it", "value", claims.CLOUDS, slack=1e-9)
    assert falls(falling).outcome == "reproduced"  # steps of 0 and of -1 at least
    assert falls(rising).outcome != "reproduced"
    assert "0.55" in falls(rising).measured
    largest = along.largest_along_k("it", "value", claims.CLOUDS, at_least=3)
    assert f"{12**0.5:.3g}" in largest(falling).measured
    ratio = along.ratio_along_k("it", "value", claims.CLOUDS, 4, 1, at_most=0.5)
    assert f"{(2 / 3 / 4) ** 0.5:.3g}" in ratio(falling).measured


def test_dual_values_fall_behind_by_the_share_that_is_missing_and_never_by_less_than_nothing():
    rows = [
        {"setting": "it", "method": method, "seed": seed, "dual_value": value}
        for method, values in {race.OURS: (1.0, 0.9), race.DUAL: (0.5, 1.0)}.items()
        for seed, value in enumerate(values)
    ]
    settings = {"it": next(iter(transport_speed.CONTESTS.values()))}
    found = Evidence(pd.DataFrame(rows), settings, transport_speed.benchmark.metrics)
    behind = race.falls_behind(race.OURS, race.DUAL, "it", at_most=1e-6)
    assert "0.05 (" in behind(found).measured
    even = Evidence(found.results.replace(0.9, 1.0), settings, found.metrics)
    assert behind(even).outcome == "reproduced"


def test_costs_are_given_in_the_precision_that_is_raced():
    problem = small_clouds(10)
    assert race.costs_of(race.SINGLE, problem).cost.dtype == np.float32
    assert race.costs_of(race.OURS, problem) is problem


def test_growth_has_twice_the_entries_that_sources_need():
    problems = list(race.growing(0, sizes=(50, 100), n_targets=10))
    assert [(p.cost.shape, p.k) for p in problems] == [((50, 10), 10), ((100, 10), 20)]
    rows = race.measure_growth(iter(problems), {race.OURS: None}, 0)
    assert [row["n"] for row in rows] == [50, 100]
    assert transport_speed.benchmark.serial
