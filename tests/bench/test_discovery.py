"""Every packaged benchmark loads, and a new one is one file."""

import pandas as pd
import pytest

import skreg.bench.papers
from skreg.bench import _registry
from skreg.bench._cli import main

FILES = _registry.find_benchmarks()

NEW = '''"""Is the mean of normal numbers zero?"""

import numpy as np

from skreg.bench import Benchmark, Metric, Setting


def draw(seed):
    return np.random.default_rng(seed).standard_normal(100)


def measure(data, methods, seed):
    for name, method in methods.items():
        yield {"method": name, "error": abs(method(data))}


benchmark = Benchmark(
    settings={"Normal": Setting("100 numbers.", draw, measure, ["error"])},
    methods={"mean": np.mean, "median": np.median},
    metrics={"error": Metric("Error")},
    repeats={"smallest": 1, "quick": 2, "full": 2},
    reference="mean",
)
'''


@pytest.mark.parametrize("name", FILES)
def test_every_packaged_benchmark_loads(name):
    if FILES[name].missing:
        pytest.skip(f"needs {FILES[name].missing}")
    assert _registry.load_benchmark(FILES[name].path).settings


def test_a_new_benchmark_is_one_file(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "papers"
    folder.mkdir()
    (folder / "normal_mean.py").write_text(NEW)
    monkeypatch.setattr(_registry, "ROOMS", (folder,))
    monkeypatch.setattr(skreg.bench.papers, "__path__", [str(folder)])
    assert main(["bench", "list"]) == 0
    assert "normal-mean" in capsys.readouterr().out
    words = ["bench", "run", "normal-mean", "--size", "quick", "--n-jobs", "1", "--quiet"]
    assert main([*words, "--output", str(tmp_path)]) == 0
    assert (tmp_path / "quick" / "normal-mean" / "report.html").exists()
    assert len(pd.read_parquet(tmp_path / "quick" / "normal-mean" / "results.parquet")) == 4
