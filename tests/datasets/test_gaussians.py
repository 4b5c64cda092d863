"""The simulation of Zheng et al. (2023): design and closed-form Bayes error."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from skreg.datasets import make_shared_covariance_gaussians


@pytest.mark.parametrize("n_classes", [2, 3, 5, 7])
def test_means_and_variances_are_those_of_the_design(n_classes):
    n_features, n_samples = 6, 70_000
    X, y, _ = make_shared_covariance_gaussians(
        n_samples, n_features, n_classes=n_classes, random_state=0
    )
    scale = 1 if n_classes == 2 else 2.0 ** (n_classes - 3)
    shift = 0 if n_classes == 2 else 1
    positions = np.array([-1, 1, 2, 4, 8, 16, 32])[:n_classes]
    variance = np.array([6, 6, 6, 1, 1, 1])
    for k in range(n_classes):
        rows = (X[y == k] + shift) * scale
        tolerance = 5 * np.sqrt(variance / len(rows))
        assert (np.abs(rows.mean(axis=0) - positions[k]) < tolerance).all()
        np.testing.assert_allclose(np.cov(rows.T), np.diag(variance), atol=0.35)


def test_classes_are_balanced_and_shuffled():
    _, y, _ = make_shared_covariance_gaussians(100, 4, n_classes=3, random_state=0)
    assert sorted(np.bincount(y)) == [33, 33, 34]
    assert (np.diff(y) < 0).any()


@pytest.mark.parametrize("n_features", [2, 10, 100])
def test_bayes_error_of_two_classes_is_the_closed_form(n_features):
    _, _, bayes_error = make_shared_covariance_gaussians(2, n_features)
    assert bayes_error == pytest.approx(norm.cdf(-np.sqrt((n_features + 1) / 2)), rel=1e-12)


@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize("n_features", [3, 4])
def test_bayes_error_agrees_with_monte_carlo_of_the_true_densities(n_classes, n_features):
    n_samples = 200_000
    X, y, bayes_error = make_shared_covariance_gaussians(
        n_samples, n_features, n_classes=n_classes, random_state=1
    )
    scale, shift = (1, 0) if n_classes == 2 else (2.0 ** (n_classes - 3), 1)
    X = (X + shift) * scale
    spread = np.sqrt(np.where(np.arange(n_features) < n_features // 2, n_features, 1))
    positions = [-1, 1, 2, 4, 8][:n_classes]
    densities = [norm.logpdf(X, loc=a, scale=spread).sum(axis=1) for a in positions]
    error = np.mean(np.argmax(densities, axis=0) != y)
    assert abs(error - bayes_error) < 4 * np.sqrt(bayes_error / n_samples)


def test_fitted_linear_discriminant_comes_close_to_the_bayes_error():
    X, y, bayes_error = make_shared_covariance_gaussians(40_000, 4, n_classes=3, random_state=2)
    model = LinearDiscriminantAnalysis().fit(X[:20_000], y[:20_000])
    assert abs(1 - model.score(X[20_000:], y[20_000:]) - bayes_error) < 0.01


def test_random_state_fixes_the_draw():
    first, again, other = (
        make_shared_covariance_gaussians(20, 3, random_state=seed)[0] for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()


@pytest.mark.parametrize(
    "arguments", [{"n_samples": 0}, {"n_features": 0}, {"n_classes": 1}, {"n_classes": 2.0}]
)
def test_arguments_out_of_range_are_named(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        make_shared_covariance_gaussians(**arguments)
