"""The packaged benchmarks and the example run at their smallest size, and their parts are right."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr

from skreg.bench._cli import main
from skreg.bench.papers import naive_bayes_probe

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "benchmarks"


@pytest.mark.parametrize(
    "name",
    ["naive-bayes-probe", "probe-speed", "wine-probes", "sensitivity-sampling", "coreset-speed"],
)
def test_smallest_size_runs(name, tmp_path, capsys):
    words = ["bench", "--benchmarks", str(EXAMPLES), name, "--size", "smallest", "--n-jobs", "1"]
    code = main([*words, "--output", str(tmp_path)])
    assert code == 0, capsys.readouterr().out
    assert (tmp_path / "smallest" / name / "report.html").exists()
    assert len(pd.read_parquet(tmp_path / "smallest" / name / "results.parquet"))


@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_bayes_error_of_the_mixture_agrees_with_its_best_classifier(n_classes):
    n_features = 6
    rng = np.random.default_rng(0)
    X, y = naive_bayes_probe.mixture_sample(rng, n_classes, n_features, 200_000)
    scale = 2.0 ** (n_classes - 3) if n_classes > 2 else 1.0
    shift = scale if n_classes > 2 else 0.0
    variance = np.where(np.arange(n_features) < n_features // 2, n_features, 1.0)
    levels = naive_bayes_probe.class_levels(n_classes)
    log_density = -0.5 * (
        ((X * scale + shift)[:, None, :] - levels[None, :, None]) ** 2 / variance
    ).sum(axis=2)
    error = np.mean(log_density.argmax(axis=1) != y)
    expected = naive_bayes_probe.bayes_error(n_classes, n_features)
    assert error == pytest.approx(expected, abs=4 * np.sqrt(expected / len(y)))


def test_bayes_error_of_two_classes_is_the_closed_form():
    assert naive_bayes_probe.bayes_error(2, 7) == pytest.approx(ndtr(-2.0), rel=1e-14)


def test_every_method_meets_the_same_subsets_of_a_task():
    task = naive_bayes_probe.breast_cancer(3, train_sizes=[8, 32])
    again = dict.fromkeys(("first", "second"), naive_bayes_probe.METHODS[naive_bayes_probe.NB])
    together = naive_bayes_probe.curve_errors(task, again, 3, "minmax")
    alone = naive_bayes_probe.curve_errors(task, {"first": again["first"]}, 3, "minmax")
    np.testing.assert_array_equal(together["first"], together["second"])
    np.testing.assert_array_equal(together["first"], alone["first"])


@pytest.mark.parametrize(
    "draw",
    [
        naive_bayes_probe.breast_cancer,
        naive_bayes_probe.frozen_features_of_same_classes,
        naive_bayes_probe.frozen_features_of_new_classes,
    ],
)
def test_tasks_are_functions_of_the_seed_and_share_no_row_between_training_and_test(draw):
    task, again = draw(0, train_sizes=[10]), draw(0, train_sizes=[10])
    np.testing.assert_array_equal(task.X, again.X)
    np.testing.assert_array_equal(task.y_test, again.y_test)
    pool = {row.tobytes() for row in task.X}
    assert not any(row.tobytes() in pool for row in task.X_test)
