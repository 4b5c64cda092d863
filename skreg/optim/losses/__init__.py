"""Losses of a prediction against a target, one file each.

A loss is a NamedTuple and one body for each function of the engine.
"""

from skreg.optim.losses._functions import (
    dual_metric_product,
    initial_intercept,
    location,
    loss_conjugate,
    loss_curvature,
    loss_gradient,
    loss_hessian_product,
    loss_value,
    smoothness,
    step_unit,
)
from skreg.optim.losses._huber import Huber
from skreg.optim.losses._logistic import Logistic
from skreg.optim.losses._multinomial import Multinomial
from skreg.optim.losses._poisson import Poisson
from skreg.optim.losses._quadratic import Quadratic

__all__ = [
    "Huber",
    "Logistic",
    "Multinomial",
    "Poisson",
    "Quadratic",
    "dual_metric_product",
    "initial_intercept",
    "location",
    "loss_conjugate",
    "loss_curvature",
    "loss_gradient",
    "loss_hessian_product",
    "loss_value",
    "smoothness",
    "step_unit",
]
