"""Running the cells of a benchmark: resumption, failures, interruptions, parallel backends."""

import dataclasses
import json
import os
import sys

import numpy as np
import pandas as pd
import pytest

from skreg.bench._cells import CellStore, Outcome, plan_cells, run_cell
from skreg.bench._cli import main
from skreg.bench._output import OutputError
from skreg.bench._registry import find_benchmarks, load_benchmark

from .conftest import TOYS


@pytest.fixture
def toy():
    return find_benchmarks([TOYS])["toy-means"]


def outcome_of(cell, rows=()):
    return Outcome(cell.setting, list(cell.methods), cell.seed, list(rows), 0.1, {})


def row_of(cell, **values):
    return {"setting": cell.setting, "seed": cell.seed} | values


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
    assert "8 cells, 0 of them from before" in run_toy()[1]
    assert "8 cells, 8 of them from before; nothing left to run" in run_toy()[1]
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
    cells = folder.parents[1] / "cells" / "toy-means"
    assert len(list(cells.iterdir())) == 4
    monkeypatch.delenv("TOY_INTERRUPTED")
    traces.write_text("")
    code, out, _, _ = run_toy()
    assert code == 0
    assert "4 of them from before" in out
    assert sorted(traces.read_text().splitlines()) == ["mean 2", "mean 3", "median 2", "median 3"]


def test_failed_cell_is_reported_and_run_again(run_toy, traces, monkeypatch):
    monkeypatch.setenv("TOY_FAILS", "median 1")
    code, out, err, folder = run_toy()
    assert code == 1
    assert "toy-means failed: normal, median, seed 1: ZeroDivisionError" in err
    assert "[no verdict] The mean is better. – cells of 'normal' failed" in out
    assert "3 no verdict, 1 cell failed;" in out
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
    store.write(cell, outcome_of(cell, [row_of(cell, squared_error=1.0)]))

    def power_cut(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", power_cut)
    with pytest.raises(OutputError, match="no space left"):
        store.write(cell, outcome_of(cell, [row_of(cell, squared_error=2.0)]))
    assert store.read(cell).rows == [row_of(cell, squared_error=1.0)]
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
    store.write(cell, outcome_of(cell, [row_of(cell, a=float("inf"), b=float("nan"))]))
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
    results = pd.read_csv(tmp_path / "full" / "toy-serial" / "results.csv")
    assert set(results["process"]) == {os.getpid()}


TIMED = """
from skreg.bench import Benchmark, Metric, Setting

CALLS = []


def data(seed, *, rows):
    return rows


def measure(rows, methods, seed):
    CALLS.append((rows, *methods))
    yield from ({"method": name, "calls": len(CALLS)} for name in methods)


benchmark = Benchmark(
    settings={
        "first": Setting(
            "None.", data, measure, ["calls"],
            parameters={"smallest": {"rows": 1}, "quick": {"rows": 10}, "full": {"rows": 100}},
        )
    },
    methods={"a": None, "b": None},
    metrics={"calls": Metric("calls")},
    repeats={"smallest": 1, "quick": 1, "full": 1},
    reference="a",
    serial=True,
    together=True,
)
"""


@pytest.fixture
def timed(tmp_path):
    """Runs a serial benchmark; returns what it measured, in order."""
    (tmp_path / "toys").mkdir()
    path = tmp_path / "toys" / "toy_timed.py"
    path.write_text('"""How long?"""\n' + TIMED)

    def run(size):
        words = ["bench", "--benchmarks", str(path.parent), "toy-timed", "--size", size]
        assert main([*words, "--output", str(tmp_path / "output"), "--quiet"]) == 0
        return sys.modules[load_benchmark(path).settings["first"].measure.__module__].CALLS

    return run


def test_what_is_timed_was_run_before_at_its_smallest(timed):
    assert timed("quick") == [(1, "a", "b"), (10, "a", "b")]
    assert timed("quick") == [(1, "a", "b"), (10, "a", "b")]  # all is there: no warm-up either
    assert timed("smallest")[2:] == [(1, "a", "b")]


def test_a_smaller_size_leaves_the_results_of_a_larger_one_alone(run_toy):
    full = run_toy(size="full")[3]
    before = {path.name: path.read_bytes() for path in full.iterdir()}
    assert before.keys() == {"report.html", "report.json", "results.csv", "results.parquet"}
    quick = run_toy("--fresh", size="quick")[3]
    assert {path.name: path.read_bytes() for path in full.iterdir()} == before
    assert {path.name for path in quick.iterdir()} == before.keys()
    assert "8 cells, 8 of them from before" in run_toy(size="quick")[1]
    assert "16 cells, 16 of them from before" in run_toy(size="full")[1]


def test_report_renders_an_interrupted_run(run_toy, monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("TOY_INTERRUPTED", "median 2")
    folder = run_toy()[3]
    assert not (folder / "report.html").exists()
    words = ["bench", "--benchmarks", str(TOYS), "report", "--output", str(tmp_path / "output")]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "3 so far; 3 of 8 cells missing" in out
    assert str(folder / "report.html") in out
    page = (folder / "report.html").read_text()
    assert "3 of 8 cells are missing" in page
    assert page.count('<span class="badge so-far">') == 3
    assert len(pd.read_csv(folder / "results.csv")) == 5 * 2
    assert "3 so far" in (folder.parent / "index.html").read_text()


def test_report_takes_the_sizes_that_were_run(run_toy, capsys, tmp_path):
    run_toy(size="smallest")
    words = ["bench", "--benchmarks", str(TOYS), "--output", str(tmp_path / "output"), "report"]
    assert main([*words, "toy-means"]) == 0
    assert capsys.readouterr().out.count("Report: ") == 1
    assert main([*words, "toy-means", "--size", "full"]) == 2
    assert "holds no finished cells of size full of toy-means" in capsys.readouterr().err
    assert main([*words[:-1], "nowhere", "report", "--size", "quick"]) == 2


def test_length_of_a_run_is_foretold(run_toy, monkeypatch, tmp_path):
    assert "how long is not known before a first run" in run_toy()[1]
    assert "0 of them from before; about 1 second\n" in run_toy("--fresh")[1]
    benchmark = load_benchmark(find_benchmarks([TOYS])["toy-means"].path)
    declared = dataclasses.replace(benchmark, seconds={"full": 1600.0})
    monkeypatch.setattr("skreg.bench._plan.load_benchmark", lambda path: declared)
    assert "; about 27 minutes\n" in run_toy(size="full")[1]
