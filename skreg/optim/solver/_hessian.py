"""Hessians of the smooth part, with the unpenalised intercepts eliminated.

For predictions z = X w + b the Hessian is X^T S M(z) X with the loss's own M. Minimising the
quadratic model over b as well replaces it by its Schur complement, which for one output centres
the columns.
"""

import numpy as np
import scipy.sparse

from skreg.optim.kernels._designs import columns, combine, correlate, is_dense
from skreg.optim.losses import (
    couples_outputs,
    loss_curvature,
    loss_gradient,
    loss_hessian_product,
    probabilities,
    step_unit,
)
from skreg.optim.solver._problem import intercept_inverse

STEP_UNITS = 10.0  # that the prediction of one sample may ask for
FLAT_SHARE = 1e-4  # of the damped curvature that samples get where the loss is linear


def scale_rows(selected, factor):
    """diag(factor) X, dense or sparse, as a new matrix."""
    if scipy.sparse.issparse(selected):
        scaled = selected.copy()
        scaled.data *= factor[scaled.indices]
        return scaled
    return selected * factor[:, None]


def gram(selected):
    """X^T X as a dense array."""
    product = selected.T @ selected
    return product.toarray() if scipy.sparse.issparse(product) else product


def damped_curvature(problem, prediction):
    """The losses' diagonal curvature, and at least the share of their slope that bounds a step.

    A sample far on the wrong side has a slope but no curvature (l'' of a logistic loss vanishes
    there); a feature of few such samples would go to infinity in one step.
    """
    curvature = loss_curvature(problem.loss, prediction, problem.target)
    slope = np.abs(loss_gradient(problem.loss, prediction, problem.target))
    return np.maximum(curvature, slope / (STEP_UNITS * step_unit(problem.loss)))


def sample_curvature(problem, prediction):
    """s_i l''(z_i, y_i) for a loss of one output (or of equal curvature for all).

    Where the loss is linear, a small share of the damped curvature stands for it: with fewer
    samples elsewhere than coefficients the Hessian would be singular, and a Newton direction long
    in no sensible way.
    """
    unit = np.ones_like(prediction)
    curvature = loss_hessian_product(problem.loss, prediction, problem.target, unit)[0]
    if curvature.min() > FLAT_SHARE * curvature.max():
        return problem.weight * curvature
    bound = damped_curvature(problem, prediction)[0]
    return problem.weight * np.maximum(curvature, FLAT_SHARE * bound)


def coordinate_hessian(problem, prediction, features, outputs):
    """Hessian of the coordinates (features[c], outputs[c]), a dense square array."""
    if couples_outputs(problem.loss):
        return _coupled_hessian(problem, prediction, features, outputs)
    weight = sample_curvature(problem, prediction)
    hessian = shared_hessian(problem, weight, features)
    if len(prediction) > 1:
        hessian[outputs[:, None] != outputs] = 0.0
    return hessian


def shared_hessian(problem, weight, features):
    """(X - means)^T diag(weight) (X - means) for the columns `features`."""
    if is_dense(problem.design):
        return gram(weighted_columns(problem, weight, features))
    selected = columns(problem.design, features)
    hessian = gram(scale_rows(selected, np.sqrt(weight)))
    total = weight.sum()
    if problem.fit_intercept and total > 0.0:
        sums = selected.T @ weight
        hessian -= np.outer(sums, sums / total)
    return hessian


def weighted_columns(problem, weight, features):
    """diag(sqrt(weight)) (X - means) for the columns `features` of a dense design."""
    selected = columns(problem.design, features)
    total = weight.sum()
    if problem.fit_intercept and total > 0.0:
        selected -= (weight @ selected) / total
    selected *= np.sqrt(weight)[:, None]
    return selected


def _coupled_hessian(problem, prediction, features, outputs):
    """sum_i s_i x_if x_ig p_ik (1[k = l] - p_il), without the intercepts' part."""
    n_outputs = len(prediction)
    probability = probabilities(problem.loss, prediction, problem.target)
    root = np.sqrt(problem.weight)
    order = np.argsort(outputs, kind="stable")
    bounds = np.searchsorted(outputs[order], np.arange(n_outputs + 1))
    distinct, inverse = np.unique(features, return_inverse=True)
    selected = columns(problem.design, distinct)
    hessian = np.zeros((len(features), len(features)))
    crossed, parts = np.zeros((n_outputs, len(features))), []
    for k in range(n_outputs):
        mine = slice(bounds[k], bounds[k + 1])
        own = selected[:, inverse[order[mine]]]
        scaled = scale_rows(own, root * np.sqrt(probability[k]))
        hessian[mine, mine] = gram(scaled)
        weighted = scale_rows(own, root * probability[k])
        parts.append(weighted)
        crossed[:, mine] -= (weighted.T @ (root * probability).T).T
        crossed[k, mine] += weighted.T @ root
    stack = scipy.sparse.hstack if scipy.sparse.issparse(selected) else np.hstack
    hessian -= gram(stack(parts))
    if problem.fit_intercept:
        hessian -= crossed.T @ (intercept_inverse(problem, prediction) @ crossed)
    if np.all(np.diff(order) == 1):
        return hessian
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return hessian[np.ix_(back, back)]


def intercept_response(problem, prediction, direction):
    """Change of the intercepts that goes with a change of the predictions, to first order."""
    n_outputs = len(prediction)
    if not problem.fit_intercept:
        return np.zeros(n_outputs)
    if couples_outputs(problem.loss):
        moved = loss_hessian_product(problem.loss, prediction, problem.target, direction)
        return -intercept_inverse(problem, prediction) @ (moved @ problem.weight)
    weight = sample_curvature(problem, prediction)
    if not weight.any():
        weight = problem.weight
    return -(direction @ weight) / weight.sum()


def hessian_operator(problem, prediction, features, scratch):
    """Function v -> H v for coefficients v of shape (n_outputs, len(features)), without forming H.

    `scratch`, shape (n_outputs, n_features), is overwritten.
    """
    moved_by = _predictions_operator(problem, prediction)

    def product(v):
        change = np.zeros_like(prediction)
        scratch[:, features] = v
        combine(problem.design, features, scratch, change)
        correlate(problem.design, features, moved_by(change), scratch)
        return scratch[:, features]

    return product


def _predictions_operator(problem, prediction):
    """Function from a change of X w to that of the weighted gradient, the intercepts following."""
    if not couples_outputs(problem.loss):
        weight = sample_curvature(problem, prediction)
        total = weight.sum() if problem.fit_intercept else 0.0
        if not total > 0.0:
            return lambda change: weight * change
        return lambda change: weight * (change - ((change @ weight) / total)[:, None])
    inverse = intercept_inverse(problem, prediction)

    def moved_by(change):
        moved = loss_hessian_product(problem.loss, prediction, problem.target, change)
        if problem.fit_intercept:
            shift = inverse @ (moved @ problem.weight)
            change = change - shift[:, None]
            moved = loss_hessian_product(problem.loss, prediction, problem.target, change)
        return problem.weight * moved

    return moved_by
