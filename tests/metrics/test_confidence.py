"""Calibration error and risk-coverage scores of class probabilities."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import make_scorer
from sklearn.model_selection import cross_val_score

from skreg.metrics import (
    excess_risk_coverage_score,
    expected_calibration_error,
    risk_coverage_score,
)

SCORES = [expected_calibration_error, risk_coverage_score, excess_risk_coverage_score]


def random_predictions(seed=0, n_samples=200, n_classes=3):
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(n_classes), n_samples)
    return rng.integers(0, n_classes, n_samples), probabilities


def test_risk_by_coverage_by_hand():
    confidence = np.array([0.9, 0.8, 0.7, 0.6])
    y_prob = np.column_stack([1 - confidence, confidence])
    y_true = [1, 0, 1, 0]  # right, wrong, right, wrong
    for given in (y_prob, confidence):
        area = risk_coverage_score(y_true, given)
        assert area == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4, rel=1e-15)
        assert excess_risk_coverage_score(y_true, given) == pytest.approx(0.125, rel=1e-14)
    assert risk_coverage_score([1, 1, 1, 0], np.array([0.9, 0.8, 0.7, 0.1])) == 0.0
    assert excess_risk_coverage_score([1, 1, 1, 0], np.array([0.9, 0.8, 0.7, 0.1])) == 0.0


def test_best_order_has_no_excess_and_the_worst_has_most():
    rng = np.random.default_rng(0)
    correct = rng.random(50) < 0.7
    confidence = np.sort(rng.uniform(0.5, 1, 50))
    best = excess_risk_coverage_score(np.sort(correct), confidence)
    worst = excess_risk_coverage_score(np.sort(correct)[::-1], confidence)
    middle = excess_risk_coverage_score(correct, confidence)
    assert best == pytest.approx(0, abs=1e-15)
    assert 0 < middle < worst


def test_calibration_error_of_constant_confidence():
    y_true = np.array([1] * 7 + [0] * 3)
    assert expected_calibration_error(y_true, np.full(10, 0.9)) == pytest.approx(0.2, rel=1e-14)
    assert expected_calibration_error(y_true, np.full(10, 0.7)) == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize("n_bins", [1, 10, 15])
def test_calibration_error_by_definition(n_bins):
    y_true, y_prob = random_predictions()
    confidence, correct = y_prob.max(axis=1), y_prob.argmax(axis=1) == y_true
    expected = 0.0
    for b in range(n_bins):
        chosen = (confidence > b / n_bins) & (confidence <= (b + 1) / n_bins)
        if chosen.any():
            gap = abs(correct[chosen].mean() - confidence[chosen].mean())
            expected += chosen.mean() * gap
    found = expected_calibration_error(y_true, y_prob, n_bins=n_bins)
    assert found == pytest.approx(expected, rel=1e-12)


def test_bins_are_closed_on_the_right():
    # 0.6 lies in (0.5, 0.6], together with 0.55: their gaps cancel
    y_true, y_prob = [1, 0], np.array([0.6, 0.55])
    assert expected_calibration_error(y_true, y_prob) == pytest.approx(abs(1 - 1.15) / 2)


@pytest.mark.parametrize("score", SCORES)
def test_names_of_labels_and_order_of_rows_do_not_matter(score):
    y_true, y_prob = random_predictions()
    names = np.array(["a", "b", "c"])[y_true]
    order = np.random.default_rng(1).permutation(len(y_true))
    assert score(names, y_prob) == score(y_true, y_prob)
    assert score(y_true[order], y_prob[order]) == pytest.approx(score(y_true, y_prob), rel=1e-12)
    seen = y_true < 2
    assert score(y_true[seen], y_prob[seen], labels=[0, 1, 2]) > 0


@pytest.mark.parametrize("score", SCORES)
def test_scores_work_in_cross_validation(score):
    X, y = load_iris(return_X_y=True)
    scorer = make_scorer(score, response_method="predict_proba", greater_is_better=False)
    model = LogisticRegression(max_iter=1000)
    assert np.all(cross_val_score(model, X, y, scoring=scorer) <= 0)
    assert np.all(cross_val_score(model, X[:100], y[:100], scoring=scorer) <= 0)


@pytest.mark.parametrize("score", SCORES)
def test_bad_arguments(score):
    y_true, y_prob = random_predictions(n_samples=20)
    with pytest.raises(ValueError, match=r"y_prob must lie in \[0, 1\], got 0.* to 2"):
        score(y_true, 2 * y_prob / y_prob.max())
    with pytest.raises(ValueError, match="one column for each of 3 labels"):
        score(y_true, y_prob[:, :2])
    with pytest.raises(ValueError, match="one column for each of 3 labels"):
        score(y_true, y_prob[:, 0])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        score(y_true[:10], y_prob)
    with pytest.raises(ValueError, match="y_prob contains NaN"):
        score(y_true, y_prob * np.nan)
    with pytest.raises(ValueError, match=r"y_true holds .*7.*, which is not in labels"):
        score(np.full(20, 7), y_prob, labels=[0, 1, 2])


def test_bad_number_of_bins():
    with pytest.raises(ValueError, match="n_bins"):
        expected_calibration_error([0, 1], [0.2, 0.8], n_bins=0)
