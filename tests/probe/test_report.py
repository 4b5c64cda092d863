"""The quantities of the theory, against brute force."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.preprocessing import MinMaxScaler

from skreg.datasets import make_shared_covariance_gaussians
from skreg.probe import LinearNaiveBayes, naive_bayes_report


def unequal_classes(seed=0, counts=(3, 9, 17, 2), n_features=5):
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(counts)), counts)
    X = rng.normal(size=(len(y), n_features)) @ rng.normal(size=(n_features, n_features))
    return X + y[:, None] * rng.normal(size=n_features), y


def residuals(X, y):
    return X - np.array([X[y == label].mean(axis=0) for label in y])


@pytest.mark.parametrize("counts", [(3, 9, 17, 2), (12, 4)])
def test_alpha_and_beta_are_moments_of_the_log_ratio(counts):
    X, y = unequal_classes(counts=counts)
    report = naive_bayes_report(X, y)
    variance = np.mean(residuals(X, y) ** 2, axis=0)
    means = [X[y == k].mean(axis=0) for k in range(len(counts))]
    log_density = [-0.5 * ((X - mean) ** 2 / variance).sum(axis=1) for mean in means]
    for k, rival in permutations(range(len(counts)), 2):
        log_ratio = (log_density[k] - log_density[rival])[y == k]
        assert report.beta[k, rival] == pytest.approx(abs(log_ratio.mean()) / 5, rel=1e-6)
        assert report.alpha[k, rival] == pytest.approx(log_ratio.var() / 5, rel=1e-6)
    assert np.isnan(np.diag(report.alpha)).all()
    assert np.isnan(np.diag(report.beta)).all()


def test_alpha_and_beta_do_not_depend_on_scale_and_offset_of_the_features():
    X, y = unequal_classes()
    report, moved = (naive_bayes_report(data, y) for data in (X, 1e3 * X + 1e5))
    np.testing.assert_allclose(moved.beta, report.beta, rtol=1e-6)
    np.testing.assert_allclose(moved.alpha, report.alpha, rtol=1e-6)
    np.testing.assert_allclose(moved.scaled_variance, report.scaled_variance, rtol=1e-6)


def test_independent_features_have_alpha_twice_beta_at_the_population_values():
    n_features = 20
    X, y, _ = make_shared_covariance_gaussians(20_000, n_features, random_state=0)
    report = naive_bayes_report(X, y)
    # Means differ by 2 in every feature; half of the variances are n, half are 1.
    expected = 0.5 * (0.5 * 4 / n_features + 0.5 * 4)
    np.testing.assert_allclose(report.percentiles("beta"), expected, rtol=0.03)
    np.testing.assert_allclose(report.percentiles("alpha"), 2 * expected, rtol=0.05)
    assert report.effective_n_features == pytest.approx(n_features, rel=0.01)


def test_scaled_variance_is_the_pooled_variance_after_minmax_scaling():
    X, y = load_wine(return_X_y=True)
    expected = LinearNaiveBayes(var_smoothing=0).fit(MinMaxScaler().fit_transform(X), y).var_
    report = naive_bayes_report(X, y)
    np.testing.assert_allclose(report.scaled_variance, expected, rtol=1e-10)
    np.testing.assert_allclose(
        report.percentiles("scaled_variance")[[0, 3, 6]],
        [expected.min(), np.median(expected), expected.max()],
        rtol=1e-10,
    )


def test_correlations_are_those_of_the_residuals():
    X, y = unequal_classes()
    report = naive_bayes_report(X, y)
    correlation = np.corrcoef(residuals(X, y).T)
    pairs = np.triu_indices(5, 1)
    assert report.mean_abs_correlation == pytest.approx(np.abs(correlation[pairs]).mean())
    assert report.effective_n_features == pytest.approx(5**2 / np.trace(correlation @ correlation))


def test_copies_of_one_feature_count_as_one_and_constant_features_not_at_all():
    rng = np.random.default_rng(0)
    feature, y = rng.normal(size=40), np.arange(40) % 2
    copies = np.column_stack([feature, 2 * feature, 5 - feature, np.full(40, 0.1)])
    report = naive_bayes_report(copies, y)
    assert report.effective_n_features == pytest.approx(1)
    assert report.mean_abs_correlation == pytest.approx(1)
    assert np.isnan(report.scaled_variance[3])


def test_subset_of_features_estimates_the_numbers_of_all():
    X, y = load_digits(return_X_y=True)
    whole = naive_bayes_report(X, y)
    parts = [naive_bayes_report(X, y, max_features=30, random_state=seed) for seed in range(8)]
    for name in ("mean_abs_correlation", "effective_n_features"):
        values = [getattr(part, name) for part in parts]
        assert len(set(values)) == 8
        assert np.mean(values) == pytest.approx(getattr(whole, name), rel=0.1)
    again = naive_bayes_report(X, y, max_features=30, random_state=0)
    assert again.effective_n_features == parts[0].effective_n_features
    np.testing.assert_array_equal(again.beta, whole.beta)


@pytest.mark.parametrize("n_samples", [4, 5, 12])
def test_expected_correlation_of_independent_features_agrees_with_simulation(n_samples):
    y = np.arange(n_samples) % 2
    X = np.random.default_rng(1).normal(size=(n_samples, 400))
    report = naive_bayes_report(X, y)
    # 400 features make 79800 nearly independent pairs.
    assert report.mean_abs_correlation == pytest.approx(
        report.independent_abs_correlation, rel=0.03
    )


@pytest.mark.parametrize("n_classes", [2, 3])
def test_loo_accuracy_is_that_of_refits_and_skips_single_rows(n_classes):
    X, y = unequal_classes(counts=(6, 8, 1)[:n_classes])
    rows = [i for i in range(len(y)) if np.sum(y == y[i]) > 1]
    hits = [
        LinearNaiveBayes().fit(np.delete(X, i, 0), np.delete(y, i)).predict(X[[i]])[0] == y[i]
        for i in rows
    ]
    report = naive_bayes_report(X, y)
    assert report.loo_accuracy == pytest.approx(np.mean(hits))
    if n_classes == 3:
        assert np.isnan(report.alpha[2]).sum() == 3
        assert np.isfinite(report.percentiles("alpha")).all()


@pytest.mark.filterwarnings("ignore:every class has a single sample")
def test_one_row_per_class_leaves_undefined_what_is_undefined():
    report = naive_bayes_report([[0.0, 1.0], [1.0, 0.0]], [0, 1])
    assert np.isnan(report.loo_accuracy)
    assert np.isnan(report.percentiles("alpha")).all()
    assert np.isnan(report.independent_abs_correlation)
    assert "nan" in str(report)


def test_frames_sparse_matrices_and_string_labels_give_the_same_report():
    X, y = load_wine(return_X_y=True)
    names = np.array(["c", "a", "b"])[y]
    report = naive_bayes_report(X, names)
    assert report.classes.tolist() == ["a", "b", "c"]
    assert report.class_count.tolist() == [71, 48, 59]
    for data in (pd.DataFrame(X), sparse.csc_matrix(X), sparse.csr_array(X)):
        other = naive_bayes_report(data, pd.Series(names))
        np.testing.assert_allclose(other.alpha, report.alpha, rtol=1e-6)
        np.testing.assert_allclose(other.scaled_variance, report.scaled_variance, rtol=1e-6)
        assert other.effective_n_features == pytest.approx(report.effective_n_features)
        assert other.loo_accuracy == report.loo_accuracy


def test_text_and_html_show_every_number():
    report = naive_bayes_report(*load_wine(return_X_y=True))
    for shown in (str(report), report._repr_html_()):
        assert "178 samples, 13 features, 3 classes of 48 to 71 samples" in shown
        for value in (report.mean_abs_correlation, report.loo_accuracy):
            assert f"{value:.3f}" in shown
        for quantity in ("scaled_variance", "beta", "alpha"):
            assert all(f"{value:.3g}" in shown for value in report.percentiles(quantity))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"X": [[np.nan], [1.0]], "y": [0, 1]}, "NaN"),
        ({"X": [[0.0], [1.0]], "y": [1, 1]}, "two classes"),
        ({"X": [[0.0], [1.0]], "y": [0, 1], "max_features": 1}, "max_features"),
    ],
)
def test_bad_arguments_are_explained(arguments, message):
    with pytest.raises(ValueError, match=message):
        naive_bayes_report(**arguments)


def test_the_repr_is_a_short_summary():
    report = naive_bayes_report(*load_breast_cancer(return_X_y=True))
    assert repr(report) == (
        "NaiveBayesReport(569 samples, 30 features, 2 classes of 212 to 357 samples)"
    )
