"""Half the squared error."""

from typing import NamedTuple

import numpy as np

from skreg.optim.losses._functions import (
    couples_outputs,
    dual_metric_product,
    initial_intercept,
    is_half_square,
    loss_conjugate,
    loss_curvature,
    loss_gradient,
    loss_hessian_product,
    loss_value,
    smoothness,
    step_unit,
    takes_several_outputs,
)
from skreg.optim.losses._kinds import of_residuals


@of_residuals
class Quadratic(NamedTuple):
    """l = (z - y)^2 / 2, summed over the outputs."""


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


@initial_intercept.register(Quadratic)
def _(loss, target, sample_weight):
    return target @ sample_weight


@takes_several_outputs.register(Quadratic)
def _(loss):
    return True


@couples_outputs.register(Quadratic)
def _(loss):
    return False


@is_half_square.register(Quadratic)
def _(loss):
    return True
