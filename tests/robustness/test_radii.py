"""Radii and Lipschitz constants of smoothed functions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from skreg.robustness import certified_radius, smoothed_lipschitz


@pytest.mark.parametrize(
    ("p_A", "p_B", "kind", "expected"),
    [
        (0.9, 0.1, "multi", 1.28155),
        (0.9, 0.1, "mono", 1.28155),
        (0.9, 0.1, "margin", 1.00265),
        (0.6, 0.2, "multi", 0.5474847),
        (0.6, 0.2, "mono", 0.2533471),
        (0.6, 0.2, "margin", 0.5013257),
    ],
)
def test_radii_by_hand(p_A, p_B, kind, expected):
    assert float(certified_radius(p_A, p_B, 1.0, kind)) == pytest.approx(expected, abs=5e-6)
    assert float(certified_radius(p_A, p_B, 0.5, kind)) == pytest.approx(expected / 2, abs=5e-6)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.01, 100))
def test_multi_is_never_below_the_others(p_A, p_B, sigma):
    multi, mono, margin = (
        float(certified_radius(p_A, p_B, sigma, kind)) for kind in ("multi", "mono", "margin")
    )
    assert multi >= max(mono, margin) - 1e-9 * sigma
    assert np.isfinite(multi)
    assert multi >= 0


def test_the_others_share_what_the_top_class_leaves():
    assert certified_radius(0.7, 0.9, 1.0) == certified_radius(0.7, None, 1.0)
    assert float(certified_radius(0.7, None, 1.0)) == pytest.approx(norm.ppf(0.7))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((3, 1, 0.5), 0.7834),
        ((50, 1, 0.5), 0.7978),
        ((0.3, 1, 0.5), 0.29974),
        ((2, 2, 0.25), 1.909),
    ],
)
def test_smoothed_lipschitz_by_hand(arguments, expected):
    assert float(smoothed_lipschitz(*arguments)) == pytest.approx(expected, rel=2e-4)


def test_smoothed_lipschitz_at_its_ends():
    assert float(smoothed_lipschitz(np.inf, 2, 0.5)) == pytest.approx(
        2 / (0.5 * np.sqrt(2 * np.pi))
    )
    assert float(smoothed_lipschitz(0, 1, 1.0)) == 0.0
    assert float(smoothed_lipschitz(2.0, 1, 1e-9)) == pytest.approx(2.0)


@pytest.mark.parametrize("L", [0.5, 3.0])
def test_smoothed_lipschitz_is_attained_by_a_clipped_line(L):
    """Slope at the middle of E clip(L (x + delta)), by numerical integration."""
    sigma, h = 0.4, 1e-4
    delta = np.linspace(-8, 8, 400_001) * sigma
    weight = norm.pdf(delta, scale=sigma)
    weight /= weight.sum()
    ends = [np.clip(0.5 + L * (x + delta), 0, 1) @ weight for x in (-h, h)]
    slope = (ends[1] - ends[0]) / (2 * h)
    assert slope == pytest.approx(float(smoothed_lipschitz(L, 1.0, sigma)), rel=1e-4)


@pytest.mark.parametrize(
    ("t", "multi", "lipschitz"), [(0.1, 0.0856, 0.0995), (0.5, 0.429, 0.446), (1.0, 0.867, 0.672)]
)
def test_lipschitz_radius_of_a_clipped_line(t, multi, lipschitz):
    """f = clip(1/2 + x) and 1 - f: one slope of 1 in each coordinate, sqrt(2) of both."""
    sigma = 0.5
    delta = np.linspace(-9, 9, 200_001) * sigma
    weight = norm.pdf(delta, scale=sigma)
    p = np.clip(0.5 + t + delta, 0, 1) @ weight / weight.sum()
    assert float(certified_radius(p, 1 - p, sigma)) == pytest.approx(multi, abs=6e-4)
    both = float(certified_radius(p, 1 - p, sigma, lipschitz=np.sqrt(2)))
    assert both == pytest.approx(max(multi, lipschitz), abs=6e-4)
    assert both <= t + 1e-9


def test_no_lipschitz_constant_is_no_gain():
    p = np.linspace(0.5, 1, 11)
    plain = certified_radius(p, None, 0.3)
    np.testing.assert_allclose(certified_radius(p, None, 0.3, lipschitz=np.inf), plain)


@pytest.mark.parametrize(
    ("function", "arguments", "named"),
    [
        (certified_radius, (1.1, 0.1, 1.0), "p_lower"),
        (certified_radius, (0.9, -0.1, 1.0), "p_upper"),
        (certified_radius, (0.9, 0.1, 0.0), "sigma"),
        (certified_radius, (0.9, 0.1, np.inf), "sigma"),
        (certified_radius, (0.9, 0.1, 1.0, "best"), "kind"),
        (certified_radius, (0.9, 0.1, 1.0, "multi", 0.0), "lipschitz"),
        (smoothed_lipschitz, (-1.0, 1.0, 1.0), "L, a"),
        (smoothed_lipschitz, (1.0, 0.0, 1.0), "r, a"),
        (smoothed_lipschitz, (1.0, 1.0, -1.0), "sigma"),
    ],
)
def test_bad_arguments_are_named(function, arguments, named):
    with pytest.raises(ValueError, match=named):
        function(*arguments)
