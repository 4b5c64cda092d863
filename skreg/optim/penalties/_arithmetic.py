"""Steps that the bodies of several penalties share."""

import numpy as np

from skreg._jit import kernel


@kernel(inline=True)
def scale_of_block(penalty, b):
    """alpha weights_b, with 0 * inf = inf for excluded blocks."""
    if np.isinf(penalty.weights[b]):
        return np.inf
    return penalty.alpha * penalty.weights[b]


@kernel(inline=True)
def part_of_scale(scale, share):
    """Part of a scale; a share of 0 of an infinite scale is 0."""
    return scale * share if share > 0.0 else 0.0


@kernel(inline=True)
def ratio_to_threshold(size, threshold):
    return size / threshold if threshold > 0.0 else 0.0


@kernel
def absolute_sum(w, threshold):
    total = 0.0
    for i in range(w.shape[0]):
        if w[i] != 0.0:
            total += threshold * abs(w[i])
    return total


@kernel
def half_square(w, ridge):
    total = 0.0
    for i in range(w.shape[0]):
        if w[i] != 0.0:
            total += 0.5 * ridge * w[i] * w[i]
    return total


@kernel(inline=True)
def l1_distance(w, q, threshold, ridge):
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
def sign_gradient(w, threshold, ridge, out):
    for i in range(w.shape[0]):
        out[i] = threshold * np.sign(w[i]) + ridge * w[i]


@kernel(inline=True)
def largest_entry(q):
    largest = 0.0
    for i in range(q.shape[0]):
        largest = max(largest, abs(q[i]))
    return largest


@kernel
def largest_positive(q):
    largest = 0.0
    for i in range(q.shape[0]):
        largest = max(largest, q[i])
    return largest


@kernel
def euclidean_norm(w):
    total = 0.0
    for i in range(w.shape[0]):
        total += w[i] * w[i]
    return np.sqrt(total)


@kernel
def soft_threshold(v, threshold, shrinkage):
    for i in range(v.shape[0]):
        if v[i] > threshold:
            v[i] = (v[i] - threshold) / shrinkage
        elif v[i] < -threshold:
            v[i] = (v[i] + threshold) / shrinkage
        else:
            v[i] = 0.0


@kernel
def zero_sign_flips(old, new):
    for i in range(old.shape[0]):
        if old[i] * new[i] < 0.0:
            new[i] = 0.0
