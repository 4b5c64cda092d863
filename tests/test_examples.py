"""Every example runs from start to end in a fresh process and prints what it promises."""

import os
import re
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


SCRIPTS = sorted(path.name for path in EXAMPLES.glob("plot_*.py"))


def test_the_gallery_lists_every_example_once():
    header = (EXAMPLES / "GALLERY_HEADER.rst").read_text()
    assert sorted(re.findall(r"sphx_glr_gallery_(plot_\w+\.py)", header)) == SCRIPTS


@pytest.mark.parametrize("name", SCRIPTS)
def test_example_has_a_title_the_common_look_and_a_way_on(name):
    text = (EXAMPLES / name).read_text()
    over, title, under = text.removeprefix('"""\n').splitlines()[:3]
    assert over == under == "=" * len(title)
    assert "plt.rcParams.update(STYLE)" in text
    assert "# Where to go next: " in text
    links = re.findall(r"sphx_glr_gallery_(plot_\w+\.py)", text)
    assert set(links) <= set(SCRIPTS) - {name}


@pytest.mark.slow
@pytest.mark.parametrize("name", SCRIPTS)
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
