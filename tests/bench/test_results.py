"""Statistics over seeds, tables and verdicts, against computations by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from skreg.bench import Claim, Metric, Setting
from skreg.bench._registry import find_benchmarks, load_benchmark
from skreg.bench._results import judge_claims
from skreg.bench._statistics import by_seed, mean_and_standard_error, paired_differences
from skreg.bench._tables import setting_tables

from .conftest import TOYS


@pytest.fixture
def toy():
    return load_benchmark(find_benchmarks([TOYS])["toy-means"].path)


@pytest.fixture
def results():
    return pd.DataFrame(
        {
            "setting": "normal",
            "method": ["mean"] * 3 + ["median"] * 3,
            "seed": [0, 1, 2, 2, 1, 0],
            "n_samples": 5,
            "squared_error": [1.0, 2.0, 6.0, 8.0, 3.0, 1.0],
        }
    )


def test_mean_and_standard_error_by_hand(results):
    summary = mean_and_standard_error(by_seed(results, "normal", "squared_error", ["method"]))
    # Squares of the deviations from the mean 3 of (1, 2, 6): 4 + 1 + 9 = 14.
    assert summary.loc["mean", "mean"] == 3
    assert summary.loc["mean", "standard_error"] == pytest.approx(np.sqrt(14 / 2 / 3), rel=1e-14)


def test_paired_differences_match_seeds_by_hand(results):
    values = by_seed(results, "normal", "squared_error", ["method", "n_samples"])
    differences = paired_differences(values, "mean")
    assert differences["median", 5].tolist() == [0, 1, 2]
    summary = mean_and_standard_error(differences)
    assert summary.loc[("median", 5), "mean"] == 1
    # Far smaller than that of an unpaired difference, sqrt(14/6 + 26/6) = 2.58.
    error = summary.loc[("median", 5), "standard_error"]
    assert error == pytest.approx(1 / np.sqrt(3), rel=1e-14)


def test_single_seed_and_infinite_mean_have_no_standard_error():
    values = pd.DataFrame({"a": [1.0], "b": [np.inf]})
    assert mean_and_standard_error(values)["standard_error"].isna().all()
    summary = mean_and_standard_error(pd.DataFrame({"a": [1.0, np.inf]}))
    assert summary.loc["a", "mean"] == np.inf
    assert np.isnan(summary.loc["a", "standard_error"])


def test_tables_show_means_and_paired_differences(toy, results):
    means, differences = setting_tables(toy, "normal", results)
    (_, (mean,)), (_, (median,)) = means.rows
    assert (str(mean), mean.strong) == ("3.000 ±1.528", True)
    assert (str(median), median.strong) == ("4.000 ±2.082", False)
    ((method, (difference,)),) = differences.rows
    assert (method, str(difference), difference.strong) == ("median", "+1.000 ±0.577", False)
    assert "samples" in str(means)
    assert "±0.577" in str(differences)


def test_difference_of_more_than_two_standard_errors_stands_out(toy, results):
    results.loc[results["method"] == "median", "squared_error"] -= 4
    _, differences = setting_tables(toy, "normal", results)
    ((_, (difference,)),) = differences.rows
    assert (str(difference), difference.strong) == ("−3.000 ±0.577", True)


def test_best_of_a_column_follows_the_direction_of_the_metric(toy, results):
    higher = replace(toy, metrics={"squared_error": Metric("Squared error", better="higher")})
    means, _ = setting_tables(higher, "normal", results)
    assert [entry.strong for _, (entry,) in means.rows] == [False, True]


def test_setting_without_axis_has_one_column_per_metric(toy, results):
    results["seconds"] = [2.0, 2.0, 2.0, 1.0, 1.0, np.nan]
    setting = replace(toy.settings["normal"], axis=None, metrics=["squared_error", "seconds"])
    benchmark = replace(
        toy,
        settings={"normal": setting},
        metrics={**toy.metrics, "seconds": Metric("time", "s", digits=1)},
    )
    means, _ = setting_tables(benchmark, "normal", results)
    assert means.head == ["Squared error", "time (s)"]
    assert str(means.rows[1][1][1]) == "1.0 ±0.0"


def test_method_without_a_value_is_shown_as_a_dash(toy, results):
    only_mean_at_7 = results[results["method"] == "mean"].assign(n_samples=7)
    means, _ = setting_tables(toy, "normal", pd.concat([results, only_mean_at_7]))
    assert means.head == ["5", "7"]
    assert [str(entry) for entry in means.rows[1][1]] == ["4.000 ±2.082", "–"]


def test_no_differences_from_a_single_seed(toy, results):
    assert len(setting_tables(toy, "normal", results[results["seed"] == 0])) == 1


def test_claims_are_judged_on_the_results(toy, results):
    reproduced, refuted = judge_claims(toy, "quick", results, [])
    assert reproduced.badge == "reproduced"
    assert reproduced.verdict.measured == "ratio 1.33"
    assert refuted.badge == "not reproduced"
    assert refuted.verdict.required == "< 0.01"


def test_claims_wait_for_their_size_and_settings(toy, results):
    first = judge_claims(toy, "smallest", results, [])[0]
    assert (first.badge, first.reason) == ("not tested", "tested at size quick or full")
    first = judge_claims(toy, "quick", results.iloc[:0], [])[0]
    assert (first.badge, first.reason) == ("not tested", "'normal' is not part of size quick")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reference": "mode"}, "reference: 'mode' is not one of 'mean', 'median'"),
        ({"repeats": {"quick": 1}}, "repeats: 'smallest' is not one of 'quick'"),
        ({"metrics": {}}, "'squared_error' is not one of"),
        ({"claims": [Claim("A claim", len, ["uniform"])]}, "'uniform' is not one of 'normal'"),
        ({"claims": [Claim("A claim", len, [], ["huge"])]}, "'huge' is not one of 'smallest'"),
        (
            {"settings": {"s": Setting("", len, len, [], methods=["mode"])}, "claims": []},
            r"settings\['s'\].methods: 'mode' is not one of",
        ),
    ],
)
def test_parts_of_a_benchmark_must_know_each_other(toy, change, message):
    with pytest.raises(ValueError, match=message):
        replace(toy, **change)


def test_setting_names_the_methods_that_take_part(toy):
    from skreg.bench._cells import plan_cells

    setting = replace(toy.settings["normal"], methods=["median"])
    apart = replace(toy, settings={"normal": setting, "other": toy.settings["normal"]})
    cells = plan_cells("toy", apart, "quick", 1)
    assert [(c.setting, c.methods) for c in cells] == [
        ("normal", ("median",)),
        ("other", ("mean",)),
        ("other", ("median",)),
    ]
    cells = plan_cells("toy", replace(apart, together=True), "quick", 1)
    assert [c.methods for c in cells] == [("median",), ("mean", "median")]
