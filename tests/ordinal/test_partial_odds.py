"""Partial proportional odds: features with one coefficient, against SciPy and proportional odds."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.sparse import csr_array
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, KFold

from skreg.ordinal import (
    PrestoClassifier,
    PrestoClassifierCV,
    ProportionalOddsClassifier,
    presto_alpha_max,
    presto_path,
)

PROPORTIONAL = [0, 2, 4]
SHARP = {"alpha": 0.0, "tol": 1e-10}


def mean_loss(alpha, beta, X, y, weight=None):
    """Mean log-loss of thresholds (n_boundaries,) and coefficients (n_boundaries, n_features)."""
    below = np.column_stack([np.zeros(len(y)), expit(alpha + X @ beta.T), np.ones(len(y))])
    pi = np.diff(below, axis=1)[np.arange(len(y)), y]
    return -np.average(np.log(np.maximum(pi, 1e-300)), weights=weight)


def fit_by_scipy(X, y, proportional, weight=None):
    """Thresholds and coefficients of the partial model, by BFGS from proportional odds."""
    n_boundaries, p = y.max(), X.shape[1]
    own = np.setdiff1d(np.arange(p), proportional)

    def unpack(theta):
        beta = np.tile(theta[n_boundaries : n_boundaries + p], (n_boundaries, 1))
        beta[1:, own] += theta[n_boundaries + p :].reshape(n_boundaries - 1, len(own))
        return theta[:n_boundaries], beta

    near = ProportionalOddsClassifier().fit(X, y, weight)
    start = np.concatenate(
        [near.intercept_, near.coef_[0], np.zeros((n_boundaries - 1) * len(own))]
    )
    found = minimize(
        lambda theta: mean_loss(*unpack(theta), X, y, weight), start, method="BFGS",
        options={"gtol": 1e-8},
    )  # fmt: skip
    return unpack(found.x)


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("proportional", [[], PROPORTIONAL, [1]])
def test_maximum_likelihood_is_that_of_scipy(example, proportional, weighted):
    X, y = example
    weight = np.random.default_rng(0).uniform(0.5, 2.0, 100) if weighted else None
    alpha, beta = fit_by_scipy(X, y, proportional, weight)
    model = PrestoClassifier(**SHARP, proportional=proportional).fit(X, y, weight)
    np.testing.assert_allclose(model.intercept_, alpha, atol=1e-5)
    np.testing.assert_allclose(model.coef_, beta, atol=1e-5)
    assert mean_loss(model.intercept_, model.coef_, X, y, weight) <= mean_loss(
        alpha, beta, X, y, weight
    )
    assert not model.violates_proportional_odds_[proportional].any()
    assert np.all(model.coef_[:, proportional] == model.coef_[0, proportional])


@pytest.mark.parametrize(
    "params",
    [
        {"alpha": 0.0},
        {"alpha": 0.02},
        {"alpha": 0.02, "l1_ratio": 0.0, "standardize": False},
        {"alpha": 0.01, "l1_ratio": 0.5, "penalty_weights": [1, 0, np.inf, 2, 1]},
    ],
)
def test_all_features_are_proportional_odds(example, params):
    odds = ProportionalOddsClassifier(**{"l1_ratio": 1.0, **params}).fit(*example)
    model = PrestoClassifier(**params, proportional="all").fit(*example)
    for boundary in model.coef_:
        np.testing.assert_array_equal(boundary, odds.coef_[0])
    np.testing.assert_array_equal(model.intercept_, odds.intercept_)
    np.testing.assert_array_equal(model.dual_gap_, odds.dual_gap_)
    assert model.kkt_residual_ == odds.kkt_residual_


def test_no_features_are_presto(example):
    wanted = PrestoClassifier(0.01).fit(*example)
    for none in ([], np.zeros(5, dtype=bool), np.array([], dtype=int), None):
        model = PrestoClassifier(0.01, proportional=none).fit(*example)
        np.testing.assert_array_equal(model.coef_diff_, wanted.coef_diff_)


@pytest.mark.parametrize("alpha", [0.0, 0.005])
def test_names_positions_and_masks_mean_the_same(example, alpha):
    X, y = example
    frame = pd.DataFrame(X, columns=["age", "bmi", "sex", "dose", "site"])
    wanted = PrestoClassifier(alpha, tol=1e-9, proportional=PROPORTIONAL).fit(X, y)
    for same in (
        ["age", "sex", "site"],
        pd.Index(["site", "sex", "age"]),
        np.array(["age", "sex", "site"]),
        [0, 2, 4, 2],
        [True, False, True, False, True],
        pd.Series([True, False, True, False, True], dtype="boolean"),
        pd.Series([4, 2, 0], dtype="Int64"),
        pd.Series(["age", "sex", "site"], dtype="category"),
    ):
        model = PrestoClassifier(alpha, tol=1e-9, proportional=same).fit(frame, y)
        np.testing.assert_array_equal(model.coef_, wanted.coef_)
    sparse = PrestoClassifier(alpha, tol=1e-9, proportional=PROPORTIONAL).fit(csr_array(X), y)
    np.testing.assert_allclose(sparse.coef_, wanted.coef_, atol=1e-6)


def test_reversed_classes_have_the_opposite_coefficients(example):
    X, y = example
    model = PrestoClassifier(**SHARP, proportional=PROPORTIONAL).fit(X, y)
    other = PrestoClassifier(**SHARP, proportional=PROPORTIONAL, class_order=[3, 2, 1, 0])
    np.testing.assert_allclose(other.fit(X, y).coef_[::-1], -model.coef_, atol=1e-6)


def test_two_classes_have_one_boundary(example):
    X, event = example.X, example.y > 1
    wanted = PrestoClassifier(0.01).fit(X, event)
    for proportional in ("all", [1]):
        model = PrestoClassifier(0.01, proportional=proportional).fit(X, event)
        np.testing.assert_array_equal(model.coef_, wanted.coef_)


def test_large_strengths_without_first_penalty_are_proportional_odds(example):
    X, y = example
    odds = ProportionalOddsClassifier(tol=1e-10).fit(X, y)
    model = PrestoClassifier(10.0, first_penalty=0.0, tol=1e-10, proportional=[1]).fit(X, y)
    np.testing.assert_allclose(model.coef_, np.tile(odds.coef_, (3, 1)), atol=1e-7)


def test_a_second_fit_forgets_what_was_free_before(example):
    X, y = example
    model = PrestoClassifier(0.002, tol=1e-9, warm_start=True).fit(X, y)
    assert model.coef_diff_[1:].any(axis=0)[PROPORTIONAL].any()
    model.set_params(proportional=PROPORTIONAL).fit(X, y)
    cold = PrestoClassifier(0.002, tol=1e-9, proportional=PROPORTIONAL).fit(X, y)
    np.testing.assert_array_equal(model.coef_diff_[1:, PROPORTIONAL], 0.0)
    np.testing.assert_allclose(model.coef_, cold.coef_, atol=1e-4)


# ------------------------------------------------------------------------------------------------
# path and cross-validation


def test_path_has_the_fits_of_its_alphas(example):
    X, y = example
    path = presto_path(X, y, alphas=4, proportional=PROPORTIONAL, tol=1e-9)
    assert path.alphas[0] == presto_alpha_max(X, y, proportional=PROPORTIONAL)
    for i, alpha in enumerate(path.alphas):
        model = PrestoClassifier(alpha, tol=1e-9, proportional=PROPORTIONAL).fit(X, y)
        np.testing.assert_allclose(path.coefs[..., i], model.coef_, atol=1e-4)
    assert not path.coef_diffs[1:, PROPORTIONAL].any()
    assert path.coef_diffs[1:, [1, 3]].any()
    assert path.dual_gaps.max() <= 1e-9


def test_alpha_max_does_not_see_increments_that_are_left_out(example):
    """With `first_penalty=0` it is the largest gradient, at proportional odds, of those left."""
    X, y = example
    params = {"first_penalty": 0.0, "tol": 1e-10}
    alone = [
        presto_alpha_max(X, y, **params, proportional=np.delete(np.arange(5), j)) for j in range(5)
    ]
    assert presto_alpha_max(X, y, **params) == pytest.approx(max(alone))
    some = presto_alpha_max(X, y, **params, proportional=[0, 1])
    assert some == pytest.approx(max(alone[2:]))


def brier(estimator, X, y):
    return -np.mean((estimator.predict_proba(X) - (y[:, None] == estimator.classes_)) ** 2)


@pytest.mark.parametrize("named", [False, True], ids=["positions", "names"])
def test_cross_validation_scores_partial_models(example, named):
    X, y = example
    columns = [f"f{j}" for j in range(5)]
    X = pd.DataFrame(X, columns=columns) if named else X
    proportional = [columns[j] for j in PROPORTIONAL] if named else PROPORTIONAL
    alphas, cv = [0.03, 0.01, 0.003], KFold(3)
    params = {"tol": 1e-9, "proportional": proportional}
    model = PrestoClassifierCV(alphas, cv=cv, scoring=brier, **params).fit(X, y)
    search = GridSearchCV(PrestoClassifier(**params), {"alpha": alphas}, cv=cv, scoring=brier)
    search.fit(X, y)
    scores = [search.cv_results_[f"split{k}_test_score"] for k in range(3)]
    np.testing.assert_allclose(model.score_path_, np.transpose(scores), atol=1e-6)
    assert model.alpha_ == search.best_params_["alpha"]
    np.testing.assert_allclose(model.coef_, search.best_estimator_.coef_, atol=1e-4)
    assert not model.violates_proportional_odds_[PROPORTIONAL].any()


# ------------------------------------------------------------------------------------------------
# what is refused


@pytest.mark.parametrize(
    ("proportional", "message"),
    [
        (["age", "bni"], r"names \['bni'\], which X does not have; did you mean 'bmi'\?"),
        (
            ["weight"],
            r"names \['weight'\].*its columns are \['age', 'bmi', 'sex', 'dose', 'site'\]",
        ),
        ("bmi", r"'bmi' is no list of features: write \['bmi'\]"),
        ([5], r"positions \[5\]; those of the 5 features of X are 0 to 4"),
        ([-1, 0], r"positions \[-1\]"),
        ([True, False], "mask of 2 entries; it must have one for each of the 5 features"),
        ([0.5], r"names or positions of features, a mask .*; got \[0.5\]"),
        ([[0, 1]], r"names or positions of features, a mask .*; got \[\[0, 1\]\]"),
        (3, "'proportional' parameter"),
    ],
)
@pytest.mark.parametrize("estimator", [PrestoClassifier(), PrestoClassifierCV(2, cv=2)], ids=str)
def test_what_names_no_features_is_refused(example, estimator, proportional, message):
    X = pd.DataFrame(example.X, columns=["age", "bmi", "sex", "dose", "site"])
    with pytest.raises(ValueError, match=message):
        estimator.set_params(proportional=proportional).fit(X, example.y)


def test_names_need_named_columns(example):
    with pytest.raises(ValueError, match="proportional names features, but X has no column names"):
        PrestoClassifier(proportional=["age"]).fit(*example)


def test_separation_at_one_boundary_needs_the_feature_to_be_free_there(example):
    """At the last boundary x0 separates; its common coefficient is finite."""
    x = np.concatenate([np.linspace(-2, 2, 40), np.linspace(2.5, 3, 5)])[:, None]
    y = np.concatenate([np.arange(40) % 2, np.full(5, 2)])
    with pytest.warns(ConvergenceWarning, match="separable"):
        PrestoClassifier(**SHARP).fit(x, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        PrestoClassifier(**SHARP, proportional="all").fit(x, y)
