"""Offsets: known parts of the predictors, against statsmodels, SciPy and invariances."""

import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy import sparse, stats
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from statsmodels.genmod.families import Binomial
from statsmodels.genmod.generalized_linear_model import GLM
from statsmodels.miscmodels.ordinal_model import OrderedModel

from skreg.ordinal import (
    PrestoClassifier,
    PrestoClassifierCV,
    ProportionalOddsClassifier,
    _certificate,
    bootstrap_summary,
    brant_test,
    likelihood_ratio_test,
    presto_alpha_max,
    presto_path,
)
from skreg.ordinal._link import LINKS
from skreg.ordinal._problem import increment_weights, make_problem
from skreg.ordinal._solve_path import solve_at

TIGHT = {"tol": 1e-11}
DISTRIBUTIONS = {
    "logit": stats.logistic,
    "probit": stats.norm,
    "cloglog": stats.gumbel_l,
    "loglog": stats.gumbel_r,
}


@pytest.fixture(scope="module")
def offset(example):
    return 0.8 * np.random.default_rng(5).standard_normal(len(example.y)) + 0.5


@pytest.mark.parametrize("link", LINKS)
def test_maximum_likelihood_is_that_of_statsmodels_with_the_opposite_sign(example, offset, link):
    X, y = example
    model = ProportionalOddsClassifier(link=link, tol=1e-10).fit(X, y, offset=offset)
    start = [-model.coef_[0], model.intercept_[:1], np.log(np.diff(model.intercept_))]
    reference = OrderedModel(y, X, offset=-offset, distr=DISTRIBUTIONS[link]).fit(
        start_params=np.concatenate(start) + 0.01, method="newton", disp=False, maxiter=20
    )
    table = model.summary(X, y, offset=offset, direction="higher")
    np.testing.assert_allclose(model.coef_[0], -reference.params[:5], atol=1e-6)
    np.testing.assert_allclose(table["standard_error"][:5], reference.bse[:5], atol=1e-6)
    np.testing.assert_allclose(
        model.predict_proba(X, offset), reference.model.predict(reference.params), atol=1e-6
    )
    log_likelihood = np.sum(model.predict_log_proba(X, offset)[np.arange(100), y])
    assert log_likelihood == pytest.approx(reference.llf, abs=1e-8)


@pytest.mark.parametrize("link", ["logit", "cloglog"])
@pytest.mark.parametrize("storage", [np.asarray, sparse.csr_array])
def test_an_offset_that_is_linear_in_the_features_shifts_coefficients(example, link, storage):
    X, y = storage(example.X), example.y
    c = np.array([0.5, -1.0, 0.0, 2.0, 0.3])
    for estimator in (ProportionalOddsClassifier(tol=1e-12), PrestoClassifier(0.0, tol=1e-12)):
        estimator.set_params(link=link)
        plain = clone(estimator).fit(X, y)
        moved = clone(estimator).fit(X, y, offset=X @ c)
        np.testing.assert_allclose(moved.coef_, plain.coef_ - c, atol=1e-6)
        np.testing.assert_allclose(moved.intercept_, plain.intercept_, atol=1e-6)
        np.testing.assert_allclose(moved.predict_proba(X, X @ c), plain.predict_proba(X), atol=1e-7)


@pytest.mark.parametrize("estimator", [ProportionalOddsClassifier(0.02), PrestoClassifier(0.02)])
@pytest.mark.parametrize("link", LINKS)
def test_a_constant_offset_moves_the_intercepts_alone(example, estimator, link):
    X, y = example
    estimator = clone(estimator).set_params(link=link, **TIGHT)
    plain, moved = clone(estimator).fit(X, y), estimator.fit(X, y, offset=np.full(100, 3.0))
    np.testing.assert_allclose(moved.coef_, plain.coef_, atol=1e-6)
    np.testing.assert_allclose(moved.intercept_, plain.intercept_ - 3.0, atol=1e-6)
    none = clone(estimator).fit(X, y, offset=np.zeros(100))
    np.testing.assert_allclose(none.coef_, plain.coef_, atol=1e-6)
    assert none.dual_gap_ <= 1e-11


def test_two_classes_are_a_logistic_regression_with_the_offset(example, offset):
    X, below = example.X, example.y < 1
    Z = np.column_stack([X, np.ones(100)])
    reference = GLM(below.astype(float), Z, Binomial(), offset=offset).fit(tol=1e-12)
    model = ProportionalOddsClassifier(tol=1e-10).fit(X, ~below, offset=offset)
    table = model.summary(X, ~below, offset=offset)
    np.testing.assert_allclose(table["coefficient"], reference.params, atol=1e-8)
    np.testing.assert_allclose(table["standard_error"], reference.bse, rtol=1e-6)


@pytest.mark.parametrize("link", ["logit", "probit"])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_gap_bounds_the_suboptimality_from_above(example, offset, link, l1_ratio):
    X, y = example
    weights = increment_weights(4, 1.0, np.ones(5))
    problem = make_problem(X, y, 4, np.ones(100), weights, l1_ratio, True, LINKS[link], offset)
    best = solve_at(problem, 0.01, tol=1e-13, max_iter=100).objective
    for max_iter in range(1, 12):
        solution = solve_at(problem, 0.01, tol=0.0, max_iter=max_iter, start=problem.start)
        assert solution.objective - best <= solution.dual_gap * problem.scales.loss + 1e-14
    assert -1e-14 <= solution.dual_gap < 1e-9


@pytest.mark.parametrize("link", LINKS)
def test_path_starts_at_the_optimum_of_the_intercepts(example, offset, link):
    X, y = example
    largest = presto_alpha_max(X, y, link=link, offset=offset)
    above, below = (
        PrestoClassifier(factor * largest, link=link, **TIGHT).fit(X, y, offset=offset)
        for factor in (1.0 + 1e-6, 0.99)
    )
    assert not above.coef_diff_.any()
    assert below.coef_diff_.any()
    start = np.concatenate([above.intercept_[:1], np.log(np.diff(above.intercept_))]) + 0.01
    ones = np.random.default_rng(0).standard_normal((100, 1))  # held at 0
    alone = OrderedModel(y, ones, offset=-offset, distr=DISTRIBUTIONS[link])

    def gradient(theta):
        return alone.score(np.append(0.0, theta))[1:]

    for _ in range(8):
        step = np.linalg.solve(alone.hessian(np.append(0.0, start))[1:, 1:], gradient(start))
        start = start - step
    thresholds = alone.transform_threshold_params(np.append(0.0, start))[1:-1]
    np.testing.assert_allclose(above.intercept_, thresholds, atol=1e-5)
    path = presto_path(X, y, link=link, offset=offset, alphas=4, tol=1e-8)
    assert np.all(path.dual_gaps <= 1e-8)
    assert path.alphas[0] == pytest.approx(largest)


def test_weights_units_and_warm_starts_do_not_matter(example, offset):
    X, y = example
    weight = np.random.default_rng(0).integers(0, 3, 100)
    weight[np.unique(y, return_index=True)[1]] = 1
    model = PrestoClassifier(0.01, **TIGHT).fit(X, y, weight, offset)
    repeated = clone(model).fit(
        np.repeat(X, weight, axis=0), np.repeat(y, weight), offset=np.repeat(offset, weight)
    )
    np.testing.assert_allclose(repeated.coef_, model.coef_, atol=1e-6)
    shuffled = np.random.default_rng(1).permutation(100)
    other = clone(model).fit(
        X[shuffled], y[shuffled], weight[shuffled], pd.Series(offset[shuffled])
    )
    np.testing.assert_allclose(other.coef_, model.coef_, atol=1e-6)
    scaled = clone(model).fit(1e3 * X - 7.0, y, weight, offset)
    np.testing.assert_allclose(1e3 * scaled.coef_, model.coef_, atol=1e-6)
    warm = PrestoClassifier(0.03, warm_start=True, **TIGHT).fit(X, y, weight, offset)
    warm.set_params(alpha=0.01).fit(X, y, weight, offset)
    np.testing.assert_allclose(warm.coef_, model.coef_, atol=1e-6)
    assert warm.n_iter_ <= model.n_iter_
    np.testing.assert_array_equal(  # the second fit has no offset left
        warm.set_params(warm_start=False).fit(X, y).coef_, clone(warm).fit(X, y).coef_
    )


def test_tests_and_intervals_take_the_offset_of_the_fit(example, offset):
    X, y = example
    c = np.array([0.2, -0.4, 0.0, 0.1, 0.3])
    plain = ProportionalOddsClassifier(tol=1e-8).fit(X, y)
    moved = ProportionalOddsClassifier(tol=1e-8).fit(X, y, offset=X @ c)
    for test in (brant_test, likelihood_ratio_test):
        np.testing.assert_allclose(test(moved, X, y, offset=X @ c), test(plain, X, y), rtol=1e-6)
        with pytest.raises(ValueError, match="offset of the fit"):
            test(moved, X, y, offset=offset)
    for interval in ("wald", "profile"):
        tables = (
            moved.summary(X, y, offset=X @ c, interval=interval),
            plain.summary(X, y, interval=interval),
        )
        shift = np.append(c, np.zeros(3))
        for column in ("coefficient", "lower", "upper"):
            np.testing.assert_allclose(tables[0][column] + shift, tables[1][column], atol=1e-6)
    with pytest.raises(ValueError, match="needs the X, y, sample_weight and offset of the fit"):
        moved.summary(X, y)


def test_bootstrap_refits_with_the_offset_of_the_rows(example):
    X, y = example
    c = np.array([0.2, -0.4, 0.0, 0.1, 0.3])
    draws = {"n_bootstraps": 10, "level": 0.8, "random_state": 0}
    estimator = ProportionalOddsClassifier(tol=1e-8)
    plain = bootstrap_summary(estimator, X, y, **draws)
    moved = bootstrap_summary(estimator, X, y, offset=X @ c, **draws)
    np.testing.assert_allclose(moved["upper"][:5] + c, plain["upper"][:5], atol=1e-4)
    np.testing.assert_allclose(moved["standard_error"], plain["standard_error"], atol=1e-4)


@pytest.mark.filterwarnings("ignore:PrestoClassifierCV chose")
def test_cross_validation_fits_and_scores_with_the_offset(example, offset):
    X, y = example
    train, test = np.arange(30, 100), np.arange(30)
    model = PrestoClassifierCV(
        [0.1, 0.02], cv=[(train, test)], scoring="neg_log_loss", tol=1e-8
    ).fit(X, y, offset=offset)
    for alpha, score in zip(model.alphas_, model.score_path_[:, 0], strict=True):
        alone = PrestoClassifier(alpha, tol=1e-8).fit(X[train], y[train], offset=offset[train])
        observed = alone.predict_log_proba(X[test], offset[test])[np.arange(30), y[test]]
        assert score == pytest.approx(np.mean(np.maximum(observed, np.log(1e-8))), abs=1e-4)
    alone = PrestoClassifier(model.alpha_, tol=1e-8).fit(X, y, offset=offset)
    np.testing.assert_allclose(
        model.predict_proba(X, offset), alone.predict_proba(X, offset), atol=1e-4
    )
    with pytest.raises(ValueError, match=r"scoring among \['brier', 'neg_log_loss'\], got 'acc"):
        PrestoClassifierCV(scoring="accuracy").fit(X, y, offset=offset)


def test_all_answers_take_an_offset_and_rows_without_one_are_told(example, offset):
    X, y = example
    model = PrestoClassifier(0.01).fit(X, y, offset=offset)
    eta = X @ model.coef_.T + model.intercept_ + offset[:, None]
    below = model.predict_cumulative_proba(X, offset)
    inside = np.all(np.diff(eta, axis=1) > 0, axis=1)
    np.testing.assert_allclose(below[inside], stats.logistic.cdf(eta[inside]), rtol=1e-10)
    best = model.predict_proba(X, offset).argmax(axis=1)
    np.testing.assert_array_equal(model.predict(X, offset), best)
    assert model.score(X, y, offset=offset) == np.mean(best == y)
    zeros = model.predict_proba(X, np.zeros(100))
    with pytest.warns(UserWarning, match="fitted with an offset, but is asked about rows without"):
        np.testing.assert_array_equal(model.predict_proba(X), zeros)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, y).predict_proba(X)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (np.zeros(99), r"offset has shape \(99,\); it must have one number for each of the 100"),
        (np.zeros((100, 1)), r"offset has shape \(100, 1\)"),
        (1.0, r"offset has shape \(\)"),
        (np.full(100, np.nan), "Input offset contains NaN"),
        (np.full(100, np.inf), "Input offset contains infinity"),
        (["a"] * 100, "could not convert string to float"),
    ],
    ids=["short", "column", "number", "nan", "inf", "strings"],
)
def test_bad_offsets_are_refused(example, wrong, message):
    X, y = example
    fitted = PrestoClassifier().fit(X, y)
    for estimator in (ProportionalOddsClassifier(), PrestoClassifier(), PrestoClassifierCV(3)):
        with pytest.raises(ValueError, match=message):
            estimator.fit(X, y, offset=wrong)
    for answer in (fitted.predict_proba, fitted.predict, fitted.predict_cumulative_proba):
        with pytest.raises(ValueError, match=message):
            answer(X, offset=wrong)


def test_offsets_are_routed(example, offset):
    X, y = example
    with sklearn.config_context(enable_metadata_routing=True):
        model = (
            PrestoClassifier(tol=1e-8)
            .set_fit_request(offset=True)
            .set_score_request(offset=True)
            .set_predict_proba_request(offset=True)
        )
        search = GridSearchCV(model, {"alpha": [0.02, 0.01]}, cv=3)
        search.fit(X, y, offset=offset)
        alone = PrestoClassifier(search.best_params_["alpha"], tol=1e-8).fit(X, y, offset=offset)
        found = search.best_estimator_.predict_proba(X, offset=offset)
        np.testing.assert_allclose(found, alone.predict_proba(X, offset), atol=1e-10)
        several = PrestoClassifierCV(3, cv=3).set_fit_request(offset=True)
        assert several.get_metadata_routing()._self_request.fit.requests["offset"] is True


def test_huge_offsets_keep_predictions_finite(example):
    X, y = example
    model = ProportionalOddsClassifier().fit(X, y)
    for size in (1e308, -1e308):
        proba = model.predict_proba(X, np.full(100, size))
        np.testing.assert_array_equal(proba[:, 0 if size > 0 else 3], 1.0)


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("size", [30.0, 300.0])
def test_offsets_of_wide_range_are_fitted_and_certified(example, link, size):
    """Rows of no doubt at all: their tails overflow or vanish, and the gap is no number of them."""
    X, y = example
    offset = size * np.random.default_rng(0).standard_normal(100)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = PrestoClassifier(0.05, link=link).fit(X, y, offset=offset)
    assert 0.0 <= model.dual_gap_ <= 1e-4


def test_an_offset_beyond_all_sense_is_said_to_stop_the_solver(example):
    X, y = example
    offset = 1e4 * np.random.default_rng(0).standard_normal(100)
    with pytest.warns(ConvergenceWarning, match="look for extreme numbers in X and in the offset"):
        ProportionalOddsClassifier().fit(X, y, offset=offset)


@pytest.mark.parametrize("which", [0, -1])
def test_a_dual_value_that_overflows_certifies_nothing(example, monkeypatch, which):
    """The balances of the first and the last class have different signs: one sum is +inf."""

    def overflowing(rows, model):
        sums = np.zeros(len(rows.start) - 1)
        sums[which] = np.inf
        return sums

    monkeypatch.setattr(_certificate, "_class_offsets", overflowing)
    with pytest.warns(ConvergenceWarning):
        model = PrestoClassifier(0.05).fit(*example)
    assert model.dual_gap_ == np.inf
