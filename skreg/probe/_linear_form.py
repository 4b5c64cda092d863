"""From sufficient statistics to the linear classifier (Zheng et al. 2023, shared variance).

    s2_j  = M2_j / (m - ddof)                                     pooled within-class variance
    s2_j <- (1 - lam) s2_j + lam mean_j(s2_j) + eps               shrinkage and smoothing
    W_kj  = (mu_kj - mubar_j) / s2_j
    b_k   = log pi_k - 1/2 sum_j (mu_kj - mubar_j)(mu_kj + mubar_j) / s2_j

with mubar the mean of all rows. Centring changes every score of a row by the same amount, hence
neither argmax nor softmax, and keeps the numbers small.
"""

from typing import NamedTuple

import numpy as np


class VarianceRule(NamedTuple):
    """How the variances are regularised; the symbols of the equations above."""

    shrinkage: float
    var_smoothing: float
    relative: bool
    ddof: int

    def smoothing(self, largest_total_variance):
        """eps: absolute, or relative to the largest variance of a feature."""
        return self.var_smoothing * largest_total_variance if self.relative else self.var_smoothing


def pooled_variance(statistics, rule):
    """Regularised pooled variance s2 of shape (n_features,) and the eps in it."""
    mass = statistics.total
    if mass <= rule.ddof:
        raise ValueError(
            f"ddof={rule.ddof} must be smaller than the number of samples "
            f"(the sum of sample weights), which is {mass:g}"
        )
    eps = rule.smoothing(statistics.total_scatter.max() / mass)
    raw = statistics.scatter / (mass - rule.ddof)
    return (1 - rule.shrinkage) * raw + rule.shrinkage * raw.mean() + eps, eps


def linear_form(statistics, variance, prior):
    """Weights W (K, n_features) and offsets b (K,); b = -inf for a class without samples.

    A feature of variance zero that is the same in all classes gets weight 0.
    """
    mean, centre = statistics.mean, statistics.grand_mean
    present = statistics.weight > 0
    offset = np.where(present[:, None], mean - centre, 0.0)
    if not variance.any():
        variance = np.ones_like(variance)
    separating = (variance == 0) & offset.any(axis=0)
    if separating.any():
        raise ValueError(
            f"feature {np.flatnonzero(separating)[0]} is constant within every class but differs "
            "between classes, so its weight is infinite; use var_smoothing > 0 or shrinkage > 0"
        )
    weights = np.divide(offset, variance, out=np.zeros_like(offset), where=variance > 0)
    with np.errstate(divide="ignore"):
        log_prior = np.where(present, np.log(prior), -np.inf)
    return weights, log_prior - 0.5 * (weights * (mean + centre)).sum(axis=1)
