"""Coefficients along the regularisation path, and where it starts."""

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from skreg._progress import progress
from skreg._sklearn import Interval, validate_params
from skreg.ordinal._convergence import warn_if_not_converged
from skreg.ordinal._presto import PRESTO_CONSTRAINTS, PrestoClassifier, presto_problem
from skreg.ordinal._problem import original_scale
from skreg.ordinal._solve_path import alpha_grid, alpha_max, null_solution, solve_path
from skreg.strengths import RegularizationPath

GRID_CONSTRAINTS = {
    "alphas": [Interval(Integral, 1, None, closed="left"), "array-like"],
    "eps": [Interval(Real, 0, 1, closed="neither")],
}
_DATA_CONSTRAINTS = {
    "X": ["array-like", "sparse matrix"],
    "y": ["array-like"],
    "sample_weight": ["array-like", None],
    "offset": ["array-like", None],
}


@dataclass(frozen=True, eq=False, repr=False)
class PrestoPath(RegularizationPath):
    """Result of `presto_path`; the alphas are on the last axis everywhere.

    Attributes
    ----------
    alphas : ndarray of shape (n_alphas,)
        Decreasing strengths of the penalty.
    coefs : ndarray of shape (n_classes - 1, n_features, n_alphas)
        Coefficients on the original scale, in the sign of `PrestoClassifier`.
    intercepts : ndarray of shape (n_classes - 1, n_alphas)
        Intercepts.
    dual_gaps : ndarray of shape (n_alphas,)
        Relative duality gaps; NaN where some increment is not penalised.
    kkt_residuals : ndarray of shape (n_alphas,)
        Relative violations of the optimality conditions.
    n_iter : ndarray of shape (n_alphas,)
        Iterations in use.
    coef_diffs : ndarray of shape (n_classes - 1, n_features, n_alphas)
        Increments between boundaries, with exact zeros.
    scale : ndarray of shape (n_features,)
        What the features were divided by: ``coefs * scale[:, None]`` are the standardised
        coefficients.
    class_order : ndarray of shape (n_classes,)
        Labels in the order of the model.
    """

    coef_diffs: np.ndarray
    scale: np.ndarray
    class_order: np.ndarray

    def __repr__(self) -> str:
        n_boundaries, n_features, n_alphas = self.coefs.shape
        certified = not np.isnan(self.dual_gaps).any()
        name = "relative duality gap" if certified else "relative violation of optimality"
        worst = np.max(self.dual_gaps if certified else self.kkt_residuals)
        return (
            f"PrestoPath({n_alphas} alphas from {self.alphas[0]:.3g} to {self.alphas[-1]:.3g}, "
            f"{n_boundaries} boundaries, {n_features} features, {name} <= {worst:.2g})"
        )


def decreasing_alphas(alphas, eps, problem, null):
    """The given alphas in decreasing order, or a grid of that many."""
    if isinstance(alphas, Integral):
        return alpha_grid(problem, null, alphas, eps)
    alphas = np.asarray(alphas, dtype=np.float64)
    if alphas.ndim != 1 or len(alphas) == 0 or not np.all((alphas >= 0) & np.isfinite(alphas)):
        raise ValueError(
            "alphas must be a number of alphas, or a nonempty one-dimensional array of finite "
            f"numbers >= 0, got {alphas}"
        )
    return np.sort(alphas)[::-1]


def collect_path(problem, null, alphas, class_order, *, tol, max_iter, verbose=0):
    """Solve the whole path on the original scale, warning where the tolerance is missed."""
    fits, certificates = [], []
    link = problem.rows.link
    warn_if_not_converged(null, link, tol=tol, max_iter=max_iter)
    solutions = solve_path(problem, null, alphas, tol=tol, max_iter=max_iter)
    for solution in progress(solutions, total=len(alphas), verbose=verbose, by="presto_path"):
        warn_if_not_converged(solution, link, tol=tol, max_iter=max_iter)
        fits.append(original_scale(problem, solution.point.theta))
        certificates.append((solution.dual_gap, solution.kkt_residual, solution.n_iter))
    intercepts, coefs, coef_diffs = (
        np.stack(values, axis=-1) for values in zip(*fits, strict=True)
    )
    dual_gaps, kkt_residuals, n_iter = (
        np.array(values) for values in zip(*certificates, strict=True)
    )
    return PrestoPath(
        alphas=alphas,
        coefs=coefs,
        intercepts=intercepts,
        dual_gaps=dual_gaps,
        kkt_residuals=kkt_residuals,
        n_iter=n_iter,
        coef_diffs=coef_diffs,
        scale=problem.scaling.scale,
        class_order=class_order,
    )


@validate_params(
    _DATA_CONSTRAINTS | GRID_CONSTRAINTS | PRESTO_CONSTRAINTS | {"verbose": ["verbose"]},
    prefer_skip_nested_validation=True,
)
def presto_path(
    X: Any,
    y: ArrayLike,
    *,
    alphas: int | ArrayLike = 20,
    eps: float = 1e-2,
    link: Literal["logit", "probit", "cloglog", "loglog"] = "logit",
    l1_ratio: float = 1.0,
    first_penalty: float = 1.0,
    penalty_weights: ArrayLike | dict[str, float] | None = None,
    proportional: ArrayLike | Literal["all"] | None = None,
    standardize: bool = True,
    class_order: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    tol: float = 1e-4,
    max_iter: int = 100,
    verbose: int = 0,
) -> PrestoPath:
    """Fit PRESTO along a decreasing sequence of alphas, each fit started from the one before.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Features.
    y : array-like of shape (n_samples,)
        Labels.
    alphas : int or array-like of shape (n_alphas,), default=20
        Strengths of the penalty, or how many to place from `presto_alpha_max` down to `eps` times
        it, in equal steps of the logarithm.
    eps : float, default=1e-2
        Ratio of the smallest alpha to the largest, if `alphas` is a number.
    link : {"logit", "probit", "cloglog", "loglog"}, default="logit"
        As in `PrestoClassifier`.
    l1_ratio : float, default=1.0
        As in `PrestoClassifier`.
    first_penalty : float, default=1.0
        As in `PrestoClassifier`. With 0 the path starts at the proportional odds model.
    penalty_weights : array-like of shape (n_features,) or dict, default=None
        As in `PrestoClassifier`.
    proportional : array-like or "all", default=None
        As in `PrestoClassifier`.
    standardize : bool, default=True
        As in `PrestoClassifier`.
    class_order : array-like of shape (n_classes,), default=None
        As in `PrestoClassifier`.
    sample_weight : array-like of shape (n_samples,), default=None
        Nonnegative weights.
    offset : array-like of shape (n_samples,), default=None
        Known part of the predictors, as in `PrestoClassifier.fit`.
    tol : float, default=1e-4
        As in `PrestoClassifier`, for each alpha.
    max_iter : int, default=100
        Largest number of iterations for each alpha.
    verbose : int, default=0
        1 shows a bar of progress over the alphas; needs tqdm.

    Returns
    -------
    PrestoPath
        Alphas, coefficients and certificates.

    Raises
    ------
    ValueError
        If `alphas` has a negative entry, and as `PrestoClassifier.fit`.

    Examples
    --------
    >>> from skreg.datasets import make_ordinal
    >>> from skreg.ordinal import presto_path
    >>> X, y, _ = make_ordinal(random_state=0)
    >>> path = presto_path(X, y, alphas=5)
    >>> path.coefs.shape
    (3, 10, 5)
    >>> (path.coef_diffs != 0).sum(axis=(0, 1))
    array([ 0,  3, 10, 21, 26])
    """
    labels, problem = _problem(
        X, y, sample_weight, offset, link=link, l1_ratio=l1_ratio, first_penalty=first_penalty,
        penalty_weights=penalty_weights, proportional=proportional, standardize=standardize,
        class_order=class_order,
    )  # fmt: skip
    null = null_solution(problem, tol=tol, max_iter=max_iter)
    grid = decreasing_alphas(alphas, eps, problem, null)
    return collect_path(
        problem, null, grid, labels.order, tol=tol, max_iter=max_iter, verbose=verbose
    )


@validate_params(_DATA_CONSTRAINTS | PRESTO_CONSTRAINTS, prefer_skip_nested_validation=True)
def presto_alpha_max(
    X: Any,
    y: ArrayLike,
    *,
    link: Literal["logit", "probit", "cloglog", "loglog"] = "logit",
    l1_ratio: float = 1.0,
    first_penalty: float = 1.0,
    penalty_weights: ArrayLike | dict[str, float] | None = None,
    proportional: ArrayLike | Literal["all"] | None = None,
    standardize: bool = True,
    class_order: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    tol: float = 1e-4,
    max_iter: int = 100,
) -> float:
    """Smallest alpha at which all penalised increments of PRESTO are zero.

    For `first_penalty` > 0 it is a closed form in the class frequencies, or with an offset in the
    optimum of the intercepts. For `first_penalty` = 0
    the proportional odds model is fitted first.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Features.
    y : array-like of shape (n_samples,)
        Labels.
    link : {"logit", "probit", "cloglog", "loglog"}, default="logit"
        As in `PrestoClassifier`.
    l1_ratio : float, default=1.0
        As in `PrestoClassifier`. Below 0.01, where the increments are never all zero, the value at
        0.01 is returned.
    first_penalty : float, default=1.0
        As in `PrestoClassifier`.
    penalty_weights : array-like of shape (n_features,) or dict, default=None
        As in `PrestoClassifier`.
    proportional : array-like or "all", default=None
        As in `PrestoClassifier`.
    standardize : bool, default=True
        As in `PrestoClassifier`.
    class_order : array-like of shape (n_classes,), default=None
        As in `PrestoClassifier`.
    sample_weight : array-like of shape (n_samples,), default=None
        Nonnegative weights.
    offset : array-like of shape (n_samples,), default=None
        Known part of the predictors, as in `PrestoClassifier.fit`.
    tol : float, default=1e-4
        Tolerance on the fit of the unpenalised coefficients.
    max_iter : int, default=100
        Largest number of iterations of that fit.

    Returns
    -------
    float
        The largest useful alpha.

    Raises
    ------
    ValueError
        As `PrestoClassifier.fit`.

    Examples
    --------
    >>> from skreg.ordinal import presto_alpha_max
    >>> round(presto_alpha_max([[-1], [0], [1]], [1, 2, 3]), 6)
    0.544331
    """
    _, problem = _problem(
        X, y, sample_weight, offset, link=link, l1_ratio=l1_ratio, first_penalty=first_penalty,
        penalty_weights=penalty_weights, proportional=proportional, standardize=standardize,
        class_order=class_order,
    )  # fmt: skip
    null = null_solution(problem, tol=tol, max_iter=max_iter)
    warn_if_not_converged(null, problem.rows.link, tol=tol, max_iter=max_iter)
    return float(alpha_max(problem, null))


def _problem(X, y, sample_weight, offset, **parameters):
    estimator = PrestoClassifier(**parameters)
    data = estimator._validate(X, y, sample_weight, offset)
    return data.labels, presto_problem(estimator, data)
