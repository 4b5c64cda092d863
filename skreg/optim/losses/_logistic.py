"""The logistic loss of two classes."""

from typing import NamedTuple

import numpy as np
from scipy.special import expit, xlogy

from skreg.optim.losses._functions import (
    dual_metric_product,
    initial_intercept,
    loss_conjugate,
    loss_curvature,
    loss_gradient,
    loss_hessian_product,
    loss_value,
    smoothness,
    step_unit,
)
from skreg.optim.losses._kinds import of_margins, of_one_output


@of_one_output
@of_margins
class Logistic(NamedTuple):
    """l = log(1 + exp(-y z)) for y in {-1, 1}."""


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


@initial_intercept.register(Logistic)
def _(loss, target, sample_weight):
    positive = np.clip(sample_weight @ (target[0] > 0), 1e-10, 1 - 1e-10)
    return np.array([np.log(positive / (1.0 - positive))])
