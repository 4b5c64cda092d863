"""PrestoClassifier: invariances, labels, weights, extreme data, errors and warnings."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import SelectFromModel
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg.ordinal import (
    PrestoClassifier,
    PrestoClassifierCV,
    ProportionalOddsClassifier,
    presto_alpha_max,
    presto_path,
)
from skreg.strengths import RegularizationPath

NAMES = np.array(["none", "click", "cart", "purchase"])
TIGHT = {"tol": 1e-12}


def fit(example, alpha=0.02, **parameters):
    return PrestoClassifier(alpha, **{**TIGHT, **parameters}).fit(*example)


def test_alpha_above_maximum_gives_class_frequencies(example):
    X, y = example
    model = PrestoClassifier(1.01 * presto_alpha_max(X, y)).fit(X, y)
    assert not model.coef_diff_.any()
    np.testing.assert_allclose(model.predict_proba(X[:3]), [[0.47, 0.28, 0.18, 0.07]] * 3)


def test_shift_of_the_features_moves_the_intercepts_by_the_cumulated_coefficients(example):
    X, y = example
    model, shifted = fit(example), fit((X + 3.0, y))
    np.testing.assert_allclose(shifted.coef_, model.coef_, atol=1e-10)
    expected = model.intercept_ - 3.0 * model.coef_.sum(axis=1)
    np.testing.assert_allclose(shifted.intercept_, expected, atol=1e-9)


@pytest.mark.parametrize("exponent", [-300, -200, -5, 5, 150, 280])
def test_scale_of_a_feature_does_not_change_probabilities(example, exponent):
    X, y = example
    scale = np.ones(5)
    scale[:2] = 10.0**exponent
    model, scaled = fit(example), fit((X * scale, y))
    np.testing.assert_allclose(scaled.coef_ * scale, model.coef_, atol=1e-9)
    np.testing.assert_allclose(scaled.predict_proba(X * scale), model.predict_proba(X), atol=1e-9)


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("storage", [np.asarray, scipy.sparse.csr_array])
def test_integer_weights_equal_repetition(example, standardize, storage):
    X, y = example
    weight = np.random.default_rng(1).integers(0, 4, 100)
    weighted = PrestoClassifier(0.02, standardize=standardize, **TIGHT).fit(storage(X), y, weight)
    repeated = fit((np.repeat(X, weight, axis=0), np.repeat(y, weight)), standardize=standardize)
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, atol=1e-9)
    np.testing.assert_allclose(weighted.intercept_, repeated.intercept_, atol=1e-9)
    assert weighted.crossing_rate_ == pytest.approx(repeated.crossing_rate_)


@pytest.mark.parametrize("size", [1e-310, 1e-5, 1e308])
def test_scale_of_the_weights_does_not_matter(example, size):
    weight = np.full(100, size)
    scaled = PrestoClassifier(0.02, **TIGHT).fit(*example, sample_weight=weight)
    np.testing.assert_allclose(scaled.coef_, fit(example).coef_, atol=1e-9)
    assert np.all(weight == size)


def test_order_of_the_rows_does_not_matter(example):
    order = np.random.default_rng(0).permutation(100)
    shuffled = fit((example.X[order], example.y[order]))
    np.testing.assert_allclose(shuffled.coef_, fit(example).coef_, atol=1e-9)


def test_reversed_classes_give_the_mirrored_fit_without_first_penalty(example):
    X, y = example
    model, mirrored = (fit((X, labels), first_penalty=0.0) for labels in (y, 3 - y))
    np.testing.assert_allclose(mirrored.coef_, -model.coef_[::-1], atol=1e-6)
    np.testing.assert_allclose(mirrored.intercept_, -model.intercept_[::-1], atol=1e-6)


def test_first_penalty_breaks_the_symmetry(example):
    X, y = example
    difference = fit((X, 3 - y)).coef_ + fit(example).coef_[::-1]
    assert np.abs(difference).max() > 0.01


def test_without_standardising_the_penalty_acts_on_the_original_scale(example):
    X, y = example
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    np.testing.assert_allclose(fit((Z, y), standardize=False).coef_, fit((Z, y)).coef_, atol=1e-9)
    assert np.abs(fit((Z * 0.1, y), standardize=False).coef_ * 0.1 - fit((Z, y)).coef_).max() > 0.01


def test_penalty_weights_free_and_exclude_features(example):
    free = fit(example, alpha=0.05, penalty_weights=[0, 1, 1, 1, np.inf])
    assert np.all(free.coef_diff_[:, 0] != 0)
    assert np.all(free.coef_diff_[:, 4] == 0)
    assert np.isnan(free.dual_gap_)
    without = fit((example.X[:, :4], example.y), alpha=0.05, penalty_weights=[0, 1, 1, 1])
    np.testing.assert_allclose(free.coef_[:, :4], without.coef_, atol=1e-6)


def test_float32_stays_close_to_float64(example):
    single = PrestoClassifier(0.02, tol=1e-6).fit(example.X.astype(np.float32), example.y)
    np.testing.assert_allclose(single.coef_, fit(example).coef_, atol=2e-3)


def test_sparse_and_dense_agree(example):
    X, y = np.where(np.abs(example.X) > 0.7, example.X + 2, 0.0), example.y
    dense = fit((X, y))
    for storage in (scipy.sparse.csr_matrix, scipy.sparse.csc_array, scipy.sparse.coo_array):
        sparse = fit((storage(X), y))
        np.testing.assert_allclose(sparse.coef_, dense.coef_, atol=1e-8)
        np.testing.assert_allclose(
            sparse.predict_proba(storage(X)), dense.predict_proba(X), atol=1e-9
        )


def test_sparse_unpenalised_fit_with_correlated_columns_agrees_with_dense():
    rng = np.random.default_rng(5)
    X = rng.poisson(0.3, (300, 12)).astype(float)
    X[:, 6:] = X[:, :6] + (rng.random((300, 6)) < 0.05)
    y = (X[:, 0] + rng.logistic(size=300) > np.array([[0], [2]])).sum(axis=0)
    dense, sparse = fit((X, y), 1e-4), fit((scipy.sparse.csr_array(X), y), 1e-4)
    np.testing.assert_allclose(sparse.coef_, dense.coef_, atol=1e-6)


@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_constant_features_alone_give_class_frequencies(example, alpha):
    model = PrestoClassifier(alpha, tol=1e-12).fit(np.full((100, 2), 7.0), example.y)
    np.testing.assert_allclose(model.predict_proba([[7.0, 7.0]]), [[0.47, 0.28, 0.18, 0.07]])
    assert not model.coef_.any()


def test_sparse_columns_without_zeros_may_have_any_mean(example):
    X, y = example
    far = X + np.array([0, 1e6, 0, -1e9, 0])
    dense, sparse = fit((far, y), tol=1e-8), fit((scipy.sparse.csc_array(far), y), tol=1e-8)
    np.testing.assert_allclose(sparse.coef_, dense.coef_, atol=1e-6)


def test_duplicate_entries_of_a_sparse_matrix_add_up(example):
    X, y = example
    rows, columns = np.indices(X.shape).reshape(2, 1, -1)
    twice = scipy.sparse.coo_array(
        (np.concatenate([0.3 * X, 0.7 * X], axis=None),
         (np.tile(rows, 2)[0], np.tile(columns, 2)[0])), shape=X.shape,
    )  # fmt: skip
    csr = scipy.sparse.csr_array(X)
    csr.data, csr.indices = np.repeat(csr.data / 2, 2), np.repeat(csr.indices, 2)
    csr.indptr = 2 * csr.indptr
    for stored in (twice, csr):
        np.testing.assert_allclose(fit((stored, y)).coef_, fit(example).coef_, atol=1e-8)


def test_constant_and_duplicated_columns_are_harmless(example):
    X, y = example
    padded = np.column_stack([X, np.full(100, 7.3), np.zeros(100), X[:, 0]])
    for storage in (np.asarray, scipy.sparse.csr_array):
        model = fit((storage(padded), y), penalty_weights=[1, 1, 1, 1, 1, 1, 1, np.inf])
        np.testing.assert_allclose(model.coef_[:, :5], fit(example).coef_, atol=1e-8)
        assert not model.coef_[:, 5:].any()


def test_string_labels_in_a_given_order(example):
    X, y = example
    plain = fit(example)
    named = PrestoClassifier(0.02, class_order=NAMES, **TIGHT).fit(X, NAMES[y])
    np.testing.assert_allclose(named.coef_, plain.coef_)
    assert named.class_order_.tolist() == NAMES.tolist()
    assert named.classes_.tolist() == sorted(NAMES)
    assert named.predict(X).tolist() == NAMES[plain.predict(X)].tolist()
    proba = named.predict_proba(X)
    for k, name in enumerate(NAMES):
        column = named.classes_.tolist().index(name)
        np.testing.assert_allclose(proba[:, column], plain.predict_proba(X)[:, k])


@pytest.mark.parametrize("scoring", ["neg_log_loss", "roc_auc_ovr"])
def test_scikit_learns_scorers_see_the_right_columns(example, scoring):
    """They assume that probabilities have the columns of the sorted labels."""
    X, y = example
    grid = {"alpha": [0.01, 0.05]}
    named = GridSearchCV(PrestoClassifier(class_order=NAMES), grid, scoring=scoring, cv=3)
    plain = GridSearchCV(PrestoClassifier(), grid, scoring=scoring, cv=3)
    expected = plain.fit(X, y).cv_results_["mean_test_score"]
    found = named.fit(X, NAMES[y]).cv_results_["mean_test_score"]
    np.testing.assert_allclose(found, expected)


def test_ordered_categories_give_the_order(example):
    X, y = example
    categories = [*NAMES[:2], "never seen", *NAMES[2:]]
    labels = pd.Series(pd.Categorical(NAMES[y], categories=categories, ordered=True))
    model = PrestoClassifier(0.02, **TIGHT)
    with pytest.warns(UserWarning, match="none < click < cart < purchase"):
        model.fit(pd.DataFrame(X, columns=list("abcde")), labels)
    assert model.class_order_.tolist() == NAMES.tolist()
    assert model.feature_names_in_.tolist() == list("abcde")
    np.testing.assert_allclose(model.coef_, fit(example).coef_)


@pytest.mark.parametrize("wrap", [pd.Categorical, pd.Series, pd.DataFrame])
def test_categories_keep_their_type_and_order_in_every_container(example, wrap):
    X, y = example
    labels = pd.Categorical(y > 1, categories=[True, False], ordered=True)
    labels = labels if wrap is pd.Categorical else wrap(labels)
    model = PrestoClassifier().fit(X, labels)
    assert model.class_order_.tolist() == [True, False]
    assert model.classes_.dtype == bool


def test_increments_report_which_features_violate_proportional_odds(example):
    model = fit(example)
    np.testing.assert_allclose(np.cumsum(model.coef_diff_, axis=0), model.coef_, atol=1e-15)
    assert model.violates_proportional_odds_.tolist() == [True, True, False, True, False]


def test_rare_probability_is_that_of_the_last_boundary_even_where_boundaries_cross(example):
    X, y = example
    model = PrestoClassifier(0.001).fit(X, y)
    far = 5 * X
    eta = far @ model.coef_.T + model.intercept_
    crossed = np.any(np.diff(eta, axis=1) < 0, axis=1)
    assert crossed.any()
    proba = model.predict_proba(far)
    np.testing.assert_allclose(proba[:, -1], expit(-eta[:, -1]))
    raw = np.diff(expit(eta), axis=1, prepend=0, append=1)
    np.testing.assert_allclose(proba[~crossed], raw[~crossed], atol=1e-14)
    cumulative = model.predict_cumulative_proba(far)
    np.testing.assert_allclose(cumulative, np.cumsum(proba, axis=1)[:, :-1], atol=1e-12)


def test_crossing_rate_counts_the_repaired_training_rows(example):
    X, y = example
    model = PrestoClassifier(0.0, tol=1e-8).fit(X, y)
    eta = X @ model.coef_.T + model.intercept_
    assert model.crossing_rate_ == np.mean(np.any(np.diff(eta, axis=1) < 0, axis=1)) > 0


finite_rows = st.lists(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=5, max_size=5),
    min_size=1,
    max_size=4,
)


@settings(max_examples=100, deadline=None)
@given(rows=finite_rows)
def test_probabilities_are_a_distribution_for_any_finite_features(fitted_on_example, rows):
    X = np.array(rows)
    for Z in (X, scipy.sparse.csr_array(X)):
        proba = fitted_on_example.predict_proba(Z)
        assert np.all(proba >= 0)
        np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-12)
        cumulative = fitted_on_example.predict_cumulative_proba(Z)
        assert np.all(np.diff(cumulative, axis=1) >= 0)


@pytest.fixture(scope="session")
def fitted_on_example(example):
    return PrestoClassifier(0.002).fit(*example)


def test_tiny_probabilities_keep_their_logarithm(example):
    model = fit(example)
    row = example.X[:1] + 400 * np.array([1.0, -1, 0, 0, 0])
    log_proba = model.predict_log_proba(row)
    eta = (row @ model.coef_.T + model.intercept_)[0]
    assert log_proba[0, -1] == pytest.approx(-eta[-1], rel=1e-10)
    assert log_proba[0, -1] < -750


def test_separated_classes_have_a_finite_penalised_optimum():
    X = np.linspace(-1, 1, 30)[:, None]
    y = np.digitize(X[:, 0], [-0.4, 0.4])
    model = PrestoClassifier(1e-4, tol=1e-8).fit(X, y)
    assert np.isfinite(model.coef_).all()
    assert model.score(X, y) == 1


@pytest.mark.parametrize("tol", [1e-4, 1e-9])
def test_divergence_under_separation_is_reported(tol):
    X = np.linspace(-1, 1, 30)[:, None]
    y = np.digitize(X[:, 0], [-0.4, 0.4])
    wide = np.random.default_rng(0).standard_normal((30, 60))
    for features in (X, wide):
        for parameters in ({"alpha": 0.0}, {"first_penalty": 0.0}):
            with pytest.warns(ConvergenceWarning, match="separable.*first_penalty > 0"):
                PrestoClassifier(**parameters, tol=tol).fit(features, y)
        with pytest.warns(ConvergenceWarning, match="separable"):
            presto_path(features, y, first_penalty=0.0, alphas=[0.1, 0.05], tol=tol)


def test_small_alphas_from_scratch_are_as_quick_and_exact_as_along_a_path():
    """Seven boundaries, half as many features as rows: Newton's model at the start is far off."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((120, 60)), rng.integers(0, 8, 120)
    alpha = 1e-4 * presto_alpha_max(X, y)
    alone = PrestoClassifier(alpha, tol=1e-8).fit(X, y)
    path = presto_path(X, y, eps=1e-4, tol=1e-8)
    np.testing.assert_allclose(alone.coef_, path.coefs[..., -1], rtol=1e-2, atol=1e-2)
    assert alone.dual_gap_ <= 1e-8
    assert alone.n_iter_ <= 12


def test_unconverged_fit_names_the_reached_and_the_wanted_tolerance(example):
    with pytest.warns(ConvergenceWarning, match=r"duality gap is 0\.\d+, wanted is tol=1e-10") as w:
        PrestoClassifier(0.01, tol=1e-10, max_iter=2).fit(*example)
    assert w[0].filename == __file__
    with pytest.warns(ConvergenceWarning, match=r"relative violation .* is 0\.\d+, wanted is tol"):
        PrestoClassifier(0.01, first_penalty=0.0, tol=1e-10, max_iter=2).fit(*example)
    with pytest.warns(ConvergenceWarning, match="duality gap") as w:
        presto_path(*example, alphas=[0.01], tol=1e-10, max_iter=2)
    assert w[0].filename == __file__


def test_warm_start_begins_at_the_last_coefficients(example):
    X, y = example
    model = PrestoClassifier(0.02, tol=1e-8, warm_start=True).fit(X, y)
    assert model.n_iter_ > 3
    model.fit(X, y)
    assert model.n_iter_ == 1
    cold = clone(model).fit(X + 1, y)
    np.testing.assert_allclose(model.fit(X + 1, y).coef_, cold.coef_, atol=1e-3)
    model.fit(X[:, :3], y)
    assert model.coef_.shape == (3, 3)
    model.fit(X[:, :3], np.minimum(y, 2))
    assert model.coef_.shape == (2, 3)


WARM_CHANGES = {
    "excluded feature": {"penalty_weights": [np.inf, 1, 1, 1, 1]},
    "weights": {"penalty_weights": [3, 0.1, 1, 0, 1]},
    "first penalty": {"first_penalty": 0.0},
    "excluded without first penalty": {
        "penalty_weights": [np.inf, 1, 1, 1, 1],
        "first_penalty": 0.0,
    },
    "larger alpha": {"alpha": 0.1},
    "largest alpha": {"alpha": 10.0},
    "smaller alpha": {"alpha": 1e-4},
    "no penalty": {"alpha": 0.0},
    "ridge": {"l1_ratio": 0.0},
    "scale": {"standardize": False},
    "order": {"class_order": [3, 1, 0, 2]},
    "tolerance": {"tol": 1e-12},
}


@pytest.mark.parametrize("change", WARM_CHANGES)
@pytest.mark.parametrize("storage", [np.asarray, scipy.sparse.csr_array])
def test_a_warm_start_ends_where_a_cold_one_does_after_any_change(example, change, storage):
    X, y = storage(example.X), example.y
    model = PrestoClassifier(0.005, tol=1e-11, warm_start=True).fit(X, y)
    model.set_params(**WARM_CHANGES[change]).fit(X, y)
    cold = clone(model).fit(X, y)
    np.testing.assert_allclose(model.coef_, cold.coef_, atol=1e-4)
    np.testing.assert_array_equal(model.coef_diff_ == 0, cold.coef_diff_ == 0)
    if "excluded" in change:
        assert not model.coef_[:, 0].any()


def changed_data(X, y):
    constant = X.copy()
    constant[:, 1] = 2.5
    return {
        "constant feature": (constant, y),
        "other unit": (X * [1e6, 1e-6, 1, 1, 1], y),
        "offset": (X + 1e7, y),
        "fewer features": (X[:, :3], y),
        "fewer classes": (X, np.minimum(y, 1)),
        "reversed classes": (X, 3 - y),
        "shuffled labels": (X, np.random.default_rng(1).permutation(y)),
        "few rows": (X[::4], np.arange(25) % 4),
    }


@pytest.mark.parametrize("change", changed_data(np.zeros((100, 5)), np.arange(100)))
@pytest.mark.parametrize("storage", [np.asarray, scipy.sparse.csr_array])
def test_a_warm_start_ends_where_a_cold_one_does_on_other_data(example, change, storage):
    X, y = changed_data(*example)[change]
    model = PrestoClassifier(0.005, tol=1e-11, warm_start=True).fit(storage(example.X), example.y)
    model.fit(storage(X), y)
    cold = clone(model).fit(storage(X), y)
    assert model.dual_gap_ <= 1e-11
    np.testing.assert_allclose(model.predict_proba(X), cold.predict_proba(X), atol=1e-4)
    np.testing.assert_array_equal(model.coef_diff_ == 0, cold.coef_diff_ == 0)


def test_infinite_weights_exclude_features_whatever_the_first_penalty(example):
    X, y = example
    weights = [np.inf, 1, 1, 1, 1]
    excluded = fit(example, first_penalty=0.0, penalty_weights=weights)
    without = fit((X[:, 1:], y), first_penalty=0.0)
    assert not excluded.coef_[:, 0].any()
    np.testing.assert_allclose(excluded.coef_[:, 1:], without.coef_, atol=1e-6)
    path = presto_path(X, y, first_penalty=0.0, penalty_weights=weights, alphas=3)
    assert not path.coefs[:, 0].any()


@pytest.mark.parametrize(
    "estimator",
    [
        PrestoClassifier(0.01, warm_start=True),
        PrestoClassifierCV(alphas=2),
        ProportionalOddsClassifier(),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_a_failed_or_interrupted_fit_leaves_the_estimator_as_it_was(example, estimator):
    class Interrupting:
        def __array__(self, dtype=None, copy=None):
            raise KeyboardInterrupt

    X, y = example
    before = dict(vars(estimator.fit(X, y)))
    with pytest.raises(ValueError, match="no weight"):
        estimator.fit(X[:, :3], np.array(["a", "b", "c", "d"])[y], (y < 3).astype(float))
    estimator.set_params(penalty_weights=Interrupting())
    before["penalty_weights"] = estimator.penalty_weights
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(X[:, :3], y > 1)
    assert vars(estimator).keys() == before.keys()
    assert all(vars(estimator)[name] is value for name, value in before.items())
    assert estimator.set_params(penalty_weights=None).predict_proba(X).shape == (100, 4)


@pytest.mark.parametrize("alpha", [1e-300, 1e-13])
def test_a_penalty_of_the_size_of_rounding_counts_as_none(example, alpha):
    """No gap can certify it, but the conditions of optimality can, without a false warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model, plain = fit(example, alpha=alpha, tol=1e-8), fit(example, alpha=0.0, tol=1e-8)
    assert np.isnan(model.dual_gap_)
    np.testing.assert_allclose(model.coef_, plain.coef_, atol=1e-6)


@pytest.mark.parametrize("storage", [np.asarray, scipy.sparse.csr_array])
def test_timestamps_beside_small_columns_are_fitted_like_centred_ones(example, storage):
    X, y = example
    raw = X * [1e5, 1e-8, 1e8, 1, 1] + [1.7e9, 0, 0, 1e6, -1e4]
    model, centred = fit((storage(raw), y), tol=1e-9), fit(example, tol=1e-9)
    np.testing.assert_allclose(model.predict_proba(raw), centred.predict_proba(X), atol=1e-6)
    assert -1e-13 <= model.dual_gap_ <= 1e-9


def test_selected_features_are_the_nonzero_ones(example):
    """By default SelectFromModel would take those above the mean coefficient."""
    X, y = example
    model = fit(example, alpha=0.05)
    expected = model.coef_.any(axis=0)
    assert 1 < expected.sum() < 5
    mean = np.abs(model.coef_).sum(axis=0).mean()
    assert (np.abs(model.coef_).sum(axis=0)[expected] < mean).any()
    for estimator in (
        PrestoClassifier(0.05),
        PrestoClassifier(0.05, l1_ratio=0.9),
        PrestoClassifierCV([0.05]),
        ProportionalOddsClassifier(0.05, l1_ratio=1.0),
    ):
        selector = SelectFromModel(estimator).fit(X, y)
        nonzero = selector.estimator_.coef_.any(axis=0)
        assert selector.get_support().tolist() == nonzero.tolist()
        prefit = SelectFromModel(selector.estimator_, prefit=True).fit(X, y)
        assert prefit.get_support().tolist() == nonzero.tolist()
    ridge = SelectFromModel(ProportionalOddsClassifier(0.05)).fit(X, y)
    assert 0 < ridge.get_support().sum() < 5


def test_pipelines_clones_and_pickles_work(example):
    X, y = example
    pipeline = make_pipeline(StandardScaler(), PrestoClassifier(0.02)).fit(X, y)
    again = pickle.loads(pickle.dumps(pipeline))
    np.testing.assert_array_equal(again.predict_proba(X), pipeline.predict_proba(X))
    assert clone(pipeline)[-1].alpha == 0.02


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"alpha": -1.0}, "'alpha' parameter"),
        ({"l1_ratio": 1.5}, "'l1_ratio' parameter"),
        ({"first_penalty": -0.1}, "'first_penalty' parameter"),
        ({"standardize": 3}, "'standardize' parameter"),
        ({"tol": 0.0}, "'tol' parameter"),
        ({"max_iter": 0}, "'max_iter' parameter"),
        ({"warm_start": "no"}, "'warm_start' parameter"),
        ({"penalty_weights": [1, 2]}, r"penalty_weights has shape \(2,\).*5 features"),
        ({"penalty_weights": [1, 2, 3, -4, 5]}, "penalty_weights must be nonnegative.*-4"),
        ({"penalty_weights": [1, 2, 3, np.nan, 5]}, "penalty_weights must be nonnegative.*nan"),
        ({"class_order": [0, 1, 2]}, r"class_order=\[0, 1, 2\] must name each label"),
        ({"class_order": [0, 1, 2, 3, 3]}, "class_order"),
        ({"class_order": ["0", "1", "2", "3"]}, "class_order"),
    ],
    ids=str,
)
def test_bad_parameters_are_named(example, parameters, message):
    with pytest.raises(ValueError, match=message):
        PrestoClassifier(**parameters).fit(*example)


def test_bad_data_are_named(example):
    X, y = example
    for bad in (np.nan, np.inf):
        broken = X.copy()
        broken[3, 2] = bad
        with pytest.raises(ValueError, match=r"NaN|infinity"):
            PrestoClassifier().fit(broken, y)
    with pytest.raises(ValueError, match="y has 1 class"):
        PrestoClassifier().fit(X, np.zeros(100))
    with pytest.raises(ValueError, match="gives class 3 of y no weight"):
        PrestoClassifier().fit(X, y, (y < 3).astype(float))
    with pytest.raises(ValueError, match=r"[Nn]egative"):
        PrestoClassifier().fit(X, y, -np.ones(100))
    for weight, message in ((-1.0, "Negative"), (np.nan, "NaN"), (np.inf, "infinity"), (0, "zero")):
        with pytest.raises(ValueError, match=message):
            PrestoClassifier().fit(X, y, weight)
    with pytest.raises(ValueError, match="Unknown label type"):
        PrestoClassifier().fit(X, X[:, 0])


@pytest.mark.parametrize("alphas", [[], [-1.0, 2.0], [np.inf], [[0.1]]], ids=str)
def test_bad_alphas_are_named(example, alphas):
    with pytest.raises(ValueError, match="alphas must be"):
        presto_path(*example, alphas=alphas)


@pytest.mark.parametrize(
    "parameters", [{"alphas": 0}, {"eps": 1.0}, {"eps": 0.0}, {"alphas": "all"}], ids=str
)
def test_bad_grids_are_named(example, parameters):
    with pytest.raises(ValueError, match=f"'{next(iter(parameters))}' parameter"):
        presto_path(*example, **parameters)


def test_path_sorts_alphas_and_starts_at_the_largest(example):
    path = presto_path(*example, alphas=[0.01, 0.1, 0.03])
    assert path.alphas.tolist() == [0.1, 0.03, 0.01]
    grid = presto_path(*example, alphas=7, eps=0.1).alphas
    largest = presto_alpha_max(*example)
    np.testing.assert_allclose(grid, largest * np.geomspace(1, 0.1, 7))
    np.testing.assert_allclose(presto_path(*example, alphas=1).alphas, [largest])


def test_path_without_first_penalty_starts_at_proportional_odds(example):
    path = presto_path(*example, first_penalty=0.0, alphas=5, tol=1e-9)
    assert not path.coef_diffs[1:, :, 0].any()
    assert path.coef_diffs[0, :, 0].all()
    assert np.isnan(path.dual_gaps).all()


def test_penalty_weights_may_go_by_the_names_of_columns(example):
    X, y = example
    frame = pd.DataFrame(X, columns=list("abcde"))
    for cls, alpha in ((PrestoClassifier, 0.05), (ProportionalOddsClassifier, 0.2)):
        named = cls(alpha, penalty_weights={"e": np.inf, "a": 0.5}, tol=1e-9).fit(frame, y)
        given = cls(alpha, penalty_weights=[0.5, 1, 1, 1, np.inf], tol=1e-9).fit(X, y)
        np.testing.assert_array_equal(named.coef_, given.coef_)
        assert clone(named).penalty_weights == {"e": np.inf, "a": 0.5}
    path = presto_path(frame, y, alphas=3, penalty_weights={"b": np.inf})
    assert not path.coefs[:, 1].any()
    with pytest.raises(ValueError, match=r"names \['f'\], which X does not have.*'a', 'b'"):
        PrestoClassifier(penalty_weights={"f": 2.0}).fit(frame, y)
    with pytest.raises(ValueError, match="X has no column names"):
        PrestoClassifier(penalty_weights={"a": 2.0}).fit(X, y)


@pytest.mark.parametrize(
    "estimator",
    [
        PrestoClassifier(0.1),
        PrestoClassifierCV(alphas=[0.1]),
        ProportionalOddsClassifier(0.1, l1_ratio=1.0),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_selected_features_have_names(example, estimator):
    X, y = example
    selected = estimator.fit(X, y).selected_features_
    nonzero = np.flatnonzero(estimator.coef_.any(axis=0))
    assert 0 < len(nonzero) < 5
    assert selected.tolist() == [f"x{j}" for j in nonzero]
    estimator.fit(pd.DataFrame(X, columns=list("abcde")), y)
    assert estimator.selected_features_.tolist() == ["abcde"[j] for j in nonzero]


def test_a_path_is_a_record_with_a_short_text(example):
    path = presto_path(*example, alphas=4)
    assert isinstance(path, RegularizationPath)
    shapes = {name: getattr(path, name).shape for name in ("coefs", "intercepts", "coef_diffs")}
    assert shapes == {"coefs": (3, 5, 4), "intercepts": (3, 4), "coef_diffs": (3, 5, 4)}
    assert path.n_iter.shape == path.dual_gaps.shape == path.kkt_residuals.shape == (4,)
    assert repr(path).startswith("PrestoPath(4 alphas from 0.276 to 0.00276, 3 boundaries, 5 feat")
    assert len(repr(path)) < 150
    free = presto_path(*example, alphas=2, first_penalty=0.0)
    assert "violation of optimality" in repr(free)
    with pytest.raises(AttributeError):
        path.alphas = path.alphas
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(path)).coefs, path.coefs)
