"""Products of rows against numpy's covariances."""

import numpy as np
import pytest
from scipy import sparse

from skreg.moments import joint_moments, second_moments

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(50, 4)) + 1e3, RNG.normal(size=(2, 50))
WEIGHT = RNG.integers(1, 5, size=50).astype(float)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
def test_weighted_rows_are_repeated_rows(container):
    repeated = np.repeat(X, WEIGHT.astype(int), axis=0)
    ours = second_moments(container(X), np.sqrt(WEIGHT))
    np.testing.assert_allclose(ours, repeated.T @ repeated, rtol=1e-13)
    parts = second_moments(container(X[:20])) + second_moments(container(X[20:]))
    np.testing.assert_allclose(parts, X.T @ X, rtol=1e-13)


@pytest.mark.parametrize("weight", [np.ones(50), WEIGHT], ids=["even", "weighted"])
def test_joint_moments_are_the_covariances(weight):
    origin = np.full(4, 1e3)
    found = joint_moments(X, Y, weight / weight.sum(), origin=origin, centre=True)
    wanted = np.cov(X.T, Y, aweights=weight, ddof=0)
    np.testing.assert_allclose(found.features.covariance, wanted[:4, :4], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(found.cross, wanted[4:, :4], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(found.targets.covariance, np.diag(wanted[4:, 4:]), rtol=1e-12)
    np.testing.assert_allclose(found.features.mean + origin, np.average(X, axis=0, weights=weight))
    np.testing.assert_allclose(found.targets.mean, np.average(Y, axis=1, weights=weight))


def test_joint_moments_about_zero_are_products():
    share = WEIGHT / WEIGHT.sum()
    found = joint_moments(X, Y, share, origin=np.zeros(4), centre=False)
    np.testing.assert_allclose(found.features.scatter, (X.T * share) @ X, rtol=1e-13)
    np.testing.assert_allclose(found.cross, (Y * share) @ X, rtol=1e-11, atol=1e-9)
    assert not found.features.mean.any()
    assert not found.targets.mean.any()


@pytest.mark.parametrize("centre", [True, False])
def test_joint_moments_of_parts_merge_to_those_of_all_rows(centre):
    rng = np.random.default_rng(3)
    X, Y = 1e3 + rng.normal(size=(30, 4)), rng.normal(size=(2, 30)) - 50.0
    weight = rng.uniform(0.5, 2.0, size=30)

    def of(rows):
        part, total = weight[rows], weight[rows].sum()
        found = joint_moments(X[rows], Y[:, rows], part / total, origin=np.zeros(4), centre=centre)
        return found.of_weight(total)

    whole, merged = of(slice(None)), of(slice(7)).merge(of(slice(7, 20))).merge(of(slice(20, 30)))
    for got, wanted in ((merged.features, whole.features), (merged.targets, whole.targets)):
        assert got.weight == pytest.approx(wanted.weight)
        np.testing.assert_allclose(got.mean, wanted.mean, rtol=1e-12)
        np.testing.assert_allclose(got.scatter, wanted.scatter, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(merged.cross, whole.cross, rtol=1e-9, atol=1e-8)
    mean = np.average(X, axis=0, weights=weight) * centre
    target = np.average(Y, axis=1, weights=weight)[:, None] * centre
    np.testing.assert_allclose(merged.cross, ((Y - target) * weight) @ (X - mean), atol=1e-6)
