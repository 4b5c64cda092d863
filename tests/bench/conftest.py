"""A folder with one toy benchmark, and the command line run in this process."""

from pathlib import Path

import pytest

from skreg.bench._cli import main

TOYS = Path(__file__).parent / "toys"


@pytest.fixture
def traces(tmp_path, monkeypatch):
    """File to which every cell of the toy benchmark that runs adds a line."""
    path = tmp_path / "traces.txt"
    path.touch()
    monkeypatch.setenv("TOY_TRACES", str(path))
    return path


@pytest.fixture
def run_toy(tmp_path, capsys):
    """Run the toy benchmark; returns exit code, standard output, standard error and folder."""

    def run(*options, size="quick"):
        words = ["bench", "--benchmarks", str(TOYS), "toy-means", "--size", size]
        output = tmp_path / "output"
        if "--dask" not in options:
            words += ["--n-jobs", "1"]
        code = main([*words, "--output", str(output), *options])
        printed = capsys.readouterr()
        return code, printed.out, printed.err, output / size / "toy-means"

    return run
