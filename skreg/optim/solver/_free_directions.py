"""What no penalty holds back: the intercepts and the unpenalised columns.

Both the best intercepts and coefficients for given penalised coefficients, and the constraint

    sum_i s_i u_i f_i = 0      for every unpenalised column f, the intercept's included,

that a dual point u must satisfy for its value to bound the optimum, are solved in a basis of these
columns that is orthonormal in the sample weights, B S B^T = I. There neither the units of the
columns nor their collinearity matter.
"""

from typing import NamedTuple

import numpy as np
import scipy.sparse

from skreg.optim.kernels._designs import columns
from skreg.optim.losses import (
    couples_outputs,
    dual_metric_product,
    initial_intercept,
    is_half_square,
    loss_curvature,
    loss_gradient,
    loss_hessian_product,
    probabilities,
    step_unit,
)
from skreg.optim.solver._problem import smooth_value

WELL_CONDITIONED = 1e-6  # smallest eigenvalue of a correlation matrix whose Cholesky factor is safe
COLLINEAR = 1e-14  # singular value, relative to the largest, of the rounding of unit columns
FEASIBLE = 1e-10  # largest inner product of a feasible dual point with a direction, both normed
LARGEST_BASIS = 2**27  # entries, a GiB
LARGEST_WORK = 2e11  # operations of an orthonormalisation, some seconds
NEWTON_STEPS, HALVINGS = 50, 60
STEP_UNITS = 5.0  # longest step, in units of the loss
CLOSE = 1e-6  # relative gradient from which rounding of the loss hides that a Newton step lowers it
ROUNDING = 1e-14


class FreeDirections(NamedTuple):
    """Basis of the unpenalised columns.

    Attributes
    ----------
    basis : ndarray of shape (n_directions, n_samples), or (n_directions, 1) of constants
        Rows b with sum_i s_i b_i b'_i = 1[b = b']; the first is constant if there is an intercept.
    features : ndarray of shape (n_free,)
        Unpenalised columns.
    coef : ndarray of shape (n_directions, n_free)
        Coefficients of the columns for each direction.
    intercept : ndarray of shape (n_directions,)
        Intercept for each direction.
    """

    basis: np.ndarray
    features: np.ndarray
    coef: np.ndarray
    intercept: np.ndarray


def too_many(problem, features):
    """Whether a basis of that many columns would cost more memory or time than it is worth."""
    n_samples, size = problem.target.shape[1], len(features)
    work = n_samples * size * min(n_samples, size)
    return n_samples * size > LARGEST_BASIS or work > LARGEST_WORK


def free_directions(problem, features, means, sizes):
    """Orthonormal basis of the columns `features` and, first, of the intercept.

    `sizes` are the root mean squares of all columns around the user's origin, which say how much of
    a column is rounding.
    """
    weight, n_constant = problem.weight, int(problem.fit_intercept)
    selected = columns(problem.design, features)
    selected = selected.toarray() if scipy.sparse.issparse(selected) else selected
    if problem.fit_intercept:
        selected = selected - means[features]
    transform = _orthonormaliser(selected, weight, sizes[features])
    basis = np.empty((n_constant + transform.shape[1], len(weight)))
    basis[:n_constant] = 1.0
    basis[n_constant:] = (selected @ transform).T
    coef = np.zeros((len(basis), len(features)))
    coef[n_constant:] = transform.T
    intercept = -(coef @ means[features]) if problem.fit_intercept else np.zeros(len(basis))
    intercept[:n_constant] = 1.0
    return FreeDirections(basis, features, coef, intercept)


def _orthonormaliser(selected, weight, sizes):
    """T such that the columns of F T are orthonormal in the weights and span those of F.

    Directions that only the rounding of the columns has are left out.
    """
    length = np.sqrt(weight @ selected**2)
    used = np.flatnonzero(length > 0.0)
    transform = np.zeros((selected.shape[1], len(used)))
    if len(used) == 0:
        return transform
    unit = selected[:, used] / length[used]
    correlation = (unit.T * weight) @ unit
    if np.linalg.eigvalsh(correlation)[0] > WELL_CONDITIONED:
        inner = _inverse_factor(correlation)
    else:
        _, values, right = np.linalg.svd(np.sqrt(weight)[:, None] * unit, full_matrices=False)
        kept = values > COLLINEAR * values[0] * np.max(sizes[used] / length[used], initial=1.0)
        inner = right[kept].T / values[kept]
    basis = unit @ inner
    inner = inner @ _inverse_factor((basis.T * weight) @ basis)  # once more, for rounding
    return _place(transform, used, inner / length[used, None])


def _place(transform, rows, values):
    placed = np.zeros((len(transform), values.shape[1]))
    placed[rows] = values
    return placed


def _inverse_factor(matrix):
    """R^-1 of the Cholesky factorisation R^T R of a positive definite matrix."""
    return np.linalg.inv(np.linalg.cholesky(matrix)).T


def _along(values, basis):
    """Inner products of rows of values, weights included, with the directions."""
    if basis.shape[1] == 1:
        return values.sum(axis=1, keepdims=True) * basis.T
    return values @ basis.T


def _solve_moments(problem, factor, basis, rhs):
    """Solve B S M B^T x = rhs in the least-squares sense; shape (n_outputs, n_directions).

    M is the diagonal `factor`. For a loss that couples its outputs `factor` holds the p of its
    M = diag(p) - p p^T, whose rows sum to zero: the diagonal over the outputs is computed from the
    rest, and the null space, a common shift of all outputs, is filled, whatever the rounding.
    """
    n_outputs, size = len(factor), len(basis)
    if not couples_outputs(problem.loss):
        weighted = basis * (factor[0] * problem.weight)
        if size == 1:
            moment = _along(weighted, basis)[0, 0]
            return rhs / moment if moment > 0.0 else np.zeros_like(rhs)
        return rhs @ np.linalg.pinv(weighted @ basis.T, hermitian=True)
    moments = np.empty((n_outputs, size, n_outputs, size))
    for a in range(size):
        for b in range(a + 1):
            product = -(factor * (problem.weight * basis[a] * basis[b])) @ factor.T
            np.fill_diagonal(product, 0.0)
            np.fill_diagonal(product, -product.sum(axis=1))
            moments[:, a, :, b] = moments[:, b, :, a] = product
    matrix = moments.reshape(rhs.size, rhs.size)
    common = np.kron(np.full((n_outputs, n_outputs), 1.0 / n_outputs), np.eye(size))
    inverse = np.linalg.pinv(matrix + np.trace(matrix) * common, hermitian=True)
    return (inverse @ rhs.reshape(-1)).reshape(rhs.shape)


def _newton_step(problem, prediction, basis, gradient):
    """Newton step of the loss in the free directions."""
    if couples_outputs(problem.loss):
        factor = probabilities(problem.loss, prediction, problem.target)
    else:
        unit = np.ones_like(prediction)
        factor = loss_hessian_product(problem.loss, prediction, problem.target, unit)
    return -_solve_moments(problem, factor, basis, gradient)


def _majoriser_step(problem, prediction, basis, gradient):
    """Step to the minimum of a quadratic bound, for one output: it cannot raise the loss."""
    factor = loss_curvature(problem.loss, prediction, problem.target)
    return -_solve_moments(problem, factor, basis, gradient)


def minimise_free(problem, prediction, basis):
    """Minimise the loss over the free directions, by Newton's method.

    Returns (amounts of shape (n_outputs, n_directions), prediction). A step that is longer than the
    loss's own unit or that raises the loss is shortened; where there is no curvature (Huber's loss
    with all residuals beyond delta) a bound of the loss gives the step. A loss that couples its
    outputs is blind to their common shift: their mean stays.
    """
    amounts = np.zeros((len(prediction), len(basis)))
    weight, target, loss = problem.weight, problem.target, problem.loss
    for _ in range(NEWTON_STEPS if len(basis) else 0):
        dual = loss_gradient(loss, prediction, target)
        gradient = _along(dual * weight, basis)
        size = np.sqrt(np.sum(weight * dual * dual))
        if np.abs(gradient).max() <= ROUNDING * size:
            break
        if is_half_square(loss):
            move, change = -gradient, -gradient @ basis
        else:
            move, change = _step(problem, prediction, basis, gradient, size)
        amounts += move
        prediction = prediction + change
        if np.abs(change).max() <= 0.1 * ROUNDING * (1.0 + np.abs(prediction).max()):
            break
    return amounts, prediction


def _step(problem, prediction, basis, gradient, size):
    """(amounts, change of the prediction) that lower the loss, 0 if rounding hides all that do."""
    bound = STEP_UNITS * step_unit(problem.loss)
    value = None
    for proposal in (_newton_step, _majoriser_step):
        move = proposal(problem, prediction, basis, gradient)
        change = move @ basis
        longest = np.abs(change).max()
        if longest > bound:
            move, change = move * (bound / longest), change * (bound / longest)
        if longest > 0.0 and np.abs(gradient).max() <= CLOSE * size:
            return move, change
        value = smooth_value(problem, prediction) if value is None else value
        for _ in range(HALVINGS if longest > 0.0 else 0):
            if smooth_value(problem, prediction + change) <= value:
                return move, change
            move, change = 0.5 * move, 0.5 * change
    return np.zeros_like(move), np.zeros_like(change)


def polish_intercept(problem, prediction):
    """(change of the intercepts that minimises the loss at fixed coefficients, predictions)."""
    amounts, prediction = minimise_free(problem, prediction, np.ones((1, 1)))
    return amounts[:, 0], prediction


def null_point(problem):
    """Intercepts of the model without features, and its predictions."""
    intercept = np.zeros(len(problem.target))
    if problem.fit_intercept:
        intercept = initial_intercept(problem.loss, problem.target, problem.weight)
    prediction = np.repeat(intercept[:, None], problem.target.shape[1], axis=1)
    if problem.fit_intercept:
        change, prediction = polish_intercept(problem, prediction)
        intercept = intercept + change
    return intercept, prediction


def project_dual(problem, prediction, dual, basis):
    """Move a dual point to where it is orthogonal to the free directions.

    With the metric M of the loss, u - M B^T a with B S M B^T a = B S u is, and stays in the domain
    of the conjugate when a is small. Returns (dual point, whether it is orthogonal but for
    rounding): only then does its value bound the optimum.
    """
    weight, loss = problem.weight, problem.loss
    if len(basis) == 0:
        return dual, True
    for _ in range(3):
        gradient = _along(dual * weight, basis)
        size = np.sqrt(np.sum(weight * dual * dual))
        if np.abs(gradient).max() <= ROUNDING * size:
            return dual, True
        if is_half_square(loss):
            dual = dual - gradient @ basis
            continue
        if couples_outputs(loss):
            factor = probabilities(loss, prediction, problem.target)
        else:
            unit = np.ones_like(prediction)
            factor = dual_metric_product(loss, prediction, problem.target, unit)
        direction = _solve_moments(problem, factor, basis, gradient) @ basis
        dual = dual - dual_metric_product(loss, prediction, problem.target, direction)
    gradient = _along(dual * weight, basis)
    size = np.sqrt(np.sum(weight * dual * dual))
    return dual, bool(np.abs(gradient).max() <= FEASIBLE * size)
