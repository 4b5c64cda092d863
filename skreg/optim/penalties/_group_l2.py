"""The norms of groups of features, or of the rows of a coefficient matrix."""

from typing import NamedTuple

import numpy as np

from skreg.optim.penalties._arithmetic import euclidean_norm, half_square, ratio_to_threshold
from skreg.optim.penalties._functions import (
    block_conjugate,
    block_distance,
    block_gauge,
    block_labels,
    block_prox,
    block_ridge,
    block_threshold,
    block_value,
    checked,
    face_curvature,
    face_gradient,
    face_return,
    separable,
)
from skreg.optim.penalties._kinds import finite, ratio_checked, with_ridge


@finite
@with_ridge
class GroupL2(NamedTuple):
    """alpha sum_g weights_g (l1_ratio ||w_g|| + (1 - l1_ratio) ||w_g||^2 / 2).

    Attributes
    ----------
    alpha : float
        Strength.
    groups : ndarray of shape (n_features,), default=None
        Label 0, 1, .. of each feature's group. None makes each feature a group, which for several
        outputs penalises the rows of the coefficient matrix.
    weights : ndarray of shape (n_groups,), default=None
        Weight of each group; 1 if None, 0 frees, inf excludes.
    l1_ratio : float, default=1.0
        Share of the norm.
    """

    alpha: float
    groups: np.ndarray | None = None
    weights: np.ndarray | None = None
    l1_ratio: float = 1.0


@block_value.register(GroupL2)
def _(penalty, b, w):
    norm = euclidean_norm(w)
    value = half_square(w, block_ridge(penalty, b))
    return value + block_threshold(penalty, b) * norm if norm > 0.0 else value


@block_prox.register(GroupL2)
def _(penalty, b, v, step):
    norm = euclidean_norm(v)
    threshold = step * block_threshold(penalty, b)
    factor = 0.0
    if norm > threshold:
        factor = (1.0 - threshold / norm) / (1.0 + step * block_ridge(penalty, b))
    for i in range(v.shape[0]):
        v[i] *= factor


@block_distance.register(GroupL2)
def _(penalty, b, w, q):
    threshold, ridge, norm = block_threshold(penalty, b), block_ridge(penalty, b), euclidean_norm(w)
    if norm == 0.0:
        return max(euclidean_norm(q) - threshold, 0.0)
    factor, total = threshold / norm + ridge, 0.0
    for i in range(w.shape[0]):
        total += (q[i] - factor * w[i]) ** 2
    return np.sqrt(total)


@block_gauge.register(GroupL2)
def _(penalty, b, q):
    return ratio_to_threshold(euclidean_norm(q), block_threshold(penalty, b))


@block_conjugate.register(GroupL2)
def _(penalty, b, q):
    excess = max(euclidean_norm(q) - block_threshold(penalty, b), 0.0)
    return ratio_to_threshold(0.5 * excess**2, block_ridge(penalty, b))


@face_gradient.register(GroupL2)
def _(penalty, b, w, out):
    norm = euclidean_norm(w)
    factor = block_ridge(penalty, b)
    if norm > 0.0:
        factor += block_threshold(penalty, b) / norm
    for i in range(w.shape[0]):
        out[i] = factor * w[i]


@face_curvature.register(GroupL2)
def _(penalty, b, w):
    norm = euclidean_norm(w)
    ridge = block_ridge(penalty, b)
    if norm == 0.0:
        return ridge, 0.0
    threshold = block_threshold(penalty, b)
    return threshold / norm + ridge, -threshold / norm**3


@face_return.register(GroupL2)
def _(penalty, b, old, new):
    inner = 0.0
    for i in range(old.shape[0]):
        inner += old[i] * new[i]
    if block_threshold(penalty, b) > 0.0 and inner <= 0.0:
        for i in range(new.shape[0]):
            new[i] = 0.0


@separable.register(GroupL2)
def _(penalty):
    return False


@block_labels.register(GroupL2)
def _(penalty):
    return penalty.groups


@checked.register(GroupL2)
def _(penalty, blocks):
    return ratio_checked(penalty)._replace(groups=blocks.members)  # labels are in the blocks now
