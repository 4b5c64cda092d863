"""The benchmark of DR-Tune runs, its tasks are what they are said to be, its checks count right."""

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("skorch")
import torch
from torch.nn import functional as F

from skreg.bench import Evidence
from skreg.bench._cli import main
from skreg.bench.arena import few_digits as tasks
from skreg.bench.arena import few_digits_checks as checks
from skreg.bench.papers.dr_tune import METHODS, benchmark


def test_smallest_size_runs(tmp_path, capsys):
    words = ["bench", "dr-tune", "--size", "smallest", "--n-jobs", "1", "--output", str(tmp_path)]
    assert main(words) == 0, capsys.readouterr().out
    results = pd.read_parquet(tmp_path / "smallest" / "dr-tune" / "results.parquet")
    assert set(results["method"]) == set(METHODS)
    assert results["accuracy"].between(0, 100).all()


@pytest.fixture(scope="module")
def task():
    return tasks.few_digits(1, per_class=3, rates=(0.03,), epochs=3, pretraining=1)


def test_a_task_has_a_few_of_each_class_and_no_row_twice(task):
    assert torch.equal(task.y.bincount(), torch.full((10,), 3))
    assert (len(task.y_held_out), len(task.y_test)) == (200, 897 - 230)
    rows = torch.cat([task.X, task.X_held_out, task.X_test])
    assert len(rows.unique(dim=0)) == 897
    moved = tasks.few_digits(1, per_class=3, rates=(0.03,), pretraining=1, moved=2)
    assert torch.equal(moved.y_test, task.y_test)
    assert not torch.equal(moved.X_test, task.X_test)


def test_recipes_that_do_nothing_are_plain_fine_tuning(task):
    plain = tasks.fine_tuned(task, tasks.Recipe(), 0.03, 0)
    no_pull = tasks.fine_tuned(task, tasks.Recipe(pull=1e-12), 0.03, 0)
    n_rows = len(task.y)
    slowed = tasks.fine_tuned(task, tasks.Recipe(slowed=True), 0.03 * (1 + n_rows / 16), 0)
    for other in (no_pull, slowed):
        for a, b in zip(plain.parameters(), other.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)
    assert F.cross_entropy(plain(task.X), task.y) < np.log(10)


def test_a_strong_pull_keeps_the_weights(task):
    kept = tasks.fine_tuned(task, tasks.Recipe(pull=10.0), 0.03, 0)
    free = tasks.fine_tuned(task, tasks.Recipe(), 0.03, 0)
    moved = [
        sum(float((a - b).detach().square().sum()) for a, b in zip(
            network[0].parameters(), task.encoder.parameters(), strict=True))
        for network in (kept, free)
    ]  # fmt: skip
    assert moved[0] < 0.2 * moved[1]


def table(**accuracies):
    """Three seeds; accuracies and held-out accuracies by method and rate."""
    rows = [
        {"setting": "s", "method": method, "rate": rate, "seed": seed,
         "accuracy": value + seed, "held_out": held_out}
        for method, by_rate in accuracies.items()
        for rate, (value, held_out) in by_rate.items()
        for seed in range(3)
    ]  # fmt: skip
    setting = benchmark.settings["3 per class"]
    return Evidence(pd.DataFrame(rows), {"s": setting}, benchmark.metrics)


def test_checks_count_points():
    evidence = table(
        ours={0.1: (60.0, 50.0), 0.3: (58.0, 40.0)},
        theirs={0.1: (40.0, 45.0), 0.3: (66.0, 44.0)},
        between={0.1: (53.0, 30.0), 0.3: (20.0, 10.0)},
    )
    places = {"setting": "s"}
    best = checks.gain_of_best_rate(["ours"], ["theirs"], **places, at_least=19.5)
    assert best(evidence).outcome == "reproduced"  # 60 - 40, though theirs has 66 at another rate
    assert "20" in best(evidence).measured
    given = checks.gain_of_best_rate(["between", "ours"], ["theirs"], at=0.3, **places)
    assert given(evidence).outcome == "contradicted"  # 60 - 66
    lost = checks.loses_less("theirs", "ours", rates=(0.1, 0.3), at_least=27.5, **places)
    assert lost(evidence).outcome == "reproduced"  # 26 gained against 2 lost
    gap = {"setting": "s", "at": 0.1}
    closing = checks.closes_the_gap("between", "ours", "theirs", at_least=0.5, **gap)
    assert closing(evidence).outcome == "reproduced"  # 13 of 20
    closing = checks.closes_the_gap("between", "ours", "theirs", at_least=0.7, **gap)
    assert closing(evidence).outcome == "contradicted"
