"""The elastic net on nonnegative coefficients."""

from typing import NamedTuple

import numpy as np

from skreg.optim.penalties._arithmetic import (
    absolute_sum,
    half_square,
    largest_positive,
    ratio_to_threshold,
    sign_gradient,
)
from skreg.optim.penalties._functions import (
    block_conjugate,
    block_distance,
    block_gauge,
    block_prox,
    block_ridge,
    block_threshold,
    block_value,
    constrained,
    face_gradient,
    face_return,
)
from skreg.optim.penalties._kinds import entrywise, with_ridge


@entrywise
@with_ridge
class NonNegative(NamedTuple):
    """The elastic net restricted to w >= 0.

    Attributes
    ----------
    alpha : float, default=0.0
        Strength; 0 leaves the restriction alone.
    l1_ratio : float, default=1.0
        Share of the L1 part.
    weights : ndarray of shape (n_features,), default=None
        Weight of each feature; 1 if None, 0 frees, inf excludes.
    """

    alpha: float = 0.0
    l1_ratio: float = 1.0
    weights: np.ndarray | None = None


@block_value.register(NonNegative)
def _(penalty, b, w):
    for i in range(w.shape[0]):
        if w[i] < 0.0:
            return np.inf
    return absolute_sum(w, block_threshold(penalty, b)) + half_square(w, block_ridge(penalty, b))


@block_prox.register(NonNegative)
def _(penalty, b, v, step):
    threshold = step * block_threshold(penalty, b)
    shrinkage = 1.0 + step * block_ridge(penalty, b)
    for i in range(v.shape[0]):
        v[i] = max(v[i] - threshold, 0.0) / shrinkage


@block_distance.register(NonNegative)
def _(penalty, b, w, q):
    threshold, ridge = block_threshold(penalty, b), block_ridge(penalty, b)
    largest = 0.0
    for i in range(w.shape[0]):
        if w[i] > 0.0:
            largest = max(largest, abs(q[i] - threshold - ridge * w[i]))
        else:
            largest = max(largest, q[i] - threshold)
    return largest


@block_gauge.register(NonNegative)
def _(penalty, b, q):
    return ratio_to_threshold(largest_positive(q), block_threshold(penalty, b))


@block_conjugate.register(NonNegative)
def _(penalty, b, q):
    threshold = block_threshold(penalty, b)
    excess = 0.0
    for i in range(q.shape[0]):
        excess += max(q[i] - threshold, 0.0) ** 2
    return ratio_to_threshold(0.5 * excess, block_ridge(penalty, b))


@face_gradient.register(NonNegative)
def _(penalty, b, w, out):
    sign_gradient(w, block_threshold(penalty, b), block_ridge(penalty, b), out)


@face_return.register(NonNegative)
def _(penalty, b, old, new):
    for i in range(new.shape[0]):
        new[i] = max(new[i], 0.0)


@constrained.register(NonNegative)
def _(penalty):
    return True
