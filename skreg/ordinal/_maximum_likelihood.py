"""The maximum of the likelihood that a fitted estimator stands at, on rows it has not kept."""

from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import eigvalsh
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted, validate_data

from skreg._sklearn import _check_sample_weight
from skreg._warnings import warn
from skreg.ordinal._linear_predictors import crossing_rate
from skreg.ordinal._maximum import Maximum, derivatives, free_increments, maximise
from skreg.ordinal._newton import Point, point_at, quadratic_model
from skreg.ordinal._problem import (
    Coefficients,
    Problem,
    loss_gradient,
    original_scale,
    standardised_increments,
)
from skreg.ordinal._separation import dependent_columns, separating_direction

# violation of the optimality conditions, relative, that rounding of coefficients may leave
ROUNDED_RESIDUAL = 1e-5
# share of the information, in some direction, below which separation is looked for
LEFT_OF_INFORMATION = 1e-10


class Likelihood(NamedTuple):
    """The problem of the fit, what is free in it, its maximum, and the rows as they were given."""

    problem: Problem
    free: np.ndarray
    maximum: Maximum
    X: Any
    codes: np.ndarray
    sample_weight: np.ndarray
    offset: np.ndarray | None

    @property
    def total_weight(self) -> float:
        """Sum of the weights: with weights that count rows, their number."""
        return float(self.sample_weight.sum())


def likelihood_of(estimator, X, y, sample_weight, by, offset=None):
    """The likelihood at the maximum that an estimator has found.

    Parameters
    ----------
    estimator : ProportionalOddsClassifier or PrestoClassifier
        Fitted without penalty.
    X, y, sample_weight
        The rows that it was fitted to.
    by : str
        Who asks, the subject of messages.
    offset : array-like of shape (n_samples,), default=None
        Offset that it was fitted with.

    Returns
    -------
    Likelihood
        Refined from `coef_` to rounding.

    Raises
    ------
    TypeError
        If the estimator is none of these.
    ValueError
        If the fit was penalised or is not at the maximum of these rows, if columns depend on each
        other, or if classes are separable.
    """
    if not hasattr(estimator, "_problem"):
        raise TypeError(
            f"{by} is of a ProportionalOddsClassifier or a PrestoClassifier, fitted without "
            f"penalty; got {type(estimator).__name__}"
        )
    check_is_fitted(estimator)
    validate_data(estimator, X, reset=False, skip_check_array=True)
    model = clone(estimator).set_params(class_order=estimator.class_order_)
    data = model._validate(X, y, sample_weight, offset)
    if len(model.class_order_) != len(estimator.class_order_):
        raise ValueError(
            f"y has the classes {model.class_order_.tolist()}, but the estimator was fitted to "
            f"{estimator.class_order_.tolist()}: {by} needs the rows of the fit"
        )
    problem = model._problem(data)
    _check_unpenalised(estimator, problem, by)
    free = free_increments(problem)
    start = _point_on_these_rows(estimator, problem, free, by)
    names = model._feature_names()
    maximum = checked_maximum(problem, start, free, names, by)
    given = _check_sample_weight(sample_weight, data.X, dtype=np.float64)
    return Likelihood(
        problem, free, maximum, data.X, data.labels.codes, data.sample_weight * given.max(),
        data.offset,
    )  # fmt: skip


def warn_of_crossing(rate, model, consequence):
    """Say that a model gives classes negative probabilities at a share of the rows."""
    warn(
        f"Boundaries of {model} cross at a share of {rate:.2g} of the rows, where some class has a "
        f"negative probability: {consequence}. Let more features be proportional, or penalise "
        "(alpha > 0)."
    )


def crossing_rate_at(likelihood, maximum):
    """Weighted share of the rows at which boundaries cross at a maximum.

    A row's likelihood only has the boundaries of its own class; nothing keeps the others in order.
    """
    theta = maximum.point.theta
    if not theta[1:, 1:].any():
        return 0.0
    intercept, coef, _ = original_scale(likelihood.problem, theta)
    return crossing_rate(likelihood.X, coef, intercept, likelihood.sample_weight)


def warn_of_fractions(sample_weight, by, consequence, advice):
    """Say what weights mean that are no numbers of rows, to whom takes them for these."""
    if sample_weight is None:
        return
    weight = np.asarray(sample_weight, dtype=np.float64)
    if np.any(weight != np.round(weight)):
        warn(
            f"sample_weight has fractions, but {by} takes a weight for a number of equal rows: "
            f"{consequence}. If the weights say how much a row counts, such as inverse "
            f"probabilities of sampling, {advice}."
        )


def checked_maximum(problem, start, free, names, by):
    """Maximum from a point on, or an error that says why there is none."""
    dependent = dependent_columns(problem, np.unique(free % problem.weights.shape[1]))
    if len(dependent):
        raise ValueError(
            f"the columns {names[dependent].tolist()} of X are constant or combinations of others, "
            f"so that the likelihood has no single maximum: leave them out before {by}"
        )
    maximum = maximise(problem, start, free)
    if not maximum.converged or _information_left(problem, maximum, free) < LEFT_OF_INFORMATION:
        direction = separating_direction(problem, free)
        if direction is not None:
            raise _separable(direction, free % problem.weights.shape[1], names, by)
    if not maximum.converged:
        raise ValueError(
            f"{by} did not reach the maximum of the likelihood to rounding: columns of X are "
            "nearly dependent, or some combination of them hardly varies within the classes"
        )
    return maximum


def _information_left(problem, maximum, free):
    """Smallest eigenvalue of the information, in units of its diagonal without features.

    Along a direction in which the likelihood rises for ever, Newton's method stops where almost
    nothing of it is left.
    """
    _, without = derivatives(problem, problem.start, free)
    scale = np.sqrt(np.maximum(np.diag(without), np.finfo(float).tiny))
    return eigvalsh(maximum.hessian / np.outer(scale, scale))[0]


def _check_unpenalised(estimator, problem, by):
    if estimator.alpha > 0.0 and np.any(problem.weights[np.isfinite(problem.weights)] > 0.0):
        raise ValueError(
            f"the fit is penalised (alpha={estimator.alpha:.3g}), and {by} is about maximum "
            "likelihood: fit with alpha=0, or see skreg.ordinal.bootstrap_summary"
        )


def _point_on_these_rows(estimator, problem, free, by):
    """Point of the estimator's coefficients, if they are as optimal on these rows as it says."""
    differences = np.zeros((len(estimator.intercept_), estimator.n_features_in_))
    differences[: len(estimator.coef_)] = np.diff(estimator.coef_, axis=0, prepend=0.0)
    if np.any(differences[np.isinf(problem.weights[:, 1:])] != 0.0):
        raise ValueError(
            "the estimator has coefficients that its parameters leave out: it was given other "
            f"parameters after its fit, and {by} needs those of the fit"
        )
    found = Coefficients(estimator.intercept_, estimator.coef_, differences)
    point = point_at(problem.rows, standardised_increments(problem, found))
    residual = np.inf
    if _feasible(point):
        model = quadratic_model(problem.rows, point.a, point.b)
        gradient = loss_gradient(problem.rows, model) / problem.rows.design.deviation
        residual = np.abs(gradient.reshape(-1)[free]).max() / problem.scales.gradient
    if residual > max(2.0 * estimator.kkt_residual_, ROUNDED_RESIDUAL):
        raise ValueError(
            "the coefficients are not at the maximum of the likelihood of these rows (relative "
            f"violation {residual:.2g}, at the fit {estimator.kkt_residual_:.2g}): {by} needs the "
            "X, y, sample_weight and offset of the fit"
        )
    return point


def _feasible(point: Point) -> bool:
    return bool(np.all(np.isfinite(point.theta)) and np.all(point.a > point.b))


def _separable(direction, column, names, by):
    moved = np.unique(column[(np.abs(direction) > 1e-6) & (column > 0)]) - 1
    return ValueError(
        f"the classes are separable, wholly or in part, by {names[moved][:5].tolist()}: the "
        f"likelihood has no maximum, and {by} no meaning. Leave these features out, or penalise "
        "them and see skreg.ordinal.bootstrap_summary"
    )
