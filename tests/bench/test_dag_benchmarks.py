"""The benchmarks on acyclic graphs run, and their contestants solve the same problem."""

import numpy as np
import pandas as pd
import pytest

from skreg.bench._cli import main
from skreg.bench.arena import dag_methods
from skreg.bench.papers import colide, colide_paper
from skreg.bench.races import dag_speed
from skreg.causal import CoLiDE
from skreg.datasets import make_linear_sem


@pytest.mark.parametrize("name", ["dag-speed", "colide"])
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


def test_missing_rivals_are_named_and_left_out(monkeypatch):
    monkeypatch.setitem(dag_methods.NEEDS, "dagma", ("no_such_module", "pip install it"))
    with pytest.warns(UserWarning, match="dagma is not installed and left out; .* pip install it"):
        assert dag_methods.installed(["dagma", "CoLiDE-EV"]) == ["CoLiDE-EV"]


def test_accuracy_of_the_truth_is_perfect():
    sem = make_linear_sem(50, 8, edges_per_node=1, random_state=0)
    graph = dag_methods.Graph(sem.adjacency, sem.noise_scale)
    assert colide.accuracy(sem, graph) == {
        "shd": 0, "shd_c": 0, "sid": 0.0, "tpr": 1.0, "fdr": 0.0, "noise": 0.0,
    }  # fmt: skip
    assert colide.accuracy(sem, dag_methods.Graph(sem.adjacency))["noise"] is None


def test_standardised_data_are_standardised_and_seeded():
    sem = colide.draw(0, standardize=True, n_features=5, edges_per_node=1)
    np.testing.assert_allclose(sem.X.std(axis=0), 1)
    again = colide.draw(0, n_features=5, edges_per_node=1)
    np.testing.assert_allclose(sem.X, again.X / again.X.std(axis=0))


def test_published_rows_stand_beside_ours():
    sem = make_linear_sem(100, 5, edges_per_node=1, random_state=0)
    methods = {
        colide.EV: lambda X: dag_methods.Graph(CoLiDE("ev", mode="fast").fit(X).adjacency_matrix_),
        colide_paper.PAPER + colide.NV: None,
    }
    ours, published = colide_paper.measure(sem, methods, 0)
    assert ours["method"] == colide.EV
    assert "shd" in ours
    assert published["shd"] == 390.7
    assert published["sid"] == pytest.approx(22734 / (200 * 199))
