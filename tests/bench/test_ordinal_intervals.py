"""The simulations of ordinal inference: their truth, and how intervals and tests are counted."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from skreg.bench.arena import ordinal_intervals as tasks
from skreg.bench.races.ordinal_inference import benchmark

PARTIAL = {
    "n_samples": 40_000,
    "n_studies": 1,
    "thresholds": (-0.8, 0.4, 1.8),
    "beta": (-0.8, -0.5, 0.0),
    "last": (-0.8, -0.5, -0.5),
}


@pytest.mark.parametrize("last", [None, PARTIAL["last"]], ids=["common", "partial"])
def test_the_truth_is_that_of_the_rows_of_the_summary(last):
    parameters = {**PARTIAL, "last": last}
    study = tasks.study(0, **parameters)
    ((X, y),) = study.samples
    table = study.make().fit(X, y).summary(X, y)
    z = (table["coefficient"] - study.truth) / table["standard_error"]
    assert len(study.truth) == (6 if last is None else 8)
    assert np.abs(z).max() < 4.0
    again = tasks.study(0, **parameters).samples[0]
    np.testing.assert_array_equal(X, again[0])
    np.testing.assert_array_equal(y, again[1])


def test_boundaries_do_not_cross_in_any_setting():
    corners = np.array(
        [[x, z, v] for x in (-1, 1) for z in (0, 1) for v in (-1, 1)], dtype=float
    ) * np.sqrt([3.0, 1.0, 3.0])  # fmt: skip
    for setting in benchmark.settings.values():
        given = setting.parameters.get("smallest")
        if given is None:
            continue
        coef = np.tile(given["beta"], (3, 1))
        coef[-1] = given.get("last", given["beta"])
        below = expit(np.array(given["thresholds"]) + corners @ coef.T)
        assert np.all(np.diff(below, axis=1) > 0.0)


class Fixed:
    """A fit whose summary has the same ends whatever the rows."""

    def __init__(self, ends):
        self.ends = ends

    def fit(self, X, y):
        return self

    def summary(self, X, y, *, interval, level):
        assert (interval, level) == ("wald", 0.95)
        return pd.DataFrame(self.ends, columns=["lower", "upper"])


def test_intervals_are_counted_by_hand():
    """Two coefficients and a threshold in two samples: the second coefficient is missed above, then
    below, the threshold below once."""
    ends = iter([[[0, 2], [2, 3], [0, 2]], [[0, 2], [-1, 0], [-2, 0]]])
    sample = (np.zeros((2, 2)), np.array([0, 1]))
    study = tasks.Study([sample, sample], lambda: Fixed(next(ends)), np.ones(3))
    (row,) = tasks.measure_coverage(study, {"Wald": "wald"}, 0)
    assert row["coverage"] == pytest.approx((1.0 + 0.0) / 2)
    assert row["rare_threshold"] == pytest.approx(0.5)
    assert row["distance"] == pytest.approx((0.05 + 0.95 + 0.45) / 3)
    assert row["imbalance"] == pytest.approx((0.0 + 0.0 + 0.5) / 3)


def test_tests_see_what_differs_in_large_samples():
    parameters = {**PARTIAL, "n_samples": 5000, "n_studies": 2}
    rows = [*tasks.measure_tests(tasks.study(0, **parameters), tasks.TESTS, 0)]
    assert [row["method"] for row in rows] == ["Brant", "Likelihood ratio"]
    assert [row["rejected"] for row in rows] == [1.0, 1.0]
