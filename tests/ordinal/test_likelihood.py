"""The likelihood of one row: values in the extremes, derivatives, conjugate, probabilities."""

import math
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit

from skreg.ordinal import _likelihood, _link
from skreg.ordinal._certificate import dual_value
from skreg.ordinal._likelihood import boundaries_cross, repair_crossing
from skreg.ordinal._link import LOGIT
from skreg.ordinal._logit import row_conjugate

log_class_probabilities = partial(_likelihood.log_class_probabilities, LOGIT)
mean_loss = partial(_likelihood.mean_loss, LOGIT)
row_loss = partial(_link.row_loss, LOGIT)
row_derivatives = partial(_link.row_derivatives, LOGIT)

POINTS = [(1.0, 0.3), (0.2, -1.5), (-2.0, -2.5), (3.0, 2.999), (4.0, -4.0)]


@pytest.mark.parametrize(
    ("a", "b", "log_probability", "rel"),
    [
        (1, 0.3, -1.8539579348, 1e-10),
        (40, 39, -39.458675145, 1e-10),
        (800, 799, -799.458675145, 1e-12),
        (-799, -800, -799.458675145, 1e-12),
        (3 + 1e-9, 3, -23.8204404, 1e-8),
    ],
)
def test_log_probability_in_the_extremes(a, b, log_probability, rel):
    assert row_loss(float(a), float(b)) == pytest.approx(-log_probability, rel=rel)
    predicted = log_class_probabilities(np.array([[b, a]], dtype=float))
    assert predicted[0, 1] == pytest.approx(log_probability, rel=rel)


def test_loss_of_end_classes_is_logistic():
    assert row_loss(0.7, -math.inf) == pytest.approx(-math.log(expit(0.7)))
    assert row_loss(math.inf, 0.7) == pytest.approx(-math.log(1 - expit(0.7)))


@pytest.mark.parametrize(("a", "b"), [(0.0, 0.0), (-1.0, 1.0), (math.nan, 0.0)])
def test_loss_is_infinite_where_boundaries_meet_or_cross(a, b):
    assert row_loss(a, b) == math.inf
    a, b = np.array([0.3, 1.0, a, np.inf]), np.array([-np.inf, 0.0, b, 0.2])
    assert mean_loss(a, b, np.full(4, 0.25), np.array([0, 1, 3, 4])) == math.inf


def test_mean_loss_is_the_weighted_sum_of_row_losses():
    a, b = np.array([0.3, 1.0, 2.0, np.inf]), np.array([-np.inf, 0.0, 1.5, 0.2])
    weight = np.array([0.1, 0.2, 0.3, 0.4])
    expected = sum(w * row_loss(*pair) for w, *pair in zip(weight, a, b, strict=True))
    assert mean_loss(a, b, weight, np.array([0, 1, 3, 4])) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(("a", "b"), POINTS)
def test_derivatives_agree_with_finite_differences(a, b):
    h = 1e-5 * min(1.0, a - b)
    ga, gb, sa, sb, r = row_derivatives(a, b)
    assert (row_loss(a + h, b) - row_loss(a - h, b)) / (2 * h) == pytest.approx(ga, rel=1e-6)
    assert (row_loss(a, b + h) - row_loss(a, b - h)) / (2 * h) == pytest.approx(gb, rel=1e-6)
    along_a = (np.array(row_derivatives(a + h, b)) - row_derivatives(a - h, b))[:2] / (2 * h)
    along_b = (np.array(row_derivatives(a, b + h)) - row_derivatives(a, b - h))[:2] / (2 * h)
    np.testing.assert_allclose(along_a, [sa + r, -r], rtol=1e-6)
    np.testing.assert_allclose(along_b, [-r, sb + r], rtol=1e-6)


def test_derivatives_of_end_classes_have_no_barrier():
    ga, gb, sa, sb, r = row_derivatives(0.4, -math.inf)
    assert (gb, sb, r) == (0, 0, 0)
    assert (ga, sa) == pytest.approx((-expit(-0.4), expit(0.4) * expit(-0.4)))
    ga, gb, sa, sb, r = row_derivatives(math.inf, 0.4)
    assert (ga, sa, r) == (0, 0, 0)
    assert (gb, sb) == pytest.approx((expit(0.4), expit(0.4) * expit(-0.4)))


@pytest.mark.parametrize(("a", "b"), [*POINTS, (30.0, 29.0), (-40.0, -40.001), (20.0, -20.0)])
def test_conjugate_attains_the_fenchel_equality_at_the_gradient(a, b):
    ga, gb, *_ = row_derivatives(a, b)
    p, q = -ga, gb
    expected = -p * a + q * b - row_loss(a, b)
    assert row_conjugate(p, q) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("p", "q"), [(0.3, 0.5), (2.0, 1.4), (0.05, 0.9), (5.0, 5.5)])
def test_conjugate_is_the_supremum_found_numerically(p, q):
    def negative(z):
        return p * z[0] - q * z[1] + row_loss(z[0], z[1])

    found = minimize(negative, [1.0, -1.0], method="Nelder-Mead", options={"xatol": 1e-9})
    assert row_conjugate(p, q) == pytest.approx(-found.fun, abs=1e-7)


def test_conjugate_is_continuous_at_the_edge_of_its_domain():
    for m in (1e-6, 0.3, 20.0):
        assert row_conjugate(m + 1, m) == pytest.approx(row_conjugate(m + 1 - 1e-9, m), abs=1e-6)
        assert row_conjugate(m, m + 1) == pytest.approx(row_conjugate(m, m + 1 - 1e-9), abs=1e-6)


@pytest.mark.parametrize("smallest", [1e-200, 1e-308, 5e-324])
@pytest.mark.parametrize("p", [0.3, 1.0 - 1e-10])  # with the latter products vanish
def test_conjugate_loses_a_boundary_that_is_too_far_to_count(p, smallest):
    expected = p * math.log(p) + (1.0 - p) * math.log1p(-p)
    assert row_conjugate(p, smallest) == pytest.approx(expected, rel=1e-14)
    assert row_conjugate(smallest, p) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(("p", "q"), [(1.6, 0.5), (0.5, 1.6), (-0.1, 0.2)])
def test_conjugate_is_infinite_outside_of_its_domain(p, q):
    assert row_conjugate(p, q) == math.inf


def test_conjugate_of_end_classes_is_the_entropy():
    """Of weighted derivatives ga = -w p and ga + gb = w q, shrunken by the shares."""
    ga, g, weight = np.array([-0.5 * 0.6, 0.0]), np.array([0.0, 0.5 * 0.6]), np.array([0.5, 0.5])
    ends = np.zeros(2)
    value = -dual_value(LOGIT, np.array([0.5, 1.0]), ends, ends, ga, g, weight, np.array([0, 1, 2]))
    entropy = [t * math.log(t) + (1 - t) * math.log(1 - t) for t in (0.3, 0.6)]
    assert value == pytest.approx(np.mean(entropy))


def test_probabilities_at_the_intercepts():
    probability = np.exp(log_class_probabilities(np.array([[-0.5, 1.0, 2.5]])))
    np.testing.assert_allclose(
        probability, [[0.37754067, 0.35351791, 0.19308324, 0.07585818]], atol=1e-8
    )


def test_repair_keeps_the_rare_probability_and_removes_the_crossing():
    eta = np.array([[0 + 2 * 1.0, 1 + 2 * -1.0]])
    np.testing.assert_allclose(np.diff(expit(eta)), [[-0.611856]], atol=1e-6)
    repaired = np.exp(log_class_probabilities(repair_crossing(eta)))
    np.testing.assert_allclose(repaired, [[0.268941, 0, 0.731059]], atol=1e-6)
    assert boundaries_cross(eta).tolist() == [True]


def test_repair_is_the_identity_where_nothing_crosses():
    eta = np.sort(np.random.default_rng(0).standard_normal((50, 4)), axis=1)
    np.testing.assert_array_equal(repair_crossing(eta), eta)
    assert not boundaries_cross(eta).any()


@given(st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=6))
def test_repaired_probabilities_are_a_distribution(eta):
    eta = np.array([eta])
    probability = np.exp(log_class_probabilities(repair_crossing(eta)))
    assert np.all(probability >= 0)
    assert probability.sum() == pytest.approx(1, abs=1e-12)
    assert probability[0, -1] == pytest.approx(expit(-eta[0, -1]), rel=1e-12)
