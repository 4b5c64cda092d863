"""The problem that a solver sees, its current point, and the certificate at that point."""

from typing import NamedTuple

import numpy as np

from skreg.optim.kernels._blocks import Blocks, blocks_from_labels, singletons
from skreg.optim.kernels._designs import as_design, shape
from skreg.optim.losses import (
    admissible,
    check_loss,
    couples_outputs,
    is_half_square,
    loss_conjugate,
    loss_curvature,
    loss_value,
    probabilities,
    rounding_of_value,
    takes_several_outputs,
)
from skreg.optim.penalties import block_labels, check_penalty, checked, constrained

ROUNDING = 64 * np.finfo(float).eps  # relative error of a sum of terms of mixed signs


class Problem(NamedTuple):
    """min_w,b  sum_i s_i l(x_i^T w + b, y_i) + penalty(w), with sum_i s_i = 1."""

    design: tuple
    target: np.ndarray
    loss: tuple
    weight: np.ndarray
    fit_intercept: bool
    blocks: Blocks
    target_shift: np.ndarray

    @property
    def n_features(self):
        """Number of columns of the design."""
        return shape(self.design)[1]

    @property
    def target_size(self):
        """Root mean square of the target as it was given."""
        given = self.target + self.target_shift[:, None]
        return float(np.sqrt(np.sum(self.weight * given**2)))


def make_problem(design, target, loss, penalty, sample_weight, fit_intercept):
    """Check loss, penalty and shapes once and bring the arrays into the solver's layout.

    Raises
    ------
    TypeError
        If a function of the loss or the penalty is missing.
    ValueError
        If an argument has the wrong shape, or numbers that are not allowed.
    """
    check_loss(loss)
    check_penalty(penalty)
    design = as_design(design)
    n_samples, n_features = shape(design)
    weight = _shares(sample_weight, n_samples)
    rows = _target_rows(target, loss, weight)
    blocks = _blocks(block_labels(penalty), n_features)
    unmoved = np.zeros(len(rows))
    return Problem(design, rows, loss, weight, bool(fit_intercept), blocks, unmoved)


def _shares(sample_weight, n_samples):
    """Sample weights with a sum of one."""
    if sample_weight is None:
        return np.full(n_samples, 1.0 / n_samples)
    weight = np.asarray(sample_weight, dtype=np.float64)
    if weight.shape != (n_samples,):
        raise ValueError(f"sample_weight must have shape ({n_samples},), not {weight.shape}")
    if not weight.sum() > 0.0 or np.any(weight < 0.0):
        raise ValueError("sample_weight must be nonnegative with a positive sum")
    return weight / weight.sum()


def _target_rows(target, loss, weight):
    """The target as an array (n_outputs, n_samples) of its own that the loss is defined for."""
    target, n_samples = np.asarray(target, dtype=np.float64), len(weight)
    rows = np.ascontiguousarray(target.T) if target.ndim == 2 else target[None, :].copy()
    name = type(loss).__name__
    if rows.shape[1] != n_samples:
        raise ValueError(f"target has {rows.shape[1]} samples, the design has {n_samples}")
    if len(rows) > 1 and not takes_several_outputs(loss):
        raise ValueError(f"{name} takes one output, target has {len(rows)}")
    bad = np.flatnonzero((weight > 0.0) & ~admissible(loss, rows))
    if len(bad):
        raise ValueError(
            f"{name} is not defined for the target {rows[:, bad[0]]} of sample {bad[0]}"
        )
    return rows


def _blocks(labels, n_features):
    if labels is None:
        return singletons(n_features)
    labels = np.asarray(labels)
    if labels.shape != (n_features,) or np.any(np.bincount(labels) == 0):
        raise ValueError(
            f"groups must hold one label 0, 1, .. for each of the {n_features} features, "
            "every label used"
        )
    return blocks_from_labels(labels)


def ready(penalty, problem):
    """The penalty with explicit weights, one per block, as kernels take it.

    Raises
    ------
    TypeError
        If a function of the penalty is missing.
    ValueError
        If a number of the penalty is not allowed.
    """
    check_penalty(penalty)
    n_blocks = len(problem.blocks.starts) - 1
    if not (0.0 <= penalty.alpha < np.inf):
        raise ValueError(f"alpha must be nonnegative and finite, not {penalty.alpha!r}")
    if penalty.weights is None:
        weights = np.ones(n_blocks)
    else:
        weights = np.ascontiguousarray(penalty.weights, dtype=np.float64)
        if weights.shape != (n_blocks,) or not np.all(weights >= 0.0):
            raise ValueError(f"weights must be {n_blocks} nonnegative numbers, one per block")
    penalty = penalty._replace(alpha=float(penalty.alpha), weights=weights)
    return checked(penalty, problem.blocks)


def unpenalised(penalty):
    """Flags of the blocks that a penalty as `ready` returns it leaves free."""
    if constrained(penalty):
        return np.zeros(len(penalty.weights), dtype=bool)
    return (penalty.weights == 0.0) | ((penalty.alpha == 0.0) & np.isfinite(penalty.weights))


def smooth_value(problem, prediction):
    """sum_i s_i l(z_i, y_i)."""
    return float(problem.weight @ loss_value(problem.loss, prediction, problem.target))


def intercept_inverse(problem, prediction):
    """Pseudo-inverse of the second derivative of the smooth part in the intercepts.

    For a loss that couples its outputs that matrix is sum_i s_i (diag(p_i) - p_i p_i^T), whose
    rows sum to zero: its diagonal is computed from the rest, and its null space, the common shift,
    is filled before and emptied after the inversion, whatever the rounding.
    """
    n_outputs = len(prediction)
    if couples_outputs(problem.loss):
        probability = probabilities(problem.loss, prediction, problem.target)
        hessian = -(probability * problem.weight) @ probability.T
        np.fill_diagonal(hessian, 0.0)
        np.fill_diagonal(hessian, -hessian.sum(axis=1))
        scale = np.trace(hessian)
        if not scale > 0.0:
            return np.zeros((n_outputs, n_outputs))
        inverse = np.linalg.pinv(hessian + scale / n_outputs, hermitian=True)
        return inverse - 1.0 / (n_outputs * scale)
    curvature = loss_curvature(problem.loss, prediction, problem.target) @ problem.weight
    return np.diag(np.divide(1.0, curvature, out=np.zeros(n_outputs), where=curvature > 0.0))


def gap_scale(problem, null_value):
    """P(0), to which gaps are relative; 1 where it is 0 but for rounding.

    That is a constant target, or a single class among the samples that count.
    """
    rounding = rounding_of_value(problem.loss, problem.target_size, ROUNDING)
    return null_value if null_value > rounding else 1.0


def best_scale(problem, dual, ridge, limit):
    """Scale t in [0, limit] of a dual point; the best one for a half square.

    `ridge` is a2 ||w||^2, the dual point's part in the augmented design of an elastic net.
    """
    if not is_half_square(problem.loss):
        return min(1.0, limit)
    slope = -np.sum(problem.weight * dual * problem.target)
    curvature = np.sum(problem.weight * dual * dual) + ridge
    return min(max(slope / curvature, 0.0), limit) if curvature > 0.0 else 0.0


def dual_loss(problem, dual, scale):
    """-sum_i s_i l*(t u_i, y_i), minus infinity outside of the domain."""
    conjugate = loss_conjugate(problem.loss, scale * dual, problem.target)
    used = problem.weight > 0.0
    return -float(problem.weight[used] @ conjugate[used])
