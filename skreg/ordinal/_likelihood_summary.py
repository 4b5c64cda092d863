"""The summary of a cumulative logit model fitted by maximum likelihood."""

from numbers import Real

import numpy as np
from scipy.special import ndtri
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_consistent_length, column_or_1d

from skreg._optional import require
from skreg._sklearn import Interval, StrOptions
from skreg._warnings import warn
from skreg.ordinal import _covariance
from skreg.ordinal._coefficient_table import (
    DIRECTIONS,
    Estimates,
    coefficient_table,
    threshold_names,
    with_wald_tests,
)
from skreg.ordinal._maximum_likelihood import (
    crossing_rate_at,
    likelihood_of,
    warn_of_crossing,
    warn_of_fractions,
)
from skreg.ordinal._problem import original_scale, sorted_by_class
from skreg.ordinal._profile import profile_end
from skreg.ordinal._terms import distinct_terms, levels_of

SUMMARY_CONSTRAINTS = {
    "covariance": [StrOptions({"observed", "sandwich", "cluster"})],
    "groups": ["array-like", None],
    "interval": [StrOptions({"wald", "profile"})],
    "level": [Interval(Real, 0, 1, closed="neither")],
    "direction": [StrOptions(DIRECTIONS)],
}


def summarise(
    estimator, X, y, sample_weight, offset, *, covariance, groups, interval, level, direction
):
    """Data frame of coefficients and thresholds; see `ProportionalOddsClassifier.summary`."""
    _check_options(covariance, groups, interval)
    likelihood = likelihood_of(estimator, X, y, sample_weight, "summary", offset)
    if covariance == "observed":
        warn_of_fractions(
            sample_weight,
            "covariance='observed'",
            "standard errors depend on its scale",
            "use covariance='sandwich'",
        )
    crossing = crossing_rate_at(likelihood, likelihood.maximum)
    if crossing > 0.0:
        consequence = "if these are not a few, trust neither it nor its standard errors"
        warn_of_crossing(crossing, "the model", consequence)
    terms = distinct_terms(np.isfinite(likelihood.problem.weights[:, 1:]))
    to_original = _original_scale_matrix(likelihood, terms)
    theta = likelihood.maximum.point.theta.reshape(-1)[likelihood.free]
    value = to_original @ theta
    error = _standard_errors(to_original, _increment_covariance(likelihood, covariance, groups))
    z = ndtri(0.5 + 0.5 * level)
    if interval == "wald":
        lower, upper = value - z * error, value + z * error
    else:
        lower, upper = _profile_intervals(likelihood, to_original, error, z)
    levels = levels_of(
        terms,
        estimator._feature_names(),
        threshold_names(estimator.class_order_),
        by_boundary=hasattr(estimator, "coef_diff_"),
    )
    estimates = Estimates(levels, len(terms.feature), value, error, lower, upper)
    return with_wald_tests(coefficient_table(estimates, direction, estimator.link_, "summary"))


def _check_options(covariance, groups, interval):
    if (groups is None) == (covariance == "cluster"):
        raise ValueError(
            f"groups belong to covariance='cluster', and only to it; got covariance={covariance!r} "
            f"{'without' if groups is None else 'with'} groups"
        )
    if interval == "profile" and covariance != "observed":
        raise ValueError(
            "interval='profile' rests on the likelihood, as covariance='observed' does; got "
            f"covariance={covariance!r}: use interval='wald' with it"
        )


def _original_scale_matrix(likelihood, terms):
    """Matrix from the free increments to the terms and thresholds on the original scale.

    The map is linear: its columns are the images of unit vectors.
    """
    problem, free = likelihood.problem, likelihood.free
    columns = []
    for position in free:
        unit = np.zeros_like(problem.weights)
        unit.reshape(-1)[position] = 1.0
        intercept, coef, _ = original_scale(problem, unit)
        columns.append(np.concatenate([terms.of(coef), intercept]))
    return np.array(columns).T


def _standard_errors(to_original, covariance):
    """Those of the rows h of the matrix, sqrt(h^T C h), whatever their units."""
    size = np.abs(to_original).max(axis=1)
    unit = to_original / size[:, None]
    return size * np.sqrt(np.einsum("ij,jk,ik->i", unit, covariance, unit))


def _increment_covariance(likelihood, covariance, groups):
    problem, maximum = likelihood.problem, likelihood.maximum
    if covariance == "observed":
        return _covariance.observed(problem, maximum, likelihood.total_weight)
    if covariance == "sandwich":
        return _covariance.sandwich(problem, maximum, likelihood.free)
    return _covariance.clustered(problem, maximum, likelihood.free, _clusters(likelihood, groups))


def _clusters(likelihood, groups):
    """Number of the cluster of each row, in the solver's order."""
    groups = column_or_1d(groups)
    check_consistent_length(groups, likelihood.codes)
    missing = require("pandas", "bench", "summary").isna(groups)
    if missing.any():
        raise ValueError(
            f"groups is missing for {missing.sum()} of {len(groups)} rows; each row needs a group, "
            "one of its own if it depends on no other"
        )
    order = sorted_by_class(likelihood.codes, likelihood.sample_weight)
    found, cluster = np.unique(groups[order], return_inverse=True)
    n_parameters = len(likelihood.free)
    if len(found) < 2:
        raise ValueError(f"groups has {len(found)} group; covariance='cluster' needs at least two")
    if len(found) <= n_parameters:
        warn(
            f"covariance='cluster' estimates a covariance of {n_parameters} parameters from "
            f"{len(found)} groups: standard errors are too small with so few"
        )
    return cluster


def _profile_intervals(likelihood, to_original, error, z):
    problem, free, maximum = likelihood.problem, likelihood.free, likelihood.maximum
    total = likelihood.total_weight
    lower, upper = (
        np.array(
            [
                profile_end(problem, maximum, free, held, total, side * z * size, z)
                for held, size in zip(to_original, error, strict=True)
            ]
        )
        for side in (-1.0, 1.0)
    )
    lost = np.isnan(lower) | np.isnan(upper)
    if lost.any():
        warn(f"{lost.sum()} profile intervals have an end that was not found", ConvergenceWarning)
    return lower, upper
