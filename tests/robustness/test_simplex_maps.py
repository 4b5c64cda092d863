"""Maps to the simplex."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import softmax

from skreg.robustness import sparsemax
from skreg.robustness._simplex_maps import SLOPES, softmax_at, sparsemax_at


@pytest.mark.parametrize(
    ("z", "expected"),
    [([0, 0], [0.5, 0.5]), ([1, 0], [1, 0]), ([0.3, 0], [0.65, 0.35]), ([5], [1]),
     ([0.1, 0.1, 0.1], [1 / 3] * 3), ([-1e6, 0], [0, 1])],
)  # fmt: skip
def test_sparsemax_by_hand(z, expected):
    np.testing.assert_allclose(sparsemax(z), expected, atol=1e-15)


def test_sparsemax_is_the_nearest_point_of_the_simplex():
    for z in np.random.default_rng(0).normal(size=(5, 4)):
        nearest = minimize(
            lambda p, z=z: np.sum((p - z) ** 2), np.full(4, 0.25), bounds=[(0, 1)] * 4,
            constraints={"type": "eq", "fun": lambda p: p.sum() - 1}, tol=1e-12,
        )  # fmt: skip
        np.testing.assert_allclose(sparsemax(z), nearest.x, atol=1e-6)


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_sparsemax_along_any_axis(axis):
    z = np.random.default_rng(1).normal(size=(3, 4, 5))
    out = sparsemax(z, axis=axis)
    np.testing.assert_allclose(out.sum(axis=axis), 1.0)
    np.testing.assert_array_equal(out, np.moveaxis(sparsemax(np.moveaxis(z, axis, -1)), -1, axis))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_maps_at_several_temperatures(dtype):
    z = np.random.default_rng(2).normal(size=(6, 50)).astype(dtype)
    t = np.array([0.1, 1.0, 30.0], dtype=dtype)
    tolerance = {"rtol": 1e-4, "atol": 1e-6}
    soft, sparse = softmax_at(z, t), sparsemax_at(z, t)
    assert soft.dtype == sparse.dtype == dtype
    for i, temperature in enumerate(t):
        np.testing.assert_allclose(soft[i], softmax(temperature * z, axis=0), **tolerance)
        np.testing.assert_allclose(sparse[i], sparsemax(temperature * z, axis=0), **tolerance)


@pytest.mark.parametrize("function", [softmax_at, sparsemax_at])
def test_hot_maps_are_argmax(function):
    z = np.random.default_rng(3).normal(size=(5, 40))
    hot = function(z, np.array([1e7]))[0]
    np.testing.assert_allclose(hot, np.eye(5)[:, z.argmax(axis=0)], atol=1e-9)


@pytest.mark.parametrize(
    ("name", "function"), [("softmax", softmax_at), ("sparsemax", sparsemax_at)]
)
def test_maps_are_no_steeper_than_said(name, function):
    rng = np.random.default_rng(4)
    z = rng.normal(size=(4, 2000)) * rng.choice([0.1, 1.0, 3.0], 2000)
    step = 1e-5 * rng.normal(size=z.shape)
    t = np.array([3.0])
    rise = np.linalg.norm(function(z + step, t)[0] - function(z, t)[0], axis=0)
    slopes = rise / np.linalg.norm(step, axis=0)
    assert slopes.max() <= 3.0 * SLOPES[name] * (1 + 1e-6)
    assert slopes.max() >= 0.8 * 3.0 * SLOPES[name]


@pytest.mark.parametrize("z", [[np.nan, 0.0], [np.inf, 0.0], 1.0])
def test_scores_that_are_none_are_refused(z):
    with pytest.raises(ValueError, match="finite scores"):
        sparsemax(z)
