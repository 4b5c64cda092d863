"""Confidence bounds agree with scipy, cover, and refuse what is no probability."""

import numpy as np
import pytest
from scipy.stats import binomtest

from skreg.robustness import betting_bound, clopper_pearson, empirical_bernstein_bound


@pytest.mark.parametrize("delta", [0.1, 0.001])
@pytest.mark.parametrize(("m", "n"), [(0, 7), (3, 7), (7, 7), (1, 1), (9990, 10_000)])
def test_clopper_pearson_is_that_of_scipy(m, n, delta):
    expected = binomtest(m, n).proportion_ci(1 - 2 * delta, method="exact")
    np.testing.assert_allclose(clopper_pearson(m, n, delta), expected, rtol=1e-9)


def test_clopper_pearson_of_all_draws_is_a_root():
    lower, upper = clopper_pearson([50, 0], 50, 0.01)
    np.testing.assert_allclose(lower, [0.01 ** (1 / 50), 0.0], rtol=1e-12)
    np.testing.assert_allclose(upper, [1.0, 1 - 0.01 ** (1 / 50)], rtol=1e-12)


def test_clopper_pearson_is_monotone_between_whole_numbers():
    lower, upper = clopper_pearson(np.linspace(0, 20, 201), 20, 0.01)
    assert (np.diff(lower) >= 0).all()
    assert (np.diff(upper) >= 0).all()


def test_bernstein_by_hand_and_its_floor():
    lower, upper = empirical_bernstein_bound(0.5, 0.1, 101, 0.02)
    shift = 0.1 * np.sqrt(2 * np.log(100) / 101) + 7 * np.log(100) / 300
    np.testing.assert_allclose([lower, upper], [0.5 - shift, 0.5 + shift], rtol=1e-14)
    best = empirical_bernstein_bound(1.0, 0.0, 100_000, 1e-4).lower
    assert float(best) == pytest.approx(0.999769, abs=1e-6)
    assert float(clopper_pearson(100_000, 100_000, 1e-4).lower) == pytest.approx(0.999908, abs=1e-6)


DISTRIBUTIONS = {
    "rare": (lambda rng, size: (rng.random(size) < 0.01).astype(float), 0.01),
    "fair": (lambda rng, size: (rng.random(size) < 0.5).astype(float), 0.5),
    "often": (lambda rng, size: (rng.random(size) < 0.97).astype(float), 0.97),
    "skewed": (lambda rng, size: rng.beta(0.5, 2, size), 0.2),
    "narrow": (lambda rng, size: rng.beta(80, 20, size), 0.8),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("bound", ["bernstein", "betting"])
def test_bounds_of_means_cover(name, bound):
    """2000 samples of 200: each side misses in at most delta, plus three standard errors."""
    draw, mean = DISTRIBUTIONS[name]
    draws, delta = draw(np.random.default_rng(0), (2000, 200)), 0.05
    if bound == "bernstein":
        found = empirical_bernstein_bound(draws.mean(1), draws.std(1, ddof=1), 200, delta)
    else:
        found = betting_bound(draws, delta)
    allowed = delta + 3 * np.sqrt(delta * (1 - delta) / 2000)
    assert (found.lower > mean).mean() <= allowed
    assert (found.upper < mean).mean() <= allowed
    assert (found.lower <= found.upper).all()


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_betting_is_tighter_than_bernstein_at_the_same_level(name):
    draws, delta = DISTRIBUTIONS[name][0](np.random.default_rng(1), (200, 1000)), 1e-4
    bernstein = empirical_bernstein_bound(draws.mean(1), draws.std(1, ddof=1), 1000, delta)
    betting = betting_bound(draws, delta)
    widths = [(found.upper - found.lower).mean() for found in (betting, bernstein)]
    assert widths[0] < 0.9 * widths[1]


def test_betting_lower_bound_is_where_the_capital_crosses():
    """The capital of the plug-in bets, multiplied up draw by draw."""
    x, delta = np.random.default_rng(2).beta(2, 5, 60), 0.05

    def capital(m):
        capital, total, spread, variance = 1.0, 0.0, 0.0, 0.25
        for t, value in enumerate(x, start=1):
            bet = min(np.sqrt(2 * np.log(1 / delta) / (60 * variance)), 0.75 / m)
            capital *= 1 + bet * (value - m)
            total += value
            spread += (value - (0.5 + total) / (t + 1)) ** 2
            variance = (0.25 + spread) / (t + 1)
        return capital

    lower, upper = betting_bound(x, delta)
    assert capital(float(lower)) == pytest.approx(1 / delta, rel=1e-5)
    assert float(betting_bound(1 - x, delta).lower) == pytest.approx(1 - float(upper), abs=1e-8)


def test_bounds_of_nothing_but_zeros_or_ones():
    lower, upper = betting_bound([np.zeros(50), np.ones(50)], 0.01)
    assert lower[0] == 0.0
    assert upper[1] == 1.0
    assert upper[0] < 0.2
    assert lower[1] > 0.8


@pytest.mark.parametrize(
    ("function", "arguments", "named"),
    [
        (clopper_pearson, (1, 2, 0.0), "delta"),
        (clopper_pearson, (1, 2, 1.0), "delta"),
        (clopper_pearson, (1, 0, 0.1), "n must"),
        (clopper_pearson, (3, 2, 0.1), "successes"),
        (clopper_pearson, (-1, 2, 0.1), "successes"),
        (clopper_pearson, (np.nan, 2, 0.1), "successes"),
        (empirical_bernstein_bound, (0.5, 0.1, 1, 0.1), "n must"),
        (empirical_bernstein_bound, (1.5, 0.1, 9, 0.1), "mean"),
        (empirical_bernstein_bound, (0.5, -0.1, 9, 0.1), "std"),
        (empirical_bernstein_bound, (0.5, 0.1, 9, -1), "delta"),
        (betting_bound, ([0.5, 1.5], 0.1), "draws"),
        (betting_bound, ([], 0.1), "draws"),
        (betting_bound, ([0.5], 2.0), "delta"),
    ],
)
def test_bad_arguments_are_named(function, arguments, named):
    with pytest.raises(ValueError, match=named):
        function(*arguments)
