"""calibration_error against its definition."""

import numpy as np
import pytest

from skreg.ordinal import calibration_error


def test_it_is_the_mean_squared_distance_from_the_rate_of_the_sorted_bins():
    rng = np.random.default_rng(0)
    probability = rng.uniform(size=1000) ** 3
    event = rng.uniform(size=1000) < probability
    order = np.argsort(probability)
    expected = 0.0
    for rows in np.split(order, 10):
        expected += np.sum((probability[rows] - event[rows].mean()) ** 2) / 1000
    assert calibration_error(event, probability) == pytest.approx(expected, rel=1e-12)
    assert calibration_error(event, probability, n_bins=10) == pytest.approx(expected, rel=1e-12)


def test_order_of_the_samples_does_not_matter():
    rng = np.random.default_rng(1)
    probability, event = rng.uniform(size=200), rng.integers(0, 2, 200)
    order = rng.permutation(200)
    assert calibration_error(event, probability) == pytest.approx(
        calibration_error(event[order], probability[order]), rel=1e-12
    )


def test_norms_and_uniform_bins_by_hand():
    event, probability = [0, 1, 0, 1], [0.1, 0.3, 0.6, 0.9]
    kwargs = {"n_bins": 2, "strategy": "uniform"}
    assert calibration_error(event, probability, norm="l1", **kwargs) == pytest.approx(0.275)
    assert calibration_error(event, probability, norm="l2", **kwargs) == pytest.approx(
        (0.16 + 0.04 + 0.01 + 0.16) / 4
    )
    assert calibration_error(event, probability, norm="max", **kwargs) == pytest.approx(0.3)


def test_default_number_of_bins_grows_with_the_samples():
    rng = np.random.default_rng(2)
    probability = rng.uniform(size=5000)
    event = rng.uniform(size=5000) < probability
    assert calibration_error(event, probability) == calibration_error(event, probability, n_bins=50)


def test_the_prevalence_is_calibrated():
    assert calibration_error([0, 0, 0, 1] * 25, [0.25] * 100, n_bins=1) == 0.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 2], [0.1, 0.2]), "y_true must hold 0 and 1"),
        (([0, 1], [0.1, 1.2]), "y_prob must lie in"),
        (([0, 1], [0.1, np.nan]), "y_prob must lie in"),
        (([0, 1, 1], [0.1, 0.2]), "inconsistent"),
        (([], []), "have no samples"),
    ],
)
def test_bad_data_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        calibration_error(*arguments)


@pytest.mark.parametrize("parameters", [{"n_bins": 0}, {"strategy": "x"}, {"norm": "l3"}], ids=str)
def test_bad_parameters_are_named(parameters):
    with pytest.raises(ValueError, match=next(iter(parameters))):
        calibration_error([0, 1], [0.1, 0.9], **parameters)
