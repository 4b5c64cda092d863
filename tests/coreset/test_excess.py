"""The certified excess of CoresetEstimator against fits on all rows."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.linear_model import LinearRegression, LogisticRegression, QuantileRegressor
from sklearn.metrics import log_loss
from sklearn.mixture import GaussianMixture

from skreg.coreset import CoresetEstimator, LpRegressor, SensitivitySampler
from skreg.coreset._excess import costs, excess_limit, next_size, share_above_least, upper_limit


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((3000, 4))
    return X, X @ np.ones(4) + rng.standard_t(3, 3000)


def sampler(p=2, n_samples=150, seed=0, **params):
    return SensitivitySampler(p=p, n_samples=n_samples, random_state=seed, **params)


def squares(model, X, y, weight=1.0):
    return np.sum(weight * (y - model.predict(X)) ** 2)


def test_limit_is_that_of_a_t_interval():
    gaps = np.random.default_rng(0).normal(1.0, 0.2, 5)
    interval = stats.ttest_1samp(gaps, 0.0).confidence_interval(0.90)
    np.testing.assert_allclose(upper_limit(gaps), interval.high, rtol=1e-12)
    assert upper_limit(-gaps) == 0.0
    assert share_above_least(1.0, 5.0) == 0.25
    assert share_above_least(5.0, 5.0) == np.inf


def test_certificate_holds_as_often_as_it_says_and_is_no_more_than_a_few_times_the_excess(rows):
    X, y = rows
    least = squares(LinearRegression().fit(X, y), X, y)
    ratios = []
    for seed in range(60):
        model = CoresetEstimator(LinearRegression(), sampler(seed=seed), excess=np.inf).fit(X, y)
        np.testing.assert_allclose(model.cost_, squares(model, X, y))
        ratios.append(model.excess_ / (model.cost_ / least - 1.0))
    assert np.mean(np.array(ratios) >= 1.0) >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 60)
    assert 2.0 < np.median(ratios) < 5.0


def test_subsets_grow_until_the_excess_is_met(rows):
    X, y = rows
    least = np.abs(y - QuantileRegressor(alpha=0.0).fit(X, y).predict(X)).sum()
    model = CoresetEstimator(LpRegressor(p=1), sampler(p=1, n_samples=50), excess=0.02).fit(X, y)
    sizes, excesses = model.excess_path_.T
    assert len(sizes) > 1
    assert (sizes[1:] >= 1.5 * sizes[:-1]).all()
    assert (excesses[:-1] > 0.02).all()
    assert model.excess_ == excesses[-1] <= 0.02
    assert model.sampler_.n_samples_ == sizes[-1] < 3000
    np.testing.assert_allclose(model.cost_, np.abs(y - model.predict(X)).sum())
    assert 0.0 <= model.cost_ / least - 1.0 <= 0.02
    np.testing.assert_array_equal(model.coreset_.indices, model.sampler_.sample_indices_)
    again = clone(model).fit(X, y)
    np.testing.assert_array_equal(again.excess_path_, model.excess_path_)
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


def test_an_excess_of_zero_takes_all_rows_with_a_weight(rows):
    X, y = rows
    weight = np.random.default_rng(1).integers(0, 3, len(y)).astype(float)
    model = CoresetEstimator(LinearRegression(), sampler(), excess=0.0)
    model.fit(X, y, sample_weight=weight)
    whole = LinearRegression().fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(model.estimator_.coef_, whole.coef_, rtol=1e-10)
    np.testing.assert_allclose(model.cost_, squares(whole, X, y, weight))
    assert model.excess_ == 0.0
    model.set_params(excess=None).fit(X, y)
    assert not hasattr(model, "excess_")
    assert not hasattr(model, "cost_")


def test_labels_cost_their_log_loss(rows):
    X, y = rows
    labels = np.where(y + np.random.default_rng(1).logistic(size=len(y)) > 0, "yes", "no")
    least = log_loss(labels, LogisticRegression(C=np.inf).fit(X, labels).predict_proba(X))
    model = CoresetEstimator(LogisticRegression(C=np.inf), sampler(), excess=0.05).fit(X, labels)
    cost = log_loss(labels, model.predict_proba(X))
    np.testing.assert_allclose(model.cost_, cost * len(y))
    assert 0.0 <= cost / least - 1.0 <= model.excess_ <= 0.05


def test_a_class_without_weight_costs_nothing(rows):
    X, y = rows
    labels = np.array(["a", "b", "c"])[np.digitize(y, [-2.0, 2.0])]
    for label in "abc":
        there = labels != label
        model = CoresetEstimator(LogisticRegression(), sampler(), excess=np.inf)
        model.fit(X, labels, sample_weight=there.astype(float))
        cost = log_loss(labels[there], model.predict_proba(X[there]), normalize=False)
        np.testing.assert_allclose(model.cost_, cost)


def test_clusterings_cost_the_squared_distance_to_centres(rows):
    X, _ = rows
    kmeans = KMeans(3, n_init=3, random_state=0)
    model = CoresetEstimator(kmeans, sampler(), excess=0.1).fit(X)
    np.testing.assert_allclose(model.cost_, -model.score(X))
    assert model.cost_ / kmeans.fit(X).inertia_ - 1.0 <= 0.1


def test_several_targets_and_scaled_rows(rows):
    X, y = rows
    Y = np.c_[y, X[:, 0] - y]
    both = CoresetEstimator(LinearRegression(), sampler(), excess=np.inf).fit(X, Y)
    np.testing.assert_allclose(both.cost_, ((Y - both.predict(X)) ** 2).sum())
    through_zero = LinearRegression(fit_intercept=False)
    scaled = sampler(fit_intercept=False, scale_rows=True)
    weighted = sampler(fit_intercept=False)
    first, second = (
        CoresetEstimator(through_zero, s, excess=np.inf).fit(X, y) for s in (scaled, weighted)
    )
    np.testing.assert_allclose(first.excess_, second.excess_, rtol=1e-9)


def test_frames_give_what_arrays_give(rows):
    X, y = rows
    model = CoresetEstimator(LinearRegression(), sampler(), excess=0.02)
    of_array = clone(model).fit(X, y)
    of_frame = model.fit(pd.DataFrame(X, columns=list("abcd")), pd.Series(y))
    np.testing.assert_allclose(of_frame.excess_path_, of_array.excess_path_)


def test_a_loss_of_ones_own(rows):
    X, y = rows

    def squared(model, X, y):
        return (y - model.predict(X)) ** 2

    own, known = (
        CoresetEstimator(LinearRegression(), sampler(), excess=np.inf, loss=loss).fit(X, y)
        for loss in (squared, "auto")
    )
    assert own.excess_ == known.excess_


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"excess": -0.1}, "'excess' parameter"),
        ({"n_checks": 1}, "'n_checks' parameter"),
        ({"loss": "log"}, "'loss' parameter"),
        ({"excess": 0.1, "loss": lambda model, X, y: 1.0}, "one finite cost for each of the 3000"),
        (
            {"excess": 0.1, "loss": lambda model, X, y: np.full(len(X), np.nan)},
            "3000 of 3000 are not",
        ),
        ({"excess": 0.1, "loss": lambda model, X, y: -np.ones(len(X))}, "is -3000: a share of it"),
    ],
)
def test_bad_arguments_leave_the_last_fit(rows, params, message):
    X, y = rows
    model = CoresetEstimator(LinearRegression(), sampler()).fit(X, y)
    coef = model.estimator_.coef_
    with pytest.raises(ValueError, match=message):
        model.set_params(**params).fit(X, y)
    assert model.estimator_.coef_ is coef


def test_a_loss_that_is_not_known_is_asked_for(rows):
    class Mixture(GaussianMixture):
        def fit(self, X, y=None, sample_weight=None):
            return super().fit(X)

    with pytest.raises(ValueError, match="loss='auto' does not know what Mixture minimises"):
        CoresetEstimator(Mixture(), sampler(), excess=0.1).fit(rows[0])


def test_sizes_grow_by_the_excess_that_is_missing():
    assert next_size(100, 0.02, 0.01) == 240
    assert next_size(100, 0.01, 0.01) == 150
    assert next_size(100, np.inf, 0.01) == 400
    assert next_size(100, 0.01, 0.0) == 400


def test_rows_that_are_never_drawn_certify_nothing():
    X = np.repeat([-1.0, 1.0, 0.0], [1000, 1000, 2000])[:, None]  # the last are at the mean
    lightweight = sampler(n_samples=100, scores="distance", floor=0.0)
    model = CoresetEstimator(KMeans(2, n_init=3, random_state=0), lightweight, excess=0.01)
    with pytest.raises(ValueError, match="give it a floor > 0"):
        model.fit(X)
    model.set_params(sampler__floor=1.0).fit(X)
    least = KMeans(2, n_init=3, random_state=0).fit(X).inertia_
    assert model.cost_ <= (1.0 + model.excess_) * least * (1.0 + 1e-9)
    zeros, y = np.r_[np.ones((50, 1)), np.zeros((900, 1))], np.r_[np.ones(50), np.full(900, 5.0)]
    for n_samples in (20, 2000):
        without = sampler(n_samples=n_samples, floor=0.0, fit_intercept=False, include_y=None)
        with pytest.raises(ValueError, match="give it a floor > 0"):
            CoresetEstimator(LinearRegression(), without, excess=0.01).fit(zeros, y)


@pytest.mark.parametrize("labels", [[0, 1, 2], ["b", "a", "c"], [0, 2, 1]])
def test_a_label_that_no_fit_has_seen_costs_as_much_as_can_be(rows, labels):
    X, _ = rows
    y = np.array(labels)[np.r_[np.zeros(1500, int), [1] * 3, np.full(1497, 2)]]
    model = CoresetEstimator(LogisticRegression(), sampler(include_y=None), excess=np.inf)
    model.fit(X, y)
    assert len(model.classes_) == 2
    known = np.isin(y, model.classes_)
    expected = log_loss(y[known], model.predict_proba(X[known]), normalize=False)
    expected -= 3 * np.log(np.finfo(float).eps)
    np.testing.assert_allclose(model.cost_, expected)


def test_costs_whose_squares_overflow_are_certified_all_the_same(rows):
    X, y = rows
    base = CoresetEstimator(LinearRegression(), sampler(), excess=np.inf).fit(X, y)
    huge = CoresetEstimator(LinearRegression(), sampler(), excess=np.inf).fit(X, y * 2.0**400)
    np.testing.assert_allclose(huge.excess_, base.excess_, rtol=1e-9)
    with pytest.raises(ValueError, match="with a finite sum"):
        costs(lambda *_: np.full(9, 1e308), None, X[:9], None, np.ones(9))


def test_the_known_cost_tells_of_rows_that_all_subsets_lack(rows):
    X, y = rows[0].copy(), rows[1].copy()
    X[0], y[0] = [1e3, 0, 0, 0], -3e3  # decides the fit, and one in ten uniform subsets has it
    least = squares(LinearRegression().fit(X, y), X, y)
    for seed in range(10):
        uniform = sampler(n_samples=300, seed=seed, scores="uniform")
        model = CoresetEstimator(LinearRegression(), uniform, excess=0.1).fit(X, y)
        assert model.cost_ <= 1.1 * least
    assert excess_limit(np.array([1.0, 1.1, 0.9]), np.array([0.9, 1.0, 0.8]), 50.0) == np.inf
    gaps = np.array([0.1, 0.1, 0.2])
    limit = excess_limit(1.0 + gaps, np.ones(3), 1.2)
    np.testing.assert_allclose(limit, upper_limit(gaps))
    np.testing.assert_allclose(
        upper_limit(gaps, 0.999), stats.ttest_1samp(gaps, 0.0).confidence_interval(0.998).high
    )


@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
@pytest.mark.parametrize("estimator", [LpRegressor(p=1), LogisticRegression()])
def test_a_target_of_one_column_is_the_target(rows, estimator):
    X, y = rows
    if isinstance(estimator, LogisticRegression):
        y = np.where(y > 0, "yes", "no")
    flat = CoresetEstimator(estimator, sampler(p=1), excess=np.inf).fit(X, y)
    column = CoresetEstimator(estimator, sampler(p=1), excess=np.inf).fit(X, y[:, None])
    np.testing.assert_allclose(column.cost_, flat.cost_)
    np.testing.assert_allclose(column.excess_, flat.excess_)
