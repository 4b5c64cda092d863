"""ProportionalOddsClassifier against statsmodels, limits of PRESTO, and scikit-learn at K = 2."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from statsmodels.miscmodels.ordinal_model import OrderedModel

from skreg.datasets import load_ordinal_diabetes
from skreg.ordinal import PrestoClassifier, ProportionalOddsClassifier


def test_maximum_likelihood_is_that_of_statsmodels(example):
    X, y = example
    model = ProportionalOddsClassifier(tol=1e-10).fit(X, y)
    reference = OrderedModel(y, X, distr="logit").fit(method="newton", disp=False)
    np.testing.assert_allclose(model.coef_[0], -reference.params[:5], atol=1e-8)
    thresholds = reference.model.transform_threshold_params(reference.params)[1:-1]
    np.testing.assert_allclose(model.intercept_, thresholds, atol=1e-8)
    log_loss = -np.sum(model.predict_log_proba(X)[np.arange(100), y])
    assert log_loss == pytest.approx(91.00422324356, abs=1e-9)
    assert log_loss == pytest.approx(-reference.llf, abs=1e-9)


def test_recorded_coefficients(example):
    model = ProportionalOddsClassifier(tol=1e-10).fit(*example)
    np.testing.assert_allclose(model.intercept_, [-0.47733246, 1.45481988, 3.76540327], atol=1e-7)
    np.testing.assert_allclose(
        model.coef_, [[1.07350568, -1.60370502, 0.30142067, -0.09585021, 0.42337519]], atol=1e-7
    )


def test_it_is_the_limit_of_presto_without_first_penalty(example):
    limit = PrestoClassifier(1e3, first_penalty=0.0, tol=1e-10).fit(*example)
    model = ProportionalOddsClassifier(tol=1e-10).fit(*example)
    np.testing.assert_allclose(limit.coef_, np.repeat(model.coef_, 3, axis=0), atol=1e-8)
    assert not limit.coef_diff_[1:].any()


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
def test_penalised_fit_is_that_of_scikit_learn_at_two_classes(example, l1_ratio):
    X, y = example.X, (example.y > 1).astype(int)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    model = ProportionalOddsClassifier(0.05, l1_ratio=l1_ratio, tol=1e-12).fit(Z, y)
    reference = LogisticRegression(
        l1_ratio=l1_ratio, solver="saga", C=1 / (100 * 0.05), tol=1e-11, max_iter=100_000
    ).fit(Z, y)
    np.testing.assert_allclose(model.coef_, -reference.coef_, atol=1e-6)
    assert model.dual_gap_ < 1e-11


def test_ridge_and_lasso_shrink_and_select(example):
    plain, ridge, lasso = (
        ProportionalOddsClassifier(alpha, l1_ratio=l1_ratio).fit(*example).coef_
        for alpha, l1_ratio in ((0, 0), (0.5, 0), (0.1, 1))
    )
    assert np.linalg.norm(ridge) < np.linalg.norm(plain)
    assert np.count_nonzero(lasso) < np.count_nonzero(ridge) == 5


def test_weights_equal_repetition(example):
    weight = np.random.default_rng(2).integers(0, 3, 100)
    X, y = example
    weighted = ProportionalOddsClassifier(tol=1e-10).fit(X, y, weight)
    repeated = ProportionalOddsClassifier(tol=1e-10).fit(
        np.repeat(X, weight, axis=0), np.repeat(y, weight)
    )
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, atol=1e-9)


def test_penalty_weights_and_standardize(example):
    X, y = example
    excluded = ProportionalOddsClassifier(penalty_weights=[1, 1, 1, 1, np.inf], tol=1e-10).fit(X, y)
    without = ProportionalOddsClassifier(tol=1e-10).fit(X[:, :4], y)
    np.testing.assert_allclose(excluded.coef_[:, :4], without.coef_, atol=1e-8)
    assert excluded.coef_[0, 4] == 0
    raw, scaled = (
        ProportionalOddsClassifier(0.1, standardize=standardize).fit(X * 10, y).coef_
        for standardize in (False, True)
    )
    assert np.linalg.norm(raw) > np.linalg.norm(scaled)


def test_nearly_collinear_features_agree_with_statsmodels():
    X, y = load_ordinal_diabetes(return_X_y=True)
    assert np.linalg.cond(X - X.mean(axis=0)) > 20
    model = ProportionalOddsClassifier(tol=1e-10).fit(X, y)
    reference = OrderedModel(y, X * 10, distr="logit").fit(method="newton", disp=False)
    np.testing.assert_allclose(model.coef_[0], -10 * reference.params[:10], rtol=1e-6)


@pytest.mark.parametrize("estimator", [ProportionalOddsClassifier(), PrestoClassifier(0.0)])
@pytest.mark.parametrize("seed", range(4))
def test_units_do_not_matter_without_penalty_and_standardising(estimator, seed):
    """Gradients are in the unit of their column: one of a small unit looks solved at the start."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(200, 4)) + 10 * rng.normal(size=(200, 1))
    y = np.digitize(X[:, 0] - X[:, 1] + 2 * rng.logistic(size=200), [-1, 2])
    scale = 10.0 ** rng.permutation([-8, -4, 0, 7])
    exact = clone(estimator).set_params(tol=1e-12).fit(X, y)
    raw = clone(estimator).set_params(standardize=False, tol=1e-8).fit(X * scale, y)
    np.testing.assert_allclose(raw.coef_ * scale, exact.coef_, atol=1e-5)
    assert raw.kkt_residual_ < 1e-7


def test_units_do_not_matter_for_free_features_beside_penalised_ones(example):
    """The penalty of the others is in their unit, the conditions of optimality are in none."""
    X, y = example
    free = np.array([0.0, 0.0, 1.0, 1.0, 1.0])
    exact = PrestoClassifier(0.02, penalty_weights=free, standardize=False, tol=1e-12).fit(X, y)
    for scale in (np.array([1e-7, 1, 1e6, 1, 1e-3]), np.array([1e7, 1e-8, 1, 1e-4, 1e5])):
        model = PrestoClassifier(0.02, penalty_weights=free * scale, standardize=False, tol=1e-8)
        model.fit(X * scale, y)
        np.testing.assert_allclose(model.coef_ * scale, exact.coef_, atol=1e-5)


def test_separation_and_bad_input_are_reported(example):
    X = np.linspace(-1, 1, 30)[:, None]
    with pytest.warns(ConvergenceWarning, match="separable"):
        ProportionalOddsClassifier(tol=1e-9).fit(X, np.digitize(X[:, 0], [-0.4, 0.4]))
    with pytest.warns(ConvergenceWarning, match="wanted"):
        ProportionalOddsClassifier(max_iter=1).fit(*example)
    with pytest.raises(ValueError, match="penalty_weights"):
        ProportionalOddsClassifier(penalty_weights=[1]).fit(*example)
    for parameters in ({"alpha": -1}, {"l1_ratio": 2}, {"tol": -1}, {"max_iter": 0.5}):
        with pytest.raises(ValueError, match=next(iter(parameters))):
            ProportionalOddsClassifier(**parameters).fit(*example)
