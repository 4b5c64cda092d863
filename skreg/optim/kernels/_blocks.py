"""Blocks of features, and passes over many of them."""

from typing import NamedTuple

import numpy as np

from skreg._jit import kernel
from skreg.optim.penalties import (
    block_conjugate,
    block_distance,
    block_gauge,
    block_prox,
    block_ridge,
    block_threshold,
    block_value,
    face_curvature,
    face_gradient,
    face_return,
)


class Blocks(NamedTuple):
    """Block b holds the positions ``members[starts[b]:starts[b + 1]]``."""

    starts: np.ndarray
    members: np.ndarray


def singletons(n_features):
    """Every feature its own block."""
    return Blocks(np.arange(n_features + 1), np.arange(n_features))


def blocks_from_labels(labels):
    """Blocks of equal labels 0, 1, .., each in the order of its features."""
    sizes = np.bincount(labels)
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    return Blocks(starts, np.argsort(labels, kind="stable").astype(np.int64))


def members_of(blocks, chosen):
    """Positions of all members of the chosen blocks, block after block, and their new starts."""
    if len(blocks.starts) == len(blocks.members) + 1:
        return blocks.members[chosen], np.arange(len(chosen) + 1)
    sizes = blocks.starts[chosen + 1] - blocks.starts[chosen]
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    offsets = np.repeat(blocks.starts[chosen] - starts[:-1], sizes)
    return blocks.members[np.arange(starts[-1]) + offsets], starts


@kernel
def _gather(values, members, lo, hi, out):
    """out <- the entries of a block of `values` (n_outputs, n), output after output."""
    t = 0
    for k in range(values.shape[0]):
        for i in range(lo, hi):
            out[t] = values[k, members[i]]
            t += 1


@kernel
def _scatter(block, members, lo, hi, values):
    t = 0
    for k in range(values.shape[0]):
        for i in range(lo, hi):
            values[k, members[i]] = block[t]
            t += 1


@kernel
def scan(penalty, starts, members, chosen, ids, w, q, distance, gauge):
    """Distance to optimality and gauge of the chosen blocks; returns (penalty, largest gauge).

    The second gauge is that of q without the gradient of the quadratic part of the penalty, which
    scales a dual point of the augmented design to feasibility. Most blocks are 0 and stay there,
    as their gauge tells.
    """
    size = 1
    for b in chosen:
        size = max(size, (starts[b + 1] - starts[b]) * w.shape[0])
    buffers = np.empty((2, size))
    w_b, q_b = buffers[0], buffers[1]
    value, largest = 0.0, 0.0
    for b in chosen:
        lo, hi = starts[b], starts[b + 1]
        size = (hi - lo) * w.shape[0]
        if size != w_b.shape[0]:
            w_b, q_b = buffers[0, :size], buffers[1, :size]
        t, zero = 0, True
        for k in range(w.shape[0]):
            for i in range(lo, hi):
                w_b[t], q_b[t] = w[k, members[i]], q[k, members[i]]
                zero = zero and w_b[t] == 0.0
                t += 1
        gauge[b] = block_gauge(penalty, ids[b], q_b)
        if zero and gauge[b] <= 1.0 and block_threshold(penalty, ids[b]) > 0.0:
            distance[b] = 0.0
            largest = max(largest, gauge[b])
            continue
        distance[b] = block_distance(penalty, ids[b], w_b, q_b)
        value += block_value(penalty, ids[b], w_b)
        ridge = block_ridge(penalty, ids[b])
        if ridge > 0.0:
            for t in range(size):
                q_b[t] -= ridge * w_b[t]
            largest = max(largest, block_gauge(penalty, ids[b], q_b))
        else:
            largest = max(largest, gauge[b])
    return value, largest


@kernel
def outdated(alive, nonzero, was_nonzero, threshold, norm, way, gauge, drift):
    """What has to be looked at again after the dual point has gone `way` since each block was seen.

    Returns the blocks whose gradient may matter, those whose coefficients or gradient are new, and
    a bound of the gauges of all others. `drift` receives how far a block's gradient may be off.
    """
    stale, moved = np.empty_like(alive), np.empty_like(alive)
    n_stale, n_moved, largest = 0, 0, 0.0
    for b in alive:
        off = norm[b] * way[b]
        again = off > 0.0 and (
            nonzero[b] or threshold[b] * (1.0 - gauge[b]) <= off or threshold[b] == 0.0
        )
        drift[b] = 0.0 if again else off
        if again:
            stale[n_stale] = b
            n_stale += 1
        elif off > 0.0:
            largest = max(largest, gauge[b] + off / threshold[b])
        if again or nonzero[b] or was_nonzero[b]:
            moved[n_moved] = b
            n_moved += 1
        else:
            largest = max(largest, gauge[b])
    return stale[:n_stale], moved[:n_moved], largest


@kernel
def discard(alive, nonzero, threshold, norm, gauge, drift, scale, radius, live):
    """Clear the flags of blocks that are zero for all dual points within `radius` of the scaled
    one."""
    for b in alive:
        size = scale * (gauge[b] * threshold[b] + drift[b])
        if size + radius * norm[b] < threshold[b] * (1.0 - 1e-12) and not nonzero[b]:
            live[b] = False


@kernel(inline=True)
def conjugate(penalty, starts, members, chosen, ids, q, scale):
    """Conjugate of the penalty at scale * q, over the chosen blocks."""
    size = 1
    for b in chosen:
        size = max(size, (starts[b + 1] - starts[b]) * q.shape[0])
    buffer = np.empty(size)
    q_b = buffer
    total = 0.0
    for b in chosen:
        size = (starts[b + 1] - starts[b]) * q.shape[0]
        if size != q_b.shape[0]:
            q_b = buffer[:size]
        _gather(q, members, starts[b], starts[b + 1], q_b)
        for t in range(size):
            q_b[t] *= scale
        total += block_conjugate(penalty, ids[b], q_b)
    return total


@kernel
def ridge_energy(penalty, starts, members, chosen, ids, w):
    """sum_b a2_b ||w_b||^2 over the chosen blocks, with the weights a2 of the quadratic parts."""
    total = 0.0
    for b in chosen:
        ridge = block_ridge(penalty, ids[b])
        for k in range(w.shape[0]):
            for i in range(starts[b], starts[b + 1]):
                value = w[k, members[i]]
                if value != 0.0:
                    total += ridge * value * value
    return total


@kernel
def feasible_start(penalty, starts, members, chosen, w):
    """Move the chosen blocks of w to the nearest point where the penalty is finite, in place.

    That is a proximal step of length 0.
    """
    for b in chosen:
        w_b = np.empty((starts[b + 1] - starts[b]) * w.shape[0])
        _gather(w, members, starts[b], starts[b + 1], w_b)
        block_prox(penalty, b, w_b, 0.0)
        _scatter(w_b, members, starts[b], starts[b + 1], w)


@kernel
def thresholds(penalty, n_blocks):
    """Radius of each block's subdifferential at 0."""
    out = np.empty(n_blocks)
    for b in range(n_blocks):
        out[b] = block_threshold(penalty, b)
    return out


@kernel
def face(penalty, starts, ids, w, gradient, diagonal, rank_one):
    """Gradient and Hessian diag(a) + c w w^T (c per block) of the penalty on the face of w.

    Returns the penalty. Blocks lie one after the other in `w`, shape (n_outputs, n).
    """
    members = np.arange(w.shape[1])
    size = 1
    for b in range(len(ids)):
        size = max(size, (starts[b + 1] - starts[b]) * w.shape[0])
    w_buffer, g_buffer = np.empty(size), np.empty(size)
    value = 0.0
    for b in range(len(ids)):
        lo, hi = starts[b], starts[b + 1]
        size = (hi - lo) * w.shape[0]
        w_b, g_b = w_buffer[:size], g_buffer[:size]
        _gather(w, members, lo, hi, w_b)
        face_gradient(penalty, ids[b], w_b, g_b)
        _scatter(g_b, members, lo, hi, gradient)
        curvature, rank_one[b] = face_curvature(penalty, ids[b], w_b)
        for k in range(w.shape[0]):
            for i in range(lo, hi):
                diagonal[k, i] = curvature
        value += block_value(penalty, ids[b], w_b)
    return value


@kernel
def return_to_face(penalty, starts, ids, old, new):
    """Put back what a step took across a kink; returns the penalty of the corrected point."""
    members = np.arange(old.shape[1])
    size = 1
    for b in range(len(ids)):
        size = max(size, (starts[b + 1] - starts[b]) * old.shape[0])
    old_buffer, new_buffer = np.empty(size), np.empty(size)
    value = 0.0
    for b in range(len(ids)):
        lo, hi = starts[b], starts[b + 1]
        size = (hi - lo) * old.shape[0]
        old_b, new_b = old_buffer[:size], new_buffer[:size]
        _gather(old, members, lo, hi, old_b)
        _gather(new, members, lo, hi, new_b)
        face_return(penalty, ids[b], old_b, new_b)
        _scatter(new_b, members, lo, hi, new)
        value += block_value(penalty, ids[b], new_b)
    return value


@kernel
def total_value(penalty, starts, ids, w):
    """Penalty of blocks that lie one after the other in `w`, shape (n_outputs, n)."""
    members = np.arange(w.shape[1])
    size = 1
    for b in range(len(ids)):
        size = max(size, (starts[b + 1] - starts[b]) * w.shape[0])
    buffer = np.empty(size)
    value = 0.0
    for b in range(len(ids)):
        w_b = buffer[: (starts[b + 1] - starts[b]) * w.shape[0]]
        _gather(w, members, starts[b], starts[b + 1], w_b)
        value += block_value(penalty, ids[b], w_b)
    return value
