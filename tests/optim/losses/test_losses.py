"""Losses against finite differences and against the definition of the conjugate."""

import numpy as np
import pytest
from scipy.optimize import minimize, minimize_scalar

from skreg.optim import Huber, Logistic, Multinomial, Poisson, Quadratic
from skreg.optim.losses import (
    dual_metric_product,
    loss_conjugate,
    loss_curvature,
    loss_gradient,
    loss_hessian_product,
    loss_value,
    smoothness,
)

TARGETS = {
    Quadratic(): np.array([[0.3, -1.0, 2.0, 0.0]]),
    Huber(0.7): np.array([[0.3, -1.0, 2.0, 0.0]]),
    Logistic(): np.array([[1.0, -1.0, 1.0, -1.0]]),
    Poisson(): np.array([[0.0, 1.0, 3.0, 7.0]]),
    Multinomial(): np.eye(3)[:, [0, 1, 2, 1]],
}
CASES = pytest.mark.parametrize(("loss", "target"), TARGETS.items(), ids=lambda v: type(v).__name__)


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
    if isinstance(loss, Huber):
        u = np.clip(u, -loss.delta - 1e-15, loss.delta + 1e-15) if np.all(np.abs(v) < 0.7) else u
    assert np.all(np.isfinite(loss_conjugate(loss, u, target)))


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
