"""Statistics over seeds, tables and verdicts, against computations by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from skreg.bench import Claim, Metric, Setting
from skreg.bench._registry import find_benchmarks, load_benchmark
from skreg.bench._results import Finding, judge_claim, judge_claims
from skreg.bench._statistics import by_seed, mean_and_standard_error, paired_differences
from skreg.bench._tables import number_text, place_text, setting_tables

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
    assert (str(mean), mean.strong) == ("3.000 ±1.528 [2.000]", True)
    assert (str(median), median.strong) == ("4.000 ±2.082 [3.000]", False)
    ((method, (difference,)),) = differences.rows
    assert (method, str(difference), difference.strong) == (
        "median",
        "+1.000 ±0.577 [+1.000]",
        False,
    )
    assert "samples" in str(means)
    assert "±0.577" in str(differences)


def test_difference_of_more_than_two_standard_errors_stands_out(toy, results):
    results.loc[results["method"] == "median", "squared_error"] -= 4
    _, differences = setting_tables(toy, "normal", results)
    ((_, (difference,)),) = differences.rows
    assert (str(difference), difference.strong) == ("−3.000 ±0.577 [−3.000]", True)


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
    assert str(means.rows[1][1][1]) == "1.0 ±0.0 [1.0]"


def test_method_without_a_value_is_shown_as_a_dash(toy, results):
    only_mean_at_7 = results[results["method"] == "mean"].assign(n_samples=7)
    means, _ = setting_tables(toy, "normal", pd.concat([results, only_mean_at_7]))
    assert means.head == ["5", "7"]
    assert [str(entry) for entry in means.rows[1][1]] == ["4.000 ±2.082 [3.000]", "–"]


def test_no_differences_from_a_single_seed(toy, results):
    assert len(setting_tables(toy, "normal", results[results["seed"] == 0])) == 1


@pytest.fixture
def at_ten(results):
    return results.assign(n_samples=10)


def test_claims_have_three_outcomes_on_the_results(toy, at_ten):
    near, far, better = judge_claims(Finding(toy, "quick", at_ten.assign(squared_error=[1.0] * 6)))
    assert (near.badge, far.badge, better.badge) == ("reproduced", "contradicted", "reproduced")
    assert near.numbers == "mean of mean (at 10) 1 (1 to 1 at 95 %, 3 seeds); required: ≤ 2"
    near, _, better = judge_claims(Finding(toy, "quick", at_ten))
    assert (near.badge, better.badge) == ("undecided", "undecided")


def test_numbers_of_a_size_that_does_not_decide_are_shown(toy, at_ten):
    claim = replace(toy.claims[0], sizes=["full"])
    judged = judge_claim(claim, Finding(toy, "quick", at_ten))
    assert judged.badge == "at this size"
    assert judged.numbers.startswith("mean of mean (at 10) 3 (")


def test_a_claim_without_results_says_why_there_is_no_verdict(toy, at_ten):
    def first(**known):
        judged = judge_claims(Finding(**({"benchmark": toy, "size": "quick"} | known)))[0]
        assert judged.badge == ("not in this size" if "benchmark" in known else "no verdict")
        return judged.numbers

    assert first(results=at_ten, failed={"normal"}) == "cells of 'normal' failed"
    nothing = at_ten.iloc[:0]
    assert first(results=nothing, missing={"normal": 8}) == "8 cells missing of 'normal'"
    setting = replace(toy.settings["normal"], parameters={"full": {}})
    elsewhere = replace(toy, settings={"normal": setting})
    assert first(benchmark=elsewhere, results=nothing) == "'normal' is not part of size quick"


def test_a_claim_about_a_rival_that_is_not_installed_says_what_to_install(toy, at_ten):
    without = replace(toy, needs={"median": ("no_such_package", "race")})
    rows = at_ten[at_ten["method"] == "mean"]
    near, far, better = judge_claims(Finding(without, "quick", rows))
    assert near.badge == "undecided"
    for judged in (far, better):
        assert (judged.badge, judged.numbers) == ("no verdict", "pip install 'skreg[race]'")
    whole = replace(toy, needs={"median": ("no_such_package", "pip install rival --no-deps")})
    assert judge_claims(Finding(whole, "quick", rows))[1].numbers == "pip install rival --no-deps"
    alone = replace(toy.settings["normal"], methods=["median"])
    nobody = replace(without, settings={"normal": alone})
    near = judge_claims(Finding(nobody, "quick", rows.iloc[:0]))[0]
    assert near.numbers == "pip install 'skreg[race]'"


def test_nothing_is_decided_while_cells_are_missing(toy, at_ten):
    known = Finding(toy, "quick", at_ten.assign(squared_error=1.0), missing={"normal": 1})
    near = judge_claims(known)[0]
    assert near.badge == "so far"
    assert near.numbers.endswith("required: ≤ 2 (1 cell missing)")


def test_a_check_reads_its_settings_only_and_may_break(toy, at_ten):
    seen = []

    def check(evidence):
        seen.append(set(evidence.results["setting"]))
        raise ZeroDivisionError("no seeds")

    other = at_ten.assign(setting="other")
    judged = judge_claim(
        Claim("A claim.", check, ["normal"]),
        Finding(toy, "quick", pd.concat([at_ten, other])),
    )
    assert seen == [{"normal"}]
    assert judged.broken
    assert judged.badge == "no verdict"
    assert judged.numbers == "its check failed: ZeroDivisionError: no seeds"


def test_medians_stand_beside_means_of_three_seeds_or_more(toy, results):
    two_seeds = setting_tables(toy, "normal", results[results["seed"] < 2])
    assert "[" not in str(two_seeds[0])
    assert "median" not in two_seeds[0].caption
    assert "± standard error [median]" in setting_tables(toy, "normal", results)[0].caption


def test_numbers_are_written_alike_in_a_column():
    assert number_text(-1234567.891, 2) == "−1\u202f234\u202f567.89"
    assert number_text(0.5, 3, "+") == "+0.500"
    assert number_text(-np.inf, 2) == "−∞"
    assert [place_text(x) for x in (5, 200_000, 2e6, 0.05)] == [
        "5", "200\u202f000", "2\u202f000\u202f000", "0.05",
    ]  # fmt: skip


def test_a_column_of_tiny_numbers_is_written_in_a_power_of_ten(toy, results):
    tiny = results.assign(squared_error=results["squared_error"] * 1e-7)
    means, differences = setting_tables(toy, "normal", tiny)
    assert means.title == "Squared error (10⁻⁷)"
    assert str(means.rows[1][1][0]) == "4.000 ±2.082 [3.000]"
    assert differences.title == "Squared error (10⁻⁷), difference from mean"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reference": "mode"}, "reference: 'mode' is not one of 'mean', 'median'"),
        ({"repeats": {"quick": 1}}, "repeats: 'smallest' is not one of 'quick'"),
        ({"seconds": {"huge": 1.0}}, "seconds: 'huge' is not one of 'smallest'"),
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
