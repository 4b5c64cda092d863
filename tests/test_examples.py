"""Every example runs from start to end in a fresh process and prints what it promises."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
PROMISES = {
    "plot_naive_bayes_probe.py": [
        "Raw pixels, tuned by cross-validation",
        "Naive Bayes report: 600 samples, 64 features, 10 classes",
        "Naive Bayes report: 600 samples, 128 features, 10 classes",
        "Frozen features, mean error over",
        "logistic is ahead of naive Bayes at",
        "logistic, balanced is ahead of naive Bayes",
    ]
}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("plot_*.py")))
def test_example_runs_and_prints_what_it_promises(name, tmp_path):
    pytest.importorskip("matplotlib")
    finished = subprocess.run(
        [sys.executable, EXAMPLES / name],
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert finished.returncode == 0, finished.stderr
    assert "Warning" not in finished.stderr
    assert finished.stdout
    for promise in PROMISES.get(name, ()):
        assert promise in finished.stdout
    assert list(tmp_path.iterdir()) == []
