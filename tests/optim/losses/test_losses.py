"""Every loss of the room against finite differences and the definition of the conjugate.

A new file of the room is tested here the day it exists.
"""

import numpy as np
import pytest
from scipy.optimize import minimize, minimize_scalar

from skreg.optim import Huber, Logistic, Multinomial, Poisson
from skreg.optim.losses import (
    LOSSES,
    admissible,
    couples_outputs,
    dual_metric_product,
    initial_intercept,
    is_half_square,
    loss_conjugate,
    loss_curvature,
    loss_gradient,
    loss_hessian_product,
    loss_value,
    probabilities,
    smoothness,
    takes_several_outputs,
)

TARGETS = (
    np.array([[0.3, -1.0, 2.0, 0.0]]),
    np.array([[1.0, -1.0, 1.0, -1.0]]),
    np.array([[0.0, 1.0, 3.0, 7.0]]),
    np.eye(3)[:, [0, 1, 2, 1]],
)


def _pairs():
    """Each loss, its own numbers at 0.7, with all targets that it is defined for."""
    for cls in LOSSES.values():
        loss = cls(*[0.7] * (len(cls._fields) - len(cls._field_defaults)))
        for target in TARGETS:
            if (len(target) == 1 or takes_several_outputs(loss)) and admissible(loss, target).all():
                yield loss, target


PAIRS = list(_pairs())
CASES = pytest.mark.parametrize(("loss", "target"), PAIRS, ids=lambda v: type(v).__name__)


def test_every_loss_has_a_target():
    assert {type(loss) for loss, _ in PAIRS} == set(LOSSES.values())


def _prediction(target, seed=0):
    return np.random.default_rng(seed).normal(size=target.shape)


@CASES
def test_gradient_is_the_derivative_of_the_value(loss, target):
    z, step = _prediction(target), 1e-6
    for k in range(len(z)):
        e = np.zeros_like(z)
        e[k] = step
        slope = (loss_value(loss, z + e, target) - loss_value(loss, z - e, target)) / (2 * step)
        np.testing.assert_allclose(loss_gradient(loss, z, target)[k], slope, atol=1e-8)


@CASES
def test_hessian_product_is_the_derivative_of_the_gradient(loss, target):
    z, step = _prediction(target), 1e-6
    v = _prediction(target, 1)
    change = loss_gradient(loss, z + step * v, target) - loss_gradient(loss, z - step * v, target)
    product = loss_hessian_product(loss, z, target, v)
    np.testing.assert_allclose(product, change / (2 * step), atol=1e-7)


@CASES
def test_curvature_is_an_upper_bound_of_the_hessian(loss, target):
    z = _prediction(target)
    v = _prediction(target, 1)
    bound = np.sum(loss_curvature(loss, z, target) * v * v, axis=0)
    exact = np.sum(v * loss_hessian_product(loss, z, target, v), axis=0)
    assert np.all(exact <= bound * (1 + 1e-12))


@CASES
def test_gradient_is_lipschitz_with_the_stated_constant(loss, target):
    a, b = _prediction(target) * 3, _prediction(target, 1) * 3
    change = loss_gradient(loss, a, target) - loss_gradient(loss, b, target)
    ratio = np.linalg.norm(change, axis=0) / np.linalg.norm(a - b, axis=0)
    assert np.all(ratio <= smoothness(loss))


@CASES
def test_values_are_nonnegative_and_fenchel_young_is_tight_at_the_gradient(loss, target):
    z = _prediction(target)
    u = loss_gradient(loss, z, target)
    value = loss_value(loss, z, target)
    assert np.all(value >= 0)
    pairing = np.sum(u * z, axis=0)
    np.testing.assert_allclose(value + loss_conjugate(loss, u, target), pairing, atol=1e-12)


@CASES
def test_conjugate_is_the_supremum_of_its_definition(loss, target):
    u = 0.6 * loss_gradient(loss, _prediction(target), target)
    found = loss_conjugate(loss, u, target)
    for i in range(target.shape[1]):
        y, u_i = target[:, [i]], u[:, [i]]

        def negative(z, y=y, u_i=u_i):
            z = np.reshape(z, (-1, 1))
            return loss_value(loss, z, y)[0] - np.sum(u_i * z)

        if len(y) == 1:
            best = -minimize_scalar(negative, method="bounded", bounds=(-30, 30)).fun
        else:
            best = -minimize(negative, np.zeros(len(y))).fun
        assert found[i] == pytest.approx(best, abs=1e-6)


@pytest.mark.parametrize(
    ("loss", "dual", "target"),
    [
        (Huber(0.5), 0.6, 0.0),
        (Logistic(), 0.1, 1.0),
        (Logistic(), -1.1, 1.0),
        (Poisson(), -2.1, 2.0),
    ],
)
def test_conjugate_is_infinite_outside_of_its_domain(loss, dual, target):
    assert loss_conjugate(loss, np.array([[dual]]), np.array([[target]]))[0] == np.inf


@CASES
def test_small_moves_in_the_dual_metric_stay_in_the_domain(loss, target):
    z = 20 * _prediction(target)
    z = np.minimum(z, 20.0)
    v = np.clip(_prediction(target, 1), -0.4, 0.4)
    u = loss_gradient(loss, z, target) - dual_metric_product(loss, z, target, v)
    assert np.all(np.isfinite(loss_conjugate(loss, u, target)))


@CASES
def test_traits_say_what_the_hessian_is(loss, target):
    z, v = _prediction(target), _prediction(target, 1)
    product = loss_hessian_product(loss, z, target, v)
    if couples_outputs(loss):
        p = probabilities(loss, z, target)
        np.testing.assert_allclose(p.sum(axis=0), 1.0)
        expected = p * v - p * np.sum(p * v, axis=0)
    else:  # one curvature for all outputs of a sample
        expected = loss_hessian_product(loss, z, target, np.ones_like(z))[:1] * v
    np.testing.assert_allclose(product, expected, atol=1e-14)
    if is_half_square(loss):
        np.testing.assert_allclose(
            loss_value(loss, z, target), np.sum((z - target) ** 2, axis=0) / 2
        )


@CASES
def test_the_search_for_an_intercept_starts_where_the_loss_is_finite(loss, target):
    weight = np.array([0.1, 0.2, 0.3, 0.4])
    start = initial_intercept(loss, target, weight)
    assert start.shape == (len(target),)
    assert np.all(np.isfinite(loss_value(loss, np.repeat(start[:, None], 4, axis=1), target)))


def test_two_class_multinomial_is_logistic_in_the_difference():
    z = np.random.default_rng(0).normal(size=(2, 5))
    labels = np.array([0, 1, 1, 0, 1])
    multinomial = loss_value(Multinomial(), z, np.eye(2)[:, labels])
    logistic = loss_value(Logistic(), z[1:] - z[:1], 2.0 * labels[None] - 1)
    np.testing.assert_allclose(multinomial, logistic, rtol=1e-12)


def test_poisson_value_is_half_the_deviance_of_scikit_learn():
    from sklearn.metrics import mean_poisson_deviance

    y = np.array([0.0, 1.0, 4.0])
    z = np.array([[0.3, -0.2, 1.0]])
    mean = loss_value(Poisson(), z, y[None]).mean()
    assert mean == pytest.approx(0.5 * mean_poisson_deviance(y, np.exp(z[0])), rel=1e-12)
