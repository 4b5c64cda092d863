"""The benchmark of classes in turn runs, and its tasks and rivals are what they are said to be."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

pytest.importorskip("torch")

from skreg.bench._benchmark import Evidence
from skreg.bench._cli import main
from skreg.bench.arena import continual_tasks as tasks
from skreg.bench.arena.continual_checks import ahead_on_every_seed


@pytest.fixture(scope="module")
def stream():
    return tasks.digits_in_turn(0, epochs=(1, 1), n_features=32)


def test_smallest_size_runs(tmp_path, capsys):
    words = ["bench", "ovor", "--size", "smallest", "--n-jobs", "1", "--output", str(tmp_path)]
    assert main(words) == 0, capsys.readouterr().out
    results = pd.read_parquet(tmp_path / "smallest" / "ovor" / "results.parquet")
    assert (results.groupby("setting")["method"].nunique().to_numpy() == [9, 4]).all()
    assert results["accuracy"].between(0, 100).all()


def test_two_classes_make_a_task(stream):
    assert stream.X.shape == (1000, 32)
    assert len(stream.X_test) == 797
    np.testing.assert_allclose(stream.X.mean(axis=0), 0, atol=1e-5)
    raw = tasks.digits_in_turn(0, epochs=(1, 1), n_features=32, standardize=False)
    assert raw.X.min() == 0
    np.testing.assert_array_equal(raw.y, stream.y)
    pairs = {task: set(stream.y[stream.task == task]) for task in range(5)}
    assert all(len(pair) == 2 for pair in pairs.values())
    for task, pair in pairs.items():
        assert set(stream.y_test[stream.task_test == task]) == pair
    assert pairs != {
        task: set(part.y[part.task == task])
        for part in [tasks.digits_in_turn(1, epochs=(1, 1), n_features=4)]
        for task in range(5)
    }


def test_statistics_of_tasks_add_up_to_those_of_all_samples(stream):
    last = list(tasks.linear_discriminant(stream, 0))[-1]
    whole = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=1e-4).fit(stream.X, stream.y)
    np.testing.assert_array_equal(last.predict(stream.X_test), whole.predict(stream.X_test))


def test_replay_sees_forty_of_each_earlier_class(stream, monkeypatch):
    seen = []

    class Head(tasks.VORLogisticHead):
        def partial_fit(self, X, y):
            seen.append(pd.Series(y).value_counts())
            return super().partial_fit(X, y)

    monkeypatch.setattr(tasks, "VORLogisticHead", Head)
    *_, model = tasks.replay(stream, 0)
    own = np.unique(stream.y[stream.task == 4])
    assert (seen[-1].drop(own) == 40).all()
    assert (seen[-1][own] == pd.Series(stream.y).value_counts()[own]).all()
    assert len(model.classes_) == 10


@pytest.mark.parametrize(("values", "outcome"), [([2, 3], "reproduced"), ([2, 1], "contradicted")])
def test_ahead_on_every_seed(values, outcome):
    results = pd.DataFrame(
        {
            "setting": "S",
            "method": ["a", "a", "b", "b"],
            "seed": [0, 1, 0, 1],
            "m": [*values, 1, 1],
        }
    )
    evidence = Evidence(results, {"S": SimpleNamespace(axis=None)}, {})
    verdict = ahead_on_every_seed(["a"], "b", "m", setting="S")(evidence)
    assert verdict.outcome == outcome
