"""Exponents and kappa from kernel matrices."""

import numpy as np
import pytest
from numpy.exceptions import RankWarning

from skreg.random_features import (
    RandomFeatureRidge,
    RandomFeatures,
    RidgeEigenframework,
    estimate_exponents,
    estimate_kappa,
)


def linear(X, Y):
    return X @ Y.T


def task(alpha=1.5, beta=1.3, n=500, n_modes=2000, seed=0):
    rng = np.random.default_rng(seed)
    i = np.arange(1.0, n_modes + 1.0)
    z = rng.normal(size=(n, n_modes))
    return z * i ** (-alpha / 2), z @ (i ** (-beta / 2) * rng.choice([-1.0, 1.0], n_modes))


def test_kappa_is_that_of_the_framework():
    i = np.arange(1.0, 301.0)
    framework = RidgeEigenframework(i**-1.5)
    rng = np.random.default_rng(0)
    for ridge in (0.0, 0.1, 1.0):
        traces = []
        for _ in range(20):
            X = rng.normal(size=(60, 300)) * i**-0.75
            traces.append(1.0 / estimate_kappa(X @ X.T, ridge))
        kappa = framework.fixed_point(60, ridge=ridge)[0]
        assert 1.0 / np.mean(traces) == pytest.approx(kappa, rel=0.03)


def test_kappa_is_a_trace():
    K = np.diag([2.0, 1.0, 0.5])
    assert estimate_kappa(K) == pytest.approx(1 / (0.5 + 1 + 2))
    assert estimate_kappa(K, 1.0) == pytest.approx(1 / (1 / 3 + 1 / 2 + 1 / 1.5))


def test_small_eigenvalues_count():
    K = np.diag(np.geomspace(1.0, 1e-11, 8))
    assert estimate_kappa(K) == pytest.approx(1.0 / np.sum(1.0 / np.diag(K)), rel=1e-6)


def test_exponents_of_a_power_law():
    X, y = task()
    found = estimate_exponents(linear, X, y, random_state=0)
    assert found.alpha == pytest.approx(1.5, abs=0.15)
    assert found.beta == pytest.approx(1.3, abs=0.2)
    assert found.alpha_ci[0] <= found.alpha <= found.alpha_ci[1]
    assert found.beta_ci[0] <= found.beta <= found.beta_ci[1]
    assert found.kappas.shape == found.errors.shape == (len(found.sizes), 5)
    again = estimate_exponents(linear, X, y, random_state=0)
    assert again.alpha == found.alpha


def test_a_unit_of_rows_or_targets_is_none_of_the_exponents():
    X, y = task(n=120)
    params = {"sizes": [20, 60], "n_repeats": 2, "random_state": 0}
    wanted = estimate_exponents(linear, X, y, **params)
    found = estimate_exponents(linear, 1e3 * X, 1e-4 * y, **params)
    assert (found.alpha, found.beta) == pytest.approx((wanted.alpha, wanted.beta))


def test_kernels_of_every_form():
    X = np.random.default_rng(0).normal(size=(80, 5))
    y = X[:, :2] ** 2
    params = {"sizes": [10, 40], "n_repeats": 1, "random_state": 0}
    wanted = estimate_exponents(RandomFeatures("inf").fit(X).limit_kernel, X, y, **params)
    for kernel in (RandomFeatures(7), RandomFeatureRidge(9)):
        found = estimate_exponents(kernel, X, y, **params)
        assert found.alpha == pytest.approx(wanted.alpha)
    assert np.isnan(wanted.alpha_ci).all()


def test_a_singular_kernel_is_said():
    X = np.random.default_rng(0).normal(size=(60, 3))
    with pytest.warns(RankWarning, match="eigenvalues"):
        estimate_exponents(linear, X, X[:, 0], sizes=[10, 20], n_repeats=1)
    with pytest.warns(RankWarning, match="7 of 10"):
        estimate_kappa(X[:10] @ X[:10].T)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"sizes": [10]}, "sizes"),
        ({"sizes": [10, 10]}, "sizes"),
        ({"sizes": [1, 10]}, "sizes"),
        ({"sizes": [10, 30]}, "left to test"),
        ({"sizes": [10.5, 20.5]}, "sizes"),
        ({"n_repeats": 0}, "n_repeats"),
        ({"y": np.zeros(7)}, "rows"),
    ],
)
def test_what_makes_no_sense(keywords, message):
    X, y = task(n=30, n_modes=50)
    with pytest.raises(ValueError, match=message):
        estimate_exponents(linear, X, **({"y": y} | keywords))


def test_what_is_no_kernel():
    X, y = task(n=30, n_modes=50)
    with pytest.raises(TypeError, match="kernel"):
        estimate_exponents("rbf", X, y)
    with pytest.raises(ValueError, match="square"):
        estimate_kappa(np.ones((2, 3)))
    with pytest.raises(ValueError, match="ridge"):
        estimate_kappa(np.eye(2), -1.0)
    with pytest.raises(ValueError, match="no positive"), pytest.warns(RankWarning):
        estimate_kappa(np.zeros((2, 2)))
