"""The logistic loss of several classes."""

from typing import NamedTuple

import numpy as np
from scipy.special import softmax, xlogy

from skreg.optim.losses._functions import (
    admissible,
    couples_outputs,
    dual_metric_product,
    initial_intercept,
    is_half_square,
    location,
    loss_conjugate,
    loss_curvature,
    loss_gradient,
    loss_hessian_product,
    loss_value,
    probabilities,
    rounding_of_value,
    smoothness,
    step_unit,
    takes_several_outputs,
)

SUM_OF_ONE = 1e-5  # by how much class frequencies in single precision may miss a sum of one


class Multinomial(NamedTuple):
    """l = log sum_k exp(z_k) - sum_k y_k z_k, y a one-hot column or class frequencies."""


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


@admissible.register(Multinomial)
def _(loss, target):
    return (target >= 0.0).all(axis=0) & (np.abs(target.sum(axis=0) - 1.0) <= SUM_OF_ONE)


@rounding_of_value.register(Multinomial)
def _(loss, target_size, precision):
    return precision


@takes_several_outputs.register(Multinomial)
def _(loss):
    return True


@couples_outputs.register(Multinomial)
def _(loss):
    return True


@is_half_square.register(Multinomial)
def _(loss):
    return False


@probabilities.register(Multinomial)
def _(loss, prediction, target):
    return loss_gradient(loss, prediction, target) + target
