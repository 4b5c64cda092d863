"""Losses of a prediction against a target, one file each.

A loss is a NamedTuple and one body for each function of `LOSS_FUNCTIONS`; `of_one_output`,
`of_residuals` and `of_margins` register those that many losses share. The room finds its files by
itself: `LOSSES` holds the classes by name.
"""

from skreg.optim._rooms import records_of
from skreg.optim.losses._functions import (
    LOSS_FUNCTIONS,
    admissible,
    check_loss,
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
from skreg.optim.losses._huber import Huber
from skreg.optim.losses._kinds import of_margins, of_one_output, of_residuals
from skreg.optim.losses._logistic import Logistic
from skreg.optim.losses._multinomial import Multinomial
from skreg.optim.losses._poisson import Poisson
from skreg.optim.losses._quadratic import Quadratic

LOSSES = records_of(__name__, __path__)
globals().update(LOSSES)

__all__ = [
    "LOSSES",
    "LOSS_FUNCTIONS",
    "Huber",
    "Logistic",
    "Multinomial",
    "Poisson",
    "Quadratic",
    "admissible",
    "check_loss",
    "couples_outputs",
    "dual_metric_product",
    "initial_intercept",
    "is_half_square",
    "location",
    "loss_conjugate",
    "loss_curvature",
    "loss_gradient",
    "loss_hessian_product",
    "loss_value",
    "of_margins",
    "of_one_output",
    "of_residuals",
    "probabilities",
    "rounding_of_value",
    "smoothness",
    "step_unit",
    "takes_several_outputs",
]
__all__ += sorted(LOSSES.keys() - set(__all__))
