"""Coefficients along the regularisation path, and where it starts."""

from numbers import Integral, Real
from typing import NamedTuple

import numpy as np

from skreg._sklearn import Interval, validate_params
from skreg.ordinal._convergence import warn_if_not_converged
from skreg.ordinal._presto import PRESTO_CONSTRAINTS, PrestoClassifier, presto_problem
from skreg.ordinal._problem import original_scale
from skreg.ordinal._solve_path import alpha_grid, alpha_max, null_solution, solve_path

GRID_CONSTRAINTS = {
    "alphas": ["array-like", None],
    "n_alphas": [Interval(Integral, 1, None, closed="left")],
    "eps": [Interval(Real, 0, 1, closed="neither")],
}
_DATA_CONSTRAINTS = {
    "X": ["array-like", "sparse matrix"],
    "y": ["array-like"],
    "sample_weight": ["array-like", None],
}


class PrestoPath(NamedTuple):
    """Result of `presto_path`, one entry for each alpha.

    Attributes
    ----------
    alphas : ndarray of shape (n_alphas,)
        Decreasing strengths of the penalty.
    intercepts : ndarray of shape (n_alphas, n_classes - 1)
        Intercepts.
    coefs : ndarray of shape (n_alphas, n_classes - 1, n_features)
        Coefficients on the original scale, in the sign of `PrestoClassifier`.
    coef_diffs : ndarray of shape (n_alphas, n_classes - 1, n_features)
        Increments between boundaries, with exact zeros.
    kkt_residuals : ndarray of shape (n_alphas,)
        Largest violations of the optimality conditions, per standard deviation of the feature.
    dual_gaps : ndarray of shape (n_alphas,)
        Duality gaps; NaN where some increment is not penalised.
    n_iters : ndarray of shape (n_alphas,)
        Iterations in use.
    scale : ndarray of shape (n_features,)
        What the features were divided by: ``coefs * scale`` are the standardised coefficients.
    class_order : ndarray of shape (n_classes,)
        Labels in the order of the model.
    """

    alphas: np.ndarray
    intercepts: np.ndarray
    coefs: np.ndarray
    coef_diffs: np.ndarray
    kkt_residuals: np.ndarray
    dual_gaps: np.ndarray
    n_iters: np.ndarray
    scale: np.ndarray
    class_order: np.ndarray


def check_alphas(alphas, problem, null, n_alphas, eps):
    """The given alphas in decreasing order, or the default grid."""
    if alphas is None:
        return alpha_grid(problem, null, n_alphas, eps)
    alphas = np.asarray(alphas, dtype=np.float64)
    if alphas.ndim != 1 or len(alphas) == 0 or not np.all((alphas >= 0) & np.isfinite(alphas)):
        raise ValueError(
            f"alphas must be a nonempty one-dimensional array of finite numbers >= 0, got {alphas}"
        )
    return np.sort(alphas)[::-1]


def collect_path(problem, null, alphas, class_order, *, tol, max_iter):
    """Solve the whole path on the original scale, warning where the tolerance is missed."""
    fits, certificates = [], []
    warn_if_not_converged(problem, null, tol=tol, max_iter=max_iter)
    for solution in solve_path(problem, null, alphas, tol=tol, max_iter=max_iter):
        warn_if_not_converged(problem, solution, tol=tol, max_iter=max_iter)
        fits.append(original_scale(problem, solution.point.theta))
        certificates.append((solution.kkt_residual, solution.dual_gap, solution.n_iter))
    coefficients = (np.array(values) for values in zip(*fits, strict=True))
    certificates = (np.array(values) for values in zip(*certificates, strict=True))
    return PrestoPath(alphas, *coefficients, *certificates, problem.scaling.scale, class_order)


@validate_params(
    _DATA_CONSTRAINTS | GRID_CONSTRAINTS | PRESTO_CONSTRAINTS, prefer_skip_nested_validation=True
)
def presto_path(
    X,
    y,
    *,
    alphas=None,
    n_alphas=20,
    eps=1e-2,
    l1_ratio=1.0,
    first_penalty=1.0,
    penalty_weights=None,
    standardize=True,
    class_order=None,
    sample_weight=None,
    tol=1e-4,
    max_iter=100,
):
    """Fit PRESTO along a decreasing sequence of alphas, each fit started from the one before.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Features.
    y : array-like of shape (n_samples,)
        Labels.
    alphas : array-like of shape (n_alphas,), default=None
        Strengths of the penalty. If None, `n_alphas` values from `presto_alpha_max` down to `eps`
        times it, in equal steps of the logarithm.
    n_alphas : int, default=20
        Number of alphas of the default grid.
    eps : float, default=1e-2
        Ratio of the smallest alpha of the default grid to the largest.
    l1_ratio : float, default=1.0
        As in `PrestoClassifier`.
    first_penalty : float, default=1.0
        As in `PrestoClassifier`. With 0 the path starts at the proportional odds model.
    penalty_weights : array-like of shape (n_features,), default=None
        As in `PrestoClassifier`.
    standardize : bool, default=True
        As in `PrestoClassifier`.
    class_order : array-like of shape (n_classes,), default=None
        As in `PrestoClassifier`.
    sample_weight : array-like of shape (n_samples,), default=None
        Nonnegative weights.
    tol : float, default=1e-4
        As in `PrestoClassifier`, for each alpha.
    max_iter : int, default=100
        Largest number of iterations for each alpha.

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
    >>> path = presto_path(X, y, n_alphas=5)
    >>> path.coefs.shape
    (5, 3, 10)
    >>> (path.coef_diffs != 0).sum(axis=(1, 2))
    array([ 0,  3, 10, 21, 26])
    """
    labels, problem = _problem(
        X, y, sample_weight, l1_ratio, first_penalty, penalty_weights, standardize, class_order
    )
    null = null_solution(problem, tol=tol, max_iter=max_iter)
    alphas = check_alphas(alphas, problem, null, n_alphas, eps)
    return collect_path(problem, null, alphas, labels.order, tol=tol, max_iter=max_iter)


@validate_params(_DATA_CONSTRAINTS | PRESTO_CONSTRAINTS, prefer_skip_nested_validation=True)
def presto_alpha_max(
    X,
    y,
    *,
    l1_ratio=1.0,
    first_penalty=1.0,
    penalty_weights=None,
    standardize=True,
    class_order=None,
    sample_weight=None,
    tol=1e-4,
    max_iter=100,
):
    """Smallest alpha at which all penalised increments of PRESTO are zero.

    For `first_penalty` > 0 it is a closed form in the class frequencies. For `first_penalty` = 0
    the proportional odds model is fitted first.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Features.
    y : array-like of shape (n_samples,)
        Labels.
    l1_ratio : float, default=1.0
        As in `PrestoClassifier`. Below 0.01, where the increments are never all zero, the value at
        0.01 is returned.
    first_penalty : float, default=1.0
        As in `PrestoClassifier`.
    penalty_weights : array-like of shape (n_features,), default=None
        As in `PrestoClassifier`.
    standardize : bool, default=True
        As in `PrestoClassifier`.
    class_order : array-like of shape (n_classes,), default=None
        As in `PrestoClassifier`.
    sample_weight : array-like of shape (n_samples,), default=None
        Nonnegative weights.
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
        X, y, sample_weight, l1_ratio, first_penalty, penalty_weights, standardize, class_order
    )
    null = null_solution(problem, tol=tol, max_iter=max_iter)
    warn_if_not_converged(problem, null, tol=tol, max_iter=max_iter)
    return float(alpha_max(problem, null))


def _problem(
    X, y, sample_weight, l1_ratio, first_penalty, penalty_weights, standardize, class_order
):
    estimator = PrestoClassifier(
        l1_ratio=l1_ratio,
        first_penalty=first_penalty,
        penalty_weights=penalty_weights,
        standardize=standardize,
        class_order=class_order,
    )
    X, labels, sample_weight = estimator._validate(X, y, sample_weight)
    return labels, presto_problem(estimator, X, labels, sample_weight)
