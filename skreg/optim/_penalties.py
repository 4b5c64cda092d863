"""Penalties: sums over blocks of coefficients, each given by a few functions on one block.

A block is a set of features with all their outputs, flattened; without groups it is one feature.
Its index `b` picks its weight. A weight of 0 frees the block, an infinite weight excludes it. To
add a penalty, write one NamedTuple with the fields `alpha` and `weights` and register its
functions.
"""

from typing import NamedTuple

import numpy as np

from skreg.optim._jit import generic, kernel


class L1(NamedTuple):
    """alpha sum_j weights_j |w_j|.

    Attributes
    ----------
    alpha : float
        Strength.
    weights : ndarray of shape (n_features,), default=None
        Weight of each feature; 1 if None, 0 frees, inf excludes.
    """

    alpha: float
    weights: np.ndarray | None = None


class ElasticNet(NamedTuple):
    """alpha sum_j weights_j (l1_ratio |w_j| + (1 - l1_ratio) w_j^2 / 2).

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


@generic
def block_value(penalty, b, w):
    """Penalty of block b at w."""


@generic
def block_prox(penalty, b, v, step):
    """v <- argmin_x ||x - v||^2 / 2 + step * penalty_b(x), in place."""


@generic
def block_distance(penalty, b, w, q):
    """Largest entry (separable penalties) or norm of the distance from q to the subdifferential
    at w.

    q is minus the gradient of the smooth part.
    """


@generic
def block_threshold(penalty, b):
    """Radius of the subdifferential at 0."""


@generic
def block_gauge(penalty, b, q):
    """Smallest c >= 0 with q in c times the subdifferential at 0; 0 for a threshold of 0."""


@generic
def block_conjugate(penalty, b, q):
    """Conjugate of a penalty with a quadratic part at q."""


@generic
def block_ridge(penalty, b):
    """Weight a2 of the quadratic part a2 ||w||^2 / 2."""


@generic
def face_gradient(penalty, b, w, out):
    """out <- gradient of the penalty along the face that holds w."""


@generic
def face_curvature(penalty, b, w):
    """(a, c) such that a I + c w w^T is the Hessian of the penalty along the face that holds w."""


@generic
def face_return(penalty, b, old, new):
    """Put back onto the face's closure what a step from `old` to `new` took across a kink."""


@generic
def separable(penalty):
    """Whether the entries of a block are penalised separately."""


@generic
def constrained(penalty):
    """Whether a coefficient remains restricted where its weight or alpha is 0."""


@generic
def ridge_share(penalty):
    """Share of the quadratic part, 1 - l1_ratio."""


PENALTY_FUNCTIONS = (
    block_value,
    block_prox,
    block_distance,
    block_threshold,
    block_gauge,
    block_conjugate,
    block_ridge,
    face_gradient,
    face_curvature,
    face_return,
    separable,
    constrained,
    ridge_share,
)


@kernel(inline=True)
def _scale(penalty, b):
    """alpha weights_b, with 0 * inf = inf for excluded blocks."""
    if np.isinf(penalty.weights[b]):
        return np.inf
    return penalty.alpha * penalty.weights[b]


@kernel(inline=True)
def _share(scale, share):
    """Part of a scale; a share of 0 of an infinite scale is 0."""
    return scale * share if share > 0.0 else 0.0


@kernel(inline=True)
def _ratio(size, threshold):
    return size / threshold if threshold > 0.0 else 0.0


@kernel
def _absolute_sum(w, threshold):
    total = 0.0
    for i in range(w.shape[0]):
        if w[i] != 0.0:
            total += threshold * abs(w[i])
    return total


@kernel
def _half_square(w, ridge):
    total = 0.0
    for i in range(w.shape[0]):
        if w[i] != 0.0:
            total += 0.5 * ridge * w[i] * w[i]
    return total


@kernel(inline=True)
def _l1_distance(w, q, threshold, ridge):
    largest = 0.0
    for i in range(w.shape[0]):
        if w[i] > 0.0:
            distance = abs(q[i] - threshold - ridge * w[i])
        elif w[i] < 0.0:
            distance = abs(q[i] + threshold - ridge * w[i])
        else:
            distance = max(abs(q[i]) - threshold, 0.0)
        largest = max(largest, distance)
    return largest


@kernel
def _sign_gradient(w, threshold, ridge, out):
    for i in range(w.shape[0]):
        out[i] = threshold * np.sign(w[i]) + ridge * w[i]


@kernel(inline=True)
def _largest_entry(q):
    largest = 0.0
    for i in range(q.shape[0]):
        largest = max(largest, abs(q[i]))
    return largest


@kernel
def _largest_positive(q):
    largest = 0.0
    for i in range(q.shape[0]):
        largest = max(largest, q[i])
    return largest


@kernel
def _norm(w):
    total = 0.0
    for i in range(w.shape[0]):
        total += w[i] * w[i]
    return np.sqrt(total)


@kernel
def _soft_threshold(v, threshold, shrinkage):
    for i in range(v.shape[0]):
        if v[i] > threshold:
            v[i] = (v[i] - threshold) / shrinkage
        elif v[i] < -threshold:
            v[i] = (v[i] + threshold) / shrinkage
        else:
            v[i] = 0.0


@kernel
def _zero_sign_flips(old, new):
    for i in range(old.shape[0]):
        if old[i] * new[i] < 0.0:
            new[i] = 0.0


# L1


@block_value.register(L1)
def _(penalty, b, w):
    return _absolute_sum(w, _scale(penalty, b))


@block_prox.register(L1)
def _(penalty, b, v, step):
    _soft_threshold(v, step * _scale(penalty, b), 1.0)


@block_distance.register(L1)
def _(penalty, b, w, q):
    return _l1_distance(w, q, _scale(penalty, b), 0.0)


@block_threshold.register(L1)
def _(penalty, b):
    return _scale(penalty, b)


@block_gauge.register(L1)
def _(penalty, b, q):
    return _ratio(_largest_entry(q), _scale(penalty, b))


@block_conjugate.register(L1)
def _(penalty, b, q):
    return 0.0


@block_ridge.register(L1)
def _(penalty, b):
    return 0.0


@face_gradient.register(L1)
def _(penalty, b, w, out):
    _sign_gradient(w, _scale(penalty, b), 0.0, out)


@face_curvature.register(L1)
def _(penalty, b, w):
    return 0.0, 0.0


@face_return.register(L1)
def _(penalty, b, old, new):
    if block_threshold(penalty, b) > 0.0:
        _zero_sign_flips(old, new)


@separable.register(L1)
def _(penalty):
    return True


@constrained.register(L1)
def _(penalty):
    return False


@ridge_share.register(L1)
def _(penalty):
    return 0.0


# ElasticNet


@block_value.register(ElasticNet)
def _(penalty, b, w):
    return _absolute_sum(w, block_threshold(penalty, b)) + _half_square(w, block_ridge(penalty, b))


@block_prox.register(ElasticNet)
def _(penalty, b, v, step):
    _soft_threshold(v, step * block_threshold(penalty, b), 1.0 + step * block_ridge(penalty, b))


@block_distance.register(ElasticNet)
def _(penalty, b, w, q):
    return _l1_distance(w, q, block_threshold(penalty, b), block_ridge(penalty, b))


@block_threshold.register(ElasticNet)
def _(penalty, b):
    return _share(_scale(penalty, b), penalty.l1_ratio)


@block_gauge.register(ElasticNet)
def _(penalty, b, q):
    return _ratio(_largest_entry(q), block_threshold(penalty, b))


@block_conjugate.register(ElasticNet)
def _(penalty, b, q):
    threshold = block_threshold(penalty, b)
    excess = 0.0
    for i in range(q.shape[0]):
        excess += max(abs(q[i]) - threshold, 0.0) ** 2
    return _ratio(0.5 * excess, block_ridge(penalty, b))


@block_ridge.register(ElasticNet)
def _(penalty, b):
    return _share(_scale(penalty, b), 1.0 - penalty.l1_ratio)


@face_gradient.register(ElasticNet)
def _(penalty, b, w, out):
    _sign_gradient(w, block_threshold(penalty, b), block_ridge(penalty, b), out)


@face_curvature.register(ElasticNet)
def _(penalty, b, w):
    return block_ridge(penalty, b), 0.0


@face_return.register(ElasticNet)
def _(penalty, b, old, new):
    if block_threshold(penalty, b) > 0.0:
        _zero_sign_flips(old, new)


@separable.register(ElasticNet)
def _(penalty):
    return True


@constrained.register(ElasticNet)
def _(penalty):
    return False


@ridge_share.register(ElasticNet)
def _(penalty):
    return 1.0 - penalty.l1_ratio


# NonNegative


@block_value.register(NonNegative)
def _(penalty, b, w):
    for i in range(w.shape[0]):
        if w[i] < 0.0:
            return np.inf
    return _absolute_sum(w, block_threshold(penalty, b)) + _half_square(w, block_ridge(penalty, b))


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


@block_threshold.register(NonNegative)
def _(penalty, b):
    return _share(_scale(penalty, b), penalty.l1_ratio)


@block_gauge.register(NonNegative)
def _(penalty, b, q):
    return _ratio(_largest_positive(q), block_threshold(penalty, b))


@block_conjugate.register(NonNegative)
def _(penalty, b, q):
    threshold = block_threshold(penalty, b)
    excess = 0.0
    for i in range(q.shape[0]):
        excess += max(q[i] - threshold, 0.0) ** 2
    return _ratio(0.5 * excess, block_ridge(penalty, b))


@block_ridge.register(NonNegative)
def _(penalty, b):
    return _share(_scale(penalty, b), 1.0 - penalty.l1_ratio)


@face_gradient.register(NonNegative)
def _(penalty, b, w, out):
    _sign_gradient(w, block_threshold(penalty, b), block_ridge(penalty, b), out)


@face_curvature.register(NonNegative)
def _(penalty, b, w):
    return block_ridge(penalty, b), 0.0


@face_return.register(NonNegative)
def _(penalty, b, old, new):
    for i in range(new.shape[0]):
        new[i] = max(new[i], 0.0)


@separable.register(NonNegative)
def _(penalty):
    return True


@constrained.register(NonNegative)
def _(penalty):
    return True


@ridge_share.register(NonNegative)
def _(penalty):
    return 1.0 - penalty.l1_ratio


# GroupL2


@block_value.register(GroupL2)
def _(penalty, b, w):
    norm = _norm(w)
    value = _half_square(w, block_ridge(penalty, b))
    return value + block_threshold(penalty, b) * norm if norm > 0.0 else value


@block_prox.register(GroupL2)
def _(penalty, b, v, step):
    norm = _norm(v)
    threshold = step * block_threshold(penalty, b)
    factor = 0.0
    if norm > threshold:
        factor = (1.0 - threshold / norm) / (1.0 + step * block_ridge(penalty, b))
    for i in range(v.shape[0]):
        v[i] *= factor


@block_distance.register(GroupL2)
def _(penalty, b, w, q):
    threshold, ridge, norm = block_threshold(penalty, b), block_ridge(penalty, b), _norm(w)
    if norm == 0.0:
        return max(_norm(q) - threshold, 0.0)
    factor, total = threshold / norm + ridge, 0.0
    for i in range(w.shape[0]):
        total += (q[i] - factor * w[i]) ** 2
    return np.sqrt(total)


@block_threshold.register(GroupL2)
def _(penalty, b):
    return _share(_scale(penalty, b), penalty.l1_ratio)


@block_gauge.register(GroupL2)
def _(penalty, b, q):
    return _ratio(_norm(q), block_threshold(penalty, b))


@block_conjugate.register(GroupL2)
def _(penalty, b, q):
    excess = max(_norm(q) - block_threshold(penalty, b), 0.0)
    return _ratio(0.5 * excess**2, block_ridge(penalty, b))


@block_ridge.register(GroupL2)
def _(penalty, b):
    return _share(_scale(penalty, b), 1.0 - penalty.l1_ratio)


@face_gradient.register(GroupL2)
def _(penalty, b, w, out):
    norm = _norm(w)
    factor = block_ridge(penalty, b)
    if norm > 0.0:
        factor += block_threshold(penalty, b) / norm
    for i in range(w.shape[0]):
        out[i] = factor * w[i]


@face_curvature.register(GroupL2)
def _(penalty, b, w):
    norm = _norm(w)
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


@constrained.register(GroupL2)
def _(penalty):
    return False


@ridge_share.register(GroupL2)
def _(penalty):
    return 1.0 - penalty.l1_ratio
