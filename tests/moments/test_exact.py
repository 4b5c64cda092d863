"""Exact moments: order of rows, copies, units, offsets."""

from fractions import Fraction

import numpy as np
import pytest

from skreg.moments import about_zero, moments, resampled_moments


def test_moments_are_exact():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 2)) * [1, 100] + [1e6, -3]
    w = rng.integers(0, 4, 30).astype(float)
    exact = [[Fraction(x) for x in row] for row in X.tolist()]
    weight = [Fraction(x) for x in w.tolist()]
    total = sum(weight)
    mean = [sum(a * row[j] for a, row in zip(weight, exact, strict=True)) / total for j in (0, 1)]
    found = moments(X, w)
    for i in (0, 1):
        assert found.mean[i] == pytest.approx(float(mean[i]), rel=1e-15)
        for j in (0, 1):
            product = sum(
                a * (row[i] - mean[i]) * (row[j] - mean[j])
                for a, row in zip(weight, exact, strict=True)
            )
            # rows minus the rounded mean are themselves rounded: 1e6 times 1e-16
            assert found.covariance[i, j] == pytest.approx(float(product / total), rel=1e-9)


def test_moments_do_not_depend_on_the_order_of_rows_and_count_copies():
    rng = np.random.default_rng(1)
    X, w = rng.standard_normal((2500, 7)) + 5, rng.integers(0, 3, 2500)
    order = rng.permutation(2500)
    first = moments(X, w.astype(float))
    shuffled = moments(X[order], w[order].astype(float))
    repeated = moments(np.repeat(X, w, axis=0), np.ones(w.sum()))
    for other in (shuffled, repeated):
        np.testing.assert_array_equal(first.covariance, other.covariance)
        np.testing.assert_array_equal(first.mean, other.mean)
    np.testing.assert_allclose(first.covariance, np.cov(X.T, bias=True, fweights=w), rtol=1e-12)


def test_moments_of_resamples_are_those_of_copied_rows():
    rng = np.random.default_rng(2)
    X = rng.standard_normal((1300, 5)) * [1, 1e-3, 1e3, 1, 1] + [0, 5, 0, 1e6, 0]
    X[:, 4] = np.arange(1300) < 3
    counts = rng.multinomial(1300, np.full(1300, 1 / 1300), size=12)
    counts[0, :3], counts[1, :3] = 0, [0, 1, 0]
    for count, found in zip(counts, resampled_moments(X, counts.astype(np.uint16)), strict=True):
        copies = np.repeat(X, count, axis=0)
        again = moments(copies, np.ones(len(copies)))
        np.testing.assert_array_equal(found.mean, again.mean)
        np.testing.assert_array_equal(found.covariance, again.covariance)
        np.testing.assert_array_equal(found.constant, np.ptp(copies, axis=0) == 0)
        np.testing.assert_allclose(found.mean, copies.mean(axis=0), rtol=1e-12, atol=1e-14)
        expected = np.cov(copies.T - copies.mean(axis=0)[:, None], bias=True)
        spread = np.sqrt(np.diagonal(expected))
        np.testing.assert_allclose(
            found.covariance, expected, atol=1e-9 * np.outer(spread, spread).max(), rtol=1e-9
        )
        assert found.total == count.sum()


@pytest.mark.parametrize("offset", [1e3, 1e6, 1e9])
def test_moments_of_columns_far_from_zero_lose_no_digit(offset):
    """Multiples of 2^-20, which an offset does not round."""
    X = np.rint(np.random.default_rng(3).standard_normal((700, 4)) * 2.0**20) * 2.0**-20
    weight = np.random.default_rng(4).integers(0, 3, 700).astype(float)
    here, there = moments(X, weight), moments(X + offset, weight)
    np.testing.assert_allclose(there.covariance, here.covariance, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(there.mean, here.mean + offset, rtol=1e-15)


def test_a_row_that_a_sample_lacks_costs_it_no_digit():
    X = np.random.default_rng(8).standard_normal((60, 3))
    spoilt = np.vstack([X, np.full((1, 3), 1e9)])
    found = resampled_moments(spoilt, np.r_[np.ones(60), 0.0][None])[0]
    np.testing.assert_allclose(found.covariance, np.cov(X.T, bias=True), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("unit", [1e-140, 1e-9, 1e150])
def test_moments_are_equivariant_to_units(unit):
    X = np.random.default_rng(5).standard_normal((90, 3))
    one, other = (moments(rows, np.ones(90)).covariance for rows in (X, X * unit))
    np.testing.assert_allclose(other / unit / unit, one, rtol=1e-13, atol=1e-15)


def test_rows_of_weight_zero_do_not_matter():
    X = np.random.default_rng(6).standard_normal((40, 3))
    weight = np.r_[np.zeros(10), np.ones(30)]
    spoilt = X.copy()
    spoilt[:10] = 1e300
    for found in (moments(X, weight), moments(spoilt, weight)):
        np.testing.assert_array_equal(found.covariance, moments(X[10:], np.ones(30)).covariance)


def test_second_moments_about_zero():
    X = np.random.default_rng(7).standard_normal((50, 3)) + [0, 2, -1]
    found = about_zero(moments(X, np.ones(50)))
    np.testing.assert_allclose(found.covariance, X.T @ X / 50, rtol=1e-13)
    assert not found.mean.any()
