"""Gaps, weights and temperatures against closed forms, scipy and scikit-learn."""

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import minimize_scalar
from scipy.spatial.distance import cdist
from scipy.special import softmax
from scipy.stats import entropy
from sklearn.metrics import log_loss
from sklearn.metrics.pairwise import cosine_similarity

from skreg.domain._gaps import (
    LEAST,
    Center,
    cosine_gaps,
    distances,
    domain_means,
    entropies,
    hard_weights,
    nearest,
    softmax_weights,
    weights_by_gaps,
    whitening_within,
)
from skreg.domain._temperature import best_temperature, tempered


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 3, size=90)
    Z = rng.normal(size=(90, 4)) @ rng.normal(size=(4, 4)) + 3.0 * codes[:, None]
    return Z, codes, rng.uniform(0.5, 2.0, size=90)


def test_entropies_are_those_of_scipy_and_zero_is_zero():
    rng = np.random.default_rng(0)
    proba = softmax(3.0 * rng.normal(size=(20, 5)), axis=1)
    np.testing.assert_allclose(entropies(proba), entropy(proba, axis=1), rtol=1e-12)
    np.testing.assert_allclose(entropies(np.full((1, 7), 1 / 7)), np.log(7), rtol=1e-14)
    assert entropies(np.array([[1.0, 0.0, 0.0]])) == 0.0


def test_weights_by_hand():
    once = weights_by_gaps(np.array([[0.1, 0.4]]), 1.0)
    np.testing.assert_allclose(once, [[0.8, 0.2]], rtol=1e-14)
    squared = weights_by_gaps(np.array([[1.0, 2.0, 4.0]]), 2.0)
    np.testing.assert_allclose(squared, [[16 / 21, 4 / 21, 1 / 21]], rtol=1e-14)


@pytest.mark.parametrize("gaps", [np.array([[LEAST, 1.0]]), np.array([[LEAST, LEAST]]),
                                  np.array([[1e-300, 1e300]])])  # fmt: skip
@pytest.mark.parametrize("gamma", [0.0, 1.0, 1e3, 1e6])
def test_weights_are_a_distribution_at_every_gap(gaps, gamma):
    weights = weights_by_gaps(gaps, gamma)
    assert (weights >= 0.0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, rtol=1e-12)
    if gamma == 0.0:
        np.testing.assert_array_equal(weights, 0.5)


def test_hard_weights_are_the_limit_of_soft_ones():
    affinities = np.random.default_rng(0).normal(size=(30, 5))
    hard = hard_weights(affinities.argmax(axis=1), 5)
    np.testing.assert_allclose(softmax_weights(affinities, 1e5), hard, atol=1e-12)


def test_means_are_weighted(rows):
    Z, codes, weight = rows
    expected = [np.average(Z[codes == i], axis=0, weights=weight[codes == i]) for i in range(3)]
    np.testing.assert_allclose(domain_means(Z, codes, weight, 3), expected, rtol=1e-12)
    of_sparse = domain_means(sparse.csr_array(Z), codes, 1e200 * weight, 3)
    np.testing.assert_allclose(of_sparse, expected, rtol=1e-12)


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_distances_are_those_of_scipy(rows, offset):
    Z, codes, weight = rows
    Z = Z + offset
    means = domain_means(Z, codes, weight, 3)
    got = distances(Z, Center(means, None))
    np.testing.assert_allclose(got, cdist(Z, means), rtol=1e-7)


def test_distances_of_sparse_rows(rows):
    Z, codes, weight = rows
    means = domain_means(Z, codes, weight, 3)
    got = distances(sparse.csr_array(Z), Center(means, None))
    np.testing.assert_allclose(got, cdist(Z, means), rtol=1e-9)


def test_mahalanobis_distance_is_that_of_scipy_and_knows_no_units(rows):
    Z, codes, weight = rows
    means = domain_means(Z, codes, weight, 3)
    deviations = Z - means[codes]
    covariance = (weight[:, None] * deviations).T @ deviations / weight.sum()
    whitening, ignored = whitening_within(Z, codes, weight, means)
    got = distances(Z, Center(means, whitening))
    expected = cdist(Z, means, "mahalanobis", VI=np.linalg.inv(covariance))
    np.testing.assert_allclose(got, expected, rtol=1e-9)
    assert abs(ignored) < 1e-12
    units = np.array([1e-6, 1.0, 1e6, 50.0])
    scaled, _ = whitening_within(units * Z, codes, weight, units * means)
    np.testing.assert_allclose(distances(units * Z, Center(units * means, scaled)), got, rtol=1e-7)


def test_mahalanobis_distance_without_variance_says_what_it_ignores(rows):
    Z, codes, weight = rows
    constant = np.column_stack([Z, np.full(90, 7.0), Z[:, 0]])
    means = domain_means(constant, codes, weight, 3)
    whitening, ignored = whitening_within(constant, codes, weight, means)
    assert whitening.shape == (6, 4)
    assert abs(ignored) < 1e-9
    plain, _ = whitening_within(Z, codes, weight, means[:, :4])
    np.testing.assert_allclose(
        distances(constant, Center(means, whitening)),
        distances(Z, Center(means[:, :4], plain)),
        rtol=1e-7,
    )
    told_apart = np.column_stack([Z, codes])  # varies between domains only
    means = domain_means(told_apart, codes, weight, 3)
    assert whitening_within(told_apart, codes, weight, means)[1] > 0.1


def test_cosine_gaps_are_those_of_scikit_learn(rows):
    Z, codes, weight = rows
    Z[3] = 0.0
    means = domain_means(Z, codes, weight, 3)
    expected = 1.0 - cosine_similarity(Z, means)
    np.testing.assert_allclose(cosine_gaps(Z, means), expected, atol=1e-12)
    np.testing.assert_allclose(cosine_gaps(sparse.csr_array(Z), means), expected, atol=1e-12)
    assert (cosine_gaps(Z, means)[3] == 1.0).all()


def test_temperature_minimises_the_log_loss():
    rng = np.random.default_rng(0)
    logits = 4.0 * rng.normal(size=(300, 3))
    labels = np.array([rng.choice(3, p=p) for p in softmax(logits / 2.5, axis=1)])
    weight = rng.uniform(0.1, 3.0, size=300)
    proba = softmax(logits, axis=1)

    def loss(temperature):
        return log_loss(labels, tempered(proba, temperature), sample_weight=weight)

    found = best_temperature(proba, labels, weight)
    best = minimize_scalar(loss, bounds=(0.05, 50.0), method="bounded", options={"xatol": 1e-8})
    assert found == pytest.approx(best.x, rel=1e-4)
    assert 2.0 < found < 3.0


def test_tempered_probabilities_are_those_of_divided_logits():
    logits = np.random.default_rng(0).normal(size=(10, 4))
    got = tempered(softmax(logits, axis=1), 3.0)
    np.testing.assert_allclose(got, softmax(logits / 3.0, axis=1), rtol=1e-12)
    np.testing.assert_array_equal(tempered(np.array([[1.0, 0.0]]), 7.0), [[1.0, 0.0]])
    tiny = tempered(np.array([[1e-300, 1.0 - 1e-300]]), 0.01)
    np.testing.assert_array_equal(tiny, [[0.0, 1.0]])


def test_temperatures_stay_within_bounds():
    proba = np.array([[0.9, 0.1], [0.1, 0.9]])
    assert best_temperature(proba, np.array([0, 1]), np.ones(2)) == 0.01
    assert best_temperature(proba, np.array([1, 0]), np.ones(2)) == 100.0


def test_the_nearest_is_the_first_of_equal_ones():
    rng = np.random.default_rng(0)
    for n_domains in (1, 2, 7, 300):
        squares = rng.integers(-3, 4, size=(50, n_domains)).astype(float)
        np.testing.assert_array_equal(nearest(squares), squares.argmin(axis=1))
