"""The benchmarks on acyclic graphs run, and their contestants solve the same problem."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from skreg.bench._cli import main
from skreg.bench._environment import extras
from skreg.bench._results import Finding, judge_claims
from skreg.bench.arena import dag_methods, dag_tasks, rivals, var_methods, var_tasks
from skreg.bench.papers import colide
from skreg.bench.races import dag_speed
from skreg.causal import CoLiDE
from skreg.datasets import make_linear_sem, make_structural_var


@pytest.mark.parametrize("name", ["dag-speed", "colide", "structural-var", "causal-effects"])
def test_smallest_size_runs(name, tmp_path, capsys):
    words = ["bench", "run", name, "--size", "smallest", "--n-jobs", "1", "--quiet"]
    code = main([*words, "--output", str(tmp_path)])
    assert code == 0, capsys.readouterr().out
    assert (tmp_path / "smallest" / name / "report.html").exists()
    assert len(pd.read_parquet(tmp_path / "smallest" / name / "results.parquet"))


def test_contestants_solve_the_same_problem():
    pytest.importorskip("dagma")
    X = make_linear_sem(200, 6, edges_per_node=1, random_state=0).X
    ours = dag_speed.METHODS[dag_speed.REFERENCE](X)
    theirs = dag_speed.METHODS[dag_speed.DAGMA](X)
    np.testing.assert_allclose(ours.adjacency, theirs.adjacency, atol=1e-8)


def test_single_stages_have_the_iterations_they_are_timed_for():
    pytest.importorskip("dagma")
    X = make_linear_sem(200, 6, edges_per_node=1, random_state=0).X
    theirs = dag_speed.STAGE[dag_speed.DAGMA](X, 3000).adjacency
    ours = dag_speed.STAGE[dag_speed.REFERENCE](X, 3000).adjacency
    other = dag_speed.STAGE[dag_speed.REFERENCE](X, 2900).adjacency
    kept = (ours != 0) & (other != 0)  # ours are made acyclic, which the first stage alone is not
    assert kept.sum() >= 4
    np.testing.assert_allclose(ours[kept], theirs[kept], atol=1e-8)
    assert np.abs(other[kept] - theirs[kept]).max() > 1e-4


def test_claims_about_a_missing_rival_say_how_to_get_it():
    benchmark = replace(dag_speed.benchmark, needs={dag_speed.DAGMA: ("no_such_module", "race")})
    rows = pd.DataFrame(
        [
            {"setting": dag_speed.FITS[20], "method": name, "seed": 0, "cpu": 1.0}
            for name in (dag_speed.REFERENCE, dag_speed.FAST)
        ]
    )
    claim = judge_claims(Finding(benchmark, "quick", rows))[1]
    assert claim.statement == "20 nodes: so is a fit."
    assert (claim.badge, claim.numbers) == ("no verdict", "pip install 'skreg[race]'")


@pytest.mark.parametrize("name", ["DirectLiNGAM", "adelie"])
def test_rivals_without_an_extra_have_a_command(name):
    assert rivals.NEEDS[name][1].startswith("pip install ")


def test_extras_that_bring_rivals_exist():
    known = set(extras())
    assert {how for _, how in rivals.NEEDS.values() if " " not in how} <= known


def test_accuracy_of_the_truth_is_perfect():
    sem = make_linear_sem(50, 8, edges_per_node=1, random_state=0)
    graph = dag_methods.Graph(sem.adjacency, sem.noise_scale)
    assert dag_tasks.accuracy(sem, graph) == {
        "shd": 0, "shd_c": 0, "sid": 0.0, "tpr": 1.0, "fdr": 0.0, "noise": 0.0,
    }  # fmt: skip
    assert dag_tasks.accuracy(sem, dag_methods.Graph(sem.adjacency))["noise"] is None


def test_standardised_data_are_standardised_and_seeded():
    sem = dag_tasks.draw(0, standardize=True, n_features=5, edges_per_node=1)
    np.testing.assert_allclose(sem.X.std(axis=0), 1)
    again = dag_tasks.draw(0, n_features=5, edges_per_node=1)
    np.testing.assert_allclose(sem.X, again.X / again.X.std(axis=0))


def test_published_rows_stand_beside_ours():
    sem = make_linear_sem(100, 5, edges_per_node=1, random_state=0)
    methods = {
        colide.EV: lambda X: dag_methods.Graph(CoLiDE("ev", mode="fast").fit(X).adjacency_matrix_),
        "published": colide.METHODS[f"published: {colide.NV}"],
    }
    ours, published = dag_tasks.measure(sem, methods, 0)
    assert ours["method"] == colide.EV
    assert "shd" in ours
    assert published["shd"] == 390.7
    assert published["sid"] == pytest.approx(22734 / (200 * 199))


def test_several_variances_have_one_graph():
    sems = dag_tasks.draw_each(0, variances=[0.1, 10.0], n_features=5, edges_per_node=1)
    np.testing.assert_array_equal(sems[0.1].adjacency, sems[10.0].adjacency)
    np.testing.assert_allclose(10 * sems[0.1].X, sems[10.0].X)
    rows = list(dag_tasks.measure_each(sems, {"empty": dag_methods.empty_graph}, 0))
    assert [(row["method"], row["variance"]) for row in rows] == [("empty", 0.1), ("empty", 10.0)]


def test_accuracy_of_the_true_autoregression_is_perfect():
    series = make_structural_var(50, 5, 2, random_state=0)
    truth = var_methods.Graphs(series.adjacency, series.lagged_adjacency)
    assert var_tasks.accuracy(series, truth) == {"shd": 0, "f1": 1.0, "f1_lagged": 1.0}
    nothing = var_methods.Graphs(0 * series.adjacency, 0 * series.lagged_adjacency)
    assert var_tasks.accuracy(series, nothing)["f1_lagged"] == 0.0
    assert var_tasks.f1(np.zeros(3), np.zeros(3)) == 1.0


def test_two_steps_find_both_graphs_of_many_rows():
    series = make_structural_var(20_000, 5, 2, random_state=0)
    B, residuals = var_methods.autoregression(series.X, 2)
    inverse = np.linalg.inv(np.eye(5) - series.adjacency)
    np.testing.assert_allclose(B, series.lagged_adjacency @ inverse, atol=0.1)
    assert residuals.shape == (19_998, 5)
    for method in (var_methods.two_steps("ev"), var_methods.two_steps_pruned("ev")):
        found = method(series.X, 2)
        assert var_tasks.accuracy(series, found) == {"shd": 0, "f1": 1.0, "f1_lagged": 1.0}
    assert not var_methods.no_instantaneous_edges(series.X, 2).adjacency.any()
