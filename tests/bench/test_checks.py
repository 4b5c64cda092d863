"""The checks that make verdicts, against scipy's intervals, by hand, and with what may go wrong."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from skreg.bench import Axis, Evidence, Metric, Setting
from skreg.bench._benchmark import NoValuesError
from skreg.bench.arena.checks import (
    Bound,
    Interval,
    all_of,
    every,
    gain,
    grows_like,
    level,
    ratio,
    statistic,
)

pytestmark = pytest.mark.filterwarnings("error")
METRICS = {"error": Metric("Error"), "score": Metric("Score", better="higher")}
SETTINGS = {
    name: Setting(name, None, None, ["error"], axis=Axis("n", "rows") if name == "curve" else None)
    for name in ("plain", "other", "curve")
}


def evidence(values, metric="error", setting="plain", at=(None,)):
    """Results from one list of values for each method: seeds down, places of the axis across."""
    rows = [
        {"setting": setting, "method": method, "seed": seed, "n": place, metric: value}
        for method, table in values.items()
        for seed, row in enumerate(table)
        for place, value in zip(at, np.atleast_1d(row), strict=True)
    ]
    return Evidence(pd.DataFrame(rows), SETTINGS, METRICS)


def student(values):
    """scipy's own interval of the mean."""
    return stats.ttest_1samp(values, 0.0).confidence_interval(0.95)


def threshold_just(inside, values, end):
    """A number next to an end of the interval of some values, inside of it or outside."""
    low, high = student(values)
    shift = 1e-9 if (end == "low") == inside else -1e-9
    return (low if end == "low" else high) + shift


SAMPLES = [np.random.default_rng(seed).normal(1.0, 2.0, n) for seed, n in enumerate((2, 3, 7, 30))]


@pytest.mark.parametrize("values", SAMPLES)
def test_interval_is_that_of_scipy(values):
    interval = Interval.of(values)
    low, high = student(values)
    assert interval.mean == pytest.approx(values.mean(), rel=1e-12)
    assert (interval.low, interval.high) == pytest.approx((low, high), rel=1e-9)
    assert interval.n_seeds == len(values)


@pytest.mark.parametrize("values", SAMPLES)
@pytest.mark.parametrize("direction", ["at_least", "at_most"])
def test_outcomes_change_exactly_at_the_ends_of_scipys_interval(values, direction):
    ours = evidence({"a": values})

    def outcome(threshold):
        check = level("a", "error", setting="plain", **{direction: threshold})
        return check(ours).outcome

    safe, lost = ("low", "high") if direction == "at_least" else ("high", "low")
    assert outcome(threshold_just(False, values, safe)) == "reproduced"
    assert outcome(threshold_just(True, values, safe)) == "undecided"
    assert outcome(threshold_just(True, values, lost)) == "undecided"
    assert outcome(threshold_just(False, values, lost)) == "contradicted"


def test_gain_is_paired_by_seed_whatever_the_order_of_the_rows():
    ours, theirs = np.array([5.0, 1.0, 9.0, 3.0]), np.array([6.0, 2.1, 9.9, 4.0])
    table = evidence({"a": ours, "b": theirs})
    shuffled = table._replace(results=table.results.sample(frac=1, random_state=0))
    check = gain("a", "b", "error", setting="plain", at_least=0.8)
    assert student(theirs - ours).low > 0.8
    assert stats.ttest_ind(theirs, ours).confidence_interval().low < 0  # were it not paired
    assert check(shuffled) == check(table)
    assert check(table).outcome == "reproduced"
    assert check(table).measured == "gain over b 1 (0.87 to 1.13 at 95 %, 4 seeds)"


@pytest.mark.parametrize(
    ("metric", "outcome"), [("error", "contradicted"), ("score", "reproduced")]
)
def test_gain_has_the_direction_of_the_metric(metric, outcome):
    table = evidence({"a": [2.0, 2.1, 2.2], "b": [1.0, 1.0, 1.1]}, metric)
    assert gain("a", "b", metric, setting="plain")(table).outcome == outcome


def test_a_gain_of_nothing_is_no_gain_with_a_margin_and_one_without():
    table = evidence({"a": [1.0, 2.0], "b": [1.0, 2.0]})
    assert gain("a", "b", "error", setting="plain", at_least=0.0)(table).outcome == "reproduced"
    assert gain("a", "b", "error", setting="plain", at_least=0.1)(table).outcome == "contradicted"
    assert gain("a", "b", "error", setting="plain", at_least=-0.1)(table).outcome == "reproduced"


def test_each_of_several_rivals_must_be_beaten():
    table = evidence({"a": [1.0, 1.1], "b": [2.0, 2.1], "c": [0.5, 0.6]})
    check = gain("a", ["b", "c"], "error", setting="plain")
    assert check(table).outcome == "contradicted"
    assert check(table).measured.count("gain over") == 2
    assert gain("a", ["b"], "error", setting="plain")(table).outcome == "reproduced"


def test_ratio_is_the_geometric_mean_by_hand():
    ours, theirs = np.array([2.0, 8.0, 4.0]), np.array([1.0, 2.0, 2.0])
    table = evidence({"a": ours, "b": theirs})
    low, high = np.exp(student(np.log(ours / theirs)))
    for bound, outcome in (
        ({"at_least": low * 0.999}, "reproduced"),
        ({"at_least": low * 1.001}, "undecided"),
        ({"at_least": high * 1.001}, "contradicted"),
        ({"at_most": high * 1.001}, "reproduced"),
        ({"at_most": high * 0.999}, "undecided"),
        ({"at_most": low * 0.999}, "contradicted"),
    ):
        assert ratio("a", "b", "error", setting="plain", **bound)(table).outcome == outcome
    # (2 * 4 * 2)^(1/3)
    measured = ratio("a", "b", "error", setting="plain", at_least=1)(table).measured
    assert measured.startswith("ratio to b 2.52 (")


def test_exponent_is_the_slope_of_the_logarithms():
    places = np.array([10.0, 20.0, 40.0, 80.0])
    exponents = np.array([1.0, 1.2, 1.1])
    noise = np.random.default_rng(0).normal(0, 0.1, (3, 4))
    curves = 3.0 * places ** exponents[:, None] * np.exp(noise)
    table = evidence({"a": curves}, setting="curve", at=places)
    slopes = [stats.linregress(np.log(places), np.log(curve)).slope for curve in curves]
    low, high = student(slopes)
    for bound, outcome in (
        (high + 1e-9, "reproduced"), (high - 1e-9, "undecided"), (low - 1e-9, "contradicted"),
    ):  # fmt: skip
        check = grows_like("a", "error", setting="curve", at_most=bound)
        assert check(table).outcome == outcome


def test_exponent_of_a_curve_that_leaves_the_scale_at_its_end_is_infinite():
    table = evidence({"a": [[1.0, np.inf], [1.0, np.inf]]}, setting="curve", at=(1, 2))
    assert grows_like("a", "error", setting="curve", at_least=1)(table).outcome == "reproduced"
    assert grows_like("a", "error", setting="curve", at_most=1)(table).outcome == "contradicted"


def test_exponent_of_one_place_and_of_a_lost_place_is_undecided():
    one = evidence({"a": [[1.0], [2.0]]}, setting="curve", at=(1,))
    assert grows_like("a", "error", setting="curve", at_most=1)(one).outcome == "undecided"
    lost = evidence({"a": [[1.0, np.nan], [1.0, 2.0]]}, setting="curve", at=(1, 2))
    assert grows_like("a", "error", setting="curve", at_most=9)(lost).outcome == "undecided"


CHECKS = [
    gain("a", "b", "error", setting="plain", at_least=0.1),
    ratio("a", "b", "error", setting="plain", at_most=0.9),
    level("a", "error", setting="plain", at_most=5.0),
]


@pytest.mark.parametrize("check", CHECKS)
def test_one_seed_decides_nothing(check):
    table = evidence({"a": [1.0], "b": [9.0]})
    verdict = check(table)
    assert verdict.outcome == "undecided"
    assert "(1 seed)" in verdict.measured


@pytest.mark.parametrize("check", CHECKS)
def test_a_missing_number_is_told_and_decides_nothing(check):
    table = evidence({"a": [1.0, np.nan, 1.0], "b": [9.0, 9.0, 9.0]})
    verdict = check(table)
    assert verdict.outcome == "undecided"
    assert "1 of 3 seeds have no value" in verdict.measured


@pytest.mark.parametrize(
    ("ours", "outcome"),
    [
        ([1.0, 1.0, 1.0], "reproduced"),
        ([np.inf] * 3, "contradicted"),
        ([1.0, 1.0, np.inf], "undecided"),
    ],
)
def test_infinite_numbers_are_judged_seed_by_seed(ours, outcome):
    table = evidence({"a": ours})
    verdict = level("a", "error", setting="plain", at_most=5)(table)
    assert verdict.outcome == outcome
    if outcome != "reproduced":
        assert verdict.measured == f"mean of a ≤ 5 on {3 - ours.count(np.inf)} of 3 seeds"


def test_one_infinite_seed_decides_nothing_either():
    table = evidence({"a": [np.inf]})
    assert level("a", "error", setting="plain", at_least=5)(table).outcome == "undecided"


def test_rivals_that_never_arrive_are_beaten_and_two_that_do_not_are_equal_to_nothing():
    table = evidence({"a": [1.0, 2.0], "b": [np.inf, np.inf]})
    assert gain("a", "b", "error", setting="plain", at_least=3)(table).outcome == "reproduced"
    assert ratio("a", "b", "error", setting="plain", at_most=0.1)(table).outcome == "reproduced"
    both = evidence({"a": [np.inf, np.inf], "b": [np.inf, np.inf]})
    assert gain("a", "b", "error", setting="plain")(both).outcome == "undecided"
    assert ratio("a", "b", "error", setting="plain", at_most=2)(both).outcome == "undecided"


def test_methods_without_a_common_seed_decide_nothing():
    table = evidence({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    rows = table.results
    apart = rows[(rows["method"] == "a") == (rows["seed"] == 0)]
    verdict = gain("a", "b", "error", setting="plain")(table._replace(results=apart))
    assert verdict.outcome == "undecided"
    assert "no seed has a value" in verdict.measured


def test_places_of_an_axis_are_named_and_read():
    table = evidence({"a": [[1.0, 5.0], [1.0, 5.0]]}, setting="curve", at=(10, 20))
    assert level("a", "error", setting="curve", at=10, at_most=2)(table).outcome == "reproduced"
    far = level("a", "error", setting="curve", at=20, at_most=2)(table)
    assert far.outcome == "contradicted"
    assert far.measured == "mean of a (at 20) 5 (5 to 5 at 95 %, 2 seeds)"
    with pytest.raises(ValueError, match="has the axis 'n': name a place; got at=None"):
        level("a", "error", setting="curve", at_most=2)(table)
    with pytest.raises(NoValuesError):
        level("a", "error", setting="curve", at=15, at_most=2)(table)
    plain = evidence({"a": [1.0, 1.0]})
    with pytest.raises(ValueError, match="'plain' has no axis; got at=10"):
        level("a", "error", setting="plain", at=10, at_most=2)(plain)
    with pytest.raises(ValueError, match="'plain' has no axis to grow along"):
        grows_like("a", "error", setting="plain", at_most=1)(plain)


@pytest.mark.parametrize(
    "check",
    [
        gain("a", "rival", "error", setting="plain"),
        ratio("rival", "a", "error", setting="plain", at_most=1),
        level("rival", "error", setting="plain", at_most=1),
        every("rival", "error", settings="plain", at_most=1),
        every(["a", "rival"], "error", settings=["plain", "other"], at_most=9),
        grows_like("rival", "error", setting="curve", at_most=1),
        all_of(
            level("a", "error", setting="plain", at_most=0),
            gain("a", "rival", "error", setting="plain"),
        ),
    ],
)
def test_a_method_without_results_is_named(check):
    with pytest.raises(NoValuesError, match="no results of 'rival'") as caught:
        check(evidence({"a": [1.0, 1.0]}))
    assert caught.value.method == "rival"


def test_every_result_counts_whatever_the_seed_and_the_place():
    table = evidence({"a": [[1.0, 2.0], [3.0, 4.0]], "b": [[9.0, 9.0]]}, "error", "curve", (1, 2))
    assert every("a", "error", settings="curve", at_most=4)(table).outcome == "reproduced"
    assert every("a", "error", settings="curve", at_least=1)(table).outcome == "reproduced"
    verdict = every("a", "error", settings="curve", at_most=3)(table)
    assert verdict == ("contradicted", "met by 3 of 4 results, the worst 4", "≤ 3 in each")
    verdict = every("a", "error", settings="curve", at_least=2)(table)
    assert verdict == ("contradicted", "met by 3 of 4 results, the worst 1", "≥ 2 in each")
    assert every(["a", "b"], "error", settings="curve", at_most=4)(table).outcome == "contradicted"


def test_every_takes_a_missing_number_for_one_that_misses():
    table = evidence({"a": [1.0, np.nan]})
    verdict = every("a", "error", settings="plain", at_most=3)(table)
    assert verdict.outcome == "contradicted"
    assert verdict.measured == "met by 1 of 2 results, the worst nan"


def test_a_certificate_of_one_seed_is_judged():
    table = evidence({"a": [1e-7]})
    assert every("a", "error", settings="plain", at_most=1e-6)(table).outcome == "reproduced"


HELD = level("a", "error", setting="plain", at_most=9)
OPEN = level("a", "error", setting="plain", at_most=2)
LOST = level("a", "error", setting="plain", at_most=-9)


@pytest.mark.parametrize(
    ("checks", "outcome"),
    [
        ([HELD], "reproduced"),
        ([HELD, HELD], "reproduced"),
        ([HELD, OPEN], "undecided"),
        ([OPEN, LOST], "contradicted"),
        ([LOST, HELD], "contradicted"),
    ],
)
def test_several_checks_hold_together(checks, outcome):
    verdict = all_of(*checks)(evidence({"a": [1.0, 1.2]}))
    assert verdict.outcome == outcome
    assert verdict.measured.count("mean of a") == len(checks)


def test_the_same_requirement_is_told_once():
    verdict = all_of(HELD, HELD, LOST)(evidence({"a": [1.0, 3.0]}))
    assert verdict.required == "≤ 9; ≤ −9"


def test_checks_are_called_by_their_names():
    verdict = all_of(HELD, LOST, names=["first", "second"])(evidence({"a": [1.0, 1.0]}))
    assert verdict.measured.startswith("first: mean of a 1 (1 to 1 at 95 %, 2 seeds); second: ")


def test_of_many_checks_those_that_do_not_hold_are_told():
    checks = [*[HELD] * 6, LOST]
    verdict = all_of(*checks, names=[*"abcdef", "lost"])(evidence({"a": [1.0, 1.0]}))
    assert verdict.measured == "held in 6 of 7; lost: mean of a 1 (1 to 1 at 95 %, 2 seeds)"


def test_a_statistic_is_any_number_by_seed():
    def spread(evidence):
        return evidence.values("plain", "error", "a") - evidence.values("plain", "error", "b")

    table = evidence({"a": [4.0, 5.0, 6.5], "b": [1.0, 2.0, 3.0]})
    verdict = statistic(spread, "spread", at_least=2.0)(table)
    low, high = student([3.0, 3.0, 3.5])
    assert low > 2
    assert verdict.outcome == "reproduced"
    assert verdict.measured == f"spread 3.17 ({low:.3g} to {high:.3g} at 95 %, 3 seeds)"
    assert verdict.required == "≥ 2"


@pytest.mark.parametrize("bounds", [{}, {"at_least": 1, "at_most": 2}])
def test_exactly_one_bound_is_given(bounds):
    with pytest.raises(ValueError, match="give at_least or at_most; got at_least="):
        level("a", "error", setting="plain", **bounds)


def test_bounds_hold_at_equality_and_not_for_nan():
    assert Bound.of(1.0, None).met_by(1.0)
    assert Bound.of(None, 1.0).met_by(1.0)
    assert not Bound.of(None, 1.0).met_by(math.nan)
    assert not Bound.of(1.0, None).met_by(math.nan)
    assert str(Bound.of(-1e-6, None)) == "≥ −1e−06"


@pytest.mark.slow
def test_outcomes_are_right_as_often_as_they_say():
    """A true mean on the threshold is left undecided in 95 % of samples, and each way in 2.5 %."""
    rng = np.random.default_rng(0)
    outcomes = [Interval.of(rng.normal(size=5)).judged(Bound.of(0.0, None)) for _ in range(4000)]
    share = outcomes.count("undecided") / len(outcomes)
    assert share == pytest.approx(0.95, abs=4 * math.sqrt(0.95 * 0.05 / 4000))
