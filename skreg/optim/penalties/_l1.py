"""The L1 norm with a weight for each feature."""

from typing import NamedTuple

import numpy as np

from skreg.optim.penalties._arithmetic import (
    absolute_sum,
    l1_distance,
    largest_entry,
    ratio_to_threshold,
    scale_of_block,
    sign_gradient,
    soft_threshold,
)
from skreg.optim.penalties._functions import (
    block_distance,
    block_gauge,
    block_prox,
    block_threshold,
    block_value,
    face_gradient,
)
from skreg.optim.penalties._kinds import entrywise, finite, without_ridge


@entrywise
@finite
@without_ridge
class L1(NamedTuple):
    """`alpha sum_j weights_j |w_j|`.

    Attributes
    ----------
    alpha : float
        Strength.
    weights : ndarray of shape (n_features,), default=None
        Weight of each feature; 1 if None, 0 frees, inf excludes.
    """

    alpha: float
    weights: np.ndarray | None = None


@block_value.register(L1)
def _(penalty, b, w):
    return absolute_sum(w, scale_of_block(penalty, b))


@block_prox.register(L1)
def _(penalty, b, v, step):
    soft_threshold(v, step * scale_of_block(penalty, b), 1.0)


@block_distance.register(L1)
def _(penalty, b, w, q):
    return l1_distance(w, q, scale_of_block(penalty, b), 0.0)


@block_threshold.register(L1)
def _(penalty, b):
    return scale_of_block(penalty, b)


@block_gauge.register(L1)
def _(penalty, b, q):
    return ratio_to_threshold(largest_entry(q), scale_of_block(penalty, b))


@face_gradient.register(L1)
def _(penalty, b, w, out):
    sign_gradient(w, scale_of_block(penalty, b), 0.0, out)
