"""How far a point is from the optimum: violation of the optimality conditions, and duality gap."""

import numpy as np

from skreg._jit import kernel
from skreg.optim.penalties import block_distance
from skreg.ordinal._gradient import gradient_from_sums
from skreg.ordinal._likelihood import mean_conjugate
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
    k + 1 have equal sums. As p and q of a class shrink together, |p - q| <= 1 remains true.
    """
    along_a, along_both = sums[0]
    along_b = along_both[1:] - np.append(along_a[1:-1], 0.0)
    balance = np.cumprod(np.concatenate([[1.0], -along_a[:-1] / along_b]))
    return balance / balance.max()


@kernel
def dual_value(ga, g, weight, start, balance, t, p, q):
    """-sum_i w_i L*(-s p_i, s q_i), s = t rho_{c_i}, p = -ga / w and q = gb / w = (g - ga) / w.

    `p` and `q` are buffers of the size of `ga`.
    """
    n_classes = start.shape[0] - 1
    for c in range(n_classes):
        for i in range(start[c], start[c + 1]):
            along_a = ga[i] if c < n_classes - 1 else 0.0
            along_b = g[i] - along_a if c > 0 else 0.0
            p[i] = -t * balance[c] * along_a / weight[i]
            q[i] = t * balance[c] * along_b / weight[i]
    return -mean_conjugate(p, q, weight, start)


def duality_gap(penalty, primal, sums, ga, g, weight, start):
    """Primal value minus the best of two dual points; inf if neither is feasible.

    The derivatives of the row losses are balanced over the classes. For a penalty with a quadratic
    part they are then feasible; for one with a kink they are after shrinking by the gauge.
    """
    balance = class_balance(sums)
    q = np.empty((len(balance) - 1, len(sums)))
    gradient_from_sums(sums * balance, q)
    q *= -1.0
    q[:, 0] = 0.0
    flat = q.reshape(-1)
    shrink = 1.0 / max(gauge_of(penalty, flat), 1.0)
    buffers = np.empty((2, len(ga)))
    dual = dual_value(ga, g, weight, start, balance, shrink, *buffers)
    dual -= penalty_conjugate(penalty, shrink * flat)
    if shrink < 1.0 and penalty.l1_ratio < 1.0:
        whole = dual_value(ga, g, weight, start, balance, 1.0, *buffers)
        dual = max(dual, whole - penalty_conjugate(penalty, flat))
    return primal - dual
