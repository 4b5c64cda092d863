"""The packaged benchmarks and the example run at their smallest size, and their parts are right."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr

from skreg.bench import Evidence
from skreg.bench._cli import main
from skreg.bench.arena import probe_checks, probe_tasks
from skreg.bench.arena.clock import medians_in_turns, peak_megabytes, timed
from skreg.bench.arena.coreset_checks import agree_where_above
from skreg.bench.papers import naive_bayes_probe, sensitivity_sampling

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "benchmarks"


@pytest.mark.parametrize(
    "name",
    [
        "naive-bayes-probe",
        "probe-speed",
        "wine-probes",
        "sensitivity-sampling",
        "coreset-speed",
        "coreset-guarantees",
        "presto",
        "ordinal-speed",
        "ordinal-inference",
        "block-coordinate-descent",
        "bcd-speed",
    ],
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
    X, y = probe_tasks.mixture_sample(rng, n_classes, n_features, 200_000)
    scale = 2.0 ** (n_classes - 3) if n_classes > 2 else 1.0
    shift = scale if n_classes > 2 else 0.0
    variance = np.where(np.arange(n_features) < n_features // 2, n_features, 1.0)
    levels = probe_tasks.class_levels(n_classes)
    log_density = -0.5 * (
        ((X * scale + shift)[:, None, :] - levels[None, :, None]) ** 2 / variance
    ).sum(axis=2)
    error = np.mean(log_density.argmax(axis=1) != y)
    expected = probe_tasks.bayes_error(n_classes, n_features)
    assert error == pytest.approx(expected, abs=4 * np.sqrt(expected / len(y)))


def test_bayes_error_of_two_classes_is_the_closed_form():
    assert probe_tasks.bayes_error(2, 7) == pytest.approx(ndtr(-2.0), rel=1e-14)


def test_every_method_meets_the_same_subsets_of_a_task():
    task = probe_tasks.breast_cancer(3, train_sizes=[8, 32])
    again = dict.fromkeys(("first", "second"), naive_bayes_probe.METHODS[naive_bayes_probe.NB])
    together = probe_tasks.curve_errors(task, again, 3, "minmax")
    alone = probe_tasks.curve_errors(task, {"first": again["first"]}, 3, "minmax")
    np.testing.assert_array_equal(together["first"], together["second"])
    np.testing.assert_array_equal(together["first"], alone["first"])


@pytest.mark.parametrize(
    "draw",
    [
        probe_tasks.breast_cancer,
        probe_tasks.frozen_features_of_same_classes,
        probe_tasks.frozen_features_of_new_classes,
    ],
)
def test_tasks_are_functions_of_the_seed_and_share_no_row_between_training_and_test(draw):
    task, again = draw(0, train_sizes=[10]), draw(0, train_sizes=[10])
    np.testing.assert_array_equal(task.X, again.X)
    np.testing.assert_array_equal(task.y_test, again.y_test)
    pool = {row.tobytes() for row in task.X}
    assert not any(row.tobytes() in pool for row in task.X_test)


def test_growth_is_read_at_the_ends_of_the_axis():
    rows = [
        {"setting": naive_bayes_probe.TWO_CLASSES, "method": naive_bayes_probe.LR, "seed": seed}
        | {"n_features": n, "sample_complexity": needed * (1 + 0.01 * seed)}
        for seed in range(3)
        for n, needed in ((50, 70.0), (100, 1.0), (200, 1.0), (400, 350.0))
    ]
    benchmark = naive_bayes_probe.benchmark
    evidence = Evidence(pd.DataFrame(rows), benchmark.settings, benchmark.metrics)
    for limit, outcome in ((4, "reproduced"), (6, "contradicted")):
        check = probe_checks.grows(
            naive_bayes_probe.LR, naive_bayes_probe.TWO_CLASSES, [50, 100, 200, 400], at_least=limit
        )
        assert check(evidence).outcome == outcome


def test_crossings_are_found_seed_by_seed():
    sizes = np.array([4, 16, 64, 256])
    curves = {naive_bayes_probe.NB: np.array([[0.2, 0.2, 0.2, 0.2]] * 2)}
    curves[naive_bayes_probe.LR] = np.array([[0.4, 0.3, 0.1, 0.1], [0.3, 0.3, 0.3, 0.3]])
    rows = [
        {"setting": naive_bayes_probe.CANCER, "method": name, "seed": seed}
        | {"n_train": m, "error": error}
        for name, table in curves.items()
        for seed, row in enumerate(table)
        for m, error in zip(sizes, row, strict=True)
    ]
    evidence = Evidence(pd.DataFrame(rows), {}, {})
    found = probe_checks.crossing_of_seeds(evidence, naive_bayes_probe.CANCER)
    np.testing.assert_allclose(found, [32.0, np.inf])  # in the middle of 16 and 64 in log scale


def test_lewis_weights_are_compared_where_both_distort():
    rows = [
        {"setting": sensitivity_sampling.HEAVY_AT[p], "method": name, "seed": seed}
        | {"n_samples": m, "distortion": distortion * (2.0 if name == "lewis" else 1.0)}
        for p in sensitivity_sampling.POWERS
        for name in ("lewis", "sensitivity")
        for seed in range(3)
        for m, distortion in ((100, 0.3), (200, 0.1), (400, 0.004))
    ]
    rows[2]["distortion"] *= 1000  # where one of both is below 0.01 it does not count
    check = agree_where_above(
        0.01,
        *("lewis", "sensitivity", "distortion"),
        settings=[*sensitivity_sampling.HEAVY_AT.values()],
        factor=2.1,
    )
    found = check(Evidence(pd.DataFrame(rows), {}, {}))
    assert found.outcome == "reproduced"
    assert found.measured.startswith("ratio 2 (2 to 2 at 95 %, 3 seeds); ratio 2 (")


def test_actions_take_turns_and_a_slow_one_is_not_repeated():
    now, calls = [0.0], []

    def action(name, seconds):
        def run():
            calls.append(name)
            now[0] += seconds.pop(0)

        return run

    actions = {"a": action("a", [1.0, 9.0, 2.0]), "slow": action("slow", [50.0])}
    found = medians_in_turns(actions, 3, patience=40.0, clock=lambda: now[0])
    assert found == {"a": 2.0, "slow": 50.0}
    assert calls == ["a", "slow", "a", "a"]


def test_timed_returns_result_and_seconds():
    ticks = iter([3.0, 5.5])
    assert timed(max, 1, 2, clock=lambda: next(ticks)) == (2, 2.5)


def test_peak_memory_is_that_of_the_arrays_of_a_call():
    assert peak_megabytes(np.zeros, 10**6) == pytest.approx(8.0, rel=0.01)
