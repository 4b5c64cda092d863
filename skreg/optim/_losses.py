"""Losses l(z, y) of a prediction z against a target y, and what a solver needs of them.

Predictions and targets are arrays of shape (n_outputs, n_samples); a loss of one output has one
row. The dual variable u of a sample lives where l'(z, y) does. Every loss is convex, nonnegative
for admissible targets, and has 0 in the domain of its conjugate l*(u) = sup_z u z - l(z, y), so
that shrinking a dual variable keeps it feasible.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import expit, softmax, xlogy

from skreg.optim._jit import generic


class Quadratic(NamedTuple):
    """l = (z - y)^2 / 2, summed over the outputs."""


class Huber(NamedTuple):
    """Quadratic up to residuals of size `delta`, linear beyond (Huber 1964)."""

    delta: float


class Logistic(NamedTuple):
    """l = log(1 + exp(-y z)) for y in {-1, 1}."""


class Multinomial(NamedTuple):
    """l = log sum_k exp(z_k) - sum_k y_k z_k, y a one-hot column or class frequencies."""


class Poisson(NamedTuple):
    """Half the Poisson deviance of the mean exp(z): l = exp(z) - y z - y + y log y, y >= 0."""


@generic
def loss_value(loss, prediction, target):
    """Loss of each sample, shape (n_samples,)."""


@generic
def loss_gradient(loss, prediction, target):
    """Gradient with respect to the prediction, shape (n_outputs, n_samples)."""


@generic
def loss_curvature(loss, prediction, target):
    """Diagonal model of the Hessian, positive where a step must be damped; shape of prediction.

    It is the second derivative for smooth losses of one output and an upper bound elsewhere.
    """


@generic
def loss_hessian_product(loss, prediction, target, direction):
    """Hessian of each sample times `direction`; shape of prediction."""


@generic
def loss_conjugate(loss, dual, target):
    """l*(u, y) of each sample, infinite outside of its domain; shape (n_samples,)."""


@generic
def dual_metric_product(loss, prediction, target, direction):
    """A positive semi-definite matrix M(z) times `direction`; shape of prediction.

    M is such that l'(z) - M(z) v stays in the domain of l* for all small v, uniformly over the
    samples.
    """


@generic
def smoothness(loss):
    """Lipschitz constant of the gradient with respect to the prediction (inf if there is none)."""


@generic
def step_unit(loss):
    """Change of a prediction over which `loss_curvature` may lose its order; inf if it bounds."""


@generic
def location(loss, target, sample_weight):
    """Typical target of a loss of z - y, which moves with both; (n_outputs,). 0 for others."""


@generic
def initial_intercept(loss, target, sample_weight):
    """Minimiser of sum_i s_i l(b, y_i), or a start close to it; shape (n_outputs,)."""


# Quadratic


@loss_value.register(Quadratic)
def _(loss, prediction, target):
    return 0.5 * np.sum((prediction - target) ** 2, axis=0)


@loss_gradient.register(Quadratic)
def _(loss, prediction, target):
    return prediction - target


@loss_curvature.register(Quadratic)
def _(loss, prediction, target):
    return np.ones_like(prediction)


@loss_hessian_product.register(Quadratic)
def _(loss, prediction, target, direction):
    return direction


@loss_conjugate.register(Quadratic)
def _(loss, dual, target):
    return np.sum(dual * (0.5 * dual + target), axis=0)


@dual_metric_product.register(Quadratic)
def _(loss, prediction, target, direction):
    return direction


@smoothness.register(Quadratic)
def _(loss):
    return 1.0


@step_unit.register(Quadratic)
def _(loss):
    return np.inf


@location.register(Quadratic)
def _(loss, target, sample_weight):
    return initial_intercept(loss, target, sample_weight)


@initial_intercept.register(Quadratic)
def _(loss, target, sample_weight):
    return target @ sample_weight


# Huber


@loss_value.register(Huber)
def _(loss, prediction, target):
    distance = np.abs(prediction - target)
    inner = np.minimum(distance, loss.delta)
    return np.sum(inner * (distance - 0.5 * inner), axis=0)


@loss_gradient.register(Huber)
def _(loss, prediction, target):
    return np.clip(prediction - target, -loss.delta, loss.delta)


@loss_curvature.register(Huber)
def _(loss, prediction, target):
    distance = np.abs(prediction - target)
    return loss.delta / np.maximum(distance, loss.delta)


@loss_hessian_product.register(Huber)
def _(loss, prediction, target, direction):
    return np.where(np.abs(prediction - target) <= loss.delta, direction, 0.0)


@loss_conjugate.register(Huber)
def _(loss, dual, target):
    inside = np.abs(dual) <= loss.delta * (1 + 1e-12)
    return np.sum(np.where(inside, dual * (0.5 * dual + target), np.inf), axis=0)


@dual_metric_product.register(Huber)
def _(loss, prediction, target, direction):
    distance = np.minimum(np.abs(prediction - target), loss.delta)
    return (1.0 - distance / loss.delta) * direction


@smoothness.register(Huber)
def _(loss):
    return 1.0


@step_unit.register(Huber)
def _(loss):
    return np.inf


@location.register(Huber)
def _(loss, target, sample_weight):
    return initial_intercept(loss, target, sample_weight)


@initial_intercept.register(Huber)
def _(loss, target, sample_weight):
    order = np.argsort(target[0])
    cumulated = np.cumsum(sample_weight[order])
    median = np.searchsorted(cumulated, 0.5 * cumulated[-1])
    return target[0, order[median : median + 1]].copy()


# Logistic


@loss_value.register(Logistic)
def _(loss, prediction, target):
    return np.sum(np.logaddexp(0.0, -target * prediction), axis=0)


@loss_gradient.register(Logistic)
def _(loss, prediction, target):
    return -target * expit(-target * prediction)


@loss_curvature.register(Logistic)
def _(loss, prediction, target):
    probability = expit(prediction)
    return probability * (1.0 - probability)


@loss_hessian_product.register(Logistic)
def _(loss, prediction, target, direction):
    probability = expit(prediction)
    return probability * (1.0 - probability) * direction


@loss_conjugate.register(Logistic)
def _(loss, dual, target):
    error = -target * dual
    inside = (error >= 0.0) & (error <= 1.0)
    error = np.clip(error, 0.0, 1.0)
    entropy = xlogy(error, error) + xlogy(1.0 - error, 1.0 - error)
    return np.sum(np.where(inside, entropy, np.inf), axis=0)


@dual_metric_product.register(Logistic)
def _(loss, prediction, target, direction):
    return loss_hessian_product(loss, prediction, target, direction)


@smoothness.register(Logistic)
def _(loss):
    return 0.25


@step_unit.register(Logistic)
def _(loss):
    return 1.0


@location.register(Logistic)
def _(loss, target, sample_weight):
    return np.zeros(len(target))


@initial_intercept.register(Logistic)
def _(loss, target, sample_weight):
    positive = np.clip(sample_weight @ (target[0] > 0), 1e-10, 1 - 1e-10)
    return np.array([np.log(positive / (1.0 - positive))])


# Multinomial


@loss_value.register(Multinomial)
def _(loss, prediction, target):
    top = prediction.max(axis=0)
    return top + np.log(np.exp(prediction - top).sum(axis=0)) - np.sum(target * prediction, axis=0)


@loss_gradient.register(Multinomial)
def _(loss, prediction, target):
    return softmax(prediction, axis=0) - target


@loss_curvature.register(Multinomial)
def _(loss, prediction, target):
    probability = softmax(prediction, axis=0)
    return 2.0 * probability * (1.0 - probability)


@loss_hessian_product.register(Multinomial)
def _(loss, prediction, target, direction):
    probability = softmax(prediction, axis=0)
    return probability * (direction - np.sum(probability * direction, axis=0))


@loss_conjugate.register(Multinomial)
def _(loss, dual, target):
    probability = target + dual
    inside = np.all(probability >= 0.0, axis=0)
    probability = np.maximum(probability, 0.0)
    return np.where(inside, np.sum(xlogy(probability, probability), axis=0), np.inf)


@dual_metric_product.register(Multinomial)
def _(loss, prediction, target, direction):
    return loss_hessian_product(loss, prediction, target, direction)


@smoothness.register(Multinomial)
def _(loss):
    return 0.5


@step_unit.register(Multinomial)
def _(loss):
    return 1.0


@location.register(Multinomial)
def _(loss, target, sample_weight):
    return np.zeros(len(target))


@initial_intercept.register(Multinomial)
def _(loss, target, sample_weight):
    logarithm = np.log(np.maximum(target @ sample_weight, 1e-10))
    return logarithm - logarithm.mean()


# Poisson


@loss_value.register(Poisson)
def _(loss, prediction, target):
    return np.sum(np.exp(prediction) - target * (prediction + 1.0) + xlogy(target, target), axis=0)


@loss_gradient.register(Poisson)
def _(loss, prediction, target):
    return np.exp(prediction) - target


@loss_curvature.register(Poisson)
def _(loss, prediction, target):
    return np.exp(prediction)


@loss_hessian_product.register(Poisson)
def _(loss, prediction, target, direction):
    return np.exp(prediction) * direction


@loss_conjugate.register(Poisson)
def _(loss, dual, target):
    mean = target + dual
    inside = mean >= 0.0
    mean = np.maximum(mean, 0.0)
    conjugate = xlogy(mean, mean) - mean + target - xlogy(target, target)
    return np.sum(np.where(inside, conjugate, np.inf), axis=0)


@dual_metric_product.register(Poisson)
def _(loss, prediction, target, direction):
    return np.exp(prediction) * direction


@smoothness.register(Poisson)
def _(loss):
    return np.inf


@step_unit.register(Poisson)
def _(loss):
    return 1.0


@location.register(Poisson)
def _(loss, target, sample_weight):
    return np.zeros(len(target))


@initial_intercept.register(Poisson)
def _(loss, target, sample_weight):
    return np.log(np.maximum(target @ sample_weight, 1e-10))
