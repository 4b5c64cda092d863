"""Half the Poisson deviance with a logarithmic link."""

from typing import NamedTuple

import numpy as np
from scipy.special import xlogy

from skreg.optim.losses._functions import (
    admissible,
    dual_metric_product,
    initial_intercept,
    location,
    loss_conjugate,
    loss_curvature,
    loss_gradient,
    loss_hessian_product,
    loss_value,
    rounding_of_value,
    smoothness,
    step_unit,
)
from skreg.optim.losses._kinds import of_one_output


@of_one_output
class Poisson(NamedTuple):
    """Half the Poisson deviance of the mean exp(z): l = exp(z) - y z - y + y log y, y >= 0."""


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


@admissible.register(Poisson)
def _(loss, target):
    return ((target >= 0.0) & np.isfinite(target)).all(axis=0)


@rounding_of_value.register(Poisson)
def _(loss, target_size, precision):
    return (precision * target_size) ** 2
