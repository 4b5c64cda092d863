"""The loss of Huber (1964)."""

from typing import NamedTuple

import numpy as np

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
from skreg.optim.losses._kinds import of_one_output, of_residuals


@of_one_output
@of_residuals
class Huber(NamedTuple):
    """Quadratic up to residuals of size `delta`, linear beyond (Huber 1964)."""

    delta: float


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


@initial_intercept.register(Huber)
def _(loss, target, sample_weight):
    order = np.argsort(target[0])
    cumulated = np.cumsum(sample_weight[order])
    median = np.searchsorted(cumulated, 0.5 * cumulated[-1])
    return target[0, order[median : median + 1]].copy()
