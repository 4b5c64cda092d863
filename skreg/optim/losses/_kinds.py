"""What many losses have in common, registered by one line above the class.

A body that a file registers below its class takes the place of one that came from here.
"""

import numpy as np

from skreg.optim.losses._functions import (
    admissible,
    couples_outputs,
    initial_intercept,
    is_half_square,
    location,
    rounding_of_value,
    takes_several_outputs,
)


def of_one_output(cls: type) -> type:
    """A sample has one output, and the loss is not the half square."""
    for trait in (takes_several_outputs, couples_outputs, is_half_square):
        trait.register(cls)(_no)
    return cls


def of_residuals(cls: type) -> type:
    """The loss depends on z - y, like its square near 0, for any finite target."""
    location.register(cls)(_minimising_constant)
    rounding_of_value.register(cls)(_square_of_rounding)
    admissible.register(cls)(_finite)
    return cls


def of_margins(cls: type) -> type:
    """The loss depends on y z for labels y of -1 and 1, and at 0 has about the size of one.

    The search for intercepts starts at 0.
    """
    location.register(cls)(_nowhere)
    initial_intercept.register(cls)(_nowhere)
    rounding_of_value.register(cls)(_rounding)
    admissible.register(cls)(_signs)
    return cls


def _no(loss):
    return False


def _minimising_constant(loss, target, sample_weight):
    return initial_intercept(loss, target, sample_weight)


def _nowhere(loss, target, sample_weight):
    return np.zeros(len(target))


def _square_of_rounding(loss, target_size, precision):
    return (precision * target_size) ** 2


def _rounding(loss, target_size, precision):
    return precision


def _finite(loss, target):
    return np.isfinite(target).all(axis=0)


def _signs(loss, target):
    return (np.abs(target) == 1.0).all(axis=0)
