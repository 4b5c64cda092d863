"""An independent certificate: the duality gap of any coefficients.

Fenchel's inequality bounds the optimum from below by

    D(u) = -sum_i s_i l*(u_i, y_i) - penalty*(-X^T (s u))        for u in the domain of l*,

with sum_i s_i u_i f_i = 0 for every unpenalised column f, the intercept's included. The point u is
the gradient of the loss at the predictions, or at those with the best free coefficients, moved to
be orthogonal to the free columns and scaled into the domain of penalty*. Nothing is screened, and
what the penalty and the loss are is asked of their generic functions alone.
"""

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse

from skreg.optim.kernels._blocks import conjugate, members_of, ridge_energy, scan
from skreg.optim.kernels._designs import columns, is_dense, shape, stored_numbers, units
from skreg.optim.losses import loss_gradient
from skreg.optim.penalties import ridge_share
from skreg.optim.solver._free_directions import (
    free_directions,
    minimise_free,
    null_point,
    project_dual,
    too_many,
)
from skreg.optim.solver._problem import (
    best_scale,
    dual_loss,
    gap_scale,
    make_problem,
    ready,
    smooth_value,
    unpenalised,
)
from skreg.optim.solver._units import in_own_units, to_own_units


class Certificate(NamedTuple):
    """Primal and dual value of a point, and their relative difference.

    Attributes
    ----------
    primal, dual : float
        P(w, b), infinite where the penalty forbids w, and the best D that the point's own residuals
        give (nan if there are too many unpenalised columns to tell).
    gap : float
        (primal - dual) / P(0).
    kkt : float
        Largest distance of -gradient to the subdifferential, intercepts included (not relative).
    """

    primal: float
    dual: float
    gap: float
    kkt: float


def duality_gap(
    design: Any,
    target: np.ndarray,
    loss: Any,
    penalty: Any,
    coef: np.ndarray,
    intercept: np.ndarray | float = 0.0,
    *,
    sample_weight: np.ndarray | None = None,
    fit_intercept: bool = True,
) -> Certificate:
    """Certificate of given coefficients, whoever computed them.

    Parameters
    ----------
    design : Dense, Csc, ndarray or scipy sparse matrix of shape (n_samples, n_features)
        Design matrix.
    target : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Responses, as in `solve`.
    loss : Quadratic or another record of `skreg.optim.losses`
        Loss of one prediction.
    penalty : L1 or another record of `skreg.optim.penalties`
        Penalty with its strength.
    coef : ndarray of shape (n_features,) or (n_outputs, n_features)
        Coefficients.
    intercept : float or ndarray of shape (n_outputs,), default=0.0
        Intercept.
    sample_weight : ndarray of shape (n_samples,), default=None
        Nonnegative weights, 1 if None.
    fit_intercept : bool, default=True
        Whether the intercept was free.

    Returns
    -------
    Certificate
        Primal and dual value, relative gap and KKT residual.

    Raises
    ------
    TypeError
        If a function of the loss or the penalty is not registered.
    """
    problem = make_problem(design, target, loss, penalty, sample_weight, fit_intercept)
    penalty = ready(penalty, problem)
    problem = in_own_units(problem, [penalty])
    n_outputs, n_features = len(problem.target), problem.n_features
    coef = np.array(coef, dtype=np.float64).reshape(n_outputs, n_features)
    intercepts = np.array(np.broadcast_to(intercept, n_outputs), dtype=np.float64)
    coef, intercepts = to_own_units(problem, coef, intercepts)
    X = _all_columns(problem.design)
    z = (X @ coef.T).T + intercepts[:, None]
    starts, members = problem.blocks
    blocks = np.arange(len(starts) - 1)
    allowed = blocks[np.isfinite(penalty.weights)]
    excluded, _ = members_of(problem.blocks, np.setdiff1d(blocks, allowed))

    def gradient(dual):
        return -(X.T @ (problem.weight * dual).T).T

    def look(q):
        """(penalty, largest gauge, distances) at minus the gradient q."""
        distance, gauge = np.zeros(len(blocks)), np.zeros(len(blocks))
        value, largest = scan(penalty, starts, members, allowed, blocks, coef, q, distance, gauge)
        return value, largest, distance, gauge

    dual = loss_gradient(loss, z, problem.target)
    user_q = gradient(dual) / units(problem.design)[1]
    value, _, distance, _ = look(user_q)
    if coef[:, excluded].any():
        value = np.inf
    primal = smooth_value(problem, z) + value
    kkt = distance.max(initial=0.0)
    if fit_intercept:
        kkt = max(kkt, np.abs(dual @ problem.weight).max())

    free, _ = members_of(problem.blocks, np.flatnonzero(unpenalised(penalty)))
    if too_many(problem, free):
        return Certificate(primal, np.nan, np.nan, float(kkt))
    means = np.asarray(X.T @ problem.weight).reshape(-1) if fit_intercept else np.zeros(n_features)
    shift, scale = units(problem.design)
    squares = X.multiply(X) if scipy.sparse.issparse(X) else X**2
    sizes = np.sqrt(np.asarray(squares.T @ problem.weight).reshape(-1)) + np.abs(shift * scale)
    basis = free_directions(problem, free, means, sizes).basis
    best = dual_loss(problem, dual, 0.0)  # 0 is a dual point of every loss
    for prediction in (z, minimise_free(problem, z, basis)[1]):
        dual = loss_gradient(loss, prediction, problem.target)
        dual, feasible = project_dual(problem, prediction, dual, basis)
        if feasible:
            q = gradient(dual)
            q[:, free] = 0.0
            best = max(best, _dual_value(problem, penalty, allowed, coef, dual, q))
    null = smooth_value(problem, null_point(problem)[1])
    gap = (primal - best) / gap_scale(problem, null)
    return Certificate(primal, best, gap, float(kkt))


def _all_columns(design):
    if is_dense(design) and len(design.shift) == 0:
        return stored_numbers(design).astype(np.float64, copy=False)
    return columns(design, np.arange(shape(design)[1]))


def _dual_value(problem, penalty, blocks, coef, dual, q):
    """Largest D(t u) over the scales t that are at hand; q = -X^T S u."""
    starts, members = problem.blocks
    ids = np.arange(len(starts) - 1)
    distance, gauge = np.zeros(len(ids)), np.zeros(len(ids))
    _, largest = scan(penalty, starts, members, blocks, ids, coef, q, distance, gauge)
    limit = 1.0 / largest if largest > 0.0 else np.inf
    with_ridge = ridge_share(penalty) > 0.0
    ridge = ridge_energy(penalty, starts, members, blocks, ids, coef)
    best = -np.inf
    for scale in (best_scale(problem, dual, ridge, limit), *([1.0] if with_ridge else [])):
        value = dual_loss(problem, dual, scale)
        if with_ridge:
            value -= conjugate(penalty, starts, members, blocks, ids, q, scale)
        best = max(best, value)
    return best
