"""The elastic net: L1 norm and squares."""

from typing import NamedTuple

import numpy as np

from skreg.optim.penalties._arithmetic import (
    absolute_sum,
    half_square,
    l1_distance,
    largest_entry,
    ratio_to_threshold,
    sign_gradient,
    soft_threshold,
)
from skreg.optim.penalties._functions import (
    block_conjugate,
    block_distance,
    block_gauge,
    block_prox,
    block_ridge,
    block_threshold,
    block_value,
    face_gradient,
)
from skreg.optim.penalties._kinds import entrywise, finite, with_ridge


@entrywise
@finite
@with_ridge
class ElasticNet(NamedTuple):
    """`alpha sum_j weights_j (l1_ratio |w_j| + (1 - l1_ratio) w_j^2 / 2)`.

    Attributes
    ----------
    alpha : float
        Strength.
    l1_ratio : float, default=0.5
        Share of the L1 part.
    weights : ndarray of shape (n_features,), default=None
        Weight of each feature; 1 if None, 0 frees, inf excludes.
    """

    alpha: float
    l1_ratio: float = 0.5
    weights: np.ndarray | None = None


@block_value.register(ElasticNet)
def _(penalty, b, w):
    return absolute_sum(w, block_threshold(penalty, b)) + half_square(w, block_ridge(penalty, b))


@block_prox.register(ElasticNet)
def _(penalty, b, v, step):
    soft_threshold(v, step * block_threshold(penalty, b), 1.0 + step * block_ridge(penalty, b))


@block_distance.register(ElasticNet)
def _(penalty, b, w, q):
    return l1_distance(w, q, block_threshold(penalty, b), block_ridge(penalty, b))


@block_gauge.register(ElasticNet)
def _(penalty, b, q):
    return ratio_to_threshold(largest_entry(q), block_threshold(penalty, b))


@block_conjugate.register(ElasticNet)
def _(penalty, b, q):
    threshold = block_threshold(penalty, b)
    excess = 0.0
    for i in range(q.shape[0]):
        excess += max(abs(q[i]) - threshold, 0.0) ** 2
    return ratio_to_threshold(0.5 * excess, block_ridge(penalty, b))


@face_gradient.register(ElasticNet)
def _(penalty, b, w, out):
    sign_gradient(w, block_threshold(penalty, b), block_ridge(penalty, b), out)
