"""Gaussian mixtures of weighted rows, against scikit-learn's on repeated rows and sums by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import multivariate_normal
from sklearn.mixture import GaussianMixture

from skreg.coreset import (
    CoresetEstimator,
    SensitivitySampler,
    StreamingCoreset,
    WeightedGaussianMixture,
    dask_coreset,
    mixture_distortion,
)
from skreg.coreset import _mixture_distortion as distortions

CENTRES = np.array([[0.0, 0.0, 0.0], [9.0, 0.0, 0.0], [0.0, 9.0, 0.0], [5.0, 5.0, 5.0]])


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((3000, 3)) * [0.5, 1.0, 2.0]
    return CENTRES[rng.integers(0, 4, 3000)] + noise


def sampler(n_samples, **params):
    return SensitivitySampler(
        scores="distance", floor=1.0, n_samples=n_samples, random_state=0, **params
    )


def sorted_parameters(mixture):
    order = cdist(CENTRES, mixture.means_).argmin(axis=1)
    return mixture.weights_[order], mixture.means_[order], mixture.covariances_[order]


@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"])
def test_a_weight_is_that_many_rows(rows, covariance_type):
    omega = np.random.default_rng(1).integers(0, 4, len(rows))
    params = {"covariance_type": covariance_type, "tol": 1e-12, "max_iter": 500, "random_state": 0}
    weighted = WeightedGaussianMixture(4, **params).fit(rows, sample_weight=omega)
    repeated = np.repeat(rows, omega, axis=0)
    oracle = GaussianMixture(4, **params).fit(repeated)
    for got, wanted in zip(sorted_parameters(weighted), sorted_parameters(oracle), strict=True):
        np.testing.assert_allclose(got, wanted, atol=2e-5)
    np.testing.assert_allclose(weighted.lower_bound_, oracle.score(repeated), rtol=1e-9)
    np.testing.assert_allclose(weighted.bic(rows), oracle.bic(rows), rtol=1e-6)
    scaled = WeightedGaussianMixture(4, **params).fit(rows, sample_weight=7.5 * omega)
    np.testing.assert_allclose(scaled.means_, weighted.means_, rtol=1e-9)


def test_without_weights_it_is_the_mixture_of_scikit_learn(rows):
    ours = WeightedGaussianMixture(3, n_init=2, random_state=0).fit(rows)
    theirs = GaussianMixture(3, n_init=2, random_state=0).fit(rows)
    np.testing.assert_allclose(ours.means_, theirs.means_, rtol=1e-9)
    np.testing.assert_allclose(ours.covariances_, theirs.covariances_, rtol=1e-9)
    np.testing.assert_array_equal(ours.fit_predict(rows), theirs.predict(rows))
    assert ours.n_iter_ == theirs.n_iter_


def test_rows_without_weight_are_not_looked_at(rows):
    X = np.r_[rows, np.full((5, 3), 1e6)]
    omega = np.r_[np.ones(len(rows)), np.zeros(5)]
    frame = pd.DataFrame(X, columns=list("abc"))
    model = WeightedGaussianMixture(4, random_state=0)
    labels = model.fit_predict(frame, sample_weight=omega)
    assert labels.shape == (len(X),)
    assert list(model.feature_names_in_) == list("abc")
    alone = WeightedGaussianMixture(4, random_state=0).fit(rows)
    np.testing.assert_allclose(model.means_, alone.means_, rtol=1e-9)


def test_rows_infinitely_far_have_the_shares_and_integers_are_numbers(rows):
    whole = np.round(rows)
    for covariance_type in ("full", "diag", "spherical"):
        model = WeightedGaussianMixture(3, covariance_type=covariance_type, random_state=0)
        model.fit(whole)
        far = np.full((1, 3), 1e200)
        with np.errstate(over="ignore"):
            np.testing.assert_allclose(model.predict_proba(far)[0], model.weights_)
            assert model.score_samples(far) == -np.inf
        proba = model.predict_proba(whole)
        np.testing.assert_allclose(model.predict_proba(whole.astype(int)), proba, rtol=1e-12)


def test_one_component_has_the_weighted_moments(rows):
    omega = np.random.default_rng(2).exponential(size=len(rows))
    model = WeightedGaussianMixture(reg_covar=0.0).fit(rows, sample_weight=omega)
    np.testing.assert_allclose(model.means_[0], np.average(rows, axis=0, weights=omega))
    np.testing.assert_allclose(
        model.covariances_[0], np.cov(rows.T, aweights=omega, bias=True), rtol=1e-9
    )


def test_mixtures_on_coresets_are_those_of_all_rows(rows):
    mixture = WeightedGaussianMixture(4, random_state=0)
    model = CoresetEstimator(mixture, sampler(600)).fit(rows)
    whole = WeightedGaussianMixture(4, random_state=0).fit(rows)
    assert whole.score(rows) - model.score(rows) < 0.03
    for got, wanted in zip(
        sorted_parameters(model.estimator_)[:2], sorted_parameters(whole)[:2], strict=True
    ):
        np.testing.assert_allclose(got, wanted, atol=0.6)


@pytest.mark.parametrize(
    ("params", "arguments", "message"),
    [
        ({"covariance_type": "tied"}, {}, "'covariance_type' parameter .* Got 'tied'"),
        ({}, {"sample_weight": -np.ones(3000)}, "[Nn]egative"),
        ({}, {"sample_weight": np.ones(3)}, "sample_weight.shape"),
        ({}, {"sample_weight": np.r_[1.0, 1.0, np.zeros(2998)]}, "n_components = 4, n_samples = 2"),
    ],
)
def test_a_fit_that_is_refused_leaves_the_last_one(rows, params, arguments, message):
    model = WeightedGaussianMixture(4, random_state=0).fit(rows)
    means = model.means_
    with pytest.raises(ValueError, match=message):
        model.set_params(**params).fit(rows, **arguments)
    assert model.means_ is means


def test_cost_is_the_likelihood_without_the_heights(rows):
    """phi = log Z sum(omega) - log-likelihood, Z = sum_j w_j |2 pi Sigma_j|^{-1/2}."""
    rng = np.random.default_rng(3)
    omega = rng.exponential(size=len(rows))
    for mixture in distortions._mixtures((rows, omega), 4, 2.0, 3.0, np.random.RandomState(0)):
        covariances = np.linalg.inv(mixture.whitenings @ mixture.whitenings.transpose(0, 2, 1))
        eigenvalues = np.linalg.eigvalsh(covariances)
        assert eigenvalues.min() >= 2.0 / 3.0 - 1e-9
        assert eigenvalues.max() <= 6.0 + 1e-9
        shares = np.exp(mixture.log_heights) * np.sqrt(np.linalg.det(covariances))
        shares /= shares.sum()
        density = sum(
            share * multivariate_normal(mean, covariance).pdf(rows)
            for share, mean, covariance in zip(shares, mixture.means, covariances, strict=True)
        )
        Z = np.sum(shares / np.sqrt(np.linalg.det(2 * np.pi * covariances)))
        cost = omega.sum() * np.log(Z) - omega @ np.log(density)
        np.testing.assert_allclose(distortions._cost((rows, omega), mixture), cost, rtol=1e-8)
        assert cost > 0.0


def test_distortion_of_copies_is_that_of_their_weights(rows):
    def distortion(*arguments, k=4, **params):
        return mixture_distortion(*arguments, k, n_probes=3, random_state=0, **params)

    ones = np.ones(len(rows))
    assert distortion(rows, rows, ones) == 0.0
    np.testing.assert_allclose(distortion(rows, rows, 1.5 * ones), 0.5, rtol=1e-9)
    omega = np.random.default_rng(4).integers(1, 3, len(rows))
    twice = np.repeat(rows, omega, axis=0)
    of_weights = distortion(rows, twice, np.ones(len(twice)), sample_weight=omega)
    assert of_weights < 1e-10
    kept, _, weight = sampler(300).fit_resample_weighted(rows)
    found = distortion(rows, kept, weight)
    np.testing.assert_allclose(distortion(1e3 * rows - 7, 1e3 * kept - 7, weight), found, rtol=1e-6)
    assert mixture_distortion(np.ones((5, 2)), np.ones((2, 2)), [2.0, 3.0], 2) == 0.0


def test_more_rows_distort_less_in_memory_on_streams_and_on_dask(rows):
    da = pytest.importorskip("dask.array")

    def in_memory(n_samples):
        kept, _, weight = sampler(n_samples).fit_resample_weighted(rows)
        return kept, weight

    def on_a_stream(n_samples):
        stream = StreamingCoreset(
            scores="distance", floor=1.0, n_samples=n_samples, include_y=None, random_state=0
        )
        for part in np.array_split(rows, 5):
            stream.partial_fit(part)
        kept, _, weight = stream.get_coreset()
        return kept, weight

    def on_dask(n_samples):
        blocks = da.from_array(rows, chunks=(700, 3))
        found = dask_coreset(
            blocks, scores="distance", floor=1.0, n_samples=n_samples, random_state=0
        )
        return found.X, found.sample_weight

    for way in (in_memory, on_a_stream, on_dask):
        few, many = (
            mixture_distortion(rows, *way(n), 4, n_probes=3, random_state=0) for n in (30, 1000)
        )
        assert many < 0.1 < few


@pytest.mark.parametrize(
    ("arguments", "params", "message"),
    [
        ((np.ones((3, 2)), np.ones((3, 1)), np.ones(3), 1), {}, "X has 2 columns, but X_kept has"),
        ((np.ones((3, 2)), np.ones((2, 2)), np.ones(2), 3), {}, "n_components=3 is more than the"),
        ((np.ones((3, 2)), np.ones((2, 2)), [1.0, -1.0], 1), {}, "[Nn]egative"),
        ((np.ones((3, 2)), np.ones((2, 2)), np.ones(2), 1), {"max_ratio": 0.5}, "'max_ratio'"),
        ((np.ones((3, 2)), np.ones((2, 2)), np.ones(2), 1), {"n_probes": 0}, "'n_probes'"),
        (([[np.inf, 1.0]], np.ones((2, 2)), np.ones(2), 1), {}, "infinity"),
    ],
)
def test_bad_input_is_refused(arguments, params, message):
    with pytest.raises(ValueError, match=message):
        mixture_distortion(*arguments, **params)


@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"])
def test_squares_that_overflow_are_told(rows, covariance_type):
    huge = rows * 1e160
    with pytest.raises(ValueError, match="squares overflow"):
        WeightedGaussianMixture(2, covariance_type=covariance_type).fit(huge)
    with pytest.raises(ValueError, match="squares overflow"):
        mixture_distortion(huge, huge[:9], np.ones(9), 2)
    with pytest.raises(ValueError, match="squares overflow"):
        WeightedGaussianMixture(2).fit((rows * 1e20).astype(np.float32))


def test_rows_without_weight_are_no_rows_of_a_coreset(rows):
    weight = np.r_[np.ones(2), np.zeros(7)]
    with pytest.raises(ValueError, match="more than the 2 rows of the coreset that have a weight"):
        mixture_distortion(rows, rows[:9], weight, 3)
