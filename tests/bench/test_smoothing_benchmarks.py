"""The benchmarks of certified smoothing run, and their parts are right."""

import sys

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, norm

from skreg.bench._cli import main
from skreg.bench.arena import smoothing_race as race
from skreg.bench.arena import smoothing_settings as settings
from skreg.bench.arena import smoothing_tasks as tasks
from skreg.bench.arena.smoothing_views import draw_certified_accuracy


@pytest.mark.parametrize(
    ("name", "n_settings"), [("randomized-smoothing-lvm", 3), ("smoothing-speed", 1)]
)
def test_smallest_size_runs(name, n_settings, tmp_path, capsys):
    words = ["bench", name, "--size", "smallest", "--n-jobs", "1", "--output", str(tmp_path)]
    assert main(words) == 0, capsys.readouterr().out
    results = pd.read_parquet(tmp_path / "smallest" / name / "results.parquet")
    assert results["setting"].nunique() == n_settings


def assert_same_bounds(one, other):
    """Lower bounds of the top class, which do not blow up near 1 as radii do."""
    bounds = (norm.cdf(radii / race.SIGMA) for radii in (one, other))
    np.testing.assert_allclose(*bounds, atol=0.04)


def test_the_plain_loop_is_cohen_s_rule():
    contest = race.contest(0, model="logistic", n_rows=4, n=2000)
    ours = race.WAYS[race.VOTES](contest)
    loop = race.loop_radii(contest)
    assert_same_bounds(ours, loop)
    most = binomtest(2000, 2000).proportion_ci(1 - 2 * race.ALPHA, method="exact").low
    assert loop.max() <= race.SIGMA * norm.ppf(most) + 1e-12
    assert ours.max() <= race.SIGMA * norm.ppf(most) + 1e-12


def test_art_computes_the_same():
    pytest.importorskip("art")
    contest = race.contest(0, model="logistic", n_rows=3, n=2000)
    assert_same_bounds(race.art_radii(contest), race.loop_radii(contest))


def test_a_half_space_is_known():
    task = tasks.half_space(0, n=60)
    (row,) = tasks.measure_soundness(task, {tasks.COHEN: tasks.WAYS[tasks.COHEN]}, 0)
    assert 0 <= row["wrong"] <= settings.ALLOWED
    assert 0 < row["average"] < tasks.DISTANCE
    far = task._replace(X=task.X - [2 * tasks.DISTANCE, 0.0])  # the other class, as far away
    (row,) = tasks.measure_soundness(far, {tasks.COHEN: tasks.WAYS[tasks.COHEN]}, 0)
    assert row["wrong"] > 0.5


def test_certified_accuracy_is_drawn_of_what_was_run():
    rows = [
        {"setting": settings.PLAIN, "method": name, "seed": 0, "radius": r, "accuracy": 1 - r}
        for name in settings.FAST
        for r in tasks.RADII
    ]
    figure = draw_certified_accuracy(
        pd.DataFrame(rows), [settings.PLAIN, settings.NOISY], settings.FAST
    )
    assert len(figure.axes) == 1


def test_a_missing_rival_is_said(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "art", None)
    words = ["bench", "smoothing-speed", "--size", "smallest", "--n-jobs", "1"]
    assert main([*words, "--output", str(tmp_path)]) == 0
    assert "pip install adversarial-robustness-toolbox" in capsys.readouterr().out
