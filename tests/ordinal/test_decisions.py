"""Thresholds by cost and the ranked probability score, by brute force."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import brier_score_loss
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg.datasets import make_ordinal
from skreg.ordinal import (
    PrestoClassifier,
    ProportionalOddsClassifier,
    cost_threshold,
    out_of_fold_proba,
    ranked_probability_score,
)

NAMES = np.array(["none", "click", "cart", "purchase"])


def mean_cost(event, act, miss_cost, alarm_cost):
    return (miss_cost * np.sum(event & ~act) + alarm_cost * np.sum(~event & act)) / len(event)


@pytest.mark.parametrize("label", [None, 2])
def test_threshold_and_costs_are_those_of_brute_force(example, label):
    X, y = example
    folds = StratifiedKFold(4, shuffle=True, random_state=0)
    found = cost_threshold(
        PrestoClassifier(), X, y, miss_cost=5, alarm_cost=2, label=label, cv=folds
    )
    first = 3 if label is None else label
    event = y >= first
    probability = out_of_fold_proba(PrestoClassifier(), X, y, cv=folds)[:, first:].sum(axis=1)

    def best(rows):
        candidates = np.append(np.unique(probability[rows]), np.inf)
        costs = [mean_cost(event[rows], probability[rows] >= t, 5, 2) for t in candidates]
        return candidates[len(costs) - 1 - np.argmin(costs[::-1])], np.min(costs)

    threshold, cost = best(np.arange(100))
    assert found.apparent_cost == pytest.approx(cost)
    np.testing.assert_array_equal(probability >= found.threshold, probability >= threshold)
    assert found.bayes_threshold == pytest.approx(2 / 7)
    assert found.bayes_cost == pytest.approx(mean_cost(event, probability >= 2 / 7, 5, 2))
    assert found.cost_of_never == pytest.approx(5 * event.mean())
    assert found.cost_of_always == pytest.approx(2 * np.mean(~event))
    for t, curve in zip(found.thresholds, found.costs, strict=True):
        assert curve == pytest.approx(mean_cost(event, probability >= t, 5, 2))
    others = np.empty(100)
    for train, test in folds.split(X, y):
        others[test] = probability[test] >= _between(probability[train], best(train)[0])
    assert found.cost == pytest.approx(mean_cost(event, others > 0, 5, 2))


def _between(probability, threshold):
    """Middle between the threshold and the next smaller probability."""
    below = probability[probability < threshold]
    if not np.isfinite(threshold) or not len(below):
        return threshold if len(below) else 0.0
    return 0.5 * (threshold + below.max())


def test_order_is_kept_and_found_in_wrappers(example):
    X, y = example
    plain = cost_threshold(PrestoClassifier(), X, y, miss_cost=20, cv=3)
    model = make_pipeline(StandardScaler(), PrestoClassifier(class_order=NAMES))
    for labels in (NAMES[y], pd.Series(pd.Categorical(NAMES[y], NAMES, ordered=True))):
        found = cost_threshold(model, X, labels, miss_cost=20, label="purchase", cv=3)
        assert found.costs.min() == pytest.approx(plain.costs.min())
        assert found.threshold == pytest.approx(plain.threshold, rel=1e-6)
    assert str(plain).startswith("CostThreshold(")


def test_true_probabilities_need_no_search():
    """Chosen on many rows, the threshold comes near the one of calibrated probabilities."""
    X, y, _ = make_ordinal(20_000, intercepts=[0.0, 1.0, 2.0], random_state=0)
    found = cost_threshold(PrestoClassifier(0.0003), X, y, miss_cost=4.0, label=3)
    assert abs(found.threshold - found.bayes_threshold) < 0.06
    assert abs(found.cost - found.bayes_cost) < 0.01 * found.bayes_cost
    assert found.apparent_cost <= found.cost
    assert found.bayes_cost < min(found.cost_of_never, found.cost_of_always)


def test_extreme_costs_miss_nothing_or_never_act(example):
    X, y = example
    careful = cost_threshold(PrestoClassifier(), X, y, miss_cost=1e6)
    assert careful.apparent_cost <= careful.cost_of_always < 1.0
    never = cost_threshold(PrestoClassifier(), X, y, miss_cost=1e-6)
    assert never.threshold == np.inf
    assert never.apparent_cost == never.cost_of_never == pytest.approx(never.bayes_cost)
    assert never.cost >= never.apparent_cost


def test_bad_costs_and_labels_are_named(example):
    X, y = example
    for options in ({"miss_cost": 0.0}, {"miss_cost": 1.0, "alarm_cost": -1.0}):
        with pytest.raises(ValueError, match=list(options)[-1]):
            cost_threshold(PrestoClassifier(), X, y, **options)
    with pytest.raises(ValueError, match="label=0 is the first class"):
        cost_threshold(PrestoClassifier(), X, y, miss_cost=1.0, label=0)
    with pytest.raises(ValueError, match="label=7 is not one of the classes"):
        cost_threshold(PrestoClassifier(), X, y, miss_cost=1.0, label=7)
    with pytest.raises(ValueError, match="cv has one fold"):
        cost_threshold(PrestoClassifier(), X, y, miss_cost=1.0, cv=[(np.arange(100),) * 2])
    event = np.where(y == 3, "dead", "well")
    with pytest.raises(ValueError, match=r"order of the classes .* is not known"):
        cost_threshold(PrestoClassifier(), X, event, miss_cost=1.0)


def test_ranked_probability_score_is_its_formula(example):
    X, y = example
    proba = ProportionalOddsClassifier().fit(X, y).predict_proba(X)
    expected = np.mean(
        [
            sum((p[: k + 1].sum() - (c <= k)) ** 2 for k in range(3))
            for p, c in zip(proba, y, strict=True)
        ]
    )
    assert ranked_probability_score(y, proba) == pytest.approx(expected, rel=1e-12)
    weight = np.random.default_rng(0).integers(0, 3, 100)
    assert ranked_probability_score(y, proba, sample_weight=weight) == pytest.approx(
        ranked_probability_score(np.repeat(y, weight), np.repeat(proba, weight, axis=0))
    )
    assert ranked_probability_score(y[:3], proba[:3], class_order=range(4)) > 0


def test_ranked_probability_score_knows_the_order_of_names(example):
    X, y = example
    plain = ProportionalOddsClassifier().fit(X, y)
    named = ProportionalOddsClassifier(class_order=NAMES).fit(X, NAMES[y])
    expected = ranked_probability_score(y, plain.predict_proba(X))
    proba = named.predict_proba(X)
    for labels, options in (
        (NAMES[y], {"class_order": NAMES}),
        (pd.Categorical(NAMES[y], NAMES, ordered=True), {}),
    ):
        assert ranked_probability_score(labels, proba, **options) == pytest.approx(expected)
    with pytest.raises(ValueError, match=r"order of the classes .* is not known"):
        ranked_probability_score(NAMES[y], proba)


def test_ranked_probability_score_of_two_classes_is_the_brier_score(example):
    X, event = example.X, (example.y > 1).astype(int)
    proba = ProportionalOddsClassifier().fit(X, event).predict_proba(X)
    assert ranked_probability_score(event, proba) == pytest.approx(
        brier_score_loss(event, proba[:, 1])
    )


def test_ranked_probability_score_names_bad_input():
    with pytest.raises(ValueError, match=r"2 columns for the 3 labels \[0, 1, 2\]"):
        ranked_probability_score([0, 1, 2], np.full((3, 2), 0.5))
    with pytest.raises(ValueError, match=r"must be distributions; their sums go from 0\.8 to 1"):
        ranked_probability_score([0, 1], [[0.5, 0.5], [0.5, 0.3]])
    with pytest.raises(ValueError, match=r"class_order=\[0, 2\] must name each label once"):
        ranked_probability_score([0, 1], np.full((2, 2), 0.5), class_order=[0, 2])
    with pytest.raises(ValueError, match="inconsistent numbers"):
        ranked_probability_score([0, 1], np.full((3, 2), 0.5))
    with pytest.raises(ValueError, match="Input y_true contains NaN"):
        ranked_probability_score([0, np.nan], np.full((2, 2), 0.5))
    with pytest.raises(ValueError, match="Input y_prob contains NaN"):
        ranked_probability_score([0, 1], np.full((2, 2), np.nan))
    with pytest.raises(ValueError, match="Negative values in data passed to `sample_weight`"):
        ranked_probability_score([0, 1], np.full((2, 2), 0.5), sample_weight=[1.0, -2.0])
