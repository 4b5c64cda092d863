"""The benchmark of tilted boundaries runs, and its data and rivals are what they are called."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from skreg.bench._cli import main
from skreg.bench.arena import tilting_attacks as attacks
from skreg.bench.arena import tilting_digits as digits
from skreg.robustness import tilting_path

NAME = "boundary-tilting"


def test_smallest_size_runs(tmp_path, capsys):
    words = ["bench", NAME, "--size", "smallest", "--n-jobs", "1", "--output", str(tmp_path)]
    assert main(words) == 0, capsys.readouterr().out
    results = pd.read_parquet(tmp_path / "smallest" / NAME / "results.parquet")
    path = results[results["method"] == "Logistic regression"].sort_values("C")
    np.testing.assert_allclose(path["strength"], 1 / np.cos(path["angle"]), rtol=1e-10)
    assert path["strength"].is_monotonic_increasing


def test_wrong_labels_are_balanced_and_in_training_rows_only():
    task = digits.noisy_pair(3, digits=(3, 7))
    X, label = load_digits(return_X_y=True)
    true = {row.tobytes(): int(k == 7) for row, k in zip(X / 16.0, label, strict=True)}
    expected = np.array([true[row.tobytes()] for row in task.X])
    assert np.ptp(np.bincount(task.y)) == np.ptp(np.bincount(expected)) == 0
    assert np.mean(task.y != expected) == pytest.approx(0.05, abs=0.01)
    np.testing.assert_array_equal([true[row.tobytes()] for row in task.X_test], task.y_test)
    assert not {row.tobytes() for row in task.X} & {row.tobytes() for row in task.X_test}


def test_choices_are_those_of_the_path():
    task = digits.noisy_pair(0, digits=(3, 8))
    path = tilting_path(digits.logistic(), task.X, task.y, param_range=digits.GRID)
    for which, C in (("recommended", path.recommended_param), ("best", path.best_param)):
        assert digits.by_tilting(which)(task, path).get_params()["C"] == C
    back = digits.untilted(task, path)
    assert back.t * back.angle_ == pytest.approx(path.angle[path.recommended_index], rel=1e-6)


def test_attacks_find_the_boundary():
    task = attacks.fitted_rows(0, n=40, d=20)
    exact = attacks.closed_form(task)
    np.testing.assert_allclose(attacks.deepfool(task), (1 + attacks.OVERSHOOT) * exact, rtol=1e-8)
    found = attacks.gradient_steps(task)
    assert np.all(found > exact * (1 - 1e-9))
    assert found.mean() < 1.1 * exact.mean()
