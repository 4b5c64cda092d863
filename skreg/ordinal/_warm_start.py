"""Where to start from the coefficients of an earlier fit."""

import numpy as np

from skreg.ordinal._likelihood import mean_loss
from skreg.ordinal._newton import block_hessians, point_at, quadratic_model
from skreg.ordinal._penalty import elastic_net, penalty_at
from skreg.ordinal._problem import standardised_increments


def warm_point(problem, coefficients, alpha):
    """Point of earlier coefficients on these rows, for the penalty with strength `alpha`.

    Increments that are excluded, or on which no row depends, start at zero: the solver would leave
    them as they are. None where the objective is no better than without features, such as where
    boundaries cross, or where a feature has come in another unit.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        theta = standardised_increments(problem, coefficients)
        theta[~_free_to_move(problem)] = 0.0
        rows = problem.rows
        point = point_at(rows, theta)
        value = mean_loss(rows.link, point.a, point.b, rows.weight, rows.start)
        value += penalty_at(elastic_net(alpha, problem.l1_ratio, problem.weights), theta)
    return point if value < problem.scales.loss else None


def _free_to_move(problem):
    """Increments that are not excluded and that move some row, (n_boundaries, 1 + n_features)."""
    rows, start = problem.rows, problem.start
    model = quadratic_model(rows, start.a, start.b)
    joint, own = np.zeros(start.theta.shape[::-1]), np.zeros(start.theta.shape[::-1])
    block_hessians(rows.design, np.arange(len(joint)), model, joint, own)
    return ((joint + own).T > 0.0) & np.isfinite(problem.weights)
