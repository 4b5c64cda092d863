"""How far a point is from the optimum: violation of the optimality conditions, and duality gap."""

import numpy as np

from skreg._jit import kernel
from skreg.optim.penalties import block_distance
from skreg.ordinal._gradient import gradient_from_sums
from skreg.ordinal._link import mean_conjugate
from skreg.ordinal._penalty import gauge_of, penalty_conjugate

# of a penalty per standard deviation, where gradients are at most about 1
SMALLEST_STRENGTH = 1e-11


@kernel
def kkt_residual(penalty, theta, q, deviation):
    """Largest distance of an entry of q, minus the gradient, from the subdifferential at theta.

    It is relative to the `deviation` of the entry's column, so that the unit of a feature does not
    matter. Excluded increments have no condition to violate.
    """
    largest, width = 0.0, deviation.shape[0]
    for b in range(theta.shape[0]):
        if not np.isinf(penalty.weights[b]):
            distance = block_distance(penalty, b, theta[b : b + 1], q[b : b + 1])
            largest = max(largest, distance / deviation[b % width])
    return largest


def has_gap(penalty, deviation):
    """Whether every increment but those of the intercepts, the first column, is penalised.

    A dual point has gradients within the strengths of the penalty; strengths of the size of
    rounding cannot be told from none.
    """
    weights = penalty.weights.reshape(-1, len(deviation))[:, 1:]
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.all(penalty.alpha * (weights / deviation[1:]) >= SMALLEST_STRENGTH))


def class_balance(sums):
    """Factors rho_c <= 1 of the classes that make the dual point feasible for the intercepts.

    Their equations say that for each boundary k the dual variables p of class k and q of class
    k + 1 have equal sums. As p and q of a class shrink together, they stay in the domain of L*. Not
    finite where such a sum is too small for a number, far from the optimum.
    """
    along_a, along_both = sums[0]
    along_b = along_both[1:] - np.append(along_a[1:-1], 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        balance = np.cumprod(np.concatenate([[1.0], -along_a[:-1] / along_b]))
        return balance / balance.max()


@kernel
def dual_value(link, share, a, b, ga, g, weight, start):
    """-sum_i w_i L*(t_i u_i) or a lower bound, with the gradients u_i and shares of the classes."""
    return -mean_conjugate(link, share, a, b, ga, g, weight, start)


def duality_gap(rows, penalty, point, primal, model, sums):
    """Primal value minus the best of two dual points; inf if neither is feasible.

    The derivatives of the row losses are balanced over the classes. For a penalty with a quadratic
    part they are then feasible; for one with a kink they are after shrinking by the gauge.

    Parameters
    ----------
    rows : Rows
        The data.
    penalty : ElasticNet
        On the flattened increments.
    point : Point
        Where the gap is asked for.
    primal : float
        The objective there.
    model : QuadraticModel
        With the gradients of the rows at the point.
    sums : ndarray of shape (n_columns, 2, n_classes)
        `class_sums` of that model.

    Returns
    -------
    float
        The gap; an upper bound of it for links of which `mean_conjugate` is one.

    Notes
    -----
    With an offset o the loss of a row is L(a + o, b + o) in what the increments move, whose
    conjugate is L*(u) - (u_a + u_b) o.
    """
    balance = class_balance(sums)
    if not np.all(np.isfinite(balance)):
        return np.inf
    q = np.empty((len(balance) - 1, len(sums)))
    gradient_from_sums(sums * balance, q)
    q *= -1.0
    q[:, 0] = 0.0
    flat = q.reshape(-1)
    shrink = 1.0 / max(gauge_of(penalty, flat), 1.0)
    at_point = point.a, point.b, model.qa, model.q, rows.weight, rows.start
    known = _class_offsets(rows, model)
    with np.errstate(invalid="ignore"):
        linear = np.dot(balance, known)
    dual = dual_value(rows.link, shrink * balance, *at_point) + shrink * linear
    dual -= penalty_conjugate(penalty, shrink * flat)
    if shrink < 1.0 and penalty.l1_ratio < 1.0:
        whole = dual_value(rows.link, balance, *at_point) + linear
        dual = max(dual, whole - penalty_conjugate(penalty, flat))
    return primal - dual if np.isfinite(dual) else np.inf


def _class_offsets(rows, model):
    """sum_i (ga_i + gb_i) o_i over each class, with the offsets o; zeros without.

    Not finite where gradients overflow, far from the optimum.
    """
    if rows.offset is None:
        return np.zeros(len(rows.start) - 1)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.add.reduceat(model.q * rows.offset, rows.start[:-1])
