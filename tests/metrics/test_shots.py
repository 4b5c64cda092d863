"""Errors of a regression by frequency of the targets."""

import numpy as np
import pandas as pd
import pytest

from skreg.metrics import shot_scores


def test_regions_and_errors_by_hand():
    y_train = np.repeat([10, 20.3, 30, 40], [101, 100, 20, 19])
    y_true = np.array([10.0, 10.2, 20.0, 30.4, 40.0, 55.0])
    y_pred = np.array([11.0, 14.2, 20.0, 34.4, 42.0, 47.0])
    scores = shot_scores(y_true, y_pred, y_train)
    assert {name: score.n_samples for name, score in scores.items()} == {
        "all": 6, "many": 2, "median": 2, "few": 2,
    }  # fmt: skip
    assert scores["many"].mean_absolute_error == pytest.approx(2.5)
    assert scores["many"].mean_squared_error == pytest.approx(8.5)
    assert scores["many"].geometric_mean == pytest.approx(2.0)
    assert scores["few"].mean_absolute_error == pytest.approx(5.0)  # 55 was never seen
    floored = shot_scores(y_true, y_pred, y_train, floor=1e-4)["median"]
    assert floored.geometric_mean == pytest.approx(0.02)  # sqrt(1e-4 * 4)


def test_regions_partition_all():
    rng = np.random.default_rng(0)
    y_train, y_true = rng.exponential(10, 2000), rng.exponential(15, 300)
    y_pred = y_true + rng.normal(size=300)
    scores = shot_scores(pd.Series(y_true), y_pred, y_train)
    parts = [scores[name] for name in ("many", "median", "few")]
    total = sum(part.n_samples * part.mean_absolute_error for part in parts)
    assert total / 300 == pytest.approx(scores["all"].mean_absolute_error, rel=1e-12)
    assert scores["all"].mean_absolute_error == pytest.approx(np.abs(y_true - y_pred).mean())
    scaled = shot_scores(y_true / 10, y_pred / 10, y_train / 10, bin_width=0.1)
    assert scaled["few"].n_samples == scores["few"].n_samples


def test_empty_region_is_nan():
    score = shot_scores([1.0], [2.0], [1.0] * 500)["few"]
    assert score.n_samples == 0
    assert np.isnan(score.mean_absolute_error)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"few": 200}, "few must not exceed many, got 200 and 100"),
        ({"few": -1}, "few"),
        ({"bin_width": 0.0}, "bin_width"),
        ({"floor": 0.0}, "floor"),
        ({"y_pred": [1.0]}, "inconsistent numbers of samples"),
        ({"y_true": [np.nan, 1.0]}, "y_true contains NaN"),
        ({"y_train": []}, "0 sample"),
    ],
)
def test_bad_arguments(arguments, message):
    given = {"y_true": [1.0, 2.0], "y_pred": [1.0, 2.0], "y_train": [1.0, 2.0]} | arguments
    with pytest.raises(ValueError, match=message):
        shot_scores(**given)
