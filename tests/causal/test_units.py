"""What has no unit does not change with the units of single columns."""

import numpy as np
import pytest

from skreg.causal import SortNRegress
from skreg.causal._autoregression import least_squares
from skreg.causal._regressions import regress_on_parents
from skreg.datasets import make_linear_sem, make_structural_var

COLLIDER = np.array([[0, 0, 1.5, 0], [0, 0, 2.0, 0], [0, 0, 0, 1.0], [0, 0, 0, 0]])


@pytest.fixture(scope="module")
def X():
    return make_linear_sem(500, adjacency=COLLIDER, random_state=1).X


def units(ratio):
    return np.array([ratio, 1 / ratio, 1.0, ratio])


@pytest.mark.parametrize("ratio", [1e3, 1e6, 1e12])
def test_least_squares_on_parents(X, ratio):
    u = units(ratio)
    expected = np.linalg.lstsq(X[:, :2] - X[:, :2].mean(0), X[:, 2] - X[:, 2].mean(), rcond=None)[0]
    W = regress_on_parents(np.cov((X * u).T), COLLIDER != 0)
    np.testing.assert_allclose(W[:2, 2] * u[:2] / u[2], expected, rtol=1e-9)


@pytest.mark.parametrize("ratio", [1e3, 1e6, 1e12])
def test_average_effects(X, ratio):
    u = units(ratio)
    model = SortNRegress(threshold=0.3).fit(X)
    for cause in (0, 1):
        here = model.average_effect(cause, 3, X, random_state=0, n_bootstraps=10)
        there = model.average_effect(cause, 3, X * u, random_state=0, n_bootstraps=10)
        assert here.effect != 0
        np.testing.assert_allclose(there.samples * u[cause] / u[3], here.samples, rtol=1e-9)


@pytest.mark.parametrize("ratio", [1e3, 1e6, 1e12])
def test_sorting_by_explained_variance(X, ratio):
    u = units(ratio)
    here, there = SortNRegress("r2").fit(X), SortNRegress("r2").fit(X * u)
    np.testing.assert_array_equal(there.causal_order_, here.causal_order_)
    weights = there.adjacency_matrix_ * u[:, None] / u
    np.testing.assert_allclose(weights, here.adjacency_matrix_, rtol=1e-7)


@pytest.mark.parametrize("ratio", [1e3, 1e6, 1e12])
def test_noise_reports(X, ratio):
    u = units(ratio)
    model = SortNRegress(threshold=0.3).fit(X)
    here, there = model.noise_report(X), model.noise_report(X * u)
    np.testing.assert_allclose(there.scale, here.scale * u, rtol=1e-9)
    np.testing.assert_allclose(there.p_constant, here.p_constant, rtol=1e-6)


@pytest.mark.parametrize("unit", [1e-150, 1e-100, 1e100, 1e150, 1e200])
def test_noise_reports_in_any_common_unit(X, unit):
    model = SortNRegress(threshold=0.3).fit(X)
    here, there = model.noise_report(X), model.noise_report(X * unit)
    np.testing.assert_allclose(there.scale, here.scale * unit, rtol=1e-9)
    assert there.smallest_p == pytest.approx(here.smallest_p, rel=1e-6)


@pytest.mark.parametrize("ratio", [1e6, 1e12])
def test_the_autoregression_that_forecasts_are_compared_with(ratio):
    series, u = make_structural_var(200, 4, random_state=0).X, units(ratio)
    here, there = least_squares(series, 2), least_squares(series * u, 2)
    scaled = there.coefficients * u[:, None] / u
    np.testing.assert_allclose(scaled, here.coefficients, rtol=1e-6, atol=1e-9)
