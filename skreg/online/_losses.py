"""Losses of a linear prediction, in kernels, by the number of their kind.

Numbers and not classes tell losses apart, so that a kernel is compiled once for all of them. A loss
of one output is a function of a prediction z and a target y, which is -1 or 1 for classes. With
several outputs, `SOFTMAX` is the multinomial log-loss, and the others are summed over outputs, one
class against the rest; the target is then the number of a class.
"""

from typing import NamedTuple

import numpy as np

from skreg._jit import kernel

SQUARED, HUBER, ABSOLUTE, INSENSITIVE = 0, 1, 2, 3
LOG, HINGE, SQUARED_HINGE, MODIFIED_HUBER, SOFTMAX = 4, 5, 6, 7, 8
REGRESSION = {
    "squared_error": SQUARED,
    "huber": HUBER,
    "absolute_error": ABSOLUTE,
    "epsilon_insensitive": INSENSITIVE,
}
CLASSIFICATION = {
    "log_loss": LOG,
    "hinge": HINGE,
    "squared_hinge": SQUARED_HINGE,
    "modified_huber": MODIFIED_HUBER,
}
EXP_CONCAVE = {"squared_error", "log_loss", "squared_hinge"}
HALVINGS = 60  # of an interval: the last digit of a double


class Loss(NamedTuple):
    """Kind of a loss, and where "huber" turns linear or "epsilon_insensitive" begins."""

    kind: int
    epsilon: float = 0.0


@kernel
def scalar_loss(loss, z, y):
    """Value and derivative by z of a loss of one output."""
    kind = loss.kind
    if kind <= INSENSITIVE:
        r = z - y
        size, sign = abs(r), 1.0 if r > 0.0 else (-1.0 if r < 0.0 else 0.0)
        if kind == SQUARED:
            return 0.5 * r * r, r
        if kind == HUBER:
            if size <= loss.epsilon:
                return 0.5 * r * r, r
            return loss.epsilon * (size - 0.5 * loss.epsilon), loss.epsilon * sign
        if kind == ABSOLUTE:
            return size, sign
        if size <= loss.epsilon:
            return 0.0, 0.0
        return size - loss.epsilon, sign
    margin = y * z
    if kind == LOG:
        small = np.exp(-abs(margin))
        value = np.log1p(small) + max(-margin, 0.0)
        return value, -y * (small if margin > 0.0 else 1.0) / (1.0 + small)
    gap = 1.0 - margin
    if kind == HINGE:
        return max(gap, 0.0), (-y if gap >= 0.0 else 0.0)
    if kind == MODIFIED_HUBER and margin < -1.0:
        return -4.0 * margin, -4.0 * y
    return max(gap, 0.0) ** 2, -2.0 * y * max(gap, 0.0)


@kernel
def evaluate(loss, z, y, slope):
    """Value of a loss at predictions z, shape (n_outputs,); its gradient goes into `slope`."""
    n_outputs = len(z)
    if n_outputs == 1:
        value, slope[0] = scalar_loss(loss, z[0], y)
        return value
    if loss.kind == SOFTMAX:
        top, total = z.max(), 0.0
        for k in range(n_outputs):
            slope[k] = np.exp(z[k] - top)
            total += slope[k]
        for k in range(n_outputs):
            slope[k] /= total
        true = int(y)
        slope[true] -= 1.0
        return np.log(total) + top - z[true]
    total = 0.0
    for k in range(n_outputs):
        value, slope[k] = scalar_loss(loss, z[k], 1.0 if k == y else -1.0)
        total += value
    return total


@kernel
def evaluate_rows(loss, Z, y, values, slopes):
    """Values and gradients of many rows."""
    for i in range(len(y)):
        values[i] = evaluate(loss, Z[i], y[i], slopes[i])


@kernel
def exp_concavity(loss, z, y, largest):
    """A number alpha for which exp(-alpha loss) is concave for predictions of size <= `largest`.

    The squared loss needs it only between the prediction z and others, where 1 / (z - y)^2 is
    exact: 1/2 (v - y)^2 = 1/2 r^2 + r (v - z) + 1/2 (v - z)^2 with r = z - y.
    """
    if loss.kind == SQUARED:
        return 1.0 / max((z - y) ** 2, 1e-300)
    if loss.kind == LOG:
        return np.exp(-largest)
    return 0.5 / (1.0 + largest) ** 2


@kernel
def implicit_slope(loss, start, length, y, weight):
    """The slope c at the end of an implicit step: c = weight l'(z, y) with z = start - length c.

    l' rises, so that c lies between 0 and the slope s at the start: a share of s is bisected, which
    at a kink of l finds the subgradient that solves the equation.
    """
    _, slope = scalar_loss(loss, start, y)
    slope *= weight
    if slope == 0.0 or length == 0.0:
        return slope
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        share = 0.5 * (low + high)
        _, at_end = scalar_loss(loss, start - length * share * slope, y)
        if weight * at_end / slope > share:
            low = share
        else:
            high = share
    return 0.5 * (low + high) * slope
