"""`BalancedAssignment` against the Hungarian algorithm of scipy."""

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits

from skreg.transport import BalancedAssignment
from skreg.transport._balanced_assignment import _whole


def least_cost(cost, capacity):
    """Of all assignments that keep to the capacities, balanced or not."""
    places = np.repeat(np.arange(cost.shape[1]), capacity)
    rows, chosen = linear_sum_assignment(cost[:, places])
    return cost[rows, places[chosen]].sum()


@pytest.mark.parametrize("gamma", [1e-3, 1.0, 10.0])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_where_all_places_are_needed_the_cost_is_least(seed, gamma):
    cost = np.random.default_rng(seed).random((60, 6))
    model = BalancedAssignment(gamma=gamma).fit(cost)
    np.testing.assert_array_equal(model.capacity_used_, 10)
    assert model.cost_ == pytest.approx(least_cost(cost, np.full(6, 10)), rel=1e-9)
    assert model.cost_ == pytest.approx(cost[np.arange(60), model.labels_].sum())


def test_capacities_of_each_column_hold_and_cost_little_more_than_the_least():
    cost = np.random.default_rng(3).random((100, 5))
    capacity = np.array([40, 30, 20, 10, 5])
    model = BalancedAssignment(capacity).fit(cost)
    assert np.all(model.capacity_used_ <= capacity)
    assert model.capacity_used_.sum() == 100
    assert model.cost_ <= 1.05 * least_cost(cost, capacity)


def test_digits_fall_into_clusters_of_at_most_180():
    X = load_digits().data
    centres = KMeans(10, n_init=4, random_state=0).fit(X).cluster_centers_
    cost = ((X[:, None] - centres) ** 2).sum(axis=2)
    assert np.bincount(cost.argmin(axis=1)).max() > 200
    model = BalancedAssignment(180).fit(cost)
    assert model.capacity_used_.max() <= 180
    assert model.cost_ <= 1.001 * least_cost(cost, np.full(10, 180))
    assert np.mean(model.predict(cost) == model.labels_) > 0.99


def test_affinities_are_costs_of_the_other_sign():
    cost = np.random.default_rng(4).random((30, 3))
    by_cost = BalancedAssignment().fit(cost)
    by_affinity = BalancedAssignment(maximize=True).fit(-cost)
    np.testing.assert_array_equal(by_cost.labels_, by_affinity.labels_)
    assert by_affinity.cost_ == pytest.approx(-by_cost.cost_)
    np.testing.assert_array_equal(by_affinity.predict(-cost), by_cost.predict(cost))


def test_the_order_of_rows_and_columns_and_the_unit_of_costs_do_not_matter():
    rng = np.random.default_rng(6)
    cost = rng.random((40, 5))
    labels = BalancedAssignment().fit_predict(cost)
    rows, columns = rng.permutation(40), rng.permutation(5)
    again = BalancedAssignment().fit_predict(1e6 * cost[np.ix_(rows, columns)] + 7.0)
    np.testing.assert_array_equal(columns[again], labels[rows])


def test_one_column_wanted_by_all_and_equal_costs_keep_to_the_capacities():
    cost = np.ones((40, 4))
    np.testing.assert_array_equal(BalancedAssignment().fit(cost).capacity_used_, 10)
    cost[:, 0] = 0.0
    np.testing.assert_array_equal(BalancedAssignment(10).fit(cost).capacity_used_, 10)


def test_a_plan_that_overfills_a_column_does_not_overfill_it_with_labels():
    plan = sparse.csc_array(np.column_stack([np.full(4, 0.25), np.zeros(4)]))
    labels, n_split = _whole(plan, np.array([[0.0, 9], [0, 1], [0, 8], [0, 2]]), np.array([2, 2]))
    np.testing.assert_array_equal(np.bincount(labels), [2, 2])
    assert n_split == 2


def test_prices_balance_further_rows_of_the_same_kind():
    rng = np.random.default_rng(5)
    cost = rng.random((2000, 4)) + [0.0, 0.3, 0.3, 0.5]
    model = BalancedAssignment().fit(cost[:1000])
    assert model.prices_.min() == 0.0
    counts = np.bincount(model.predict(cost[1000:]))
    assert np.abs(counts - 250).max() < 60
    assert np.bincount(cost[1000:].argmin(axis=1))[0] > 500


@pytest.mark.parametrize(
    ("max_nz", "message"),
    [
        (2, "10 rows need as many places, but max_nz leaves 3 columns 6; 4 for each"),
        ([4, 4], "one for each of the 3 columns"),
        ([4, 4, 0], "column 2 has 0"),
        ([4, 4, 2.5], "whole numbers"),
        ([4, 4, np.inf], "whole numbers"),
        (0, "max_nz"),
        ([[4, 4, 4]], "one for each of the 3 columns"),
    ],
)
def test_capacities_that_cannot_be_are_told(max_nz, message):
    with pytest.raises(ValueError, match=message):
        BalancedAssignment(max_nz).fit(np.random.default_rng(0).random((10, 3)))
