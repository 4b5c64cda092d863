"""Priors, shrinkage and temperature: given, or chosen by leave-one-out."""

from functools import partial

import numpy as np

from skreg.probe._leave_one_out import choose_shrinkage, choose_temperature
from skreg.probe._linear_form import VarianceRule


def rule_of(estimator, shrinkage):
    """How the estimator's parameters regularise its variances, with this shrinkage."""
    relative = estimator.smoothing == "relative"
    return VarianceRule(float(shrinkage), float(estimator.var_smoothing), relative, estimator.ddof)


def require_fixed_regularisation(estimator, where):
    """Raise if a parameter is to be chosen from all rows where they are not at hand."""
    for name in ("shrinkage", "temperature"):
        if getattr(estimator, name) == "loo":
            raise ValueError(
                f"{name}='loo' needs all rows at once and is not available with {where}; "
                "use fit, or give a number"
            )


def choose_regularisation(estimator, rows, statistics):
    """Shrinkage and temperature, by leave-one-out where that is asked for."""
    shrinkage, temperature = estimator.shrinkage, estimator.temperature
    sample = rows.X, rows.codes, rows.weights, statistics
    copy = min(1.0, rows.weights.max())  # of the heaviest row, which leaves
    priors = None if estimator.priors is None else checked_priors(estimator.priors, statistics)
    if "loo" in (shrinkage, temperature) and not (statistics.weight > copy).any():
        raise ValueError("'loo' needs a class with at least two samples")
    if shrinkage == "loo":
        shrinkage = choose_shrinkage(*sample, partial(rule_of, estimator), priors)
    if temperature == "loo":
        temperature = choose_temperature(*sample, rule_of(estimator, shrinkage), priors)
    return float(shrinkage), float(temperature)


def checked_priors(priors, statistics):
    """Prior probabilities of the classes; their frequencies for None."""
    if priors is None:
        return statistics.weight / statistics.total
    priors = np.asarray(priors, dtype=np.float64)
    if priors.shape != statistics.weight.shape:
        raise ValueError(
            f"priors must have one entry per class, {statistics.weight.size}; "
            f"got shape {priors.shape}"
        )
    if not (priors >= 0).all():
        raise ValueError(f"priors must be non-negative; got {priors}")
    if not np.isclose(priors.sum(), 1.0):
        raise ValueError(f"the sum of the priors must be 1; got {priors.sum()}")
    return priors
