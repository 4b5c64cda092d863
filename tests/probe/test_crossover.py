"""Crossover of two error curves and sample complexity."""

import numpy as np
import pytest

from skreg.probe import crossover_size, sample_complexity

SIZES = [10, 20, 40, 80]


def test_crossover_is_log_linear_interpolation_by_hand():
    err_a = [0.30, 0.20, 0.15, 0.14]
    err_b = [0.40, 0.23, 0.14, 0.10]
    result = crossover_size(SIZES, err_a, err_b)
    # Delta = .03 at 20 and -.01 at 40: three quarters of the way in ln m.
    assert result.size == pytest.approx(20 * 2**0.75, rel=1e-12)
    assert result.censored is None


def test_means_over_repeats_decide():
    err_a = np.full((2, 4), 0.2)
    err_b = 0.2 + np.array([[0.3, 0.1, -0.1, -0.1], [0.1, 0.05, 0.0, -0.1]])
    # Mean Delta = .075 at 20 and -.05 at 40.
    assert crossover_size(SIZES, err_a, err_b).size == pytest.approx(20 * 2**0.6, rel=1e-12)


def test_last_change_of_lead_counts():
    assert crossover_size(SIZES, np.zeros(4), [0.1, -0.1, 0.1, -0.1]).size == pytest.approx(
        40 * np.sqrt(2)
    )


def test_a_still_ahead_at_the_largest_size_is_right_censored():
    result = crossover_size(SIZES, np.zeros((3, 4)), np.full((3, 4), 0.1))
    assert result == (np.inf, (np.inf, np.inf), "right")


def test_late_lead_of_a_is_right_censored_too():
    assert crossover_size(SIZES, np.zeros(4), [-0.1, -0.1, -0.1, 0.1]).censored == "right"


def test_b_ahead_throughout_is_left_censored_at_the_smallest_size():
    result = crossover_size(SIZES, np.full((3, 4), 0.1), np.zeros((3, 4)))
    assert result == (10.0, (10.0, 10.0), "left")


def test_ties_everywhere_count_as_no_lead():
    assert crossover_size(SIZES, np.full(4, 0.1), np.full(4, 0.1)).censored == "left"


def test_tie_after_the_lead_puts_the_crossover_there():
    assert crossover_size(SIZES, np.zeros(4), [0.1, 0.1, 0.0, 0.0]).size == pytest.approx(40)


def test_rounding_is_not_a_lead():
    err_b = [[0.1, 0.3 - 1e-16], [0.3, 0.1 - 1e-16]]
    err_a = [[0.1, 0.1], [0.3, 0.3]]
    assert crossover_size([1, 2], err_a, err_b).censored == "left"


def test_single_repeat_has_no_interval():
    result = crossover_size(SIZES, np.zeros(4), [0.1, 0.1, -0.1, -0.1])
    assert np.isnan(result.confidence_interval).all()
    assert result.size == pytest.approx(20 * np.sqrt(2))


def test_interval_equals_quantiles_of_resampled_crossovers():
    rng = np.random.default_rng(0)
    err_b = np.array([0.1, 0.05, -0.02, -0.1]) + rng.normal(0, 0.03, (6, 4))
    err_a = np.zeros((6, 4))
    result = crossover_size(SIZES, err_a, err_b, n_bootstrap=5000, random_state=0)
    resampled = [
        crossover_size(SIZES, err_a[rows], err_b[rows], n_bootstrap=1).size
        for rows in rng.integers(6, size=(2000, 6))
    ]
    expected = np.quantile(resampled, [0.025, 0.975])
    np.testing.assert_allclose(result.confidence_interval, expected, rtol=0.04)


def test_higher_confidence_gives_a_wider_interval():
    rng = np.random.default_rng(1)
    err_b = np.array([0.1, 0.05, -0.02, -0.1]) + rng.normal(0, 0.02, (8, 4))
    intervals = [
        crossover_size(SIZES, 0 * err_b, err_b, confidence_level=level, random_state=0)
        for level in (0.5, 0.99)
    ]
    narrow, wide = (result.confidence_interval for result in intervals)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_interval_reaches_infinity_when_some_resamples_never_cross():
    err_b = np.array([[0.1, 0.1, 0.1, 0.3], [0.1, 0.1, -0.1, -0.4]])
    low, high = crossover_size(SIZES, 0 * err_b, err_b, random_state=0).confidence_interval
    assert np.isfinite(low)
    assert high == np.inf


def test_bootstrap_is_seeded():
    rng = np.random.default_rng(2)
    err_b = np.array([0.1, 0.05, -0.02, -0.1]) + rng.normal(0, 0.02, (8, 4))
    first, again, other = (
        crossover_size(SIZES, 0 * err_b, err_b, n_bootstrap=20, random_state=seed)
        for seed in (0, 0, 1)
    )
    assert first == again != other


@pytest.mark.parametrize(
    ("sizes", "err_a", "err_b", "message"),
    [
        ([20, 10], [0, 0], [0, 0], "sizes must be .* increasing"),
        ([0, 10], [0, 0], [0, 0], "sizes must be .* positive"),
        ([], [], [], "sizes must be"),
        ([10, 20], [0, np.nan], [0, 0], "err_a must be finite; got nan in repeat 0 at size 20"),
        ([10, 20], [0, 0], [[0, np.inf]], "err_b must be finite"),
        ([10, 20], [0, 0, 0], [0, 0], "err_a must have shape"),
        ([10, 20], np.zeros((3, 2)), np.zeros((2, 2)), "paired; got 3 and 2"),
    ],
)
def test_bad_curves_are_explained(sizes, err_a, err_b, message):
    with pytest.raises(ValueError, match=message):
        crossover_size(sizes, err_a, err_b)


@pytest.mark.parametrize("arguments", [{"n_bootstrap": 0}, {"confidence_level": 1.0}])
def test_bad_bootstrap_settings_are_named(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        crossover_size([1, 2], [0, 0], [0, 0], **arguments)


def test_sample_complexity_is_the_first_size_below_the_target():
    err = [[0.3, 0.2, 0.1, 0.2], [0.3, 0.1, 0.1, 0.2]]
    assert sample_complexity(SIZES, err, 0.16) == 20
    assert sample_complexity(SIZES, err, 0.15) == 40
    assert sample_complexity(SIZES, err[0], 0.05) == np.inf
    with pytest.raises(ValueError, match="err must be finite"):
        sample_complexity(SIZES, [0.1, 0.1, np.nan, 0.1], 0.5)
