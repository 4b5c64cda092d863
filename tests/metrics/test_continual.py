"""Accuracy and forgetting of tasks in turn, by hand."""

import numpy as np
import pytest

from skreg.metrics import average_accuracy, forgetting

THREE = [[0.9], [0.6, 0.8], [0.7, 0.5, 1.0]]


def padded(rows, fill):
    square = np.full((len(rows), len(rows)), fill)
    for t, row in enumerate(rows):
        square[t, : t + 1] = row
    return square


@pytest.mark.parametrize("accuracy", [THREE, padded(THREE, np.nan), padded(THREE, 7.0)])
def test_three_tasks_by_hand(accuracy):
    assert average_accuracy(accuracy) == pytest.approx((0.7 + 0.5 + 1.0) / 3)
    # the first was best after itself, the second as well; only tasks before the last count
    assert forgetting(accuracy) == pytest.approx(((0.9 - 0.7) + (0.8 - 0.5)) / 2)


def test_the_two_tasks_of_the_papers():
    assert average_accuracy([[0.9], [0.8, 0.7]]) == pytest.approx(0.75)
    assert forgetting([[0.9], [0.8, 0.7]]) == pytest.approx(0.1)


def test_the_best_is_sought_before_the_last_task():
    assert forgetting([[0.5], [0.7, 0.9], [0.9, 0.9, 0.9]]) == pytest.approx(-0.1)


def test_units_and_one_task():
    assert forgetting(100 * padded(THREE, np.nan)) == pytest.approx(100 * forgetting(THREE))
    assert average_accuracy([[0.8]]) == 0.8
    assert forgetting([[0.8]]) == 0.0


def test_what_was_not_measured_is_not_known():
    assert np.isnan(average_accuracy([[0.9], [np.nan, 0.7]]))
    assert np.isnan(forgetting([[np.nan], [0.8, 0.7]]))
    assert average_accuracy([[np.nan], [0.8, 0.7]]) == pytest.approx(0.75)


@pytest.mark.parametrize("metric", [average_accuracy, forgetting])
@pytest.mark.parametrize(
    ("accuracy", "message"),
    [([], "got none"), ([[0.9], [0.8]], r"row 1 .* on 2 task\(s\), got 1")],
)
def test_bad_matrices(metric, accuracy, message):
    with pytest.raises(ValueError, match=message):
        metric(accuracy)
