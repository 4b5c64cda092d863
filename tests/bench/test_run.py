"""Running the cells of a benchmark: resumption, failures, interruptions, parallel backends."""

import json
import os

import numpy as np
import pandas as pd
import pytest

from skreg.bench._cells import CellStore, Outcome, plan_cells, run_cell
from skreg.bench._cli import main
from skreg.bench._registry import find_benchmarks, load_benchmark

from .conftest import TOYS


@pytest.fixture
def toy():
    return find_benchmarks([TOYS])["toy-means"]


def outcome_of(cell, rows=()):
    return Outcome(cell.setting, list(cell.methods), cell.seed, list(rows), 0.1, {})


def test_results_are_those_of_the_measured_functions(run_toy):
    code, _, _, folder = run_toy()
    assert code == 0
    results = pd.read_parquet(folder / "results.parquet")
    assert results.columns.tolist() == ["setting", "method", "seed", "n_samples", "squared_error"]
    assert len(results) == 2 * 4 * 2
    for row in results.itertuples():
        sample = np.random.default_rng(row.seed).normal(size=10)[: row.n_samples]
        assert row.squared_error == {"mean": np.mean, "median": np.median}[row.method](sample) ** 2
    pd.testing.assert_frame_equal(pd.read_csv(folder / "results.csv"), results)


def test_second_run_reuses_all_cells_and_fresh_none(run_toy, traces):
    assert "0 of them from before" in run_toy()[1]
    assert "8 of them from before" in run_toy()[1]
    assert len(traces.read_text().splitlines()) == 8
    assert "0 of them from before" in run_toy("--fresh")[1]
    assert len(traces.read_text().splitlines()) == 16


def test_more_repeats_run_only_the_new_seeds(run_toy, traces):
    run_toy("--repeats", "2")
    traces.write_text("")
    run_toy("--repeats", "3")
    assert sorted(traces.read_text().splitlines()) == ["mean 2", "median 2"]


def test_sizes_share_cells_of_equal_parameters_only(run_toy, traces):
    run_toy(size="smallest")
    traces.write_text("")
    run_toy(size="quick")
    assert len(traces.read_text().splitlines()) == 2 * 2
    traces.write_text("")
    run_toy(size="full")
    assert len(traces.read_text().splitlines()) == 2 * 8


def test_interrupted_run_resumes_from_finished_cells(run_toy, traces, monkeypatch):
    monkeypatch.setenv("TOY_INTERRUPTED", "mean 2")
    code, _, err, folder = run_toy()
    assert code == 130
    assert "Interrupted" in err
    assert len(list((folder / "cells").glob("*.json"))) == 4
    assert not list((folder / "cells").glob("*.tmp"))
    monkeypatch.delenv("TOY_INTERRUPTED")
    traces.write_text("")
    code, out, _, _ = run_toy()
    assert code == 0
    assert "4 of them from before" in out
    assert sorted(traces.read_text().splitlines()) == ["mean 2", "mean 3", "median 2", "median 3"]


def test_failed_cell_is_reported_and_run_again(run_toy, traces, monkeypatch):
    monkeypatch.setenv("TOY_FAILS", "median 1")
    code, out, _, folder = run_toy()
    assert code == 1
    assert "failed: normal, median, seed 1: ZeroDivisionError" in out
    assert "[not tested] The mean is better." in out
    assert len(pd.read_parquet(folder / "results.parquet")) == 7 * 2
    report = (folder / "report.html").read_text()
    assert "Traceback (most recent call last)" in report
    assert "the toy was asked to fail" in report
    monkeypatch.delenv("TOY_FAILS")
    traces.write_text("")
    assert run_toy()[0] == 0
    assert traces.read_text() == "median 1\n"


def test_warnings_of_cells_are_counted_in_the_report(run_toy, monkeypatch):
    monkeypatch.setenv("TOY_WARNS", "1")
    _, _, _, folder = run_toy()
    report = (folder / "report.html").read_text()
    assert "<td>8 times</td><td>RuntimeWarning: the toy was asked to warn</td>" in report


def test_outcome_is_written_whole_or_not_at_all(tmp_path, toy, monkeypatch):
    cell = plan_cells("toy-means", load_benchmark(toy.path), "quick", 1)[0]
    store = CellStore(tmp_path, toy.digest)
    store.write(cell, outcome_of(cell, [{"squared_error": 1.0}]))

    def power_cut(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", power_cut)
    with pytest.raises(OSError, match="no space left"):
        store.write(cell, outcome_of(cell, [{"squared_error": 2.0}]))
    assert store.read(cell).rows == [{"squared_error": 1.0}]
    assert len(list(tmp_path.iterdir())) == 1


def test_outcomes_of_another_source_or_version_are_not_found(tmp_path, toy, monkeypatch):
    cell = plan_cells("toy-means", load_benchmark(toy.path), "quick", 1)[0]
    CellStore(tmp_path, toy.digest).write(cell, outcome_of(cell))
    assert CellStore(tmp_path, toy.digest).read(cell) == outcome_of(cell)
    assert CellStore(tmp_path, "another source").read(cell) is None
    monkeypatch.setattr("skreg.__version__", "another version")
    assert CellStore(tmp_path, toy.digest).read(cell) is None


def test_results_survive_json_with_infinite_and_missing_values(tmp_path, toy):
    cell = plan_cells("toy-means", load_benchmark(toy.path), "quick", 1)[0]
    store = CellStore(tmp_path, toy.digest)
    store.write(cell, outcome_of(cell, [{"a": float("inf"), "b": float("nan")}]))
    (row,) = store.read(cell).rows
    assert row["a"] == np.inf
    assert np.isnan(row["b"])


def test_numpy_scalars_become_plain_numbers(toy):
    cell = plan_cells("toy-means", load_benchmark(toy.path), "quick", 1)[0]
    for row in run_cell(toy.path, cell).rows:
        assert json.loads(json.dumps(row)) == row


def test_processes_give_the_results_of_one_process(run_toy, tmp_path):
    folder = run_toy()[3]
    alone = pd.read_parquet(folder / "results.parquet")
    assert "0 of them from before" in run_toy("--fresh", "--n-jobs", "2")[1]
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "results.parquet"), alone)


def test_dask_cluster_gives_the_results_of_one_process(run_toy):
    distributed = pytest.importorskip("distributed")
    folder = run_toy()[3]
    alone = pd.read_parquet(folder / "results.parquet")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        code, out, _, _ = run_toy("--fresh", "--dask", cluster.scheduler_address)
    assert code == 0
    assert "0 of them from before" in out
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "results.parquet"), alone)


def test_absent_dask_cluster_is_a_usage_error(run_toy):
    pytest.importorskip("distributed")
    code, _, err, _ = run_toy("--dask", "no-such-protocol://here")
    assert code == 2
    assert "no dask scheduler answers at no-such-protocol://here" in err


def test_serial_benchmark_runs_in_this_process(tmp_path):
    toys = tmp_path / "toys"
    toys.mkdir()
    (toys / "toy_serial.py").write_text(
        '"""Which process runs the cells?"""\n'
        "import os\n"
        "from skreg.bench import Benchmark, Metric, Setting\n"
        "def data(seed): return None\n"
        "def measure(data, methods, seed):\n"
        '    yield from ({"method": m, "process": os.getpid()} for m in methods)\n'
        'setting = Setting("None.", data, measure, ["process"])\n'
        "benchmark = Benchmark(\n"
        '    settings={"nothing": setting}, methods={"a": None}, reference="a", serial=True,\n'
        '    metrics={"process": Metric("process")},\n'
        '    repeats={"smallest": 3, "quick": 3, "full": 3},\n'
        ")\n"
    )
    words = ["bench", "--benchmarks", str(toys), "toy-serial", "--n-jobs", "2"]
    assert main([*words, "--output", str(tmp_path)]) == 0
    results = pd.read_csv(tmp_path / "toy-serial" / "results.csv")
    assert set(results["process"]) == {os.getpid()}
